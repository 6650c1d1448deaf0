package threads

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// A process that the client lets go while it shares its memory with one that
// the client keeps cannot be left to itself: it would die of the breakpoints
// that are in that memory or come into it. It stays traced, unseen: it goes on
// whenever anything does, its signals reach it, breakpoints are passed over,
// and it is let go for good when it executes a program or is the only one left.
// (One that was left behind with breakpoints stays for those; see Table.Leave.)
//
// A vfork child of a process that the client keeps is not meant: nobody else's
// code runs in that thread's place, and a tracer would keep what it executes from
// gaining privileges (execve(2)), so that it goes at once, without breakpoints.

// sharesMemory tells whether a child that is no vfork child uses its creator's
// memory. A creator that was killed meanwhile cannot tell.
func (t *Table) sharesMemory(creator *LWP, child int) (bool, error) {
	shared, err := t.kernel.SameMemory(creator.TID, child)
	if err == nil && !shared {
		// It has no memory any more if it is no longer in its stop.
		_, err = t.kernel.EventMessage(creator.TID)
	}
	if err == nil || gone(err) {
		return shared, err
	}
	return t.kernel.MadeSharing(creator.TID)
}

// isShared tells whether a process that the client keeps has the memory of
// another, without one being the other's vfork child.
func (t *Table) isShared(process *Process) bool {
	for _, other := range t.processes {
		if other.space.image == process.space.image && other.space != process.space && other.kept() {
			return true
		}
	}
	return false
}

// othersKeep tells whether the client keeps another process in the same memory.
func (t *Table) othersKeep(process *Process) bool {
	for _, other := range t.processes {
		if other != process && other.space.image == process.space.image && other.kept() {
			return true
		}
	}
	return false
}

// unwatch keeps a stopped process traced that the client has let go.
func (t *Table) unwatch(process *Process) error {
	if !process.borrows() {
		process.space.removeAllBut(process.stays)
	}
	process.hardware.removeAllBut(process.stays)
	if err := t.endUnstopped(process); err != nil {
		return err
	}
	process.stopTold, process.unstopped, process.unreported = false, false, false
	process.syscalls = SyscallSet{}
	// It may outlive this tracer.
	process.Attached = true
	for _, lwp := range process.lwps {
		if lwp.state != lwpStopped && lwp.state != lwpHeld {
			continue
		}
		if lwp.state == lwpStopped {
			if err := t.setOptions(lwp); err != nil {
				return err
			}
		}
		lwp.delivering = t.undelivered(lwp)
		lwp.pending, lwp.reported = Stop{}, Stop{}
		lwp.unreported, lwp.options = false, ThreadOptions{}
		lwp.halting, lwp.again = false, false
		lwp.asked = Action{Kind: Continue}
	}
	t.disregard(process)
	if t.stopping {
		return nil
	}
	for _, lwp := range process.lwps {
		if err := t.proceed(lwp); err != nil {
			return err
		}
	}
	return nil
}

// disregard takes a process out of the client's sight.
func (t *Table) disregard(process *Process) {
	if !process.unwatched {
		process.unwatched = true
		t.unwatched++
	}
}

// watch gives a process that was let go back to the client, stopped.
func (t *Table) watch(process *Process) {
	process.unwatched, process.left, process.Attached = false, false, true
	t.unwatched--
	for _, lwp := range process.lwps {
		lwp.untold = lwp.vforking
		if !t.nonStop {
			lwp.asked = Action{}
		}
		if lwp.state == lwpStopped && lwp.delivering != 0 && lwp.pending.Kind == NoStop {
			// It came when nobody was to be told.
			lwp.pending = Stop{Kind: Signalled, PID: process.PID, LWP: lwp, Signal: lwp.delivering}
			lwp.delivering, t.news = 0, true
		}
	}
}

// proceed lets an LWP of an unwatched process go on.
func (t *Table) proceed(lwp *LWP) error {
	if lwp.state != lwpStopped || lwp.pending.Kind != NoStop || t.stays(lwp) {
		return nil
	}
	return t.start(lwp, 0)
}

