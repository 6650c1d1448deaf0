package threads

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Wait returns the next thing to report, with every LWP stopped. It passes on
// ptrace.ErrInput, upon which the caller looks at its connection and calls
// again. When nothing runs and nothing is left to report the stop is
// NoResumed.
//
// In non-stop only the LWP that is reported is stopped, and nothing more is
// reported before Acknowledge. NoResumed then is for the end of the last LWP
// that ran, and the error is ErrIdle when there is nothing to wait for.
func (t *Table) Wait() (Stop, error) {
	for {
		if stop, found, err := t.report(); found || err != nil {
			return stop, err
		}
		if err := t.stepOver(); err != nil {
			return Stop{}, err
		}
		idle := t.noneResumed() && !t.heldResumed() && !t.endsToCome()
		if t.unsettled || t.nonStop && idle && len(t.early) > 0 {
			t.unsettled = false
			if err := errors.Join(t.StopAll(), t.goOn()); err != nil {
				return Stop{}, err
			}
			continue
		}
		if idle && t.nonStop && (t.unacknowledged || !t.resumed) {
			if t.running == 0 {
				return Stop{}, ErrIdle
			}
			idle = false // what the client does not see goes on
		}
		if idle && !t.nonStop {
			if err := t.StopAll(); err != nil {
				return Stop{}, err
			}
			if t.news || t.endsToCome() {
				if err := t.goOn(); err != nil {
					return Stop{}, err
				}
				continue
			}
		}
		if idle && !t.anyDoomed() {
			t.interrupted = false
			stop := Stop{Kind: NoResumed}
			t.tell(stop)
			return stop, t.forgetInterrupted(nil)
		}
		if t.interrupted {
			if err := t.renewInterrupt(); err != nil {
				return Stop{}, err
			}
		}
		event, err := t.kernel.Wait(t.likely)
		if err != nil {
			return Stop{}, err
		}
		if err := t.handle(event); err != nil {
			return Stop{}, err
		}
	}
}

// noneResumed tells whether no LWP of the client's runs, or would if it had not
// to wait for another one's step over a breakpoint.
func (t *Table) noneResumed() bool {
	if t.running != t.background {
		return false
	}
	if t.running == 0 {
		return true
	}
	for _, lwp := range t.lwps {
		if !lwp.Process.unwatched && lwp.state == lwpStopped && lwp.asked.Kind != Stay && lwp.pending.Kind == NoStop {
			return false
		}
	}
	return true
}

// report returns what is to be reported now, if there is anything.
func (t *Table) report() (Stop, bool, error) {
	for t.news && !t.unacknowledged {
		if stop, found := t.reportedAgain(); found {
			t.tell(stop)
			return stop, true, nil
		}
		stop, found := t.next()
		if !found {
			t.news = false
			break
		}
		if t.nonStop && stop.LWP != nil && !t.stillPending(stop.LWP) {
			if err := t.carryOn(stop.LWP); err != nil {
				return Stop{}, false, err
			}
			continue
		}
		if (stop.LWP == nil || !stop.LWP.postponed) && t.judge(stop) != Report {
			if err := t.pass(stop); err != nil {
				return Stop{}, false, err
			}
			continue
		}
		if found, err := t.settle(stop); found || err != nil {
			return stop, found, err
		}
	}
	return Stop{}, false, nil
}

// heldResumed tells whether the client has resumed an LWP that is held.
func (t *Table) heldResumed() bool {
	if t.held == 0 {
		return false
	}
	for _, lwp := range t.lwps {
		if lwp.state == lwpHeld && lwp.asked.Kind != Stay && !lwp.Process.unwatched {
			return true
		}
	}
	return false
}

// endsToCome tells whether a thread that is ending will be reported without
// anybody else having to run. The leader is not as long as another thread lives.
func (t *Table) endsToCome() bool {
	for _, process := range t.processes {
		if process.unwatched {
			continue
		}
		others := false
		leaderEnding := false
		for _, lwp := range process.lwps {
			switch {
			case lwp.TID == process.PID:
				leaderEnding = lwp.state == lwpEnding
			case lwp.state == lwpEnding:
				return true
			default:
				others = true
			}
		}
		if leaderEnding && !others {
			return true
		}
	}
	return false
}

