package threads

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// An LWP passes over a software breakpoint by executing the instruction below
// it. Meanwhile the breakpoint is not in the memory, so that all others that
// run there are stopped first: none of them may get past it unseen.
//
// What comes in between does not make a hit be judged twice. Signals that the
// program is to have without a report are kept until the instruction is done;
// whatever else ends the step early leaves the LWP passing, so that it steps
// again before it runs on.

// keptSignal is a signal that waits until an LWP is past a breakpoint.
type keptSignal struct {
	signal unix.Signal
	// info is what the kernel knew of it, if known is set.
	info  ptrace.Siginfo
	known bool
}

// stays tells whether an LWP that has nothing to report is to stay stopped all
// the same.
func (t *Table) stays(lwp *LWP) bool {
	return t.stopping || t.attending && !lwp.Process.unwatched || lwp.halting || t.quiet != nil && t.quiet == lwp.Process.space.image
}

// dealtWith tells whether a stop is only that of a breakpoint that the LWP is
// passing.
func (l *LWP) dealtWith(stop Stop) bool {
	return l.passing && stop.Address == l.passAddress && (stop.Kind == Breakpoint || stop.Kind == HardwareBreakpoint)
}

// pass lets an LWP go on from a breakpoint that it was to be reported at. After
// a debug register's alone the kernel does that itself: it sets the flag that
// keeps the instruction from trapping again.
func (t *Table) pass(stop Stop) error {
	lwp := stop.LWP
	lwp.pending = Stop{}
	lwp.leavesSyscall = false
	if lwp.Process.space.image.holds(stop.Address) {
		lwp.passing, lwp.passAddress = true, stop.Address
	}
	return t.carryOn(lwp)
}

// owes tells whether an LWP that is passing still has to step over: the client
// may have set its pc since or removed the breakpoint.
func (t *Table) owes(lwp *LWP) bool {
	if lwp.staysInJobStop() {
		return false
	}
	registers, err := lwp.Registers()
	// One that is gone cannot be resumed in any way.
	lwp.passing = err == nil && registers.PC() == lwp.passAddress && lwp.Process.space.image.holds(lwp.passAddress)
	return lwp.passing
}

// owe puts off the resumption of an LWP until it can step over, or until
// another one has.
func (t *Table) owe(lwp *LWP, signal unix.Signal) error {
	if err := t.keep(lwp, signal); err != nil {
		return err
	}
	lwp.reported = Stop{}
	t.owing = true
	return nil
}

// keep puts a signal off until the LWP is past the breakpoint.
func (t *Table) keep(lwp *LWP, signal unix.Signal) error {
	if signal == 0 {
		return nil
	}
	kept := keptSignal{signal: signal}
	if lwp.inSignalStop {
		err := t.kernel.Siginfo(lwp.TID, &kept.info)
		if gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		kept.known = kept.info.Signal() == signal
	}
	lwp.kept = append(lwp.kept, kept)
	return nil
}

// returnKept has the kept signals delivered: by the resumption the first of
// which more is known than its number, where that can do it, and the others by
// sending them again.
func (t *Table) returnKept(lwp *LWP, signal *unix.Signal) error {
	if len(lwp.kept) == 0 {
		return nil
	}
	if *signal == 0 && lwp.inSignalStop {
		chosen := max(0, slices.IndexFunc(lwp.kept, func(kept keptSignal) bool { return kept.known }))
		if lwp.kept[chosen].known {
			if err := t.kernel.SetSiginfo(lwp.TID, &lwp.kept[chosen].info); err != nil {
				return err
			}
		}
		*signal = lwp.kept[chosen].signal
		lwp.kept = slices.Delete(lwp.kept, chosen, chosen+1)
	}
	return t.sendKept(lwp)
}

// sendKept sends the kept signals to the LWP.
func (t *Table) sendKept(lwp *LWP) error {
	for len(lwp.kept) > 0 {
		if err := t.send(lwp, lwp.kept[0].signal); err != nil {
			return err
		}
		lwp.kept = slices.Delete(lwp.kept, 0, 1)
	}
	return nil
}

