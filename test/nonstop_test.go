package test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"rspd/test/inferiors"
)

// ticking starts a server with a program whose threads count, and a gdb in
// non-stop that has stopped its main thread where all of them are there. The
// program lies at fixed addresses: where gdb connects to one whose threads all
// run, it stops one of them and does not wait for that, and sometimes does not
// find out then where the program lies.
func (s *session) ticking(threads int, setup ...string) (*server, *gdb) {
	s.Helper()
	program := native(s.T, "ticks.c", inferiors.NoPIE)
	v := s.launch(program, fmt.Sprint(threads))
	g := s.connected(v, program, append(setup, "set non-stop on")...)
	g.run("tbreak started")
	g.stopsIn("continue &", "breakpoint-hit", "started")
	return v, g
}

// now is the value of an integer expression while threads run, whose stops gdb
// may print at any moment.
func (g *gdb) now(expression string) uint64 {
	g.s.Helper()
	g.token++
	token := strconv.Itoa(g.token)
	if _, err := fmt.Fprintf(g.stdin, "%s-data-evaluate-expression \"%s\"\n", token, expression); err != nil {
		g.s.Fatal(err)
	}
	deadline := time.After(patience)
	for {
		r := g.next(expression, deadline)
		if r.kind != '^' || r.token != token {
			continue
		}
		text, _ := r.results["value"].(string)
		value, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			g.s.Fatalf("%s: %v", expression, r.results)
		}
		return value
	}
}

// grows waits until an expression has a greater value than it had.
func (g *gdb) grows(expression string) {
	g.s.Helper()
	before := g.now(expression)
	g.s.eventually(expression+" to grow", func() bool { return g.now(expression) > before })
}

// ends has the program of ticking end.
func (g *gdb) ends(v *server) {
	g.s.Helper()
	g.stops = nil
	g.run("set var finish = 1")
	if got := g.stopped("the end"); got.exit != "07" {
		g.s.Errorf("%v; want exit 7", got)
	}
	v.stdout.wait(g.s, "done\n")
}

// TestNonStopThreads stops one thread at a breakpoint with a condition, which
// the server evaluates, while the others count on; then it has all stop.
func TestNonStopThreads(t *testing.T) {
	const count = 4
	s := newSession(t)
	v, g := s.ticking(count)
	g.run("break tick if index == 2")
	hit := g.stopped("break") // the other threads run
	if hit.reason != "breakpoint-hit" || hit.function != "tick" {
		t.Fatalf("%v; want the breakpoint in tick", hit)
	}
	g.runs("continue &", "thread "+hit.thread)
	g.prints("index", "2")
	stands := g.now("ticks[2]")
	for _, index := range []int{0, 1, 3} {
		g.grows(fmt.Sprintf("ticks[%d]", index))
	}
	if now := g.now("ticks[2]"); now != stands {
		t.Errorf("thread 2 has gone on from %d to %d", stands, now)
	}
	next := g.resume("next")
	if next.reason != "end-stepping-range" || next.thread != hit.thread {
		t.Errorf("next: %v", next)
	}
	if now := g.now("ticks[2]"); now != stands+1 {
		t.Errorf("ticks[2] is %d after next, and was %d", now, stands)
	}
	g.run("delete")
	g.start("interrupt -a")
	for range count - 1 {
		if got := g.stopped("interrupt -a"); got.reason != "signal-received" || got.signal != "0" {
			t.Errorf("interrupt -a: %v", got)
		}
	}
	if list := g.run("info threads"); strings.Contains(list, "(running)") {
		t.Errorf("after interrupt -a:\n%s", list)
	}
	g.run("continue -a &")
	g.grows("ticks[2]")
	g.ends(v)
}

