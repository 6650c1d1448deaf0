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
func (t *Table) Wait() (Stop, error) {
	for {
		if t.news {
			if stop, found := t.next(); found {
				return t.settle(stop)
			}
			t.news = false
		}
		if t.running+t.held == 0 && !t.endsToCome() {
			return Stop{Kind: NoResumed}, nil
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

// endsToCome tells whether a thread that is ending will be reported without
// anybody else having to run. The leader is not as long as another thread lives.
func (t *Table) endsToCome() bool {
	for _, process := range t.processes {
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

// settle stops everything else and makes a stop the reported one.
func (t *Table) settle(stop Stop) (Stop, error) {
	if err := t.StopAll(); err != nil {
		return Stop{}, err
	}
	t.interrupted = false
	if stop.LWP == nil {
		return stop, nil
	}
	if t.lwps[stop.LWP.TID] != stop.LWP || stop.LWP.state != lwpStopped {
		// It was killed meanwhile, which is what there is to tell.
		return t.Wait()
	}
	stop.LWP.pending = Stop{}
	stop.LWP.reported = stop
	t.turn = stop.LWP.TID
	return stop, nil
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
			if lwp.state == lwpStopped && lwp.pending.Kind != NoStop && lwp.asked.Kind != Stay &&
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
// oldest LWP that runs in the process that was reported last, or in another,
// as Interrupted, unless something else is reported first.
func (t *Table) Interrupt() error {
	var target *LWP
	last := t.lwps[t.turn]
	for _, process := range t.processes {
		for _, lwp := range process.lwps {
			preferred := last != nil && process == last.Process
			if lwp.state == lwpRunning && (target == nil || preferred && target.Process != process) {
				target = lwp
			}
		}
	}
	if target == nil {
		return nil
	}
	t.interrupted = true
	target.interrupting = true
	if err := t.kernel.Interrupt(target.TID); err != nil && !errors.Is(err, ptrace.ErrGone) {
		return err
	}
	return nil
}

// StopAll stops every LWP that runs. What they stop for is kept.
func (t *Table) StopAll() error {
	t.stopping = true
	if t.running == 0 {
		return nil
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
		if errors.Is(err, ptrace.ErrNoTracees) {
			return err
		}
		if err != nil {
			return err
		}
		if err := t.handle(event); err != nil {
			return err
		}
	}
	return nil
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
		t.end(lwp, event)
		return nil
	}
	t.leave(lwp)
	lwp.forget()
	lwp.interrupting = false
	lwp.inSignalStop = false
	lwp.inSyscall = stopsInSyscall(event.Kind)
	stop, err := t.decode(lwp, event)
	if errors.Is(err, ptrace.ErrGone) {
		// Killed while it was being looked at. Its last event is on the way,
		// so it counts as running.
		lwp.forget()
		t.enter(lwp, lwpRunning)
		return nil
	}
	if err != nil {
		return err
	}
	if lwp.state != lwpStopped {
		return nil
	}
	lwp.pending = stop
	if stop.Kind != NoStop {
		t.news = true
		return nil
	}
	if t.stopping {
		return nil
	}
	return t.start(lwp, 0)
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
	switch {
	case event.Ended():
		delete(t.early, event.TID)
	case event.Kind == ptrace.Exiting:
		delete(t.early, event.TID)
		if err := t.kernel.Continue(event.TID, 0); err != nil && !errors.Is(err, ptrace.ErrGone) {
			return err
		}
	default:
		t.early[event.TID] = event
	}
	return nil
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
		if t.passes(lwp, event.Signal) && !t.stopping {
			return Stop{}, t.start(lwp, event.Signal)
		}
		stop.Kind, stop.Signal = Signalled, event.Signal
		return stop, nil
	case ptrace.GroupStop:
		if lwp.groupStopped == event.Signal || t.groupStopKnown(process, event.Signal) {
			lwp.groupStopped = event.Signal
			if t.interrupted {
				stop.Kind = Interrupted
				return stop, nil
			}
			if t.stopping {
				return Stop{}, nil
			}
			return Stop{}, t.listen(lwp)
		}
		lwp.groupStopped = event.Signal
		if t.Pass.Has(event.Signal) && !t.stopping {
			return Stop{}, t.listen(lwp)
		}
		stop.Kind, stop.Signal = GroupStopped, event.Signal
		return stop, nil
	case ptrace.InterruptStop:
		lwp.groupStopped = 0
		if t.interrupted && !t.stopping {
			stop.Kind = Interrupted
			return stop, nil
		}
		return Stop{}, nil
	case ptrace.Forked, ptrace.VForked, ptrace.Cloned:
		return t.childAppeared(lwp, event)
	case ptrace.VForkDone:
		lwp.vforking = false
		t.vforkDone(process)
		if t.Events.VFork {
			stop.Kind = VForkDone
			return stop, nil
		}
		return Stop{}, nil
	case ptrace.Execed:
		return t.execed(lwp)
	case ptrace.Exiting:
		// Nothing is kept from going: a thread that is on its way out can
		// neither be looked at nor be brought back.
		err := t.kernel.Continue(lwp.TID, 0)
		lwp.state = lwpEnding
		lwp.pending = Stop{}
		lwp.forget()
		if errors.Is(err, ptrace.ErrGone) {
			err = nil
		}
		return Stop{}, err
	}
	return Stop{}, nil
}

// groupStopKnown tells whether another LWP of the process reported the same
// job-control stop already: every thread enters it.
func (t *Table) groupStopKnown(process *Process, signal unix.Signal) bool {
	for _, lwp := range process.lwps {
		if lwp.state == lwpStopped && lwp.groupStopped == signal {
			return true
		}
	}
	return false
}

// listen leaves an LWP in its job-control stop, as if nobody traced it; it
// counts as running, because its next event comes by itself.
func (t *Table) listen(lwp *LWP) error {
	if err := t.kernel.Listen(lwp.TID); err != nil {
		return err
	}
	lwp.forget()
	t.enter(lwp, lwpRunning)
	return nil
}

// end takes in the end of a thread.
func (t *Table) end(lwp *LWP, event ptrace.Event) {
	process := lwp.Process
	process.removeLWP(lwp)
	lwp.state = lwpEnding
	lwp.pending = Stop{}
	if event.TID != process.PID && len(process.lwps) > 0 {
		// The last one speaks for the process only where the leader had ended
		// before it could be attached to.
		return
	}
	stop := Stop{Kind: Exited, PID: process.PID, Status: event.Status}
	if event.Kind == ptrace.Killed {
		stop.Kind, stop.Signal = Killed, event.Signal
	}
	t.removeProcess(process)
	t.ended = append(t.ended, stop)
	t.news = true
}

// firstStop waits for the stop that a new task begins with. It is false when
// the task ended before.
func (t *Table) firstStop(tid int) (bool, error) {
	event, early := t.early[tid]
	delete(t.early, tid)
	if !early {
		var err error
		if event, err = t.kernel.WaitFor(tid); errors.Is(err, ptrace.ErrNoTracees) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	if event.Kind == ptrace.Exiting {
		if err := t.kernel.Continue(tid, 0); err != nil && !errors.Is(err, ptrace.ErrGone) {
			return false, err
		}
	}
	return !event.Ended() && event.Kind != ptrace.Exiting, nil
}

// childAppeared adds the task that an LWP has just made.
func (t *Table) childAppeared(creator *LWP, event ptrace.Event) (Stop, error) {
	message, err := t.kernel.EventMessage(creator.TID)
	if err != nil {
		return Stop{}, err
	}
	tid, process := int(message), creator.Process
	group, err := t.kernel.ThreadGroup(tid)
	if err != nil {
		if errors.Is(err, ptrace.ErrGone) {
			delete(t.early, tid)
			return Stop{}, nil
		}
		return Stop{}, err
	}
	kind := KindOfChild(event.Kind, process.PID, group)
	if kind == ChildLWP {
		return Stop{}, t.threadAppeared(process, tid)
	}
	alive, err := t.firstStop(tid)
	if err != nil || !alive {
		return Stop{}, err
	}
	child, err := t.processAppeared(process, tid, kind)
	if err != nil {
		return Stop{}, err
	}
	creator.vforking = kind == ChildVFork
	stop := Stop{Kind: Forked, PID: process.PID, LWP: creator, Child: child.PID}
	wanted := t.Events.Fork
	if kind == ChildVFork {
		stop.Kind, wanted = VForked, t.Events.VFork
	}
	if wanted {
		return stop, nil
	}
	return Stop{}, t.Detach(child)
}

// threadAppeared adds an LWP and lets it run as its process does.
func (t *Table) threadAppeared(process *Process, tid int) error {
	alive, err := t.firstStop(tid)
	if err != nil || !alive {
		return err
	}
	lwp := process.addLWP(tid)
	lwp.asked = Action{Kind: Continue}
	if t.stopping {
		return nil
	}
	return t.start(lwp, 0)
}

// processAppeared adds a forked or vforked process, stopped.
func (t *Table) processAppeared(parent *Process, pid int, kind ChildKind) (*Process, error) {
	space := parent.space
	if kind == ChildVFork {
		space.users++
	} else {
		memory, err := t.kernel.OpenMemory(pid)
		if err != nil {
			return nil, err
		}
		space = parent.space.copyFor(memory)
	}
	child := t.addProcess(pid, space)
	child.Attached = parent.Attached
	if kind == ChildVFork {
		child.vforkParent = parent
	}
	child.addLWP(pid)
	return child, nil
}

// vforkDone ends the sharing of memory with a vfork child.
func (t *Table) vforkDone(parent *Process) {
	for _, other := range t.processes {
		if other.vforkParent == parent {
			other.vforkParent = nil
		}
	}
	// A breakpoint in memory that is not there any more cannot be put back,
	// and the client removes it later without an error.
	_ = parent.space.restore()
}

// execed starts the process over: one LWP, new memory, no breakpoints.
func (t *Table) execed(lwp *LWP) (Stop, error) {
	process := lwp.Process
	if former, err := t.kernel.EventMessage(lwp.TID); err != nil {
		return Stop{}, err
	} else if caller := t.lwps[int(former)]; caller != nil && caller.Process == process {
		lwp.asked = caller.asked
	}
	for _, other := range slices.Clone(process.lwps) {
		if other != lwp {
			process.removeLWP(other)
		}
	}
	space, err := t.openSpace(lwp.TID)
	if err != nil {
		return Stop{}, err
	}
	process.space.release()
	process.space = space
	process.vforkParent = nil
	lwp.vforking, process.unstopped = false, false
	// The kernel has cleared the debug registers (flush_ptrace_hw_breakpoint).
	process.hardware = HardwarePoints{}
	lwp.debugVersion = 0
	lwp.forget()
	if !t.Events.Exec {
		return Stop{}, nil
	}
	return Stop{Kind: Execed, PID: process.PID, LWP: lwp}, nil
}