// anyDoomed tells whether an LWP that the client keeps stopped was killed, as by
// the end of its process, which will be reported without anybody else having to
// run.
func (t *Table) anyDoomed() bool {
	for _, lwp := range t.lwps {
		if lwp.state == lwpStopped && !lwp.Process.unwatched && t.kernel.Doomed(lwp.Process.PID, lwp.TID) {
			return true
		}
	}
	return false
}

// settle makes a stop the reported one, and in all-stop stops everything else
// first. The answer is whether there still is anything to report.
func (t *Table) settle(stop Stop) (bool, error) {
	if !t.nonStop {
		if err := t.StopAll(); err != nil {
			return false, err
		}
	}
	if lwp := stop.LWP; lwp != nil && (t.lwps[lwp.TID] != lwp || lwp.state != lwpStopped && lwp.state != lwpHeld || lwp.pending != stop) {
		// It was killed meanwhile, or another thread executed a program, which
		// is what there is to tell.
		return false, t.goOn()
	}
	if stop.Kind == Interrupted || len(t.processes) == t.unwatched {
		t.interrupted = false
	}
	if !t.interrupted {
		if err := t.forgetInterrupted(stop.LWP); err != nil {
			return false, err
		}
	}
	t.tell(stop)
	if stop.LWP == nil {
		return true, nil
	}
	stop.LWP.pending, stop.LWP.postponed = Stop{}, false
	// Whoever is told where it is decides about the breakpoint there.
	stop.LWP.passing = false
	stop.LWP.reported = stop
	t.turn = stop.LWP.TID
	if child := t.lwps[stop.Child]; child != nil && stop.Kind == Cloned {
		child.unreported = false
	}
	if stop.Kind == Forked || stop.Kind == VForked {
		if child := t.Process(stop.Child); child != nil {
			child.unreported = false
		}
		if end := stop.LWP.childEnd; end.Kind != NoStop {
			stop.LWP.childEnd = Stop{}
			t.ended = append(t.ended, end)
		}
	}
	return true, nil
}

// forgetInterrupted drops the interrupts that others met than the one that is
// reported.
func (t *Table) forgetInterrupted(reported *LWP) error {
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if lwp.pending.Kind != Interrupted || lwp == reported {
				continue
			}
			lwp.pending = Stop{}
			if !t.nonStop || lwp.state != lwpStopped {
				continue
			}
			if err := t.carryOn(lwp); err != nil {
				return err
			}
		}
	}
	return nil
}

