package threads

import (
	"strings"
	"testing"

	"rspd/threads/internal/simulation"
)

// executesMeanwhile has the other threads go on for a while when one was seized.
type executesMeanwhile struct{ simulated }

func (k executesMeanwhile) Seize(tid, options int) error {
	err := k.simulated.Seize(tid, options)
	for range 6 {
		k.Tick()
	}
	return err
}

// TestLeaderReplacedWhileAttaching: a thread that is not seized yet executes a
// program. The leader, which is, ends without a word, and the thread has its id.
func TestLeaderReplacedWhileAttaching(t *testing.T) {
	kernel := simulation.NewKernel(&simulation.Priority{Order: []int{7, 8}}, []simulation.Program{
		{{Operation: simulation.Clone, Argument: 2}, {Operation: simulation.Exit}, {Operation: simulation.Nop}, {Operation: simulation.Exec, Argument: 1}},
		{{Operation: simulation.Nop}, {Operation: simulation.Pause}},
	})
	table := NewTable(executesMeanwhile{simulated{kernel}})
	pid := kernel.Start(0)
	kernel.Tick()
	process, err := table.Attach(pid)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(kernel.Trace(), "\n"))
	}
	if lwps := process.LWPs(); len(lwps) != 1 || lwps[0].TID != pid {
		t.Errorf("the threads are %v", lwps)
	}
	if task, found := kernel.Task(pid); !found || !task.Traced || !task.Stopped {
		t.Errorf("%+v\n%s", task, strings.Join(kernel.Trace(), "\n"))
	}
}
