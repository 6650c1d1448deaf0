package threads

import (
	"testing"

	"rspd/threads/internal/simulation"
)

// TestFinishWithOrphan: a process whose creator was killed while it made it is let
// go when the server is about to end, rather than ended with it.
func TestFinishWithOrphan(t *testing.T) {
	kernel := simulation.NewKernel(&simulation.Priority{}, []simulation.Program{{{Operation: simulation.Nop}}})
	table := NewTable(simulated{kernel})
	orphan := kernel.Start(0)
	if err := kernel.Seize(orphan, 0); err != nil {
		t.Fatal(err)
	}
	if err := kernel.Interrupt(orphan); err != nil {
		t.Fatal(err)
	}
	event, err := kernel.WaitFor(orphan)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.handle(event); err != nil {
		t.Fatal(err)
	}
	if err := table.Finish(); err != nil {
		t.Fatal(err)
	}
	if task, alive := kernel.Task(orphan); !alive || task.Traced {
		t.Errorf("%+v", task)
	}
}
