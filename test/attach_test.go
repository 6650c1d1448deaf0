package test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rspd/test/inferiors"
)

// TestAttach attaches to held programs of each size, looks at each thread,
// detaches, and sees the program go on as if nothing had been.
func TestAttach(t *testing.T) {
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.StaticPIE} {
		for _, count := range threadCounts {
			t.Run(fmt.Sprintf("%s/%d", link, count), func(t *testing.T) {
				s := newSession(t)
				program := native(t, "threads.c", link)
				p := s.start(program, fmt.Sprint(count), "hold")
				p.stdout.wait(t, "ready\n")
				v := s.attach(p.pid, "--once")
				g := s.connected(v, program)
				if n := g.threadCount(); n != count {
					t.Errorf("%d threads, want %d", n, count)
				}
				g.prints("thread_count", fmt.Sprint(count))
				g.run("break work")
				g.run("detach")
				if status := v.wait(); status != 0 {
					t.Errorf("server ended with %d", status)
				}
				s.untouched(p.pid)
				p.say("")
				p.stdout.wait(t, fmt.Sprintf("worked %d\n", count))
				if status := p.wait(); status != 0 {
					t.Errorf("inferior ended with %d", status)
				}
				g.quit()
				s.nothingLeft()
			})
		}
	}
}

// TestDetachFromBreakpoint detaches while a thread is at a breakpoint in a
// program that runs all the time, then attaches once more, ten times.
func TestDetachFromBreakpoint(t *testing.T) {
	s := newSession(t)
	program := native(t, "loop.c", inferiors.PIE)
	p := s.start(program)
	for range 10 {
		p.hears("where", `at \d+\n`)
		v := s.attach(p.pid, "--once")
		g := s.connected(v, program)
		g.run("break hot")
		g.stopsIn("continue", "breakpoint-hit", "hot")
		g.stopsIn("continue", "breakpoint-hit", "hot")
		g.run("detach")
		v.wait()
		s.untouched(p.pid)
		g.quit()
	}
	first, err := strconv.Atoi(p.hears("where", `at (\d+)\n`)[1])
	if err != nil {
		t.Fatal(err)
	}
	s.eventually("the counter moves", func() bool {
		now, err := strconv.Atoi(p.hears("where", `at (\d+)\n`)[1])
		return err == nil && now > first
	})
	p.stdin.Close()
	if status := p.wait(); status != 0 {
		t.Errorf("inferior ended with %d", status)
	}
}

// TestAttachBlocked attaches to a program that is blocked in a system call,
// which goes on after the detach as if it had never been broken off.
func TestAttachBlocked(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	p := s.start(program)
	p.stdout.wait(t, "ready\n")
	s.eventually("the program sleeps in read", func() bool {
		return strings.HasPrefix(statusField(p.pid, "State"), "S")
	})
	v := s.attach(p.pid, "--once")
	g := s.connected(v, program)
	g.matches("backtrace", `(?s)read.*main \(`)
	g.prints("lines", "0")
	g.run("detach")
	v.wait()
	s.untouched(p.pid)
	p.hears("hello", "echo hello\n")
	p.stdin.Close()
	if status := p.wait(); status != 0 {
		t.Errorf("inferior ended with %d", status)
	}
}

// TestAttachStopped attaches to a program that job control had stopped. After
// the detach it can be continued.
func TestAttachStopped(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	p := s.start(program)
	p.stdout.wait(t, "ready\n")
	if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.eventually("the program is stopped", func() bool {
		return strings.HasPrefix(statusField(p.pid, "State"), "T")
	})
	v := s.attach(p.pid, "--once")
	g := s.connected(v, program)
	g.matches("backtrace", `main \(`)
	g.run("detach")
	v.wait()
	if err := syscall.Kill(p.pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.untouched(p.pid)
	p.hears("hello", "echo hello\n")
}

// TestAttachInterrupt continues after attach and interrupts.
func TestAttachInterrupt(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.Static)
	p := s.start(program)
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid)
	g := s.connected(v, program)
	g.start("continue")
	p.hears("one", "echo one\n")
	if got := g.interrupt(); got.signal != "SIGINT" {
		t.Fatalf("%v", got)
	}
	g.prints("lines", "1")
	g.run("detach")
	v.wait()
	s.untouched(p.pid)
	p.hears("two", "echo two\n")
}

// TestAttachExit sees the end of a program that the server did not start.
func TestAttachExit(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	p := s.start(program, "10", "hold")
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid)
	g := s.connected(v, program)
	g.start("continue")
	p.say("")
	if end := g.stopped("continue"); end.reason != "exited-normally" {
		t.Errorf("%v", end)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("inferior ended with %d", status)
	}
	v.wait()
}