// overlook deals with what an LWP of an unwatched process stopped for. What it
// returns is a breakpoint to be passed over, or nothing.
func (t *Table) overlook(lwp *LWP, stop Stop) (Stop, error) {
	if lwp.Process.parting {
		return Stop{}, t.part(lwp)
	}
	switch stop.Kind {
	case HardwareBreakpoint:
		return stop, nil
	case Breakpoint:
		i, found := lwp.Process.space.image.find(stop.Address)
		if found && lwp.Process.space.image.inserted[i].below != breakpointInstruction {
			return stop, nil
		}
		// Its own int3: it gets the signal, and the pc is behind it.
		lwp.registers.SetPC(stop.Address + 1)
		stop.Signal = unix.SIGTRAP
	case Signalled:
	default:
		return Stop{}, nil
	}
	if t.stays(lwp) {
		lwp.delivering = stop.Signal
		return Stop{}, nil
	}
	return Stop{}, t.start(lwp, stop.Signal)
}

// letSharersGo lets the unwatched processes go that use the memory of a process
// that is going itself. Everything has to be stopped and the memory be clean.
func (t *Table) letSharersGo(process *Process) error {
	if t.unwatched == 0 || process.unwatched {
		return nil
	}
	if t.othersKeep(process) {
		return nil
	}
	var failures []error
	// A vfork child comes after its parent, which waits for it.
	for _, other := range slices.Backward(slices.Clone(t.processes)) {
		if !other.kept() && !other.parting && other.space.image == process.space.image && t.find(other.PID) == other {
			failures = append(failures, t.letGo(other))
		}
	}
	return errors.Join(failures...)
}

// reclaim puts the breakpoints back into memory that was lent to a process that
// nobody traces, where the thread is gone that would be told of the end of that.
func (t *Table) reclaim(process *Process) {
	image, lwp := process.space.image, process.FirstLWP()
	if !image.lifted || len(image.borrowers) == 0 || lwp == nil || process.parting {
		return
	}
	for _, other := range t.lwps {
		if other.vforking && other.Process.space.image == image {
			return
		}
	}
	for _, pid := range image.borrowers {
		// Where the kernel does not say, it may.
		if same, err := t.kernel.SameMemory(lwp.TID, pid); same || err != nil && !gone(err) {
			return
		}
	}
	// A breakpoint in memory that is not there any more cannot be put back.
	_ = image.restore()
}

// dropHits forgets the hits of breakpoints that nobody wants any more.
func (t *Table) dropHits(image *image) {
	for _, lwp := range t.lwps {
		if lwp.Process.space.image != image || lwp.pending.Kind != Breakpoint {
			continue
		}
		if i, found := image.find(lwp.pending.Address); found && image.inserted[i].wanted == 0 {
			lwp.pending = Stop{}
		}
	}
}

// tidy takes out breakpoints that nobody wants any more and lets the unwatched
// processes go that share their memory with none that the client has. It needs
// everything to be stopped.
func (t *Table) tidy() error {
	for _, process := range t.processes {
		if image := process.space.image; image.stale {
			t.dropHits(image)
			image.sweep()
		}
		t.reclaim(process)
	}
	if t.unwatched == 0 {
		return nil
	}
	var failures []error
	for _, process := range slices.Backward(slices.Clone(t.processes)) {
		if !process.kept() && !process.parting && t.find(process.PID) == process && !t.othersKeep(process) {
			failures = append(failures, t.Detach(process))
		}
	}
	return errors.Join(failures...)
}

// adoptSharer keeps an orphan traced that uses the memory of a known process;
// false where it does not.
func (t *Table) adoptSharer(pid int) (bool, error) {
	for _, process := range t.processes {
		lwp := process.FirstLWP()
		if lwp == nil {
			continue
		}
		same, err := t.kernel.SameMemory(lwp.TID, pid)
		if err != nil || !same {
			continue
		}
		space := &AddressSpace{image: process.space.image, users: 1}
		space.image.spaces++
		child := t.addProcess(pid, space)
		child.Attached = process.Attached
		if err := t.setOptions(child.addLWP(pid)); err != nil {
			return true, err
		}
		return true, t.unwatch(child)
	}
	return false, nil
}
