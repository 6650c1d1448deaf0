package ptrace

import "bytes"

// SyscallArguments is a system call to be made by a tracee.
type SyscallArguments struct {
	Number    uint64
	Arguments [6]uint64
}

// syscallOpcode and its length are those of 64-bit code.
var syscallOpcode = []byte{0x0f, 0x05}

// FindSyscall returns the offset of a system call instruction for 64-bit code
// in some code, or -1.
func FindSyscall(code []byte) int { return bytes.Index(code, syscallOpcode) }

// PrepareSyscall has the thread make a system call at its next step, where
// address has a syscall instruction (System V ABI, AMD64, A.2.1). Without a
// number in OrigRax the kernel does not take what it finds for a call to
// restart.
func (r *Registers) PrepareSyscall(address uint64, call SyscallArguments) {
	r.Rip, r.OrigRax = address, ^uint64(0)
	r.Rax = call.Number
	r.Rdi, r.Rsi, r.Rdx = call.Arguments[0], call.Arguments[1], call.Arguments[2]
	r.R10, r.R8, r.R9 = call.Arguments[3], call.Arguments[4], call.Arguments[5]
}

// SyscallResult is what the call has returned, an errno negated if it failed.
func (r *Registers) SyscallResult() int64 { return int64(r.Rax) }
