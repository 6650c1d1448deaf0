package threads

import "errors"

// In non-stop an LWP that is reported stays stopped and the others go on.
// What differs from all-stop is little:
//
//   - A report stops nobody else, and the LWP that it is about stays as it is
//     until the client resumes it.
//   - The next report is made when the client has taken in the one before;
//     until then what LWPs stopped for is kept with them. It may be outdated by
//     then, as a breakpoint that was removed is.
//   - Resume leaves alone whoever runs already.
//   - What can only be done to stopped LWPs is done while all are stopped for
//     a moment, which the client does not see.

// ErrIdle is Wait's answer in non-stop when no LWP runs, or has anything to
// report that the client could be told now.
var ErrIdle = errors.New("no thread is running")

// NonStop tells whether the table is in non-stop mode.
func (t *Table) NonStop() bool { return t.nonStop }

// SetNonStop changes the mode. LWPs that are stopped in all-stop stay so in
// non-stop, and all-stop begins with stopping those that run. What was not
// reported yet is kept.
func (t *Table) SetNonStop(on bool) error {
	if on == t.nonStop {
		return nil
	}
	if on {
		t.nonStop, t.stopping = true, false
		t.resumed = false
		for _, lwp := range t.lwps {
			if !lwp.Process.unwatched {
				lwp.asked = Action{}
			}
		}
		return t.goOn()
	}
	err := t.StopAll()
	t.nonStop = false
	t.forgetReports()
	for _, lwp := range t.lwps {
		lwp.halting = false
		if lwp.pending.Kind == Halted {
			lwp.pending = Stop{}
		}
	}
	return err
}

func (t *Table) forgetReports() {
	t.told, t.unacknowledged = Stop{}, false
	for _, lwp := range t.lwps {
		lwp.again = false
	}
}

// Postpone puts a stop of an LWP off that Wait has just reported, because the
// client is told another thing first: it is reported again, if it still holds,
// when the client resumes the LWP.
func (t *Table) Postpone(stop Stop) {
	stop.LWP.pending, stop.LWP.postponed = stop, true
	stop.LWP.reported = Stop{}
}

// ReportAgain has every LWP reported that is stopped for the client, as one
// asks that has just come, with the signal that it was reported for last: NoStop
// is for the trap that events come with. Whatever was reported counts as taken
// in.
func (t *Table) ReportAgain() {
	t.forgetReports()
	t.news = true
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			lwp.again = !process.unreported && !lwp.unreported && !process.unwatched && lwp.asked.Kind == Stay && (lwp.state == lwpStopped || lwp.state == lwpHeld)
		}
	}
}

// Acknowledge says that the client has taken in what was reported last. The
// answer is the next report, if there is one already; Wait makes those that
// come later.
func (t *Table) Acknowledge() (Stop, bool, error) {
	t.TakenIn()
	return t.report()
}

// TakenIn says that the client has taken in what was reported last. What else
// there is to report comes out of Wait.
func (t *Table) TakenIn() { t.told, t.unacknowledged = Stop{}, false }

// reportedAgain is the next LWP that ReportAgain chose.
func (t *Table) reportedAgain() (Stop, bool) {
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if !lwp.again {
				continue
			}
			lwp.again = false
			if lwp.asked.Kind == Stay && (lwp.state == lwpStopped || lwp.state == lwpHeld) {
				return t.lastStop(lwp), true
			}
		}
	}
	return Stop{}, false
}

// lastStop is what a client that comes later is told of a stopped LWP: the
// signal. Events are over once they were told.
func (t *Table) lastStop(lwp *LWP) Stop {
	stop := Stop{PID: lwp.Process.PID, LWP: lwp}
	switch kind := lwp.reported.Kind; {
	case kind == Signalled || kind == Interrupted || kind == GroupStopped:
		stop.Kind, stop.Signal = kind, lwp.reported.Signal
	case kind == Halted || kind == NoStop && lwp.TID != t.turn:
		// It stopped because another one did, or because it was told to.
		stop.Kind = Halted
	}
	return stop
}

