package test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// hitting starts a gdb whose server evaluates conditions and commands, with the
// program hits.
func (s *session) hitting(threads, calls int, more ...string) (*server, *gdb) {
	s.Helper()
	program := native(s.T, "hits.c", inferiors.PIE)
	v := s.launch(program, append([]string{fmt.Sprint(threads), fmt.Sprint(calls)}, more...)...)
	g := s.connected(v, program)
	g.runs("set breakpoint condition-evaluation target", "set dprintf-style agent")
	g.matches("show breakpoint condition-evaluation", "mode is target")
	g.run("handle SIGALRM nostop noprint pass")
	return v, g
}

// visited is what hits says in the end.
func visited(threads, calls int) string {
	return fmt.Sprintf("%d visits add up to %d", threads*calls, threads*calls*(calls-1)/2)
}

// TestConditionsInTheServer has with signals a condition that is true once, and
// no step by gdb over the breakpoint: for a signal that comes during one, gdb puts
// a breakpoint of its own there, and when that goes, gdb 13 may free what the
// server is to evaluate without making it again (force_breakpoint_reinsertion in
// gdb/breakpoint.c). From then on gdb evaluates the condition, and gets ahead only
// if it steps faster than the signals come.
func TestConditionsInTheServer(t *testing.T) {
	for _, c := range []struct {
		name, command   string
		variable, value string
		threads, calls  int
		stops           int
		more            []string
	}{
		{"one thread", "break", "x", "7000", 1, 10000, 1, nil},
		{"two threads", "break", "x", "2000", 2, 5000, 2, nil},
		{"hardware", "hbreak", "x", "2000", 2, 5000, 2, nil},
		{"signals", "break", "visits", "5999", 3, 2000, 1, []string{"timer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t)
			v, g := s.hitting(c.threads, c.calls, c.more...)
			g.run("break main")
			g.stopsIn("continue", "breakpoint-hit", "main")
			g.run(fmt.Sprintf("%s visited if %s == %s", c.command, c.variable, c.value))
			for range c.stops {
				g.stopsIn("continue", "breakpoint-hit", "visited")
				g.prints(c.variable, c.value)
			}
			g.matches("info breakpoints", fmt.Sprintf(`\(target evals\)\n.*already hit %d time`, c.stops))
			if c.more != nil {
				g.run("delete")
			}
			g.exits("continue", 0)
			v.stdout.wait(s, visited(c.threads, c.calls))
		})
	}
}

// TestConditionThatFails is one whose memory is not there, which the client is
// to see.
func TestConditionThatFails(t *testing.T) {
	s := newSession(t)
	_, g := s.hitting(1, 10)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	g.run("break visited if *(int *) (long) x == 1")
	g.start("continue")
	if hit := g.stopped("continue"); hit.function != "visited" {
		t.Errorf("%v", hit)
	}
	g.run("kill")
}

// TestConditionsOfOnePlace has two breakpoints at one address, of which either
// is enough, then one of them changed and one deleted.
func TestConditionsOfOnePlace(t *testing.T) {
	s := newSession(t)
	v, g := s.hitting(1, 300)
	g.runs("break visited if x == 20", "break visited if x == 10")
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.prints("x", "10")
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.prints("x", "20")
	g.run("condition 1 x == 30")
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.prints("x", "30")
	g.runs("condition 2 x == 40", "delete 1")
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.prints("x", "40")
	g.run("condition 2")
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.prints("x", "41")
	g.run("delete 2")
	g.exits("continue", 0)
	v.stdout.wait(s, visited(1, 300))
}

