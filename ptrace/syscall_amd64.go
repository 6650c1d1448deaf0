package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SyscallABI is how a system call was made, which decides what its number
// means. A 64-bit program can make calls of either.
type SyscallABI uint8

const (
	// SyscallX8664 is the syscall instruction of 64-bit code, x32 among it,
	// whose numbers have bit 30 set (arch/x86/include/uapi/asm/unistd.h).
	SyscallX8664 SyscallABI = iota
	// SyscallI386 is int 0x80, and sysenter and syscall of 32-bit code.
	SyscallI386
)

func (a SyscallABI) String() string {
	if a == SyscallI386 {
		return "i386"
	}
	return "x86-64"
}

// SyscallPhase says where in a system call a thread is stopped.
type SyscallPhase uint8

const (
	// OutsideSyscall: the stop is none of PTRACE_SYSCALL's.
	OutsideSyscall SyscallPhase = iota
	// SyscallEntry: the call is about to be made.
	SyscallEntry
	// SyscallReturn: the call has been made.
	SyscallReturn
)

// SyscallOf reads the number and the arguments of the system call that a thread
// is in from its registers, where the kernel leaves them until it returns
// (arch/x86/entry/calling.h). execve has cleared the arguments when it returns.
func (r *Registers) SyscallOf(abi SyscallABI) (number uint64, arguments [6]uint64) {
	if abi == SyscallI386 {
		const low = 0xffffffff
		return r.OrigRax & low, [6]uint64{r.Rbx & low, r.Rcx & low, r.Rdx & low, r.Rsi & low, r.Rdi & low, r.Rbp & low}
	}
	return r.OrigRax, [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
}

// Syscall is what PTRACE_GET_SYSCALL_INFO tells of a stopped thread.
type Syscall struct {
	Phase SyscallPhase
	ABI   SyscallABI
	// Number and Arguments are set at the entry only.
	Number    uint64
	Arguments [6]uint64
	// Result is what the call returns, set at the return only; Failed says that
	// it is the negative of an errno.
	Result int64
	Failed bool
}

// The values of struct ptrace_syscall_info (include/uapi/linux/ptrace.h) and
// of the audit architectures in it (include/uapi/linux/audit.h).
const (
	requestGetSyscallInfo = 0x420e // PTRACE_GET_SYSCALL_INFO
	syscallInfoEntry      = 1      // PTRACE_SYSCALL_INFO_ENTRY
	syscallInfoExit       = 2      // PTRACE_SYSCALL_INFO_EXIT
	auditArchI386         = 0x40000003
)

// syscallInfo is struct ptrace_syscall_info: number and arguments at an entry,
// result and failed in their place at an exit.
type syscallInfo struct {
	operation    uint8
	_            [3]uint8
	architecture uint32
	_, _         uint64 // instruction and stack pointer
	number       uint64
	arguments    [6]uint64
	_            [2]uint64 // of seccomp stops
}

// Syscall tells in which system call a stopped thread is; the ABI also in a
// stop within one for another reason. The kernel has to be 5.3 or later: EIO
// says that it is not.
func (t *Tracer) Syscall(tid int, to *Syscall) error {
	var info syscallInfo
	size := unsafe.Sizeof(info)
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, requestGetSyscallInfo, uintptr(tid), size, uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return failure("read the system call of", tid, errno)
	}
	*to = Syscall{}
	if info.architecture == auditArchI386 {
		to.ABI = SyscallI386
	}
	switch info.operation {
	case syscallInfoEntry:
		to.Phase, to.Number, to.Arguments = SyscallEntry, info.number, info.arguments
	case syscallInfoExit:
		to.Phase, to.Result, to.Failed = SyscallReturn, int64(info.number), info.arguments[0]&0xff != 0
	}
	return nil
}
