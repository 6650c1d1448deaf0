package threads

// Verdict is what becomes of a hit of a breakpoint.
type Verdict uint8

const (
	// Report: the client is told.
	Report Verdict = iota
	// PassOver: the LWP goes on as if the breakpoint were not there.
	PassOver
)

// Judge decides on the hits of a breakpoint. None, the zero value, has all of
// them reported.
type Judge struct {
	// Decide is asked of each hit once. The LWP is stopped at the breakpoint and
	// its registers and memory can be read; others may be running. It may not
	// change what is in the table.
	Decide func(lwp *LWP) Verdict
	// Persistent says that the breakpoint stays in a process that the client
	// leaves behind, and Decide is asked there too; see Table.Leave.
	Persistent bool
}

// none tells whether there is nobody to ask.
func (j Judge) none() bool { return j.Decide == nil }

// judge decides on a stop. In a process that is unwatched there is nobody to be
// told of one.
func (t *Table) judge(stop Stop) Verdict {
	if stop.Kind != Breakpoint && stop.Kind != HardwareBreakpoint {
		return Report
	}
	process := stop.LWP.Process
	if process.unwatched && !process.left {
		return PassOver
	}
	verdict := askJudges(stop)
	if process.unwatched {
		return PassOver
	}
	return verdict
}

// askJudges asks who decides on a hit. It is passed over when the judges of all
// breakpoints at its address say so. A trap instruction of the program's own
// is always reported.
func askJudges(stop Stop) Verdict {
	lwp, verdict, judged := stop.LWP, PassOver, false
	space := lwp.Process.space
	if i, found := space.image.find(stop.Address); found {
		if space.image.inserted[i].below == breakpointInstruction {
			return Report
		}
		// If it is not of this process, it is of one that shares the memory.
		judged = true
	}
	if i, found := space.findInternal(stop.Address); found {
		space.internal[i].hit(lwp)
	}
	if i, found := space.find(stop.Address); found {
		judge := space.wanted[i].judge
		if judge.none() {
			return Report
		}
		verdict = judge.Decide(lwp)
	}
	hardware := &lwp.Process.hardware
	if i := hardware.find(HardwareExecute, stop.Address, 0); i >= 0 {
		judge := hardware.points[i].judge
		if judge.none() || judge.Decide(lwp) == Report {
			return Report
		}
		judged = true
	}
	if !judged {
		return Report
	}
	return verdict
}