// TestNonStopInterruptOne stops one thread and resumes it.
func TestNonStopInterruptOne(t *testing.T) {
	s := newSession(t)
	v, g := s.ticking(3)
	g.runs("continue -a &", "thread 2")
	for range 5 {
		g.start("interrupt")
		if got := g.stopped("interrupt"); got.thread != "2" || got.signal != "0" {
			t.Fatalf("interrupt: %v", got)
		}
		g.grows("ticks[0]")
		if got := g.resume("stepi"); got.thread != "2" {
			t.Fatalf("stepi: %v", got)
		}
		g.run("continue &")
		g.grows("ticks[1]")
	}
	g.ends(v)
}

// TestNonStopWatch sets a hardware watchpoint while two threads run: one of them
// meets it, and the other goes on.
func TestNonStopWatch(t *testing.T) {
	s := newSession(t)
	v, g := s.ticking(3)
	g.grows("ticks[1]")
	g.run("watch ticks[1]")
	got := g.stopped("watch")
	if got.reason != "watchpoint-trigger" || got.function != "tick" {
		t.Fatalf("watch: %v", got)
	}
	g.run("thread " + got.thread)
	g.prints("index", "1")
	g.grows("ticks[2]")
	g.runs("delete", "continue -a &")
	g.grows("ticks[1]")
	g.ends(v)
}

// TestNonStopFork keeps a child: it stops at its breakpoint while the threads of
// its parent run, and runs to its end.
func TestNonStopFork(t *testing.T) {
	s := newSession(t)
	v, g := s.ticking(3, "set detach-on-fork off")
	g.runs("break child_tick", "set var forking = 1", "continue -a &")
	hit := g.stopped("continue -a")
	if hit.reason != "breakpoint-hit" || hit.function != "child_tick" {
		t.Fatalf("%v; want the child's breakpoint", hit)
	}
	g.grows("ticks[1]")
	g.run("inferior 2")
	got := g.resume("continue &")
	if !strings.HasPrefix(got.reason, "exited") || got.exit != "03" {
		t.Errorf("the child: %v", got)
	}
	g.runs("inferior 1", "delete")
	g.run("continue -a &")
	s.eventually("the parent to reap it", func() bool { return g.now("forked") == 1 })
	g.ends(v)
}

// TestNonStopForks lets many children go while a breakpoint is hit and passed
// over all the time: none of them may meet it.
func TestNonStopForks(t *testing.T) {
	const count = 40
	s := newSession(t)
	v, g := s.ticking(4)
	g.runs("break tick if index == 100", "break child_tick", fmt.Sprintf("set var forking = %d", count), "continue -a &")
	s.eventually("the children to end", func() bool { return g.now("forked") == count })
	for index := range 4 {
		g.grows(fmt.Sprintf("ticks[%d]", index))
	}
	g.ends(v)
}

// TestNonStopThreadEnds has a thread end while the others are stopped, and the
// process go on without it.
func TestNonStopThreadEnds(t *testing.T) {
	s := newSession(t)
	v, g := s.ticking(3)
	g.start("continue -a &")
	g.grows("ticks[2]")
	g.runs("set var leaving = 2")
	s.eventually("thread 2 to be gone", func() bool { return g.threadCount() == 2 })
	g.grows("ticks[1]")
	g.ends(v)
}

// TestNonStopAttach attaches to a running program, halts it, has it run with a
// breakpoint that its threads pass over, and lets it go from there.
func TestNonStopAttach(t *testing.T) {
	s := newSession(t)
	program := native(t, "ticks.c", inferiors.NoPIE)
	p := s.start(program, "4")
	v := s.serve([]string{"--multi"})
	for range 5 {
		g := s.extended(v, program, "set non-stop on")
		g.start(fmt.Sprintf("attach %d", p.pid))
		for range 4 {
			if got := g.stopped("attach"); got.reason != "" && got.signal != "0" {
				t.Errorf("attach: %v", got)
			}
		}
		g.runs("break tick if index == 100", "continue -a &")
		g.grows("ticks[3]")
		g.grows("ticks[0]")
		g.run("detach")
		s.untouched(p.pid)
		g.quit()
	}
	g := s.extended(v, program, "set non-stop on")
	g.start(fmt.Sprintf("attach %d", p.pid))
	for range 4 {
		g.stopped("attach")
	}
	g.run("set var finish = 1")
	g.runs("continue -a &")
	g.stopped("the end")
	p.stdout.wait(t, "done\n")
}

