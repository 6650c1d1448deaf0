package threads

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Attach takes over a running process with all its threads and stops them. In
// non-stop they go on running, unless job control has stopped them, until the
// client halts them. The error names the cause where it is not allowed; then
// nothing is held.
func (t *Table) Attach(pid int) (process *Process, err error) {
	err = t.pause(func() error {
		process, err = t.attach(pid)
		if process != nil && t.nonStop {
			process.stopTold = false
			t.resumed = true
		}
		return err
	})
	return process, err
}

func (t *Table) attach(pid int) (*Process, error) {
	if process := t.find(pid); process != nil {
		if process.unwatched {
			t.watch(process)
			return process, nil
		}
		return nil, fmt.Errorf("cannot attach to process %d: it is being debugged here already", pid)
	}
	if group, err := t.kernel.ThreadGroup(pid, pid); err == nil && group != pid {
		return nil, ptrace.ExplainAttach(pid, nil)
	}
	process := t.addProcess(pid, newAddressSpace(noMemory{}))
	process.Attached = true
	t.stopping = true
	for {
		found, err := t.seizeAll(process)
		if err != nil {
			t.abandon(process)
			return nil, ptrace.ExplainAttach(pid, err)
		}
		if !found {
			break
		}
		if err := t.StopAll(); err != nil {
			t.abandon(process)
			return nil, err
		}
		if t.Process(pid) != process {
			break
		}
		// The list is whole for certain only when it is read while all that
		// are in it are stopped.
	}
	leader := process.FirstLWP()
	for leader == nil && t.Process(pid) == process {
		event, err := t.kernel.WaitFor(ptrace.AnyThread)
		if err != nil {
			t.abandon(process)
			return nil, err
		}
		if err := t.handle(event); err != nil {
			return nil, err
		}
	}
	if t.Process(pid) != process || leader == nil {
		t.forgetEnded(pid)
		if err := t.adoptOrphans(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("cannot attach to process %d: it ended meanwhile", pid)
	}
	for _, lwp := range process.lwps {
		if lwp.pending.Kind == GroupStopped {
			// It was stopped when it was attached to: that is no news.
			lwp.pending = Stop{}
		}
	}
	if err := t.openMemory(process, leader.TID); err != nil {
		t.abandon(process)
		return nil, err
	}
	if err := t.takeSignal(leader); err != nil {
		t.abandon(process)
		return nil, err
	}
	if process.removed {
		t.forgetEnded(pid)
		return nil, fmt.Errorf("cannot attach to process %d: it ended meanwhile", pid)
	}
	t.turn, t.latest = leader.TID, pid
	return process, nil
}

// takeSignal has the leader of a process that was just attached to, all of which
// is stopped, stop for the signal that waits for it, if there is one: that is what
// its user wants to know first. The kernel stops a thread for an interrupt before
// any signal (kernel/signal.c, get_signal). In all-stop it counts as reported.
func (t *Table) takeSignal(leader *LWP) error {
	if leader.state != lwpStopped || leader.pending.Kind != NoStop || leader.groupStopped != 0 {
		return nil
	}
	takes, err := t.kernel.TakesSignal(leader.Process.PID, leader.TID)
	if gone(err) {
		return nil
	}
	if err != nil || !takes {
		return err
	}
	err = t.start(leader, 0)
	for err == nil && leader.state == lwpRunning && !leader.Process.removed {
		var event ptrace.Event
		// If it was killed, the others are waited for before the leader can be
		// (kernel/exit.c, delay_group_leader).
		if event, err = t.kernel.WaitFor(ptrace.AnyThread); err == nil {
			err = t.handle(event)
		}
	}
	if leader.pending.Kind == Signalled && !t.nonStop {
		leader.reported, leader.pending = leader.pending, Stop{}
	}
	return err
}

// seizeAll seizes every thread, again and again until no new one is found:
// one that is not seized yet may start others, or take the place of the leader. It
// says whether there was one.
func (t *Table) seizeAll(process *Process) (any bool, err error) {
	for {
		tids, err := t.kernel.Tasks(process.PID)
		if errors.Is(err, ptrace.ErrGone) && len(process.lwps) > 0 {
			// What became of it its last event says.
			return any, nil
		}
		if err != nil {
			return any, err
		}
		found := false
		for _, tid := range tids {
			known := t.lwps[tid]
			if known != nil && (tid != process.PID || known.state != lwpRunning) {
				continue
			}
			err := t.kernel.Seize(tid, process.options(tid))
			if known != nil && err != nil {
				continue
			}
			switch {
			case errors.Is(err, ptrace.ErrGone):
				// It stood in the list for one that may not be in it.
				found = true
				continue
			case errors.Is(err, unix.EPERM) && (len(process.lwps) > 0 || len(tids) > 1 && tid == process.PID):
				// It has ended, as a leader may before the others, or one that
				// is traced already has just made it and will say so.
				continue
			case err != nil:
				return any, err
			}
			found, any = true, true
			if known != nil {
				// The leader that was seized has ended without a word: another
				// thread, which was not, has executed a program and has its id
				// (fs/exec.c, de_thread).
				process.removeLWP(known)
			}
			lwp := process.addLWP(tid)
			lwp.asked = Action{Kind: Continue}
			t.enter(lwp, lwpRunning)
			if err := t.interrupt(lwp); err != nil {
				return any, err
			}
			if err := t.openMemory(process, tid); err != nil {
				return any, err
			}
		}
		if !found {
			break
		}
	}
	if len(process.lwps) == 0 {
		return any, &ptrace.Error{Operation: "attach to", TID: process.PID, Errno: unix.EPERM}
	}
	return any, nil
}

// openMemory opens the memory of a process that is being attached to, if that
// has not been done. A thread that has ended has none; the next one will do.
func (t *Table) openMemory(process *Process, tid int) error {
	if _, missing := process.space.image.memory.(noMemory); !missing {
		return nil
	}
	space, err := t.openSpace(tid)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	process.space.image.memory, process.space.image.program = space.image.memory, space.image.program
	return nil
}

// abandon lets go of a process that could not be attached to as a whole.
func (t *Table) abandon(process *Process) {
	// The first failure is the one that is told.
	if t.StopAll() == nil && t.Process(process.PID) == process {
		_ = t.Detach(process)
	}
	if t.Process(process.PID) == process {
		t.removeProcess(process)
	}
	t.forgetEnded(process.PID)
}

// noMemory stands for the memory of a process that is not open yet.
type noMemory struct{}

func (noMemory) Read(address uint64, _ []byte) (int, error) {
	return 0, &ptrace.MemoryError{Address: address}
}
func (noMemory) Write(address uint64, _ []byte) error {
	return &ptrace.MemoryError{Write: true, Address: address}
}
func (noMemory) Close() error { return nil }

// Untold is the last LWP of a process that has ended when the client was not
// told of that yet, and so may ask for it; nil if there is none. It is Ending and
// its process is not in the table any more.
func (t *Table) Untold(pid int) *LWP {
	for _, stop := range t.ended {
		if stop.PID == pid && stop.Ended() {
			return stop.last
		}
	}
	return nil
}

// Dying tells whether a process was killed, so that threads of it may be gone, and
// the client was not told of its end yet.
func (t *Table) Dying(pid int) bool {
	process := t.Process(pid)
	if process == nil {
		return t.Untold(pid) != nil
	}
	return slices.ContainsFunc(process.lwps, func(lwp *LWP) bool { return t.kernel.Doomed(pid, lwp.TID) })
}

// forgetEnded drops what is to be reported of a process that the caller knows to
// be gone, and of its threads. The answer is whether the end was among it.
func (t *Table) forgetEnded(pid int) bool {
	end := slices.ContainsFunc(t.ended, func(stop Stop) bool { return stop.PID == pid && stop.Ended() })
	t.ended = slices.DeleteFunc(t.ended, func(stop Stop) bool { return stop.PID == pid })
	return end
}
