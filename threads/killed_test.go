package threads

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/threads/internal/simulation"
)

// killedMeanwhile kills a process as soon as the table knows that a signal waits
// for it, so that it is in the stop before its end when it is resumed.
type killedMeanwhile struct{ simulated }

func (k killedMeanwhile) TakesSignal(pid, tid int) (bool, error) {
	takes, err := k.simulated.TakesSignal(pid, tid)
	k.KillFromOutside(pid)
	k.Tick()
	return takes, err
}

// killedBefore kills the process of a thread that is about to be stepped, so that
// it is in the stop before its end when it is.
type killedBefore struct{ simulated }

func (k killedBefore) Step(tid int, signal unix.Signal) error {
	k.KillFromOutside(tid)
	k.Tick()
	return k.simulated.Step(tid, signal)
}

// TestKilledWhileSignalIsTaken attaches to a process that is killed while its
// leader is let run into a signal. The leader's end can't be waited for before
// that of the other thread (kernel/exit.c, delay_group_leader).
func TestKilledWhileSignalIsTaken(t *testing.T) {
	kernel := simulation.NewKernel(&simulation.Priority{}, []simulation.Program{{
		{Operation: simulation.Clone, Argument: 1}, {Operation: simulation.Pause},
	}})
	pid := kernel.Start(0)
	for range 3 {
		kernel.Tick()
	}
	if err := kernel.SignalProcess(pid, unix.SIGALRM); err != nil {
		t.Fatal(err)
	}
	table := NewTable(killedMeanwhile{simulated{kernel}})
	if _, err := table.Attach(pid); err == nil || !strings.Contains(err.Error(), "it ended meanwhile") {
		t.Errorf("attached: %v\n%s", err, strings.Join(kernel.Trace(), "\n"))
	}
}

// TestKilledInCall has the leader of a process that is killed make a system call:
// its end, too, comes only when the other thread's was waited for.
func TestKilledInCall(t *testing.T) {
	kernel := simulation.NewKernel(&simulation.Priority{}, []simulation.Program{{
		{Operation: simulation.Clone, Argument: 2}, {Operation: simulation.Nop}, {Operation: simulation.Pause},
	}})
	table := NewTable(killedBefore{simulated{kernel}})
	pid := kernel.Start(0)
	for range 3 {
		kernel.Tick()
	}
	process, err := table.Attach(pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := process.FirstLWP().Call(0x1001, ptrace.SyscallArguments{}); !gone(err) && (err == nil || !strings.Contains(err.Error(), "stopped for something else")) {
		t.Errorf("called: %v\n%s", err, strings.Join(kernel.Trace(), "\n"))
	}
	if err := table.Resume(func(*LWP) Action { return Action{Kind: Continue} }); err != nil {
		t.Fatal(err)
	}
	if stop, err := table.Wait(); err != nil || stop.Kind != Killed {
		t.Errorf("the end: %v, %v", stop, err)
	}
}

// TestKilledWithThreadEvents kills and lets go a process whose threads' ends are to
// be reported: once it is gone for the client, nothing is told of its threads.
func TestKilledWithThreadEvents(t *testing.T) {
	for name, leave := range map[string]func(*Table, *Process) error{"kill": (*Table).Kill, "detach": (*Table).Detach} {
		t.Run(name, func(t *testing.T) {
			kernel := simulation.NewKernel(&simulation.Priority{}, []simulation.Program{{
				{Operation: simulation.Clone, Argument: 3}, {Operation: simulation.Clone, Argument: 2}, {Operation: simulation.Pause},
				{Operation: simulation.Exit},
			}})
			table := NewTable(simulated{kernel})
			table.Events.Threads = true
			process, err := table.Launch(ptrace.Program{Path: "0"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			for len(table.ended) == 0 {
				if err := table.Resume(func(*LWP) Action { return Action{Kind: Continue} }); err != nil {
					t.Fatal(err)
				}
				if stop, err := table.Wait(); err != nil || stop.Kind != Created {
					t.Fatalf("%v, %v", stop, err)
				}
			}
			if err := leave(table, process); err != nil {
				t.Fatal(err)
			}
			if !table.Over() {
				t.Errorf("left to be told: %v\n%s", table.ended, strings.Join(kernel.Trace(), "\n"))
			}
		})
	}
}