// goOn resumes what was stopped for a report that is not made, or for what the
// client is not to see.
func (t *Table) goOn() error {
	t.stopping = false
	t.news = true
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if lwp.state == lwpStopped && lwp.asked.Kind != Stay {
				if err := t.resume(lwp, 0); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// adoptOrphans deals with new tasks whose creators were killed before they
// could tell of them. It is called when nothing runs, so that every creator
// that could has told.
func (t *Table) adoptOrphans() error {
	for tid := range t.early {
		delete(t.early, tid)
		group, err := t.kernel.ThreadGroup(tid, 0)
		if err == nil {
			if process := t.find(group); process != nil {
				process.addLWP(tid).asked = Action{Kind: Continue}
				continue
			}
			err = t.letOrphanGo(tid)
		}
		if err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// letOrphanGo detaches from a process whose creator cannot tell of it: the
// client never knew it. Its memory has the breakpoints that its parent's had
// when it was made. Which process that was, and whether the breakpoints were
// removed since, nobody can tell: an int3 goes where any memory of the same
// program has had a breakpoint.
func (t *Table) letOrphanGo(pid int) error {
	if adopted, err := t.adoptSharer(pid); adopted || err != nil {
		return err
	}
	memory, err := t.kernel.OpenMemory(pid)
	if err != nil {
		return err
	}
	space := newAddressSpace(memory)
	defer space.release()
	program, err := t.kernel.Executable(pid)
	if err != nil {
		return err
	}
	parents := slices.Clone(t.departed)
	for _, process := range t.processes {
		parents = append(parents, process.space.image)
	}
	for _, parent := range parents {
		if parent.program == program {
			space.image.clean(parent.below)
		}
	}
	for _, process := range t.processes {
		// Where the kernel does not say, it may be the same memory, lent by
		// vfork.
		if image := process.space.image; !image.lifted && !image.complete() {
			image.lifted = true
		}
	}
	return t.kernel.Detach(pid, 0)
}

// next chooses among what is waiting to be reported: the end of a process
// first, then the LWPs that were resumed, in turn, so that none is starved.
func (t *Table) next() (Stop, bool) {
	if len(t.ended) > 0 {
		stop := t.ended[0]
		t.ended = slices.Delete(t.ended, 0, 1)
		return stop, true
	}
	var chosen *LWP
	passedTurn := false
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if (lwp.state == lwpStopped || lwp.state == lwpHeld) && lwp.pending.Kind != NoStop && lwp.asked.Kind != Stay &&
				(chosen == nil || passedTurn) {
				chosen = lwp
				if passedTurn {
					return chosen.pending, true
				}
			}
			passedTurn = passedTurn || lwp.TID == t.turn
		}
	}
	if chosen != nil {
		return chosen.pending, true
	}
	return Stop{}, false
}

// Interrupt asks for a stop though nothing happened. Wait then reports the
// oldest LWP that runs in the process that was launched or attached to last, in
// the one that was reported last, or in another, as Interrupted. If something
// else is reported first, as the step that the client was making, the interrupt
// is still to come: it stands until it was reported, also over resumptions, as
// the signal of a key that a person pressed does. Where only LWPs run that the kernel holds for their vfork children, one
// of those is reported, and stays held.
//
// A client that has every process stopped but steps one thread of another
// process, as to get it over a breakpoint, does not mean that one: the step ends
// first. Whoever asks again does not want to wait for that.
func (t *Table) Interrupt() error {
	t.insisting = t.interrupted
	return t.interruptOne()
}

// Insist is Interrupt for a client that means what it has let run, be that a step
// in a process other than the latest.
func (t *Table) Insist() error {
	t.insisting = true
	return t.interruptOne()
}

func (t *Table) interruptOne() error {
	var target, held *LWP
	last, best := t.lwps[t.turn], -1
	for _, process := range t.processes {
		preference := 0
		if process.PID == t.latest {
			preference = 2
		} else if last != nil && process == last.Process {
			preference = 1
		}
		for _, lwp := range process.lwps {
			if process.unwatched {
				continue
			}
			if lwp.state == lwpRunning && !lwp.halting && preference > best {
				target, best = lwp, preference
			}
			if lwp.state == lwpHeld && lwp.asked.Kind != Stay && !lwp.halting && held == nil {
				held = lwp
			}
			if lwp.state == lwpStopped && t.quiet != nil && lwp.pending.Kind == NoStop && lwp.asked.Kind != Stay && held == nil {
				// It waits for a step over a breakpoint, of an LWP that the
				// client does not see.
				held = lwp
			}
		}
	}
	t.interrupted = true
	if target != nil && target.Process.PID != t.latest && !t.insisting && t.awaitsStep() {
		return nil
	}
	if target == nil {
		if held != nil {
			held.pending = Stop{Kind: Interrupted, PID: held.Process.PID, LWP: held}
			t.news = true
		}
		return nil
	}
	target.interrupting, target.pressed = true, true
	if err := t.kernel.Interrupt(target.TID); err != nil && !errors.Is(err, ptrace.ErrGone) {
		return err
	}
	return nil
}

// ForgetInterrupt drops an interrupt that was not reported yet: the client that
// asked for it has gone.
func (t *Table) ForgetInterrupt() error {
	t.interrupted = false
	return t.forgetInterrupted(nil)
}

// renewInterrupt asks again where the interrupted LWP ended, or stopped for
// something that the client is not told of, which satisfied the interrupt.
func (t *Table) renewInterrupt() error {
	for _, lwp := range t.lwps {
		if lwp.pressed && lwp.state == lwpRunning && !lwp.Process.unwatched || lwp.pending.Kind == Interrupted && lwp.asked.Kind != Stay {
			return nil
		}
	}
	return t.interruptOne()
}

// awaitsStep tells whether in all-stop nobody runs but to make a step, and the
// process that an interrupt is for is there, stopped.
func (t *Table) awaitsStep() bool {
	latest := t.Process(t.latest)
	if t.nonStop || latest == nil || latest.FirstLWP() == nil {
		return false
	}
	for _, lwp := range t.lwps {
		if lwp.state == lwpRunning && lwp.asked.Kind != Step {
			return false
		}
	}
	return true
}

// StopAll stops every LWP that runs. What they stop for is kept.
func (t *Table) StopAll() error {
	t.stopping = true
	if t.running == 0 {
		t.over, t.quiet = nil, nil
		return t.settleOrphans()
	}
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			if err := t.interrupt(lwp); err != nil {
				return err
			}
		}
	}
	for t.running > 0 {
		event, err := t.kernel.WaitFor(ptrace.AnyThread)
		if err != nil {
			return err
		}
		if err := t.handle(event); err != nil {
			return err
		}
	}
	t.over, t.quiet = nil, nil
	return t.settleOrphans()
}

