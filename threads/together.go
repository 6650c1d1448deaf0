package threads

// TellOthers counts what the other LWPs of a process stopped for as told: the
// client has learnt it with the stop that was reported, as lldb does from
// jstopinfo. It would take a thread at a breakpoint that it was not told of for
// one that is to be stepped over it, and the hit would be lost. Births of
// processes are not among what is told so, nor are signals that pass to the
// program, and what has been overtaken by the client, as a breakpoint that was
// removed, is dropped. The function is called for
// each stop that counts as told.
func (t *Table) TellOthers(process *Process, told func(stop Stop)) {
	if t.nonStop {
		return
	}
	for _, lwp := range process.lwps {
		if lwp.unreported || lwp.state != lwpStopped || !t.stillPending(lwp) {
			continue
		}
		if lwp.pending.Kind == Signalled && t.passes(lwp, lwp.pending.Signal) {
			// It goes to the program when the LWP is resumed.
			continue
		}
		switch lwp.pending.Kind {
		case Signalled, Breakpoint, HardwareBreakpoint, Watchpoint, Stepped:
			lwp.reported, lwp.pending = lwp.pending, Stop{}
			lwp.passing = false
			told(lwp.reported)
		}
	}
}
