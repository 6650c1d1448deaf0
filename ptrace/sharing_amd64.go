package ptrace

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// kcmpVM asks kcmp(2) for the address space (KCMP_VM, include/uapi/linux/kcmp.h).
const kcmpVM = 1

// SameMemory tells whether two threads use one address space. It fails with
// EPERM or ENOSYS where kcmp(2) is not to be had, as in containers without
// CAP_SYS_PTRACE, and with ErrGone where one of them has ended.
func SameMemory(tid, other int) (bool, error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(tid), uintptr(other), kcmpVM, 0, 0, 0)
	return r == 0 && errno == 0, failure("compare the memory of", tid, errno)
}

// The system calls that take clone flags, by ABI (syscall_64.tbl,
// syscall_32.tbl).
const (
	clone3Number     = 435 // the same for both
	cloneNumber      = 56
	cloneNumberI386  = 120
	vforkNumber      = 58
	vforkNumberI386  = 190
	x32Bit           = 1 << 30
	sharesMemoryFlag = unix.CLONE_VM
)

// MadeSharing tells whether the task that a thread has just made shares its
// memory, by the flags that the thread asked for: clone's are in a register,
// those of clone3 in its memory, where another thread can have changed them
// since, so that SameMemory knows better. The thread has to be in the stop that
// reports the task.
func (t *Tracer) MadeSharing(creator int) (bool, error) {
	var call Syscall
	if err := t.Syscall(creator, &call); err != nil {
		return false, err
	}
	var registers Registers
	if err := t.Registers(creator, &registers); err != nil {
		return false, err
	}
	number, arguments := registers.SyscallOf(call.ABI)
	argument, plain, vfork := arguments[0], uint64(cloneNumber), uint64(vforkNumber)
	if call.ABI == SyscallI386 {
		plain, vfork = cloneNumberI386, vforkNumberI386
	}
	switch number &^ x32Bit {
	case vfork:
		return true, nil
	case plain:
		return argument&sharesMemoryFlag != 0, nil
	case clone3Number:
		memory, err := OpenMemory(creator)
		if err != nil {
			return false, err
		}
		defer memory.Close()
		var flags [8]byte
		if n, err := memory.Read(argument, flags[:]); n < len(flags) {
			return false, err
		}
		return binary.LittleEndian.Uint64(flags[:])&sharesMemoryFlag != 0, nil
	}
	return false, nil
}
