package threads

import "slices"

// A process that the client leaves behind with breakpoints that are to go on
// running their commands stays traced, unwatched, until the client or the next
// one takes it back (manual, "Dynamic Printf", disconnected-dprintf).

// Persists tells whether a process has a breakpoint whose judge is persistent.
func (p *Process) Persists() bool {
	if p.borrows() {
		// They are those of the process that it borrows the memory from.
		return false
	}
	return slices.ContainsFunc(p.space.wanted, func(b softwareBreakpoint) bool { return b.judge.Persistent }) ||
		slices.ContainsFunc(p.hardware.points, func(h hardwarePoint) bool { return h.judge.Persistent })
}

// Leave is Detach for a process that persists: what the client sees is the same,
// but its persistent breakpoints stay in it, and their judges are asked of each
// hit, whatever they say. It has to be stopped in all-stop.
func (t *Table) Leave(process *Process) error {
	return process.whileStopped(func() error {
		process.left = true
		err := t.detach(process)
		process.left = process.left && process.unwatched
		return err
	})
}

// stays tells whether a breakpoint stays in a process that is unwatched from now
// on.
func (p *Process) stays(judge Judge) bool { return p.left && judge.Persistent }

// kept tells whether the process is the client's, or left behind.
func (p *Process) kept() bool { return !p.unwatched || p.left }

// LeftBehind tells whether there is a process that was left behind.
func (t *Table) LeftBehind() bool {
	return slices.ContainsFunc(t.processes, func(process *Process) bool { return process.left })
}

// TakeBack gives the client the processes that were left behind, stopped.
func (t *Table) TakeBack() error {
	return t.pause(func() error {
		for _, process := range t.processes {
			if process.left {
				t.watch(process)
			}
		}
		return nil
	})
}
