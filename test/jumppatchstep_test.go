package test

import (
	"fmt"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// lined starts patchline.c and stops it, patched, at the beginning of the function
// whose second line is patched.
func (s *session) lined(setup ...string) (*server, *gdb) {
	s.Helper()
	gnuLacks(s.T, "it knows nothing of jump patches")
	notAgain(s.T, "jump patches are looked for in 64-bit programs only")
	program := native(s.T, "patchline.c", inferiors.PIE)
	v, _ := s.serveIn("127.0.0.1:0", program)
	g := s.connected(v, program, setup...)
	g.run("tbreak " + at(s.T, "patchline.c", "/* first") + " if page != 0")
	g.stopsIn("continue", "breakpoint-hit", "lines")
	return v, g
}

// at checks where a stop is: in lines, at the line with a comment.
func (g *gdb) at(got stop, comment string) {
	g.s.Helper()
	if want := at(g.s.T, "patchline.c", "/* "+comment+" */"); got.function != "lines" || fmt.Sprintf("patchline.c:%d", got.line) != want {
		g.s.Fatalf("%v; want %s, %q", got, want, comment)
	}
}

// TestJumpPatchStepsLines steps by lines over a line that is patched, in each way
// that a person has.
func TestJumpPatchStepsLines(t *testing.T) {
	for _, command := range []string{"next", "step", "until", "advance after"} {
		t.Run(command, func(t *testing.T) {
			s := newSession(t)
			_, g := s.lined()
			before := g.value("counted")
			if command == "advance after" {
				command = "advance " + at(t, "patchline.c", "/* after")
			} else {
				g.at(g.resume(command), "patched")
			}
			g.at(g.resume(command), "after")
			if now := g.value("counted"); now != before+1 {
				t.Errorf("the hook has run %d times", now-before)
			}
			g.prints("a", fmt.Sprint(2+0x1000000))
			g.at(g.resume("next"), "last")
		})
	}
}

// TestJumpPatchStepsOut goes into the stub, on to its hook, and out of both.
func TestJumpPatchStepsOut(t *testing.T) {
	s := newSession(t)
	v, g := s.lined()
	site, page := g.value("site"), g.value("page")
	stub := fmt.Sprintf("lines+%#x@jump-patch", site-g.value("(long)lines"))
	g.run("break *site")
	if got := g.resume("continue"); got.pc != site || got.function != "lines" {
		t.Fatalf("the breakpoint at the site: %v", got)
	}
	g.matches("monitor jump-patch list", `9 of 9 instructions described\n`)
	if got := g.resume("stepi"); got.pc != page || got.function != stub {
		t.Fatalf("stepi from the site: %v, want %s", got, stub)
	}
	g.prints("plus(2)", "42")
	// A line that is none ends where the stub is left.
	if got := g.resume("next"); got.function != "lines" {
		t.Errorf("next in the stub: %v", got)
	}
	g.run("break hook")
	g.stopsIn("continue", "breakpoint-hit", "lines")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.stopsIn("finish", "function-finished", stub)
	g.prints("plus(2)", "42")
	if got := g.resume("finish"); got.function != "lines" || got.pc != site+6 {
		t.Errorf("finish out of the stub: %v", got)
	}
	if got := g.resume("finish"); got.function != "main" {
		t.Errorf("finish out of lines: %v", got)
	}
	// From the hook over the stub.
	g.stopsIn("continue", "breakpoint-hit", "lines")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.run("up 2")
	if got := g.resume("finish"); got.function != "main" {
		t.Errorf("finish out of lines from the hook: %v", got)
	}
	g.run("delete")
	g.exits("continue", 0)
	v.stdout.wait(t, fmt.Sprintf(`%d 100\n`, 2+0x1000000+1))
}

// TestJumpPatchStepMode stops in the stub when gdb is asked to stop in functions
// without lines, and watches what the hook changes.
func TestJumpPatchStepMode(t *testing.T) {
	s := newSession(t)
	_, g := s.lined("set step-mode on")
	g.at(g.resume("next"), "patched")
	if got := g.resume("step"); !strings.HasSuffix(got.function, "@jump-patch") || got.pc != g.value("page") {
		t.Fatalf("step: %v", got)
	}
	g.run("watch counted")
	if got := g.resume("continue"); got.reason != "watchpoint-trigger" || got.function != "hook" {
		t.Errorf("the watchpoint: %v", got)
	}
	g.matches("bt", `(?s)^#0 .*hook .*\n#1 .*@jump-patch .*\n#2 .* lines \(n=2\).*\n#3 .* main \(\)`)
	g.run("delete")
	g.run("set can-use-hw-watchpoints 0")
	g.run("watch counted")
	// Single steps, through the pushf and the popf of the stub.
	if got := g.resume("continue"); got.reason != "watchpoint-trigger" || got.function != "hook" {
		t.Errorf("the software watchpoint: %v", got)
	}
	g.run("delete")
	g.exits("continue", 0)
}

// TestJumpPatchBreakpoints has a breakpoint at the site and at every instruction of
// the stub, all of them inserted while the server looks at the code: it sees none.
func TestJumpPatchBreakpoints(t *testing.T) {
	for _, mode := range []string{"off", "on"} {
		t.Run("always inserted "+mode, func(t *testing.T) {
			s := newSession(t)
			_, g := s.lined("set breakpoint always-inserted " + mode)
			shown := g.run("monitor jump-patch show " + fmt.Sprintf("%#x", g.value("site")))
			var addresses []uint64
			for text := range strings.Lines(shown) {
				var address, original uint64
				if n, _ := fmt.Sscanf(text, "  0x%x (0x%x)", &address, &original); n == 2 {
					addresses = append(addresses, address)
				}
			}
			if len(addresses) != 9 {
				t.Fatalf("the stub has %d instructions: %s", len(addresses), shown)
			}
			g.run("break *site")
			for _, address := range addresses {
				g.run(fmt.Sprintf("break *%#x", address))
			}
			for range 2 {
				for _, address := range append([]uint64{g.value("site")}, addresses...) {
					got := g.resume("continue")
					if got.reason != "breakpoint-hit" || got.pc != address {
						t.Fatalf("%v; want %#x", got, address)
					}
					if again := g.run("monitor jump-patch show " + fmt.Sprintf("%#x", g.value("site"))); again != shown {
						t.Fatalf("with breakpoints the patch is %s, without %s", again, shown)
					}
					g.matches("bt", `(?s) lines \(n=2\).*\n#\d +0x[0-9a-f]+ in main \(\)`)
				}
			}
		})
	}
}

// TestJumpPatchSignals has a signal arrive at each instruction of the stub, and
// steps over it and into its handler.
func TestJumpPatchSignals(t *testing.T) {
	s := newSession(t)
	_, g := s.lined("handle SIGUSR1 nostop noprint pass")
	g.run("break *page")
	g.stopsIn("continue", "breakpoint-hit", fmt.Sprintf("lines+%#x@jump-patch", g.value("site")-g.value("(long)lines")))
	g.run("delete")
	n := 0
	for ; g.value("$pc") != g.value("site")+6; n++ {
		if n == 20 {
			t.Fatal("the stub has no end")
		}
		before := g.value("$pc")
		g.run("queue-signal SIGUSR1")
		if got := g.resume("stepi"); got.function != "on_signal" {
			t.Fatalf("stepi with a signal at %#x: %v", before, got)
		}
		g.matches("bt", `(?s)^#0 .*on_signal .*\n#1 +<signal handler called>\n#2 .*@jump-patch .*\n#3 .* lines \(n=2\).*\n#4 .* main \(\)`)
		g.resume("finish")
		for g.value("$pc") != before {
			g.resume("stepi")
		}
		if flags := g.run("print $eflags"); strings.Contains(flags, " TF ") {
			t.Errorf("at %#x the trap flag is set: %s", before, flags)
		}
		g.resume("nexti")
	}
	if n != 9 {
		t.Errorf("%d instructions were stepped", n)
	}
	g.prints("signals", fmt.Sprint(10*n))
	g.exits("continue", 0)
}
