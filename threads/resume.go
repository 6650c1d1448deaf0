package threads

import (
	"errors"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// ActionKind is what an LWP is told to do.
type ActionKind uint8

// The actions of vCont.
const (
	// Stay: nothing was asked; it is left as it is.
	Stay ActionKind = iota
	// Continue: run.
	Continue
	// Step: execute one instruction.
	Step
	// StepRange: step until the pc is outside [Start, End) or something else
	// happens.
	StepRange
	// Halt: stop, in non-stop.
	Halt
)

// Action is one resumption.
type Action struct {
	Kind ActionKind
	// Signal is delivered at the resumption, 0 for none.
	Signal unix.Signal
	// Start and End are the addresses of StepRange.
	Start, End uint64
}

// within tells whether the range step goes on at a pc.
func (a Action) within(pc uint64) bool { return pc >= a.Start && pc < a.End }

func (a Action) steps() bool { return a.Kind == Step || a.Kind == StepRange }

// Resume lets LWPs run. The function says for each stopped one what it is to
// do. An LWP that has something to report that the client does not know yet
// stays stopped, and the next Wait tells it.
//
// In non-stop it is asked about all of them: Halt stops those that run, the
// other actions are for those that the client knows to be stopped, and Stay
// changes nothing.
//
// It fails only for faults of the kernel; an LWP that is gone is none.
func (t *Table) Resume(decide func(lwp *LWP) Action) error {
	t.stopping = false
	t.likely = ptrace.AnyThread
	t.news = true
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if process.unwatched {
				if err := t.proceed(lwp); err != nil {
					return err
				}
				continue
			}
			if process.unreported || lwp.unreported || !t.nonStop && lwp.state != lwpStopped && lwp.state != lwpHeld {
				continue
			}
			action := decide(lwp)
			if t.nonStop {
				resumes, err := t.steer(lwp, action)
				if err != nil {
					return err
				}
				if !resumes {
					continue
				}
				t.resumed = true
				lwp.again = false
			}
			lwp.asked = action
			if action.Kind == Stay {
				continue
			}
			if lwp.state == lwpHeld {
				lwp.leavesSyscall = true
				if err := t.send(lwp, action.Signal); err != nil {
					return err
				}
				continue
			}
			lwp.leavesSyscall = lwp.inSyscall && !lwp.reported.endsSyscall()
			if err := t.resume(lwp, action.Signal); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Table) resume(lwp *LWP, signal unix.Signal) error {
	if t.stillPending(lwp) {
		if lwp.pending.Kind != Signalled || !lwp.inSignalStop || !t.passes(lwp, lwp.pending.Signal) || signal != 0 {
			return t.send(lwp, signal)
		}
		signal = lwp.pending.Signal
		lwp.pending = Stop{}
	}
	if t.stays(lwp) {
		if lwp.halting {
			t.halted(lwp)
		}
		return t.owe(lwp, signal)
	}
	return t.start(lwp, signal)
}

// send gives an LWP a signal that it cannot be resumed with.
func (t *Table) send(lwp *LWP, signal unix.Signal) error {
	if signal == 0 {
		return nil
	}
	err := t.kernel.Signal(lwp.Process.PID, lwp.TID, signal)
	if errors.Is(err, ptrace.ErrGone) {
		return nil
	}
	lwp.sent = signal
	return err
}

// passes tells whether a signal goes to the program without a report. While
// the client steps it wants to know: the step would end in a handler. And a
// fault at a breakpoint is the client's: it puts breakpoints on a stack that may
// not be executed, for functions that it calls to return to.
func (t *Table) passes(lwp *LWP, signal unix.Signal) bool {
	if lwp.Process.unwatched {
		return true
	}
	if !t.Pass.Has(signal) || lwp.asked.steps() {
		return false
	}
	if signal == unix.SIGSEGV || signal == unix.SIGILL {
		registers, err := lwp.Registers()
		return err != nil || !lwp.Process.space.HasBreakpoint(registers.PC())
	}
	return true
}

// stillPending tells whether an LWP has something to report that still holds:
// a breakpoint that was removed, or left by setting the pc, is as if it had
// not been hit, and a step is not told of once the client asks for another
// thing than to step.
func (t *Table) stillPending(lwp *LWP) bool {
	stop := &lwp.pending
	switch stop.Kind {
	case NoStop:
		return false
	case Created:
		if !t.Events.Threads {
			*stop = Stop{}
		}
		return t.Events.Threads
	case SyscallEntry, SyscallReturn:
		if lwp.Process.syscalls.Has(stop.Syscall) {
			return true
		}
		*stop = Stop{}
		return false
	case Stepped:
		done := lwp.asked.steps()
		if lwp.asked.Kind == StepRange {
			registers, err := lwp.Registers()
			done = err != nil || !lwp.asked.within(registers.PC())
		}
		if !done {
			*stop = Stop{}
		}
		return done
	case Breakpoint:
		if space := lwp.Process.space; !space.wants(stop.Address) && (space.image.holds(stop.Address) || !space.image.hasInt3(stop.Address)) {
			*stop = Stop{}
			return false
		}
	case HardwareBreakpoint:
		if lwp.Process.hardware.find(HardwareExecute, stop.Address, 0) < 0 {
			*stop = Stop{}
			return false
		}
	default:
		return true
	}
	registers, err := lwp.Registers()
	if err != nil {
		// Gone: what the wait stream says next replaces it.
		return true
	}
	if registers.PC() != stop.Address {
		*stop = Stop{}
		return false
	}
	return true
}

// start lets one stopped LWP go on with what it was asked.
func (t *Table) start(lwp *LWP, signal unix.Signal) error {
	if lwp.delivering != 0 {
		if err := t.send(lwp, signal); err != nil {
			return err
		}
		signal, lwp.delivering = lwp.delivering, 0
	}
	if lwp.passing && t.owes(lwp) {
		return t.owe(lwp, signal)
	}
	err := t.returnKept(lwp, &signal)
	if err == nil {
		err = t.release(lwp, signal)
	}
	if errors.Is(err, ptrace.ErrGone) {
		// Something killed it, which its last event will say.
		err = nil
	}
	lwp.interrupting, lwp.pressed = false, false
	lwp.inSignalStop = false
	lwp.inSyscall = false
	lwp.stepsOver = false
	lwp.reported = Stop{}
	if lwp.vforking || lwp.awaiting {
		t.enter(lwp, lwpHeld)
		return err
	}
	t.enter(lwp, lwpRunning)
	lwp.forget()
	if lwp.asked.steps() || t.running == 1 {
		t.likely = lwp.TID
	}
	return err
}

// stopsJobs tells whether a signal's default action is a job-control stop.
func stopsJobs(signal unix.Signal) bool {
	return signal == unix.SIGSTOP || signal == unix.SIGTSTP || signal == unix.SIGTTIN || signal == unix.SIGTTOU
}

func (t *Table) release(lwp *LWP, signal unix.Signal) error {
	lwp.stepped = beforeStep{}
	if lwp.vforking || lwp.awaiting {
		// Nobody can read them while the kernel holds it.
		if _, err := lwp.Registers(); err != nil {
			return err
		}
		if _, err := lwp.XState(); err != nil {
			return err
		}
		// That there is none is kept too.
		_, _ = lwp.ShadowStackPointer()
	}
	if err := lwp.flush(); err != nil {
		return err
	}
	if err := lwp.applyHardware(); err != nil {
		return err
	}
	if signal != 0 && !lwp.inSignalStop {
		// The kernel takes a signal only where one stopped the thread; from
		// elsewhere it has to be sent, and met when it arrives.
		if err := t.kernel.Signal(lwp.Process.PID, lwp.TID, signal); err != nil {
			return err
		}
		lwp.sent, signal = signal, 0
	}
	if lwp.groupStopped != 0 {
		if lwp.staysInJobStop() {
			return t.leaveListening(lwp)
		}
		lwp.groupStopped = 0
		lwp.Process.unstopped = true
	}
	if stopsJobs(signal) {
		// What it stops is news, whatever was in force before.
		lwp.Process.stopTold, lwp.Process.unstopped = false, false
	}
	if !lwp.asked.steps() && !lwp.stepsOver && lwp.Process.syscalls.any() {
		return t.kernel.ContinueToSyscall(lwp.TID, signal)
	}
	lwp.followed, lwp.launching = false, false
	if lwp.asked.steps() || lwp.stepsOver {
		lwp.noteStep()
		return t.kernel.Step(lwp.TID, signal)
	}
	return t.kernel.Continue(lwp.TID, signal)
}

// staysInJobStop tells whether a resumption leaves the LWP in the job-control
// stop that it is in.
func (l *LWP) staysInJobStop() bool {
	return l.groupStopped != 0 && !l.Process.stopTold && l.asked.Kind == Continue
}