// TestStepOntoAFalseCondition holds that steps over calls and single steps are
// not disturbed.
func TestStepOntoAFalseCondition(t *testing.T) {
	s := newSession(t)
	_, g := s.hitting(1, 300)
	g.runs("break visitor", "break visited if x == 200")
	g.stopsIn("continue", "breakpoint-hit", "visitor")
	g.runs("delete 1")
	for range 3 {
		if got := g.resume("next"); got.reason != "end-stepping-range" || got.function != "visitor" {
			t.Fatalf("%v", got)
		}
	}
	inside := 0
	for range 60 {
		got := g.resume("stepi")
		if got.reason != "end-stepping-range" {
			t.Fatalf("%v", got)
		}
		if got.function == "visited" {
			inside++
		}
	}
	if inside < 10 {
		t.Errorf("%d of 60 instructions were in the function with the breakpoint", inside)
	}
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.prints("x", "200")
	g.run("delete")
	g.exits("continue", 0)
}

func TestCommandsInTheServer(t *testing.T) {
	for _, c := range []struct {
		name           string
		threads, calls int
		more           []string
	}{
		{"one thread", 1, 300, nil}, {"three threads", 3, 200, nil}, {"signals", 3, 1000, []string{"timer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gnuLacks(t, "it runs commands whatever the condition says, and again after a signal")
			s := newSession(t)
			v, g := s.hitting(c.threads, c.calls, c.more...)
			g.runs(`dprintf visited,"visit %d %s %c %lx\n", x, where, 65 + x % 26, (long) -1`, "break finished")
			g.stopsIn("continue", "breakpoint-hit", "finished")
			g.run(`condition 1 x % 100 == 5`)
			g.run("delete")
			g.exits("continue", 0)
			// What the program says last comes behind all that was printed.
			v.stdout.wait(s, visited(c.threads, c.calls))
			said := v.stdout.String()
			for i := range c.calls {
				line := fmt.Sprintf("visit %d here %c ffffffffffffffff\n", i, 'A'+i%26)
				if got := strings.Count(said, line); got != c.threads {
					t.Errorf("%q is printed %d times", line, got)
				}
			}
		})
	}
}

func TestCommandsWithACondition(t *testing.T) {
	gnuLacks(t, "it runs commands whatever the condition says")
	s := newSession(t)
	v, g := s.hitting(2, 300)
	g.runs(`dprintf visited,"x is %d\n", x`, "condition 1 x % 100 == 5", "break finished")
	g.stopsIn("continue", "breakpoint-hit", "finished")
	g.run("delete")
	g.exits("continue", 0)
	v.stdout.wait(s, visited(2, 300))
	said := v.stdout.String()
	if got := regexp.MustCompile(`(?m)^x is (5|105|205)$`).FindAllString(said, -1); len(got) != 6 || strings.Count(said, "x is") != 6 {
		t.Errorf("%q", said)
	}
}

// TestCommandThatFails holds that the program runs on and that people are told.
func TestCommandThatFails(t *testing.T) {
	gnuLacks(t, "it says nothing")
	s := newSession(t)
	v, g := s.hitting(1, 3)
	g.run(`dprintf visited,"%s\n", (char *) (long) (x + 1)`)
	g.exits("continue", 0)
	v.stderr.wait(s, `A command of a breakpoint fails in thread \d+: .*cannot read memory at address 0x1\n`)
	v.stdout.wait(s, visited(1, 3))
}

// TestInterruptAmongHits stops a program that does nothing but run into a
// breakpoint whose condition is false, again and again until it has got ahead,
// and lets it go.
func TestInterruptAmongHits(t *testing.T) {
	s := newSession(t)
	_, g := s.hitting(2, 1<<30)
	g.run("break visitor")
	g.stopsIn("continue", "breakpoint-hit", "visitor")
	g.runs("delete", "break visited if x == -1")
	interrupts := 0
	s.eventually("the program gets ahead", func() bool {
		g.start("continue")
		if got := g.interrupt(); got.reason != "signal-received" || got.signal != "SIGINT" {
			t.Fatalf("%v", got)
		}
		interrupts++
		return interrupts >= 10 && g.value("visits") > 500
	})
	g.run("detach")
	g.quit()
}