// settleOrphans puts in order what needs everything to be stopped.
func (t *Table) settleOrphans() error {
	if err := t.adoptOrphans(); err != nil {
		return err
	}
	return t.tidy()
}

func (t *Table) interrupt(lwp *LWP) error {
	if lwp.state != lwpRunning || lwp.interrupting {
		return nil
	}
	lwp.interrupting = true
	if err := t.kernel.Interrupt(lwp.TID); err != nil && !errors.Is(err, ptrace.ErrGone) {
		return err
	}
	return nil
}

// handle takes in one event: it brings the table up to date, and either leaves
// the LWP stopped with something pending or lets it go on.
func (t *Table) handle(event ptrace.Event) error {
	lwp := t.lwps[event.TID]
	if lwp == nil {
		return t.handleUnknown(event)
	}
	if event.Ended() {
		return t.end(lwp, event)
	}
	t.endStepOver(lwp)
	t.leave(lwp)
	lwp.forget()
	lwp.interrupting = false
	lwp.inSignalStop = false
	lwp.inSyscall = stopsInSyscall(event.Kind)
	if event.Kind != ptrace.GroupStop {
		lwp.groupStopped = 0
	}
	if err := t.dropPending(lwp); err != nil {
		return err
	}
	stop, err := t.decode(lwp, event)
	if gone(err) {
		// Killed while it was being looked at. Its last event is on the way,
		// so it counts as running.
		lwp.forget()
		t.enter(lwp, lwpRunning)
		return nil
	}
	if err != nil {
		return err
	}
	if lwp.state != lwpStopped || t.lwps[lwp.TID] != lwp {
		return nil
	}
	lwp.stepsOver = false
	if lwp.Process.unwatched {
		if stop, err = t.overlook(lwp, stop); err != nil {
			return err
		}
		if lwp.state != lwpStopped || t.lwps[lwp.TID] != lwp {
			return nil
		}
	}
	lwp.pending = stop
	if stop.Kind != NoStop {
		t.news = true
		return nil
	}
	return t.carryOn(lwp)
}

// dropPending forgets what an LWP had to tell and will not any more. A child
// that it made is let go, since the client never knew it.
func (t *Table) dropPending(lwp *LWP) error {
	stop := lwp.pending
	lwp.pending, lwp.childEnd = Stop{}, Stop{}
	switch stop.Kind {
	case Forked, VForked:
		if child := t.find(stop.Child); child != nil {
			return t.Detach(child)
		}
	case Cloned:
		if child := t.lwps[stop.Child]; child != nil && child.unreported {
			child.unreported = false
			child.asked = Action{Kind: Continue}
			if !t.stays(child) {
				return t.start(child, 0)
			}
		}
	}
	return nil
}

