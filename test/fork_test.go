package test

import (
	"fmt"
	"strings"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

func (s *session) forking(mode string, setup ...string) (*server, *gdb) {
	s.Helper()
	program := native(s.T, "fork.c", inferiors.PIE)
	v := s.launch(program, mode)
	g := s.connected(v, program, setup...)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	g.run("delete")
	return v, g
}

// TestFollowParent stays with the parent; the child runs free, with none of
// the breakpoints that its copy of the text had.
func TestFollowParent(t *testing.T) {
	for mode, printed := range map[string]string{
		"fork":      "child status 5 shared 101\n",
		"vfork":     "child status 5 shared 101\n",
		"vforkexec": "child status 5 shared 101\n",
		"spawn":     "child status 5 shared 101\n",
		"twice":     "child status 5 shared 101\nchild status 5 shared 201\n",
	} {
		t.Run(mode, func(t *testing.T) {
			s := newSession(t)
			v, g := s.forking(mode)
			g.runs("break child_work", "break parent_work")
			for range strings.Count(printed, "\n") {
				g.stopsIn("continue", "breakpoint-hit", "parent_work")
				g.prints("status", "5")
			}
			g.exits("continue", 0)
			v.stdout.wait(t, printed)
		})
	}
}

func TestFollowChild(t *testing.T) {
	for _, mode := range []string{"fork", "vforkexec", "spawn"} {
		t.Run(mode, func(t *testing.T) {
			s := newSession(t)
			v, g := s.forking(mode, "set follow-fork-mode child")
			g.run("break child_work")
			hit := g.stopsIn("continue", "breakpoint-hit", "child_work")
			if pid := g.matches("info inferiors", `\* \d+ +process (\d+)`)[1]; pid == fmt.Sprint(v.inferior) {
				t.Errorf("still in the parent: %v", hit)
			}
			g.exits("continue", 5)
			v.stdout.wait(t, "child status 5 shared 101\n")
		})
	}
}

// TestBothProcesses keeps parent and child and runs one after the other.
func TestBothProcesses(t *testing.T) {
	for _, follow := range []string{"parent", "child"} {
		t.Run(follow, func(t *testing.T) {
			if follow == "parent" {
				gnuLacks(t, "13.1 does not always stop the other process when one exits")
			}
			s := newSession(t)
			program := native(t, "fork.c", inferiors.PIE)
			v := s.serve([]string{"--multi"})
			g := s.extended(v, program, "set detach-on-fork off", "set follow-fork-mode "+follow)
			g.runs("set remote exec-file "+program, "set args fork", "break child_work", "break parent_work")
			first, second := "parent_work", "child_work"
			if follow == "child" {
				first, second = second, first
			}
			if follow == "parent" {
				// The parent waits for the child, so the child goes first.
				g.run("set schedule-multiple on")
				hit := g.resume("run")
				if hit.function != "child_work" {
					t.Fatalf("%v", hit)
				}
				g.matches("info inferiors", `(?s)process \d+.*process \d+`)
				g.matches("info threads", `(?s)1\.1 .*2\.1 `)
				g.stopsIn("continue", "exited", "")
				g.run("inferior 1")
				g.stopsIn("continue", "breakpoint-hit", first)
				g.exits("continue", 0)
				return
			}
			g.stopsIn("run", "breakpoint-hit", first)
			g.matches("info inferiors", `(?s)process \d+.*process \d+`)
			g.exits("continue", 5)
			g.run("inferior 1")
			g.stopsIn("continue", "breakpoint-hit", second)
			g.exits("continue", 0)
			v.stdout.wait(t, "child status 5 shared 101\n")
		})
	}
}

func TestCatch(t *testing.T) {
	for _, c := range []struct{ mode, event, reason string }{
		{"fork", "fork", "fork"}, {"vfork", "vfork", "vfork"}, {"spawn", "vfork", "vfork"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			s := newSession(t)
			v, g := s.forking(c.mode)
			g.run("catch " + c.event)
			caught := g.resume("continue")
			if caught.reason != c.reason || caught.results["newpid"] == nil {
				t.Fatalf("%v %v", caught, caught.results)
			}
			child := fmt.Sprint(caught.results["newpid"])
			g.matches("info breakpoints", c.event+`, process `+child)
			g.exits("continue", 0)
			v.stdout.wait(t, "child status 5 shared 101\n")
		})
	}
}

func TestExec(t *testing.T) {
	for _, mode := range []string{"self", "thread"} {
		for _, link := range []inferiors.Link{inferiors.PIE, inferiors.NoPIE, inferiors.Static} {
			t.Run(mode+"/"+string(link), func(t *testing.T) {
				s := newSession(t)
				program := native(t, "exec.c", link)
				v := s.launch(program, mode, "one", "two words", `a"b`)
				g := s.connected(v, program)
				g.run("break before_exec")
				g.stopsIn("continue", "breakpoint-hit", "before_exec")
				if mode == "thread" {
					if n := g.threadCount(); n != 5 {
						t.Errorf("%d threads before exec, want 5", n)
					}
				}
				g.runs("catch exec", "break after_exec")
				if caught := g.resume("continue"); caught.reason != "exec" || caught.results["new-exec"] != program {
					t.Fatalf("%v %v", caught, caught.results)
				}
				if n := g.threadCount(); n != 1 {
					t.Errorf("%d threads after exec, want 1", n)
				}
				g.matches("info inferiors", fmt.Sprintf(`process %d `, v.inferior))
				g.stopsIn("continue", "breakpoint-hit", "after_exec")
				g.matches("info registers pc", `pc .*<after_exec\+`)
				g.exits("continue", 3)
				v.stdout.wait(t, "arg one\narg two words\narg a\"b\n")
			})
		}
	}
}

// TestExecQuietly has breakpoints of the old program not hurt the new one when
// nobody watches for the exec.
func TestExecQuietly(t *testing.T) {
	s := newSession(t)
	program := native(t, "exec.c", inferiors.PIE)
	v := s.launch(program, "thread", "x")
	g := s.connected(v, program)
	g.run("break after_exec")
	g.stopsIn("continue", "breakpoint-hit", "after_exec")
	g.exits("continue", 3)
	v.stdout.wait(t, "arg x\n")
}

// TestRegistersOfHeldParent reads the registers of a process that the kernel
// holds for its vfork child: those that it had.
func TestRegistersOfHeldParent(t *testing.T) {
	gnuLacks(t, "it waits for the parent, which nothing stops")
	s := newSession(t)
	v := s.launch(native(t, "fork.c", inferiors.PIE), "vfork")
	p := s.packets(v, everyEvent)
	stop := p.resumeTo(rsp.StopVfork, "vCont;c")
	if err := p.client.Send(p.ctx, fmt.Sprintf("vCont;c:p%x.-1", v.inferior)); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Interrupt(p.ctx); err != nil {
		t.Fatal(err)
	}
	reply, err := p.client.Receive(p.ctx)
	if err != nil || !strings.HasPrefix(reply, "T02") {
		t.Fatal(reply, err)
	}
	if all := p.ask("g"); strings.HasPrefix(all, "E") {
		t.Errorf("g is answered %s", all)
	}
	for _, register := range stop.Registers {
		if now := p.ask("p%x", register.Number); now != fmt.Sprintf("%x", register.Value) {
			t.Errorf("register %d is %s and was %x", register.Number, now, register.Value)
		}
	}
}
