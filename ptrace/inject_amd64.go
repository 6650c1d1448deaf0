package ptrace

import "bytes"

// SyscallArguments is a system call to be made by a tracee.
type SyscallArguments struct {
	// Number is one for 64-bit programs, or with Compat one for 32-bit programs.
	Number    uint64
	Arguments [6]uint64
	// Compat says that the tracee executes 32-bit code.
	Compat bool
}

// The instructions: syscall in 64-bit code, int $0x80 in 32-bit code.
var (
	syscallOpcode   = []byte{0x0f, 0x05}
	interruptOpcode = []byte{0xcd, 0x80}
)

// FindSyscall returns the offset of a system call instruction in some code, or
// -1.
func FindSyscall(code []byte, compat bool) int {
	if compat {
		return bytes.Index(code, interruptOpcode)
	}
	return bytes.Index(code, syscallOpcode)
}

// PrepareSyscall has the thread make a system call at its next step, where
// address has an instruction for it (System V ABI, AMD64, A.2.1; syscall(2) for
// 32-bit code). Without a
// number in OrigRax the kernel does not take what it finds for a call to
// restart.
func (r *Registers) PrepareSyscall(address uint64, call SyscallArguments) {
	r.Rip, r.OrigRax = address, ^uint64(0)
	r.Rax = call.Number
	if call.Compat {
		r.Rbx, r.Rcx, r.Rdx = call.Arguments[0], call.Arguments[1], call.Arguments[2]
		r.Rsi, r.Rdi, r.Rbp = call.Arguments[3], call.Arguments[4], call.Arguments[5]
		return
	}
	r.Rdi, r.Rsi, r.Rdx = call.Arguments[0], call.Arguments[1], call.Arguments[2]
	r.R10, r.R8, r.R9 = call.Arguments[3], call.Arguments[4], call.Arguments[5]
}

// SyscallResult is what the call has returned, an errno negated if it failed.
func (r *Registers) SyscallResult() int64 {
	if !r.Executes64Bit() {
		return int64(int32(r.Rax))
	}
	return int64(r.Rax)
}