// stopsInSyscall tells whether a kind of event stops the thread in the middle of
// a system call rather than on its way back to the program.
func stopsInSyscall(kind ptrace.EventKind) bool {
	switch kind {
	case ptrace.Forked, ptrace.VForked, ptrace.Cloned, ptrace.VForkDone, ptrace.Execed:
		return true
	}
	return false
}

// handleUnknown takes in an event of a task that its creator has not reported.
func (t *Table) handleUnknown(event ptrace.Event) error {
	switch process := t.find(event.TID); {
	case process != nil && (event.Kind == ptrace.Execed || event.Ended()):
		// The leader had ended when the process was attached to; now the
		// caller of execve has its id, or had it when it was killed.
		process.addLWP(event.TID)
		return t.handle(event)
	case event.Ended():
		delete(t.early, event.TID)
		delete(t.leaving, event.TID)
	case event.Kind == ptrace.Exiting:
		delete(t.early, event.TID)
		if err := t.kernel.Continue(event.TID, 0); err != nil && !errors.Is(err, ptrace.ErrGone) {
			return err
		}
	default:
		t.early[event.TID] = event
		t.unsettled = t.unsettled || t.isBereft(event.TID)
	}
	return nil
}

// noteLoss takes down that LWPs have gone, and maybe without telling of the child
// that they were making: with their process, or by another thread's execve.
func (t *Table) noteLoss() {
	t.lost = t.kernel.Now()
	t.unsettled = t.unsettled || len(t.early) > 0
}

// isBereft tells whether the creator of a task that has stopped for the first
// time may be unable to tell of it: anybody's that was made before the last LWPs
// went without a word. Whose child it is does not say who made it: with
// CLONE_PARENT another, and one whose parent has ended has another since, which
// may be in the table too (PR_SET_CHILD_SUBREAPER). A thread goes the way of its
// creator.
func (t *Table) isBereft(tid int) bool {
	likely := 0
	if lwp := t.lwps[t.likely]; lwp != nil {
		likely = lwp.Process.PID
	} else if len(t.processes) > 0 {
		likely = t.processes[len(t.processes)-1].PID
	}
	group, err := t.kernel.ThreadGroup(tid, likely)
	if err != nil || t.find(group) != nil {
		return false
	}
	start, err := t.kernel.StartTime(group)
	return err == nil && start <= t.lost
}