// noticeFault ends the passing of an LWP whose instruction has failed: it was
// tried, and what comes of it comes of the instruction. A fault's si_code is
// above zero, which no sender can choose (sigaction(2)).
func (t *Table) noticeFault(lwp *LWP, signal unix.Signal) error {
	if !lwp.stepsOver {
		return nil
	}
	switch signal {
	case unix.SIGILL, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSYS:
	default:
		return nil
	}
	if err := t.kernel.Siginfo(lwp.TID, &t.siginfo); err != nil {
		return err
	}
	if t.siginfo.Code() > 0 {
		lwp.passing = false
	}
	return nil
}

// stepOver gets the LWPs past their breakpoints that have to be: one after the
// other in each memory, whose LWPs run on when none is left.
func (t *Table) stepOver() error {
	for (t.owing || t.quiet != nil) && !t.stopping {
		if t.over == nil {
			next := t.nextToStep()
			if t.quiet != nil && (next == nil || next.Process.space.image != t.quiet) {
				if err := t.endQuiet(); err != nil {
					return err
				}
				continue
			}
			if next == nil {
				t.owing = false
				return nil
			}
			t.over, t.quiet, t.overTurn = next, next.Process.space.image, next.TID
		}
		if t.over.state == lwpRunning {
			return nil
		}
		if !t.over.toStepOver() {
			t.over = nil
			continue
		}
		if waiting, err := t.hush(); waiting || err != nil {
			return err
		}
		if err := t.startStepOver(t.over); err != nil {
			return err
		}
	}
	return nil
}

// toStepOver tells whether an LWP is to step over a breakpoint now.
func (l *LWP) toStepOver() bool {
	if l.table.attending && !l.Process.unwatched {
		return false
	}
	return l.passing && l.state == lwpStopped && l.pending.Kind == NoStop && l.asked.Kind != Stay && !l.staysInJobStop()
}

// nextToStep chooses who steps over next: in the memory that is quiet already,
// or else in turn.
func (t *Table) nextToStep() *LWP {
	var first, afterTurn *LWP
	passedTurn := false
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if lwp.toStepOver() {
				if process.space.image == t.quiet {
					return lwp
				}
				if first == nil {
					first = lwp
				}
				if passedTurn && afterTurn == nil {
					afterTurn = lwp
				}
			}
			passedTurn = passedTurn || lwp.TID == t.overTurn
		}
	}
	if afterTurn != nil {
		return afterTurn
	}
	return first
}

// hush stops the LWPs that run in the quiet memory, and tells whether there are
// any yet.
func (t *Table) hush() (waiting bool, err error) {
	for _, process := range t.processes {
		if process.space.image != t.quiet {
			continue
		}
		for _, lwp := range process.lwps {
			if lwp.state == lwpRunning {
				waiting = true
				if err := t.interrupt(lwp); err != nil {
					return true, err
				}
			}
		}
	}
	return waiting, nil
}

// endQuiet lets the LWPs go on that stayed stopped for others' steps.
func (t *Table) endQuiet() error {
	quiet := t.quiet
	t.quiet = nil
	t.likely = ptrace.AnyThread
	for _, process := range t.processes {
		if process.space.image != quiet {
			continue
		}
		for _, lwp := range process.lwps {
			if lwp.state == lwpStopped && lwp.pending.Kind == NoStop && lwp.asked.Kind != Stay && !t.stays(lwp) {
				if err := t.start(lwp, 0); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// startStepOver has an LWP execute the instruction below its breakpoint.
func (t *Table) startStepOver(lwp *LWP) error {
	signal := lwp.delivering
	lwp.delivering = 0
	if err := t.keep(lwp, signal); err != nil {
		return err
	}
	if !t.owes(lwp) {
		t.over = nil
		return nil
	}
	lwp.Process.space.image.takeOut(lwp.passAddress)
	lwp.stepsOver = true
	err := t.release(lwp, 0)
	if errors.Is(err, ptrace.ErrGone) {
		err = nil
	}
	lwp.interrupting, lwp.pressed = false, false
	lwp.inSignalStop = false
	lwp.inSyscall = false
	t.enter(lwp, lwpRunning)
	lwp.forget()
	t.likely = lwp.TID
	return err
}

// endStepOver puts the breakpoint back when the LWP that steps over it has
// stopped or is gone.
func (t *Table) endStepOver(lwp *LWP) {
	if t.over != lwp {
		return
	}
	t.over = nil
	if lwp.passing {
		lwp.Process.space.image.putBack(lwp.passAddress)
	}
}
