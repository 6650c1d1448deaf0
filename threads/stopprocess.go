package threads

// StopProcess stops, in non-stop, every LWP of a process without a report, as a
// client wants it for which a process runs or is stopped as a whole. What they
// stop for is kept until they are resumed. The error is the kernel's.
func (t *Table) StopProcess(process *Process) error {
	return t.pause(func() error {
		for _, lwp := range process.lwps {
			if lwp.pending.Kind == Halted {
				lwp.pending = Stop{}
			}
			if !lwp.unreported {
				lwp.asked, lwp.halting = Action{}, false
			}
		}
		t.resumed = t.anyResumed()
		return nil
	})
}

// Resumed tells whether the client has resumed any LWP of the process.
func (p *Process) Resumed() bool {
	for _, lwp := range p.lwps {
		if lwp.Resumed() {
			return true
		}
	}
	return false
}

// Resumed tells whether the client has resumed the LWP and was not told since that
// it stopped.
func (l *LWP) Resumed() bool { return l.state != lwpEnding && l.asked.Kind != Stay }
