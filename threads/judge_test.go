package threads

import (
	"bytes"
	"testing"
)

// TestJudgesOfAnAddress holds who decides where several breakpoints are.
func TestJudgesOfAnAddress(t *testing.T) {
	const (
		none   = iota // no breakpoint
		always        // one without a judge
		report
		pass
	)
	asked := 0
	judge := func(verdict Verdict) Judge {
		return Judge{Decide: func(*LWP) Verdict { asked++; return verdict }}
	}
	choices := map[int]Judge{always: {}, report: judge(Report), pass: judge(PassOver)}
	for _, c := range []struct {
		software, hardware int
		own                bool
		want               Verdict
		asked              int
	}{
		{none, none, false, Report, 0}, {always, none, false, Report, 0}, {none, always, false, Report, 0},
		{report, none, false, Report, 1}, {none, report, false, Report, 1},
		{pass, none, false, PassOver, 1}, {none, pass, false, PassOver, 1},
		{pass, pass, false, PassOver, 2}, {pass, report, false, Report, 2}, {report, pass, false, Report, 2},
		{pass, always, false, Report, 1}, {always, pass, false, Report, 0},
		{pass, none, true, Report, 0},
	} {
		memory := at16(0)
		if c.own {
			memory.bytes[4] = breakpointInstruction
		}
		process := &Process{space: newAddressSpace(memory)}
		if c.software != none {
			if err := process.space.InsertJudged(4, choices[c.software]); err != nil {
				t.Fatal(err)
			}
		}
		if c.hardware != none {
			if err := process.InsertHardwareJudged(4, choices[c.hardware]); err != nil {
				t.Fatal(err)
			}
		}
		asked = 0
		lwp := &LWP{Process: process}
		for _, kind := range []StopKind{Breakpoint, HardwareBreakpoint} {
			asked = 0
			if got := (&Table{}).judge(Stop{Kind: kind, LWP: lwp, Address: 4}); got != c.want || asked != c.asked {
				t.Errorf("%+v, %v: verdict %d after asking %d times", c, kind, got, asked)
			}
		}
		asked = 0
		if got := (&Table{}).judge(Stop{Kind: Stepped, LWP: lwp}); got != Report || asked != 0 {
			t.Errorf("%+v: a step is judged", c)
		}
	}
}

// TestInsertingAgainReplacesTheJudge holds that a breakpoint obeys the last
// request for it.
func TestInsertingAgainReplacesTheJudge(t *testing.T) {
	process := &Process{space: newAddressSpace(at16(0))}
	pass := Judge{Decide: func(*LWP) Verdict { return PassOver }}
	stop := Stop{Kind: Breakpoint, LWP: &LWP{Process: process}, Address: 4}
	table := &Table{}
	for i, insert := range []struct {
		do   func() error
		want Verdict
	}{
		{func() error { return process.space.InsertJudged(4, pass) }, PassOver},
		{func() error { return process.space.InsertBreakpoint(4) }, Report},
		{func() error { return process.space.InsertJudged(4, pass) }, PassOver},
		{func() error { return process.InsertHardware(HardwareExecute, 4, 1) }, Report},
		{func() error { return process.InsertHardwareJudged(4, pass) }, PassOver},
		{func() error { return process.InsertHardware(HardwareExecute, 4, 1) }, Report},
	} {
		if err := insert.do(); err != nil {
			t.Fatal(err)
		}
		if got := table.judge(stop); got != insert.want {
			t.Errorf("after request %d the verdict is %d, want %d", i, got, insert.want)
		}
	}
}

// TestInternalBreakpoints holds that the server's own breakpoints are told to
// nobody, change nothing of the client's, and go to forked children.
func TestInternalBreakpoints(t *testing.T) {
	memory := at16(0)
	original := bytes.Clone(memory.bytes)
	space := newAddressSpace(memory)
	hits := 0
	if err := space.InsertInternal(4, func(*LWP) { hits++ }); err != nil {
		t.Fatal(err)
	}
	lwp := &LWP{Process: &Process{space: space}}
	stop := Stop{Kind: Breakpoint, LWP: lwp, Address: 4}
	judged := func(what string, want Verdict, told int) {
		t.Helper()
		hits = 0
		if got := (&Table{}).judge(stop); got != want || hits != told {
			t.Errorf("%s: verdict %d and %d hits, want %d and %d", what, got, hits, want, told)
		}
	}
	judged("alone", PassOver, 1)
	if space.HasBreakpoint(4) || !space.wants(4) || memory.bytes[4] != breakpointInstruction {
		t.Error("it isn't there, or the client has it")
	}
	insertAll(t, space, 4)
	judged("with the client's", Report, 1)
	if err := space.InsertJudged(4, Judge{Decide: func(*LWP) Verdict { return PassOver }}); err != nil {
		t.Fatal(err)
	}
	judged("with a condition of the client's", PassOver, 1)
	if err := space.RemoveBreakpoint(4); err != nil || memory.bytes[4] != breakpointInstruction {
		t.Errorf("the client's removal takes it out: %v", err)
	}
	judged("after the client's", PassOver, 1)

	child := space.copyFor(&fakeMemory{bytes: bytes.Clone(memory.bytes)})
	stop.LWP = &LWP{Process: &Process{space: child}}
	judged("in a child", PassOver, 1)
	if err := child.RemoveInternal(4); err != nil || child.image.hasInt3(4) {
		t.Errorf("it stays in the child: %v", err)
	}
	stop.LWP = lwp
	judged("after the child's", PassOver, 1)
	if err := space.InsertInternal(4, func(*LWP) {}); err != nil {
		t.Fatal(err)
	}
	judged("with another function", PassOver, 0)
	insertAll(t, space, 9)
	space.removeAll()
	if !bytes.Equal(memory.bytes, original) || space.wants(4) || space.RemoveInternal(4) != nil {
		t.Errorf("after all were removed there is % x", memory.bytes)
	}
}
