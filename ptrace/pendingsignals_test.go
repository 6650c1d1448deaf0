package ptrace

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestPendingSignals(t *testing.T) {
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/true")
		defer tracer.abandon(pid)
		infos := make([]Siginfo, 4)
		if n, err := tracer.PendingSignals(pid, 0, infos); n != 0 || err != nil {
			t.Errorf("%d signals wait before any was sent: %v", n, err)
		}
		for _, signal := range []unix.Signal{unix.SIGUSR1, unix.SIGTERM} {
			if err := tracer.Signal(pid, pid, signal); err != nil {
				t.Error(err)
			}
		}
		if err := tracer.SignalProcess(pid, unix.SIGUSR2); err != nil {
			t.Error(err)
		}
		const sentToThread = -6 // SI_TKILL
		n, err := tracer.PendingSignals(pid, 0, infos)
		if n != 2 || err != nil || infos[0].Signal() != unix.SIGUSR1 || infos[1].Signal() != unix.SIGTERM ||
			infos[0].Code() != sentToThread {
			t.Errorf("%d signals wait, %v and %v: %v", n, infos[0].Signal(), infos[1].Signal(), err)
		}
		if n, err := tracer.PendingSignals(pid, 1, infos[:1]); n != 1 || err != nil || infos[0].Signal() != unix.SIGTERM {
			t.Errorf("the second of the queue: %d %v %v", n, infos[0].Signal(), err)
		}
	})
}

// TestInterruptBeforeTrap holds the fact that PendingSignals is there for.
func TestInterruptBeforeTrap(t *testing.T) {
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/cat", "/dev/zero")
		defer tracer.abandon(pid)
		var info [1]Siginfo
		for range 200000 {
			if err := tracer.Step(pid, 0); err != nil {
				t.Error(err)
				return
			}
			if err := tracer.Interrupt(pid); err != nil {
				t.Error(err)
				return
			}
			event, err := tracer.Wait(pid)
			if err != nil {
				t.Error(err)
				return
			}
			if event.Kind == InterruptStop {
				n, err := tracer.PendingSignals(pid, 0, info[:])
				if err != nil {
					t.Error(err)
					return
				}
				if n == 1 && info[0].Signal() == unix.SIGTRAP && info[0].Code() > 0 {
					return
				}
			}
		}
		t.Skip("no interrupt came between a step and its trap")
	})
}
