package threads

import (
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// ThreadOptions are events of one thread that the client wants to be told.
type ThreadOptions struct {
	// Clone reports the threads that it makes, as Cloned.
	Clone bool
	// Exit reports its end, as ThreadExited.
	Exit bool
}

// SetOptions replaces the options of an LWP. A new one has none.
func (l *LWP) SetOptions(options ThreadOptions) { l.options = options }

// Unreported tells whether the client was not told yet that the thread was
// made, which it wants to know first.
func (l *LWP) Unreported() bool { return l.unreported }

// tellBirth makes the birth of an LWP something to report, if that is wanted.
// The stop is the creator's.
func (t *Table) tellBirth(creator, lwp *LWP) (Stop, bool) {
	switch {
	case lwp.Process.unwatched:
		return Stop{}, false
	case creator.options.Clone:
		lwp.asked = Action{}
		lwp.unreported = true
		return Stop{Kind: Cloned, PID: creator.Process.PID, LWP: creator, Child: lwp.TID}, true
	case t.Events.Threads:
		lwp.pending = Stop{Kind: Created, PID: lwp.Process.PID, LWP: lwp}
		t.news = true
		return Stop{}, true
	}
	return Stop{}, false
}

func (t *Table) wantsExit(lwp *LWP) bool {
	return (t.Events.Threads || lwp.options.Exit) && !lwp.Process.unwatched && !lwp.unreported
}

// ForgetThreadEnds drops the ends of threads that were not reported yet: a client
// has come who did not ask for them.
func (t *Table) ForgetThreadEnds() {
	t.ended = slices.DeleteFunc(t.ended, func(stop Stop) bool { return stop.Kind == ThreadExited })
}

// noteExit makes the end of a thread that is not the process's something to
// report, if that is wanted.
func (t *Table) noteExit(lwp *LWP, event ptrace.Event) {
	if lwp.unreported {
		t.forgetBirth(lwp)
	}
	if !t.wantsExit(lwp) {
		return
	}
	stop := Stop{Kind: ThreadExited, PID: lwp.Process.PID, Child: lwp.TID, Status: event.Status}
	if event.Kind == ptrace.Killed {
		stop.Signal = event.Signal
	}
	t.ended = append(t.ended, stop)
	t.news = true
}

// forgetBirth drops the report of a thread that is gone already.
func (t *Table) forgetBirth(lwp *LWP) {
	for _, creator := range lwp.Process.lwps {
		if creator.pending.Kind == Cloned && creator.pending.Child == lwp.TID {
			creator.pending = Stop{}
			// In non-stop nobody else would have it go on.
			t.unsettled = t.nonStop
		}
	}
}

// leaderExits is noteExit for the leader of a process, whose end the kernel
// reports as that of the process, after that of the last other thread. Where
// the process ends as a whole that says it all, so that it has to be found out
// whether any other thread lives on.
func (t *Table) leaderExits(leader *LWP) error {
	process := leader.Process
	if leader.TID != process.PID || !t.wantsExit(leader) {
		return nil
	}
	for _, other := range process.lwps {
		if other == leader || other.state == lwpEnding || t.kernel.Doomed(process.PID, other.TID) {
			continue
		}
		status, err := t.kernel.EventMessage(leader.TID)
		if err != nil {
			if gone(err) {
				return nil
			}
			return err
		}
		t.noteExit(leader, ptrace.Event{TID: leader.TID, Kind: ptrace.Exited, Status: int(status >> 8 & 0xff), Signal: unix.Signal(status & 0x7f)})
		return nil
	}
	return nil
}
