package threads

import (
	"debug/elf"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Memory is one address space. Both calls reach any page protection; see
// [ptrace.Memory] for partial reads and for writes that fail as a whole.
type Memory interface {
	Read(address uint64, buffer []byte) (int, error)
	Write(address uint64, data []byte) error
	io.Closer
}

// Kernel is what the table needs of the kernel, in the terms of package
// ptrace, whose Tracer documents each call.
type Kernel interface {
	Wait(likely int) (ptrace.Event, error)
	WaitFor(tid int) (ptrace.Event, error)

	Launch(program ptrace.Program) (pid int, err error)
	Seize(tid, options int) error
	SetOptions(tid, options int) error
	Interrupt(tid int) error
	Continue(tid int, signal unix.Signal) error
	ContinueToSyscall(tid int, signal unix.Signal) error
	Syscall(tid int, to *ptrace.Syscall) error
	Step(tid int, signal unix.Signal) error
	Listen(tid int) error
	Detach(tid int, signal unix.Signal) error
	EventMessage(tid int) (uint64, error)
	Kill(pid int) error
	Signal(pid, tid int, signal unix.Signal) error
	SignalProcess(pid int, signal unix.Signal) error

	Registers(tid int, registers *ptrace.Registers) error
	SetRegisters(tid int, registers *ptrace.Registers) error
	ReloadSegments(tid int) error
	XState(tid int, buffer []byte) (int, error)
	SetXState(tid int, buffer []byte) error
	ShadowStackPointer(tid int) (uint64, error)
	SetShadowStackPointer(tid int, pointer uint64) error
	Siginfo(tid int, info *ptrace.Siginfo) error
	SetSiginfo(tid int, info *ptrace.Siginfo) error
	PendingSignals(tid, first int, infos []ptrace.Siginfo) (int, error)
	// TakesSignal tells whether a stopped thread, of a process that is stopped as
	// a whole, meets a signal before it executes anything.
	TakesSignal(pid, tid int) (bool, error)
	DebugRegister(tid, number int) (uint64, error)
	SetDebugRegister(tid, number int, value uint64) error

	// Now is the time on a clock that never goes back, and StartTime when a process
	// was made on that clock, or somewhat earlier.
	Now() time.Duration
	StartTime(pid int) (time.Duration, error)
	// Doomed tells whether a thread has been killed or is gone.
	Doomed(pid, tid int) bool
	// OpenMemory opens the address space that a thread uses.
	OpenMemory(tid int) (Memory, error)
	// ThreadGroup returns the process id of a thread, which is probably the
	// one given.
	ThreadGroup(tid, likely int) (int, error)
	// Tasks lists the thread ids of a process.
	Tasks(pid int) ([]int, error)
	// SameMemory tells whether two threads use one address space; it may not be
	// able to.
	SameMemory(tid, other int) (bool, error)
	// MadeSharing tells whether the task that a thread has just made shares its
	// memory, by what the thread asked for.
	MadeSharing(creator int) (bool, error)
	// Executable returns the file that a process executes.
	Executable(pid int) (string, error)
	// Machine returns the machine that a process's program was made for.
	Machine(pid int) (elf.Machine, error)
}

// Live is the real kernel.
type Live struct{ *ptrace.Tracer }

// OpenMemory opens /proc/TID/mem.
func (Live) OpenMemory(tid int) (Memory, error) {
	memory, err := ptrace.OpenMemory(tid)
	if err != nil {
		return nil, err
	}
	return memory, nil
}

// TakesSignal is [ptrace.TakesSignal].
func (Live) TakesSignal(pid, tid int) (bool, error) { return ptrace.TakesSignal(pid, tid) }

// Now is [ptrace.SinceBoot].
func (Live) Now() time.Duration { return ptrace.SinceBoot() }

// StartTime reads /proc/PID/stat.
func (Live) StartTime(pid int) (time.Duration, error) {
	stat, err := ptrace.ReadTaskStat(pid, pid)
	return stat.Start, err
}

// Doomed is [ptrace.Doomed].
func (Live) Doomed(pid, tid int) bool { return ptrace.Doomed(pid, tid) }

// ThreadGroup is [ptrace.ThreadGroup].
func (Live) ThreadGroup(tid, likely int) (int, error) { return ptrace.ThreadGroup(tid, likely) }

// Tasks lists /proc/PID/task.
func (Live) Tasks(pid int) ([]int, error) { return ptrace.Tasks(pid) }

// SameMemory is [ptrace.SameMemory].
func (Live) SameMemory(tid, other int) (bool, error) { return ptrace.SameMemory(tid, other) }

// Executable reads /proc/PID/exe.
func (Live) Executable(pid int) (string, error) { return ptrace.Executable(pid) }

// Machine reads the program that /proc/PID/exe leads to.
func (Live) Machine(pid int) (elf.Machine, error) { return ptrace.Machine(pid) }
