package threads

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTellOthersOfSignals tells of the signals that other LWPs have met, but for
// those that go to the program, which they still have to get.
func TestTellOthersOfSignals(t *testing.T) {
	table := &Table{}
	table.Pass.Add(unix.SIGURG)
	process := &Process{PID: 1}
	for tid, met := range map[int]struct {
		signal unix.Signal
		asked  ActionKind
	}{
		2: {unix.SIGURG, Continue}, 3: {unix.SIGUSR1, Continue}, 4: {unix.SIGURG, Step},
	} {
		lwp := &LWP{TID: tid, Process: process, state: lwpStopped, asked: Action{Kind: met.asked}}
		lwp.pending = Stop{Kind: Signalled, LWP: lwp, PID: 1, Signal: met.signal}
		process.lwps = append(process.lwps, lwp)
	}
	var told []int
	table.TellOthers(process, func(stop Stop) { told = append(told, stop.LWP.TID) })
	slices.Sort(told)
	if !slices.Equal(told, []int{3, 4}) {
		t.Errorf("told of %v", told)
	}
	for _, lwp := range process.lwps {
		left, want := lwp.pending.Kind == Signalled, lwp.TID == 2
		if left != want || (lwp.Reported().Kind == Signalled) == want {
			t.Errorf("LWP %d: pending %+v, reported %+v", lwp.TID, lwp.pending, lwp.Reported())
		}
	}
}