// decode finds out what a stop means. NoStop is for what concerns nobody.
func (t *Table) decode(lwp *LWP, event ptrace.Event) (Stop, error) {
	process := lwp.Process
	stop := Stop{PID: process.PID, LWP: lwp}
	if event.Kind == ptrace.GroupStop || event.Kind == ptrace.InterruptStop {
		if met, err := t.meetTrap(lwp, event); met || err != nil {
			return Stop{}, err
		}
	}
	if event.Kind != ptrace.Exiting && event.Kind != ptrace.Execed {
		if err := lwp.dropTrapFlag(); err != nil {
			return Stop{}, err
		}
	}
	switch event.Kind {
	case ptrace.SignalStop:
		lwp.inSignalStop = true
		if lwp.rejoining {
			lwp.rejoining = false
			if err := t.kernel.Interrupt(lwp.TID); err != nil {
				return stop, err
			}
		}
		if event.Signal == unix.SIGTRAP {
			return t.trapped(lwp)
		}
		if lwp.sent == event.Signal {
			lwp.sent, lwp.delivering = 0, event.Signal
			return Stop{}, nil
		}
		if err := t.noticeFault(lwp, event.Signal); err != nil {
			return stop, err
		}
		if t.passes(lwp, event.Signal) && !t.stopping {
			if t.stays(lwp) {
				lwp.delivering = event.Signal
				return Stop{}, nil
			}
			return Stop{}, t.start(lwp, event.Signal)
		}
		stop.Kind, stop.Signal = Signalled, event.Signal
		return stop, nil
	case ptrace.GroupStop:
		if process.unstopped {
			// As long as the job-control stop is in force an interrupt looks
			// like it (kernel/signal.c, do_jobctl_trap).
			return t.interruptStop(stop), nil
		}
		lwp.groupStopped = event.Signal
		if !process.stopTold && !t.Pass.Has(event.Signal) {
			process.stopTold = true
			stop.Kind, stop.Signal = GroupStopped, event.Signal
			return stop, nil
		}
		if stop = t.interruptStop(stop); stop.Kind == NoStop && !t.stays(lwp) {
			return Stop{}, t.listen(lwp)
		}
		return stop, nil
	case ptrace.InterruptStop:
		process.stopTold, process.unstopped = false, false
		return t.interruptStop(stop), nil
	case ptrace.SyscallStop:
		return t.syscallStop(lwp, stop)
	case ptrace.Forked, ptrace.VForked, ptrace.Cloned:
		return t.childAppeared(lwp, event)
	case ptrace.VForkDone:
		told := lwp.vforking && !lwp.untold
		if lwp.awaiting {
			lwp.awaiting = false
			return Stop{}, nil
		}
		t.vforkDone(lwp)
		if told && t.Events.VFork {
			stop.Kind = VForkDone
			return stop, nil
		}
		return Stop{}, nil
	case ptrace.Execed:
		return t.execed(lwp)
	case ptrace.Exiting:
		if process.parting {
			return Stop{}, t.part(lwp)
		}
		// Nothing is kept from going: a thread that is on its way out can
		// neither be looked at nor be brought back.
		if err := t.leaderExits(lwp); err != nil {
			return Stop{}, err
		}
		err := t.kernel.Continue(lwp.TID, 0)
		lwp.state = lwpEnding
		lwp.forget()
		if errors.Is(err, ptrace.ErrGone) {
			err = nil
		}
		return Stop{}, err
	}
	return Stop{}, nil
}

// interruptStop is what a stop without a cause of its own is to the client. The
// kernel keeps an interrupt that reaches a thread when it has stopped already,
// and stops it with that after its next resumption, so that not every such stop
// is for the interrupt that the client asked for.
func (t *Table) interruptStop(stop Stop) Stop {
	if !t.interrupted || !stop.LWP.pressed || stop.LWP.halting {
		return Stop{}
	}
	stop.Kind = Interrupted
	return stop
}

// listen leaves an LWP in its job-control stop, as if nobody traced it; it
// counts as running, because its next event comes by itself.
func (t *Table) listen(lwp *LWP) error {
	if err := t.leaveListening(lwp); err != nil {
		return err
	}
	lwp.stepsOver = false
	lwp.forget()
	t.enter(lwp, lwpRunning)
	return nil
}

func (t *Table) leaveListening(lwp *LWP) error {
	err := t.kernel.Listen(lwp.TID)
	if errors.Is(err, unix.EIO) {
		// It is in another stop by now, the one of its exit: it was killed.
		return ptrace.ErrGone
	}
	return err
}

// end takes in the end of a thread.
func (t *Table) end(lwp *LWP, event ptrace.Event) error {
	process := lwp.Process
	process.removeLWP(lwp)
	lwp.state = lwpEnding
	lwp.unreported = lwp.unreported || lwp.pending.Kind == Created
	if err := t.dropPending(lwp); err != nil {
		return err
	}
	if event.TID != process.PID && len(process.lwps) > 0 {
		// The last one speaks for the process only where the leader had ended
		// before it could be attached to.
		t.noteExit(lwp, event)
		return nil
	}
	for _, other := range process.lwps {
		if err := t.dropPending(other); err != nil {
			return err
		}
	}
	stop := Stop{Kind: Exited, PID: process.PID, Status: event.Status, last: lwp}
	if event.Kind == ptrace.Killed {
		stop.Kind, stop.Signal = Killed, event.Signal
	}
	t.removeProcess(process)
	if process.unwatched {
		return nil
	}
	if process.unreported {
		for _, creator := range t.lwps {
			if kind := creator.pending.Kind; (kind == Forked || kind == VForked) && creator.pending.Child == process.PID {
				creator.childEnd = stop
			}
		}
		return nil
	}
	t.ended = append(t.ended, stop)
	t.news = true
	return nil
}

