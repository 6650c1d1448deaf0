package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Options are the PTRACE_O_* bits that every tracee has: all kinds of children
// are reported, and syscall stops are told from signals.
const Options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
	unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEVFORKDONE

// LeaderOptions are Options for the leader of a thread group: it stops once
// more on its way out, because its end is reported only after that of the
// last other thread.
const LeaderOptions = Options | unix.PTRACE_O_TRACEEXIT

// KillOnExit is added to Options for a program that was launched: it does not
// outlive its tracer.
const KillOnExit = unix.PTRACE_O_EXITKILL

// The request numbers that golang.org/x/sys lacks or gives another meaning:
// its PtraceGetRegs uses PTRACE_GETREGSET, whose layout is the tracee's.
const (
	requestGetRegisters = 12 // PTRACE_GETREGS
	requestSetRegisters = 13 // PTRACE_SETREGS
)

//go:uintptrescapes
func call(request, tid int, address, data uintptr) unix.Errno {
	// None of the requests blocks, so the scheduler need not be told.
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0)
	return errno
}

// Seize attaches to one thread without stopping it (PTRACE_SEIZE). It fails
// with EPERM where that is not allowed; [ExplainAttach] says why.
func (t *Tracer) Seize(tid int, options int) error {
	return failure("attach to", tid, call(unix.PTRACE_SEIZE, tid, 0, uintptr(options)))
}

// SetOptions replaces the PTRACE_O_* options of a stopped thread.
func (t *Tracer) SetOptions(tid int, options int) error {
	return failure("set the trace options of", tid, call(unix.PTRACE_SETOPTIONS, tid, 0, uintptr(options)))
}

// Interrupt asks a running thread to stop (PTRACE_INTERRUPT). Whatever stop it
// enters next satisfies the request; if it was already in a stop that has not
// been waited for, an InterruptStop follows its resumption.
func (t *Tracer) Interrupt(tid int) error {
	return failure("interrupt", tid, call(unix.PTRACE_INTERRUPT, tid, 0, 0))
}

// Continue lets a stopped thread run, delivering signal unless it is 0. The
// kernel ignores the signal unless the thread is in a SignalStop.
func (t *Tracer) Continue(tid int, signal unix.Signal) error {
	return failure("continue", tid, call(unix.PTRACE_CONT, tid, 0, uintptr(signal)))
}

// Step is Continue for one instruction (PTRACE_SINGLESTEP).
func (t *Tracer) Step(tid int, signal unix.Signal) error {
	return failure("step", tid, call(unix.PTRACE_SINGLESTEP, tid, 0, uintptr(signal)))
}

// ContinueToSyscall is Continue up to the next entry to or exit from a system
// call (PTRACE_SYSCALL).
func (t *Tracer) ContinueToSyscall(tid int, signal unix.Signal) error {
	return failure("continue", tid, call(unix.PTRACE_SYSCALL, tid, 0, uintptr(signal)))
}

// Listen leaves a thread in its group stop, as if it were not traced, but
// reports the stop's end (PTRACE_LISTEN).
func (t *Tracer) Listen(tid int) error {
	return failure("leave the group stop of", tid, call(unix.PTRACE_LISTEN, tid, 0, 0))
}

// Detach lets go of a stopped thread, delivering signal unless it is 0.
func (t *Tracer) Detach(tid int, signal unix.Signal) error {
	return failure("detach from", tid, call(unix.PTRACE_DETACH, tid, 0, uintptr(signal)))
}

// EventMessage returns the number that belongs to the last event stop: the new
// task's id, the former id at exec, the wait status at exit.
func (t *Tracer) EventMessage(tid int) (uint64, error) {
	var message uint64
	errno := call(unix.PTRACE_GETEVENTMSG, tid, 0, uintptr(unsafe.Pointer(&message)))
	return message, failure("read the event of", tid, errno)
}

// Registers reads the general registers of a stopped thread.
func (t *Tracer) Registers(tid int, registers *Registers) error {
	return failure("read the registers of", tid, call(requestGetRegisters, tid, 0, uintptr(unsafe.Pointer(registers))))
}