// tell notes that a stop is on its way to the client.
func (t *Table) tell(stop Stop) {
	if !t.nonStop {
		return
	}
	t.told, t.unacknowledged = stop, true
	if lwp := stop.LWP; lwp != nil {
		lwp.asked, lwp.halting = Action{}, false
	}
	t.resumed = t.anyResumed()
}

// unknownStop tells whether the client cannot know yet that an LWP is stopped,
// so that what it says does not mean that one.
func (t *Table) unknownStop(lwp *LWP) bool {
	if lwp.Process.unreported || lwp.unreported || !t.unacknowledged {
		return lwp.Process.unreported || lwp.unreported
	}
	switch t.told.Kind {
	case Forked, VForked:
		return t.told.LWP == lwp || t.told.Child == lwp.Process.PID
	case Cloned:
		return t.told.LWP == lwp || t.told.Child == lwp.TID
	}
	return t.told.LWP == lwp
}

// anyResumed tells whether anybody can come to report, or to end.
func (t *Table) anyResumed() bool {
	for _, lwp := range t.lwps {
		if lwp.state != lwpEnding && lwp.asked.Kind != Stay && !lwp.Process.unwatched {
			return true
		}
	}
	return t.endsToCome()
}

// steer applies an action of the client's in non-stop. The answer is whether it
// resumes a stopped LWP: one that was told to go on before, or that has been
// told to stop since and was not reported yet, is left alone.
func (t *Table) steer(lwp *LWP, action Action) (resumes bool, err error) {
	switch {
	case action.Kind == Stay || t.unknownStop(lwp) || lwp.state == lwpEnding:
		return false, nil
	case action.Kind == Halt:
		return false, t.halt(lwp)
	}
	return lwp.asked.Kind == Stay && (lwp.state == lwpStopped || lwp.state == lwpHeld), nil
}

// halt stops a resumed LWP: it reports whatever it stops for, or Halted.
func (t *Table) halt(lwp *LWP) error {
	if lwp.asked.Kind == Stay || lwp.halting {
		return nil
	}
	lwp.halting = true
	if lwp.state == lwpRunning {
		return t.interrupt(lwp)
	}
	if lwp.pending.Kind == NoStop {
		t.halted(lwp)
	}
	return nil
}

func (t *Table) halted(lwp *LWP) {
	lwp.pending = Stop{Kind: Halted, PID: lwp.Process.PID, LWP: lwp}
	t.news = true
}

// carryOn is what becomes of an LWP that stopped for nothing that is to be
// told: it goes on, unless it is to be stopped.
func (t *Table) carryOn(lwp *LWP) error {
	if lwp.halting {
		t.halted(lwp)
		return nil
	}
	if t.stays(lwp) || lwp.asked.Kind == Stay {
		t.owing = t.owing || lwp.passing
		return nil
	}
	return t.start(lwp, 0)
}

// WhileStopped does something while every LWP is stopped, unseen by the client.
// Those that ran go on then. The error is that of what is done, or the kernel's.
func (t *Table) WhileStopped(do func() error) error { return t.pause(do) }

// pause does something while every LWP is stopped. Those that ran go on then.
// In all-stop they are stopped already.
func (t *Table) pause(do func() error) error {
	if !t.nonStop || t.stopping {
		return do()
	}
	err := t.StopAll()
	if err == nil {
		err = do()
	}
	return errors.Join(err, t.goOn())
}

// runs tells whether an LWP of the process runs.
func (p *Process) runs() bool {
	for _, lwp := range p.lwps {
		if lwp.state == lwpRunning {
			return true
		}
	}
	return false
}

// whileStopped does something while no LWP of the process runs.
func (p *Process) whileStopped(do func() error) error {
	if !p.runs() {
		return do()
	}
	return p.table.pause(do)
}