// TestNonStopReconnect leaves threads running and others stopped: the next gdb
// in non-stop finds them so, and one in all-stop finds everything stopped.
func TestNonStopReconnect(t *testing.T) {
	s := newSession(t)
	v, g := s.ticking(3)
	program := native(t, "ticks.c", inferiors.NoPIE)
	g.runs("continue -a &", "thread 2")
	g.start("interrupt")
	g.stopped("interrupt")
	g.run("disconnect")
	g.quit()

	g = s.connected(v, program, "set non-stop on")
	list := g.run("info threads")
	if n := strings.Count(list, "(running)"); n != 2 {
		t.Errorf("%d threads run, want 2:\n%s", n, list)
	}
	g.grows("ticks[0]")
	g.grows("ticks[1] + ticks[2]")
	g.run("disconnect")
	g.quit()

	g = s.connected(v, program)
	if list := g.run("info threads"); strings.Contains(list, "(running)") {
		t.Errorf("in all-stop:\n%s", list)
	}
	stands := g.now("ticks[0]")
	g.run("set var finish = 1")
	g.exits("continue", 7)
	if stands == 0 {
		t.Error("the main thread never ran")
	}
}

// TestNonStopConnectionLost kills gdb while threads run, one of which has hit a
// breakpoint that nobody was told of yet.
func TestNonStopConnectionLost(t *testing.T) {
	s := newSession(t)
	v, g := s.ticking(3)
	program := native(t, "ticks.c", inferiors.NoPIE)
	g.runs("break child_tick", "continue -a &")
	g.grows("ticks[0]") // or gdb still steps the main thread over its breakpoint
	if err := g.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	v.stderr.wait(t, "GDBserver will reopen the connection")
	g = s.connected(v, program, "set non-stop on")
	g.grows("ticks[0]")
	g.grows("ticks[1]")
	g.ends(v)
}

// TestNonStopKillOne kills one of two processes while the other runs.
func TestNonStopKillOne(t *testing.T) {
	s := newSession(t)
	program := native(t, "ticks.c", inferiors.NoPIE)
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program, "set non-stop on")
	g.runs("set remote exec-file "+program, "set args 3", "tbreak started")
	g.stopsIn("run &", "breakpoint-hit", "started")
	g.run("continue -a &")
	g.runs("add-inferior -exec "+program, "inferior 2", "set remote exec-file "+program, "set args 2", "tbreak started")
	g.stopsIn("run &", "breakpoint-hit", "started")
	g.run("inferior 1")
	g.grows("ticks[0]")
	g.run("inferior 2")
	g.run("kill")
	g.run("inferior 1")
	g.grows("ticks[0]")
	g.grows("ticks[2]")
	g.ends(v)
}

// TestConnectToStoppedThreads connects a gdb in non-stop to a program of which
// several threads are stopped.
func TestConnectToStoppedThreads(t *testing.T) {
	for name, mode := range map[string]string{"non-stop": "set non-stop on", "all-stop in non-stop": "maintenance set target-non-stop on"} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "ticks.c", inferiors.NoPIE)
			inferior := s.start(program, "4")
			s.eventually("all threads", func() bool { return strings.TrimSpace(statusField(inferior.pid, "Threads")) == "4" })
			v := s.attach(inferior.pid)
			g := s.connected(v, program, mode)
			s.eventually("all threads are told to be stopped", func() bool {
				return strings.Count(g.run("info threads"), "Thread ") == 4 && !strings.Contains(g.run("info threads"), "(running)")
			})
			g.matches("thread 3", "Switching to thread 3")
			g.matches("backtrace", "count")
			g.runs("set var finish=1", "detach")
			if status := inferior.wait(); status != 7 {
				t.Errorf("the program ends with status %d, want 7", status)
			}
		})
	}
}