// TestAttachLeaderGone attaches to a program whose first thread has ended.
func TestAttachLeaderGone(t *testing.T) {
	notAgain(t, "gdb finds no way back from the vdso: it looks for that in the mappings of the leader, which has none")
	gnuLacks(t, "it attaches to no process whose leader is a zombie")
	s := newSession(t)
	program := native(t, "leader.c", inferiors.PIE)
	p := s.start(program, "hold")
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid)
	g := s.connected(v, program)
	g.matches("backtrace", `survivor \(`)
	g.start("continue")
	p.say("")
	if end := g.stopped("continue"); end.exit != "07" {
		t.Errorf("%v", end)
	}
	if status := p.wait(); status != 7 {
		t.Errorf("inferior ended with %d", status)
	}
	v.wait()
}

func TestAttachKill(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	p := s.start(program, "50", "hold")
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid)
	g := s.connected(v, program)
	g.run("kill")
	if status := p.wait(); status != -int(syscall.SIGKILL) {
		t.Errorf("inferior ended with %d", status)
	}
	v.wait()
}

// TestReconnect leaves with disconnect and comes back, ten times.
func TestReconnect(t *testing.T) {
	s := newSession(t)
	program := native(t, "loop.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("break hot")
	for i := range 10 {
		g.stopsIn("continue", "breakpoint-hit", "hot")
		g.prints("counter", fmt.Sprint(i))
		pid := g.matches("info inferiors", `process (\d+)`)[1]
		g.run("disconnect")
		if !running(v.inferior) {
			t.Fatal("the program is gone")
		}
		g.run("target remote " + v.address())
		if again := g.matches("info inferiors", `process (\d+)`)[1]; again != pid {
			t.Fatalf("process %s, then %s", pid, again)
		}
		g.matches("backtrace", `#0 +hot`)
	}
	g.run("delete")
	g.start("continue")
	v.hears("where", `at \d+\n`)
	v.stdin.Close()
	if end := g.stopped("continue"); end.reason != "exited-normally" {
		t.Errorf("%v", end)
	}
}

// TestOnce has a server end when its one client leaves.
func TestOnce(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.serve([]string{"--once"}, program)
	g := s.connected(v, program)
	g.run("disconnect")
	v.wait()
	g.quit()
	s.nothingLeft()
}

// TestServerKilled kills the server. What it launched dies, what it was
// attached to lives.
func TestServerKilled(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.launch(program)
	s.connected(v, program)
	if err := syscall.Kill(v.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	v.wait()
	s.eventually("the launched program is dead", func() bool { return !running(v.inferior) })
}

// TestTerminated ends a waiting server by SIGTERM.
func TestTerminated(t *testing.T) {
	s := newSession(t)
	p := s.start(native(t, "echo.c", inferiors.PIE))
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid)
	if err := syscall.Kill(v.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	v.wait()
	s.untouched(p.pid)
	p.hears("hello", "echo hello\n")
}

// TestAttachChurn attaches to a program whose threads come and go all the
// time, lets it run, interrupts it and leaves it, several times.
func TestAttachChurn(t *testing.T) {
	s := newSession(t)
	program := native(t, "churn.c", inferiors.PIE)
	p := s.start(program, "1000000000", "8")
	for range 8 {
		v := s.attach(p.pid, "--once")
		g := s.connected(v, program)
		before := g.value("born")
		g.run(fmt.Sprintf("break life if born > %d", before+20))
		g.stopsIn("continue", "breakpoint-hit", "life")
		if now := g.value("born"); now <= before+20 {
			t.Errorf("born is %d, was %d", now, before)
		}
		g.run("delete")
		g.start("continue")
		if got := g.interrupt(); got.signal != "SIGINT" {
			t.Fatalf("%v", got)
		}
		g.run("detach")
		v.wait()
		g.quit()
		s.untouched(p.pid)
	}
	if !p.alive() {
		t.Error("the program ended")
	}
}

// TestAttachToRelay attaches to a program whose threads make one another and
// end, so that the list of them is never whole: none may be left out.
func TestAttachToRelay(t *testing.T) {
	s := newSession(t)
	p := s.start(native(t, "relay.c", inferiors.PIE), "50")
	for range 25 {
		v := s.attach(p.pid)
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", p.pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("threads %v, %v", tasks, err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(filepath.Base(task))
			if err != nil {
				t.Fatal(err)
			}
			state, tracer := statusField(tid, "State"), statusField(tid, "TracerPid")
			if state == "" || tracer == "" {
				continue // it had begun to exit, which nobody can stop
			}
			if !strings.HasPrefix(state, "t") && !strings.HasPrefix(state, "Z") || tracer != strconv.Itoa(v.pid) {
				t.Errorf("thread %d is in state %q with the tracer %q, want it stopped by %d", tid, state, tracer, v.pid)
			}
		}
		if err := syscall.Kill(v.pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		v.wait()
	}
}
