package test

import (
	"testing"

	"rspd/test/inferiors"
)

// TestPushedTrapFlag steps over instructions that push the flags: the one by which
// the server steps is not among them, so that the program doesn't trap when it
// puts them back.
func TestPushedTrapFlag(t *testing.T) {
	gnuLacks(t, "it leaves the trap flag in what a step pushes")
	notAgain(t, "the program is one of 64 bits")
	s := newSession(t)
	program := native(t, "flags.c", inferiors.NoPIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("tbreak saves")
	g.stopsIn("continue", "breakpoint-hit", "saves")
	for _, want := range []string{"pushed_flags", "pushed_word"} {
		for n := 0; g.value("$pc") != g.value("&"+want); n++ {
			if n == 10 {
				t.Fatalf("%s isn't reached", want)
			}
			g.resume("stepi")
		}
		if flags := g.value("*(unsigned short *) $sp"); flags&0x100 != 0 || flags&2 == 0 {
			t.Errorf("at %s the pushed flags are %#x", want, flags)
		}
	}
	// A line, by a range of addresses.
	if got := g.resume("finish"); got.function != "caller" {
		t.Fatalf("finish: %v", got)
	}
	if got := g.resume("next"); got.function != "caller" || got.reason != "end-stepping-range" {
		t.Fatalf("next: %v", got)
	}
	// The server's own step over a breakpoint with a condition, which it evaluates.
	g.run("set breakpoint condition-evaluation target")
	for _, place := range []string{"push_flags", "push_word"} {
		g.run("break *&" + place + " if pushed == 1")
	}
	if got := g.resume("next"); got.function != "caller" || got.reason != "end-stepping-range" {
		t.Fatalf("next with breakpoints: %v", got)
	}
	g.run("tbreak *&pushed_flags")
	g.stopsIn("continue", "breakpoint-hit", "saves")
	g.run("delete")
	// The program's own trap flag stays.
	g.run("set $pc = &push_flags")
	g.run("set $sp = $sp + 8")
	g.run("set $eflags = $eflags | 0x100")
	g.resume("stepi")
	if flags := g.value("*(unsigned short *) $sp"); g.value("$pc") != g.value("&pushed_flags") || flags&0x100 == 0 {
		t.Errorf("the program's own trap flag is gone from %#x", flags)
	}
	g.run("set *(unsigned short *) $sp &= ~0x100")
	g.run("set $eflags = $eflags & ~0x100")
	g.exits("continue", 0)
	v.stdout.wait(t, "pushed 0\n")
}
