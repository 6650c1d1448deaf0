package ptrace

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Siginfo is the kernel's siginfo_t as 128 raw bytes in the tracee's byte
// order (include/uapi/asm-generic/siginfo.h): three 32-bit numbers si_signo,
// si_errno and si_code, then, 8-aligned on 64-bit machines, a union.
type Siginfo [128]byte

// Signal is si_signo.
func (s *Siginfo) Signal() unix.Signal { return unix.Signal(binary.NativeEndian.Uint32(s[0:])) }

// Code is si_code, which says why the signal was sent.
func (s *Siginfo) Code() int32 { return int32(binary.NativeEndian.Uint32(s[8:])) }

// Address is si_addr of a fault or trap.
func (s *Siginfo) Address() uint64 { return binary.NativeEndian.Uint64(s[16:]) }

// SentSiginfo is what the kernel tells of a signal that it has sent by itself for
// no reason that it names (SI_KERNEL).
func SentSiginfo(signal unix.Signal) Siginfo {
	var info Siginfo
	binary.NativeEndian.PutUint32(info[0:], uint32(signal))
	binary.NativeEndian.PutUint32(info[8:], TrapKernel)
	return info
}

// The si_code values of SIGTRAP that a debugger tells apart. An int3 reports
// TrapKernel on x86 (do_int3 in arch/x86/kernel/traps.c), a system call that
// returns with the trap flag set TrapBreakpoint.
const (
	TrapBreakpoint = 1    // TRAP_BRKPT
	TrapTrace      = 2    // TRAP_TRACE
	TrapHardware   = 4    // TRAP_HWBKPT
	TrapKernel     = 0x80 // SI_KERNEL
)

// Siginfo reads what the kernel knows of the signal that stopped a thread.
// It fails with EINVAL in a group stop.
func (t *Tracer) Siginfo(tid int, info *Siginfo) error {
	errno := call(unix.PTRACE_GETSIGINFO, tid, 0, uintptr(unsafe.Pointer(info)))
	return failure("read the signal information of", tid, errno)
}

// SetSiginfo replaces the information of the signal that stopped a thread.
func (t *Tracer) SetSiginfo(tid int, info *Siginfo) error {
	errno := call(unix.PTRACE_SETSIGINFO, tid, 0, uintptr(unsafe.Pointer(info)))
	return failure("write the signal information of", tid, errno)
}
