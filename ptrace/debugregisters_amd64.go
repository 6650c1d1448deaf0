package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// DebugAddresses is how many addresses the debug registers hold: DR0 to DR3.
const DebugAddresses = 4

// debugRegistersOffset is offsetof(struct user, u_debugreg), sys/user.h.
const debugRegistersOffset = 848

// DebugRegister reads DR0 to DR3, DR6 (status) or DR7 (control) of a stopped
// thread (Intel SDM volume 3, chapter "Debug, Branch Profile, TSC").
func (t *Tracer) DebugRegister(tid, number int) (uint64, error) {
	var value uint64
	errno := call(unix.PTRACE_PEEKUSR, tid, debugRegistersOffset+8*uintptr(number), uintptr(unsafe.Pointer(&value)))
	return value, failure("read a debug register of", tid, errno)
}

// SetDebugRegister writes DR0 to DR3, DR6 or DR7 of a stopped thread. EINVAL
// says that the kernel refuses the address (not in user space, misaligned).
func (t *Tracer) SetDebugRegister(tid, number int, value uint64) error {
	errno := call(unix.PTRACE_POKEUSR, tid, debugRegistersOffset+8*uintptr(number), uintptr(value))
	return failure("write a debug register of", tid, errno)
}
