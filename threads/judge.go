package threads

// Verdict is what becomes of a hit of a breakpoint.
type Verdict uint8

const (
	// Report: the client is told.
	Report Verdict = iota
	// PassOver: the LWP goes on as if the breakpoint were not there.
	PassOver
)

// Judge decides on the hits of a breakpoint, each once. The LWP is stopped at
// it and its registers and memory can be read; others may be running. It may
// not change what is in the table.
type Judge func(lwp *LWP) Verdict

// judge asks who decides on a stop. A hit is passed over when the judges of all
// breakpoints at its address say so. A trap instruction of the program's own
// is always reported.
func (t *Table) judge(stop Stop) Verdict {
	if stop.Kind != Breakpoint && stop.Kind != HardwareBreakpoint {
		return Report
	}
	if stop.LWP.Process.unwatched {
		return PassOver
	}
	lwp, verdict, judged := stop.LWP, PassOver, false
	space := lwp.Process.space
	if i, found := space.image.find(stop.Address); found {
		if space.image.inserted[i].below == breakpointInstruction {
			return Report
		}
		// If it is not of this process, it is of one that shares the memory.
		judged = true
	}
	if i, found := space.find(stop.Address); found {
		judge := space.wanted[i].judge
		if judge == nil {
			return Report
		}
		verdict = judge(lwp)
	}
	hardware := &lwp.Process.hardware
	if i := hardware.find(HardwareExecute, stop.Address, 0); i >= 0 {
		judge := hardware.points[i].judge
		if judge == nil || judge(lwp) == Report {
			return Report
		}
		judged = true
	}
	if !judged {
		return Report
	}
	return verdict
}