// firstStop waits for the stop that a new task begins with. The event is none
// when the task ended before.
func (t *Table) firstStop(tid int) (ptrace.Event, error) {
	event, early := t.early[tid]
	delete(t.early, tid)
	if !early {
		var err error
		if event, err = t.kernel.WaitFor(tid); errors.Is(err, ptrace.ErrNoTracees) {
			return ptrace.Event{}, nil
		} else if err != nil {
			return ptrace.Event{}, err
		}
	}
	if event.Kind == ptrace.Exiting {
		if err := t.kernel.Continue(tid, 0); err != nil && !errors.Is(err, ptrace.ErrGone) {
			return ptrace.Event{}, err
		}
		return ptrace.Event{}, nil
	}
	if event.Ended() {
		return ptrace.Event{}, nil
	}
	return event, nil
}

// childAppeared adds the task that an LWP has just made.
func (t *Table) childAppeared(creator *LWP, event ptrace.Event) (Stop, error) {
	message, err := t.kernel.EventMessage(creator.TID)
	if err != nil {
		return Stop{}, err
	}
	tid, process := int(message), creator.Process
	if t.lwps[tid] != nil {
		// The creator was killed, and the number is that of its exit stop.
		return Stop{}, nil
	}
	group, err := t.kernel.ThreadGroup(tid, process.PID)
	if err != nil {
		if errors.Is(err, ptrace.ErrGone) {
			delete(t.early, tid)
			return Stop{}, nil
		}
		return Stop{}, err
	}
	kind := KindOfChild(event.Kind, process.PID, group)
	if kind == ChildLWP {
		creator.awaiting = event.Kind == ptrace.VForked
		return t.threadAppeared(creator, tid)
	}
	first, err := t.firstStop(tid)
	if err != nil || first.Kind == ptrace.NoEvent {
		return Stop{}, err
	}
	shared, err := t.sharesMemory(creator, tid)
	if gone(err) {
		// It was killed, or the child was.
		t.early[tid] = first
		return Stop{}, nil
	}
	if err != nil {
		return Stop{}, err
	}
	child, err := t.processAppeared(process, tid, kind, shared)
	if gone(err) {
		return Stop{}, nil
	}
	if err != nil {
		return Stop{}, err
	}
	if kind == ChildVFork {
		creator.vforking, child.vforkCreator = true, creator
	}
	stop := Stop{Kind: Forked, PID: process.PID, LWP: creator, Child: child.PID}
	wanted := t.Events.Fork
	if kind == ChildVFork {
		stop.Kind, wanted = VForked, t.Events.VFork
	}
	if !wanted || process.unwatched {
		t.disregard(child)
		return Stop{}, t.Detach(child)
	}
	child.unreported = true
	if !shared {
		// Where they cannot be put back there is no memory to put them in.
		_ = child.space.image.restore()
	}
	return stop, nil
}

// threadAppeared adds an LWP and lets it run as its process does, unless the
// client wants to know of it. What is to be told of the creator is returned.
func (t *Table) threadAppeared(creator *LWP, tid int) (Stop, error) {
	process := creator.Process
	first, err := t.firstStop(tid)
	if err != nil || first.Kind == ptrace.NoEvent {
		return Stop{}, err
	}
	lwp := process.addLWP(tid)
	if creator.TID == process.PID {
		if err := t.setOptions(lwp); err != nil {
			return Stop{}, err
		}
	}
	lwp.asked = Action{Kind: Continue}
	if first.Kind == ptrace.GroupStop && !process.unstopped {
		lwp.groupStopped = first.Signal
	}
	if stop, told := t.tellBirth(creator, lwp); told {
		return stop, nil
	}
	if t.stays(lwp) {
		return Stop{}, nil
	}
	return Stop{}, t.start(lwp, 0)
}