// SetRegisters writes the general registers of a stopped thread.
func (t *Tracer) SetRegisters(tid int, registers *Registers) error {
	return failure("write the registers of", tid, call(requestSetRegisters, tid, 0, uintptr(unsafe.Pointer(registers))))
}

// ReloadSegments gives a stopped thread that executes 32-bit code the segments
// that its fs and gs select. SetRegisters changes the selectors alone where the
// processor has FSGSBASE, for 64-bit code has segments without selectors. The
// kernel's 32-bit form of the registers has no bases, so that writing it loads
// them from the descriptor tables (arch/x86/kernel/ptrace.c, putreg32). The
// kernel gives and takes that form, NT_PRSTATUS, as long as the thread executes
// 32-bit code; for other code this changes nothing.
func (t *Tracer) ReloadSegments(tid int) error {
	// Seventeen numbers of 4 bytes: struct user_regs_struct32.
	const size = 68
	var registers [unsafe.Sizeof(Registers{})]byte
	n, errno := registerSet(unix.PTRACE_GETREGSET, tid, noteRegisters, registers[:])
	if errno == 0 && n == size {
		_, errno = registerSet(unix.PTRACE_SETREGSET, tid, noteRegisters, registers[:n])
	}
	return failure("load the segments of", tid, errno)
}

// Notes of ELF core files that name register sets for PTRACE_GETREGSET
// (include/uapi/linux/elf.h).
const (
	noteRegisters   = 1     // NT_PRSTATUS
	noteXState      = 0x202 // NT_X86_XSTATE
	noteShadowStack = 0x204 // NT_X86_SHSTK
)

func registerSet(request, tid, note int, buffer []byte) (int, unix.Errno) {
	vector := unix.Iovec{Base: unsafe.SliceData(buffer)}
	vector.SetLen(len(buffer))
	errno := call(request, tid, uintptr(note), uintptr(unsafe.Pointer(&vector)))
	return int(vector.Len), errno
}

// XState reads the extended state (x87, SSE, AVX and later) of a stopped
// thread in the standard XSAVE form, and returns how many bytes there are;
// [XSaveLayout] says what lies where.
func (t *Tracer) XState(tid int, buffer []byte) (int, error) {
	n, errno := registerSet(unix.PTRACE_GETREGSET, tid, noteXState, buffer)
	return n, failure("read the vector registers of", tid, errno)
}

// SetXState writes what XState read.
func (t *Tracer) SetXState(tid int, buffer []byte) error {
	_, errno := registerSet(unix.PTRACE_SETREGSET, tid, noteXState, buffer)
	return failure("write the vector registers of", tid, errno)
}

// ShadowStackPointer reads the user shadow-stack pointer (kernel 6.6 and
// later). It fails with ENODEV or EINVAL where the thread has none.
func (t *Tracer) ShadowStackPointer(tid int) (uint64, error) {
	var value [8]byte
	_, errno := registerSet(unix.PTRACE_GETREGSET, tid, noteShadowStack, value[:])
	return *(*uint64)(unsafe.Pointer(&value)), failure("read the shadow-stack pointer of", tid, errno)
}

// SetShadowStackPointer writes the user shadow-stack pointer.
func (t *Tracer) SetShadowStackPointer(tid int, pointer uint64) error {
	value := *(*[8]byte)(unsafe.Pointer(&pointer))
	_, errno := registerSet(unix.PTRACE_SETREGSET, tid, noteShadowStack, value[:])
	return failure("write the shadow-stack pointer of", tid, errno)
}

// Kill sends SIGKILL to a whole process; it takes effect in every ptrace stop.
func (t *Tracer) Kill(pid int) error {
	errno, _ := unix.Kill(pid, unix.SIGKILL).(unix.Errno)
	return failure("kill", pid, errno)
}

// Signal sends a signal to one thread of a process (tgkill(2)), so that no
// other thread can take it.
func (t *Tracer) Signal(pid, tid int, signal unix.Signal) error {
	errno, _ := unix.Tgkill(pid, tid, signal).(unix.Errno)
	return failure("signal", tid, errno)
}

// SignalProcess sends a signal to a process as kill(2) does.
func (t *Tracer) SignalProcess(pid int, signal unix.Signal) error {
	errno, _ := unix.Kill(pid, signal).(unix.Errno)
	return failure("signal", pid, errno)
}
