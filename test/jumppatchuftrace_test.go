package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// TestJumpPatchUftrace attaches to a program whose functions uftrace has patched,
// and walks out of the instructions that it moved: the callers are those at the
// beginning of the function.
func TestJumpPatchUftrace(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	uftrace := need(t, "uftrace")
	s := newSession(t)
	program := native(t, "traced.c", inferiors.PIE)
	data := filepath.Join(t.TempDir(), "data")
	recorder := s.start(uftrace, "record", "-d", data, "-P", "traced[1234]", "--no-libcall", program)
	var pid int
	s.eventually("uftrace to have patched its child", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", recorder.pid, recorder.pid))
		if err != nil || len(strings.Fields(string(children))) == 0 {
			return false
		}
		pid, _ = strconv.Atoi(strings.Fields(string(children))[0])
		// The first pages of code that are no file's are those of the moved
		// instructions; the program runs when it sleeps.
		maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
		return regexp.MustCompile(`(?m) r-xp 00000000 00:00 0 *$`).Match(maps) && strings.HasPrefix(string(call), "230 ")
	})
	v, _ := s.serveIn("--once", "--attach", "127.0.0.1:0", strconv.Itoa(pid))
	g := s.connected(v, program)
	for _, function := range []string{"traced1", "traced2", "traced3", "traced4"} {
		site := g.value("(long)" + function)
		listed := g.matches("monitor jump-patch list", fmt.Sprintf(`(?m)^%#x %s: call to (0x[0-9a-f]+), (\d+) of (\d+) instructions described$`, site, function))
		if listed[2] != listed[3] {
			t.Errorf("%s: %s", function, listed[0])
		}
		g.run("tbreak *" + function)
		if got := g.resume("continue"); got.pc != site {
			t.Fatalf("%s: %v", function, got)
		}
		sp, saved := g.value("$sp"), map[string]uint64{}
		for _, register := range []string{"rbx", "rbp", "r12", "r13", "r14", "r15"} {
			saved[register] = g.value("$" + register)
		}
		// All sites call the same jump, in the rest of the text's last page.
		g.resume("stepi")
		g.run("frame 1")
		if pc := g.value("$pc"); pc != site+5 || g.value("$sp") != sp {
			t.Errorf("the caller of the jump is at %#x with the stack pointer %#x, want %#x and %#x", pc, g.value("$sp"), site+5, sp)
		}
		g.run("tbreak *" + listed[1])
		got := g.resume("continue")
		steps := 0
		for ; got.function == function+"@jump-patch"; steps++ {
			if steps == 20 {
				t.Fatal("the moved instructions have no end")
			}
			g.matches("monitor jump-patch where", fmt.Sprintf(`is in the stub of %s and corresponds to 0x`, function))
			// By now the return address is one of uftrace's own; where it is and
			// what the caller's registers are is as at the site.
			g.run("frame 1")
			if pc, back := g.value("$pc"), g.value(fmt.Sprintf("*(long *)%#x", sp)); pc != back || g.value("$sp") != sp+8 {
				t.Errorf("%s after %d steps: the caller's pc is %#x, want %#x, and its stack pointer %#x, want %#x", function, steps, pc, back, g.value("$sp"), sp+8)
			}
			for register, want := range saved {
				if value := g.value("$" + register); value != want {
					t.Errorf("%s after %d steps: the caller's %s is %#x, want %#x", function, steps, register, value, want)
				}
			}
			got = g.resume("stepi")
		}
		if got.function != function || steps < 2 {
			t.Errorf("%d steps out of %s end in %v", steps, function, got)
		}
	}
	g.run("kill")
	recorder.wait()
}
