package threads

import (
	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// LWP is one thread of a traced process, as the kernel schedules it.
type LWP struct {
	// TID is the kernel's thread id.
	TID int
	// Process is the one that it belongs to.
	Process *Process

	table *Table
	state lwpState
	// asked is what the client last told it to do.
	asked Action
	// pending is what it stopped for, until the client has been told.
	pending Stop
	// childEnd is the end of the child of a pending Forked or VForked, which is
	// told after that.
	childEnd Stop
	// postponed says that pending is a report that was made already and put off.
	postponed bool
	// reported is what the client was last told of it since it stopped.
	reported Stop
	// inSignalStop says that the kernel will deliver a signal at its
	// resumption, the one that stopped it or any other: it will not from
	// another kind of stop.
	inSignalStop bool
	// sent is a signal that the client had delivered from another kind of
	// stop, which is on its way and no news.
	sent unix.Signal
	// delivering is that signal when it has arrived and the LWP has not been
	// resumed with it yet.
	delivering unix.Signal
	// inSyscall says that it stopped inside a system call (fork, execve), and
	// leavesSyscall that the client resumed it from there: a single step then traps
	// when the call ends, before an instruction was executed.
	inSyscall, leavesSyscall bool
	// groupStopped is the signal of the job-control stop that it is in.
	groupStopped unix.Signal
	// interrupting says that an interrupt was sent and no stop has come yet.
	interrupting bool
	// pressed says that one was sent since its last resumption because the
	// client asked for an interrupt.
	pressed bool
	// halting says that the client has told it to stop and has not been told
	// yet that it did; again, that its last report is to be made again.
	halting, again bool
	// rejoining says that it has to enter its job-control stop again, which it
	// left to meet a trap.
	rejoining bool
	// syscall is the system call that it is in or was in last, as far as the
	// stops around them were asked for, and followed says that they were ever
	// since its entry.
	syscall  ptrace.Syscall
	followed bool
	// launching says that it is in the execve that began its life here, which
	// is not the program's.
	launching bool
	// options are the events of it that the client wants.
	options ThreadOptions
	// unreported says that the client was not told of its birth yet, though it
	// wants to know; until then it is not resumed.
	unreported bool
	// vforking says that it made a vfork child and was not told yet that the
	// child is done.
	vforking bool
	// untold says that the client does not know of that child.
	untold bool
	// awaiting says that it made a thread of its own process that holds it like
	// a vfork child (CLONE_THREAD with CLONE_VFORK).
	awaiting bool
	// passing says that a hit of the breakpoint at passAddress, where the pc
	// is, was judged to be passed over, and that the instruction there has not
	// been executed since.
	passing     bool
	passAddress uint64
	// stepsOver says that its last resumption was the step over that.
	stepsOver bool
	// stepped is what it was before its last step, until that has ended.
	stepped beforeStep
	// kept are signals to deliver after it.
	kept []keptSignal
	// debugVersion is the version of the process's hardware points that its
	// debug registers hold.
	debugVersion uint64

	registers       ptrace.Registers
	haveRegisters   bool
	registersWrite  bool
	xstate          []byte
	haveXState      bool
	xstateWrite     bool
	shadowStack     uint64
	haveShadowStack bool
	noShadowStack   error
}

type lwpState uint8

const (
	lwpStopped lwpState = iota
	lwpRunning
	// lwpHeld: resumed, but the kernel holds it until its vfork child lets go
	// of the memory; meanwhile nothing but SIGKILL reaches it. Its registers
	// are those it had.
	lwpHeld
	// lwpEnding: past its exit event, it runs no more code of the program.
	// The leader stays so until the last thread is gone.
	lwpEnding
)

// Stopped tells whether registers can be read and the LWP be resumed.
func (l *LWP) Stopped() bool { return l.state == lwpStopped }

// Held tells whether the kernel keeps the LWP until its vfork child is done:
// its registers can be read but not be changed.
func (l *LWP) Held() bool { return l.state == lwpHeld }

// Ending tells whether the LWP has begun to exit: it cannot be stopped or
// looked at any more. The leader of a process stays so while others live.
func (l *LWP) Ending() bool { return l.state == lwpEnding }

// Reported is what the client was last told that this LWP stopped for.
func (l *LWP) Reported() Stop { return l.reported }

// ErrRunning says that something was asked of an LWP that is not stopped.
type ErrRunning struct{ TID int }

func (e ErrRunning) Error() string { return "the thread is running; stop it first" }

func (l *LWP) needStopped() error {
	switch l.state {
	case lwpRunning, lwpHeld:
		return ErrRunning{l.TID}
	case lwpEnding:
		return &ptrace.Error{Operation: "look at", TID: l.TID, Errno: unix.ESRCH}
	}
	return nil
}

// Registers returns the general registers, which the caller may change if it
// then calls RegistersChanged. They are read once in each stop.
func (l *LWP) Registers() (*ptrace.Registers, error) {
	if l.haveRegisters {
		return &l.registers, nil
	}
	if err := l.needStopped(); err != nil {
		return nil, err
	}
	if err := l.table.kernel.Registers(l.TID, &l.registers); err != nil {
		return nil, err
	}
	l.haveRegisters = true
	return &l.registers, nil
}

// RegistersChanged has the general registers written before the LWP runs.
func (l *LWP) RegistersChanged() { l.registersWrite = true }

// SegmentsChanged writes the general registers at once and has the kernel load
// the segments of a 32-bit program that the new selectors in fs and gs choose,
// as the program's own change of them would do.
func (l *LWP) SegmentsChanged() error {
	if err := l.needStopped(); err != nil {
		return err
	}
	// The kernel takes all registers but the selector that it refuses: fs and gs
	// are the last.
	l.haveRegisters, l.registersWrite = false, false
	kernel := l.table.kernel
	if err := kernel.SetRegisters(l.TID, &l.registers); err != nil {
		return err
	}
	return kernel.ReloadSegments(l.TID)
}

// XState returns the vector and floating-point state, as Registers does.
func (l *LWP) XState() ([]byte, error) {
	if l.haveXState {
		return l.xstate, nil
	}
	if err := l.needStopped(); err != nil {
		return nil, err
	}
	if cap(l.xstate) == 0 {
		l.xstate = make([]byte, ptrace.HostXSaveLayout().Size)
	}
	n, err := l.table.kernel.XState(l.TID, l.xstate[:cap(l.xstate)])
	if err != nil {
		return nil, err
	}
	l.xstate = l.xstate[:n]
	l.haveXState = true
	return l.xstate, nil
}

// XStateChanged has the vector state written before the LWP runs.
func (l *LWP) XStateChanged() { l.xstateWrite = true }

// ShadowStackPointer returns the user shadow-stack pointer; the error is the
// kernel's where there is none.
func (l *LWP) ShadowStackPointer() (uint64, error) {
	if l.haveShadowStack {
		return l.shadowStack, l.noShadowStack
	}
	if err := l.needStopped(); err != nil {
		return 0, err
	}
	l.shadowStack, l.noShadowStack = l.table.kernel.ShadowStackPointer(l.TID)
	l.haveShadowStack = true
	return l.shadowStack, l.noShadowStack
}

// SetShadowStackPointer writes it at once.
func (l *LWP) SetShadowStackPointer(pointer uint64) error {
	if err := l.needStopped(); err != nil {
		return err
	}
	l.haveShadowStack = false
	return l.table.kernel.SetShadowStackPointer(l.TID, pointer)
}

// flush writes the register sets that were changed.
func (l *LWP) flush() error {
	if l.registersWrite {
		if err := l.table.kernel.SetRegisters(l.TID, &l.registers); err != nil {
			return err
		}
		l.registersWrite = false
	}
	if l.xstateWrite {
		if err := l.table.kernel.SetXState(l.TID, l.xstate); err != nil {
			return err
		}
		l.xstateWrite = false
	}
	return nil
}

// forget drops what was read of the stop that is over.
func (l *LWP) forget() {
	l.postponed = false
	l.haveRegisters, l.haveXState, l.haveShadowStack = false, false, false
	l.registersWrite, l.xstateWrite = false, false
}

// Siginfo reads what is known of the signal that stopped the LWP.
func (l *LWP) Siginfo(info *ptrace.Siginfo) error {
	if err := l.needStopped(); err != nil {
		return err
	}
	return l.table.kernel.Siginfo(l.TID, info)
}

// SetSiginfo replaces it: what the program is told when the signal is
// delivered.
func (l *LWP) SetSiginfo(info *ptrace.Siginfo) error {
	if err := l.needStopped(); err != nil {
		return err
	}
	return l.table.kernel.SetSiginfo(l.TID, info)
}

// debugStatus is DR6, which says what the debug registers caught.
const (
	debugStatus  = 6
	debugControl = 7
)

// applyHardware brings the debug registers to what the process wants.
func (l *LWP) applyHardware() error {
	hardware := &l.Process.hardware
	if l.debugVersion == hardware.version {
		return nil
	}
	kernel := l.table.kernel
	// Off while the addresses change, so that no mixture is ever checked.
	if err := kernel.SetDebugRegister(l.TID, debugControl, 0); err != nil {
		return err
	}
	for i, slot := range hardware.slots {
		if slot.users > 0 {
			if err := kernel.SetDebugRegister(l.TID, i, slot.address); err != nil {
				return err
			}
		}
	}
	if control := hardware.control(); control != 0 {
		if err := kernel.SetDebugRegister(l.TID, debugControl, control); err != nil {
			return err
		}
	}
	l.debugVersion = hardware.version
	return nil
}