// setOptions gives an LWP the trace options that it did not inherit: the leader
// has others than the rest.
func (t *Table) setOptions(lwp *LWP) error {
	if err := t.kernel.SetOptions(lwp.TID, lwp.Process.options(lwp.TID)); err != nil && !gone(err) {
		return err
	}
	return nil
}

// processAppeared adds a forked or vforked process, stopped.
func (t *Table) processAppeared(parent *Process, pid int, kind ChildKind, shared bool) (*Process, error) {
	space := parent.space
	switch {
	case kind == ChildVFork && shared:
		space.users++
	case shared:
		space = space.over(space.image)
	default:
		memory, err := t.kernel.OpenMemory(pid)
		if err != nil {
			return nil, err
		}
		space = space.copyFor(memory)
	}
	child := t.addProcess(pid, space)
	child.Attached = parent.Attached
	child.syscalls = parent.syscalls
	if kind == ChildVFork {
		child.vforkParent = parent
	}
	return child, t.setOptions(child.addLWP(pid))
}

// vforkDone ends the sharing of memory with the vfork child of an LWP. The
// breakpoints come back unless another LWP lends it to an untraced child too.
func (t *Table) vforkDone(creator *LWP) {
	creator.vforking, creator.untold = false, false
	image := creator.Process.space.image
	for _, other := range t.processes {
		if other.vforkCreator == creator {
			other.vforkParent, other.vforkCreator = nil, nil
		}
	}
	for _, other := range t.processes {
		for _, lwp := range other.lwps {
			if other.space.image != image || !lwp.vforking {
				continue
			}
			if child := t.vforkChild(lwp); child == nil || child.parting {
				return
			}
		}
	}
	// A breakpoint in memory that is not there any more cannot be put back,
	// and the client removes it later without an error.
	_ = image.restore()
}

// vforkChild is the traced process that an LWP is held for; nil if it is not
// traced.
func (t *Table) vforkChild(creator *LWP) *Process {
	for _, process := range t.processes {
		if process.vforkCreator == creator {
			return process
		}
	}
	return nil
}

// execed starts the process over: one LWP, new memory, no breakpoints.
func (t *Table) execed(lwp *LWP) (Stop, error) {
	process := lwp.Process
	former, err := t.kernel.EventMessage(lwp.TID)
	if err != nil {
		return Stop{}, err
	}
	if caller := t.lwps[int(former)]; caller != nil && caller.Process == process {
		lwp.asked, lwp.halting = caller.asked, caller.halting
		lwp.kept = caller.kept
		lwp.syscall, lwp.followed = caller.syscall, caller.followed
		lwp.options = caller.options
	}
	for _, other := range slices.Clone(process.lwps) {
		if other != lwp {
			process.removeLWP(other)
			if err := t.dropPending(other); err != nil {
				return Stop{}, err
			}
		}
	}
	for _, child := range t.processes {
		if child.vforkParent == process {
			child.vforkParent, child.vforkCreator = nil, nil
		}
	}
	space, err := t.openSpace(lwp.TID)
	if err != nil {
		return Stop{}, err
	}
	t.releaseSpace(process.space)
	process.space = space
	process.vforkParent, process.vforkCreator = nil, nil
	if int(former) != lwp.TID {
		if err := t.setOptions(lwp); err != nil {
			return Stop{}, err
		}
	}
	process.stopTold, process.unstopped = false, false
	if process.threaded {
		t.noteLoss()
	}
	lwp.vforking, lwp.untold, lwp.awaiting = false, false, false
	lwp.passing, lwp.stepsOver = false, false
	// The kernel has cleared the debug registers (flush_ptrace_hw_breakpoint).
	process.hardware = HardwarePoints{}
	lwp.debugVersion = 0
	lwp.forget()
	lwp.registers = ptrace.Registers{}
	if process.unwatched {
		// What it was left behind for went with its memory.
		process.left = false
		return Stop{}, t.Detach(process)
	}
	if !t.Events.Exec {
		return Stop{}, nil
	}
	return Stop{Kind: Execed, PID: process.PID, LWP: lwp}, nil
}
