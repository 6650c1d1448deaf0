package test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rspd/test/inferiors"
)

// threadCounts are the sizes at which what concerns threads is tried.
var threadCounts = []int{1, 2, 50, 200}

// allReady launches threads.c with count threads and runs to the place where
// all of them exist.
func (s *session) allReady(count int, link inferiors.Link) (*server, *gdb) {
	s.Helper()
	program := native(s.T, "threads.c", link)
	v := s.launch(program, fmt.Sprint(count))
	g := s.connected(v, program)
	g.run("break all_ready")
	g.stopsIn("continue", "breakpoint-hit", "all_ready")
	return v, g
}

func (g *gdb) threadCount() int {
	g.s.Helper()
	return len(regexp.MustCompile(`(?m)^[* ] +\d+ +Thread `).FindAllString(g.run("info threads"), -1))
}

// TestThreads lists named threads, unwinds each, and stops every one of them
// at one software breakpoint.
func TestThreads(t *testing.T) {
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.Static} {
		for _, count := range threadCounts {
			t.Run(fmt.Sprintf("%s/%d", link, count), func(t *testing.T) {
				s := newSession(t)
				v, g := s.allReady(count, link)
				if n := g.threadCount(); n != count {
					t.Errorf("%d threads, want %d", n, count)
				}
				names := g.run("info threads")
				for i := 1; i < count; i++ {
					if !strings.Contains(names, fmt.Sprintf(`"worker-%d"`, i)) {
						t.Errorf("no thread is named worker-%d", i)
					}
				}
				if workers := strings.Count(g.run("thread apply all -q backtrace"), " worker ("); workers != count-1 {
					t.Errorf("%d threads unwind to worker, want %d", workers, count-1)
				}
				g.run("break work")
				seen := map[string]bool{}
				for range count {
					hit := g.stopsIn("continue", "breakpoint-hit", "work")
					seen[strings.TrimSpace(g.run("output index"))] = true
					if hit.thread == "" {
						t.Errorf("%v", hit)
					}
				}
				if len(seen) != count {
					t.Errorf("%d threads came to work, want %d: %v", len(seen), count, seen)
				}
				g.exits("continue", 0)
				v.stdout.wait(t, fmt.Sprintf("worked %d\n", count))
			})
		}
	}
}

// TestHardwareBreakpoints has every thread, made before and after the
// breakpoint was set, stop at it.
func TestHardwareBreakpoints(t *testing.T) {
	for _, count := range threadCounts {
		for _, when := range []string{"before", "after"} {
			t.Run(fmt.Sprintf("%d/%s", count, when), func(t *testing.T) {
				s := newSession(t)
				program := native(t, "threads.c", inferiors.PIE)
				v := s.launch(program, fmt.Sprint(count))
				g := s.connected(v, program)
				g.runs("set can-use-hw-watchpoints 1", "tbreak main")
				g.stopsIn("continue", "breakpoint-hit", "main")
				if when == "after" {
					g.run("tbreak all_ready")
					g.stopsIn("continue", "breakpoint-hit", "all_ready")
				}
				g.run("hbreak work")
				seen := map[string]bool{}
				for range count {
					g.stopsIn("continue", "breakpoint-hit", "work")
					seen[strings.TrimSpace(g.run("output index"))] = true
				}
				if len(seen) != count {
					t.Errorf("%d threads came to work, want %d", len(seen), count)
				}
				g.exits("continue", 0)
				v.stdout.wait(t, fmt.Sprintf("worked %d\n", count))
			})
		}
	}
}

// TestStepAmongThreads steps one thread over a breakpoint that others are at.
func TestStepAmongThreads(t *testing.T) {
	for _, locking := range []string{"off", "step", "on"} {
		t.Run(locking, func(t *testing.T) {
			s := newSession(t)
			v, g := s.allReady(50, inferiors.PIE)
			g.run("break work")
			g.stopsIn("continue", "breakpoint-hit", "work")
			g.runs("delete", "set scheduler-locking "+locking)
			before := g.run("output index")
			next := g.resume("next")
			if next.reason != "end-stepping-range" || next.function != "work" {
				t.Errorf("next: %v", next)
			}
			if after := g.run("output index"); after != before {
				t.Errorf("thread of index %s, then %s", before, after)
			}
			g.run("set scheduler-locking off")
			g.exits("continue", 0)
			v.stdout.wait(t, "worked 50\n")
		})
	}
}

func TestCallInThread(t *testing.T) {
	s := newSession(t)
	v, g := s.allReady(5, inferiors.PIE)
	g.run("set scheduler-locking on")
	g.run("thread 3")
	g.prints("add(20, 22)", "42")
	g.matches("thread", `Current thread is 3 `)
	g.run("thread 1")
	g.prints("add(1, thread_count)", "6")
	g.run("set scheduler-locking off")
	g.exits("continue", 0)
	v.stdout.wait(t, "worked 5\n")
}

// TestChurn lets many short-lived threads come and go under a breakpoint that
// each of them meets, and with none.
func TestChurn(t *testing.T) {
	t.Run("quiet", func(t *testing.T) {
		s := newSession(t)
		program := native(t, "churn.c", inferiors.PIE)
		v := s.launch(program, "100", "10")
		g := s.connected(v, program)
		g.run("break finished")
		g.stopsIn("continue", "breakpoint-hit", "finished")
		g.prints("born", "1000")
		g.exits("continue", 0)
		v.stdout.wait(t, "born 1000\n")
	})
	t.Run("breakpoint", func(t *testing.T) {
		s := newSession(t)
		program := native(t, "churn.c", inferiors.PIE)
		v := s.launch(program, "10", "10")
		g := s.connected(v, program)
		g.runs("break life", "break finished")
		for range 100 {
			g.stopsIn("continue", "breakpoint-hit", "life")
		}
		g.stopsIn("continue", "breakpoint-hit", "finished")
		g.matches("info breakpoints", `already hit 100 times`)
		g.exits("continue", 0)
	})
	t.Run("condition", func(t *testing.T) {
		s := newSession(t)
		program := native(t, "churn.c", inferiors.PIE)
		v := s.launch(program, "10", "10")
		g := s.connected(v, program)
		g.run("break life if born == 60")
		g.stopsIn("continue", "breakpoint-hit", "life")
		g.prints("born", "60")
		g.run("delete")
		g.exits("continue", 0)
	})
}

func TestLeaderExitsFirst(t *testing.T) {
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.Static} {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "leader.c", link)
			v := s.launch(program)
			g := s.connected(v, program)
			g.run("break leader_gone")
			g.stopsIn("continue", "breakpoint-hit", "leader_gone")
			g.matches("backtrace", `survivor`)
			g.stopsIn("continue", "breakpoint-hit", "leader_gone")
			g.prints("after", "1")
			g.exits("continue", 7)
			v.stderr.wait(t, "Child exited with status 7")
		})
	}
}

func TestInterrupt(t *testing.T) {
	for _, count := range threadCounts {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "threads.c", inferiors.PIE)
			v := s.launch(program, fmt.Sprint(count), "hold")
			g := s.connected(v, program)
			g.start("continue")
			v.stdout.wait(t, "ready\n")
			if got := g.interrupt(); got.signal != "SIGINT" {
				t.Fatalf("%v", got)
			}
			if n := g.threadCount(); n != count {
				t.Errorf("%d threads, want %d", n, count)
			}
			g.start("continue")
			v.say("")
			if end := g.stopped("continue"); end.reason != "exited-normally" {
				t.Errorf("%v", end)
			}
		})
	}
}

// TestInterruptLoop interrupts a program that never sleeps, many times.
func TestInterruptLoop(t *testing.T) {
	s := newSession(t)
	program := native(t, "loop.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	last := uint64(0)
	for range 10 {
		g.start("continue")
		// Of two answers the second comes from a later turn.
		v.hears("where", `at \d+\n`)
		v.hears("where", `at \d+\n`)
		if got := g.interrupt(); got.signal != "SIGINT" {
			t.Fatalf("%v", got)
		}
		now := g.value("counter")
		if now <= last {
			t.Errorf("counter was %d and is %d", last, now)
		}
		last = now
	}
	g.start("continue")
	v.stdin.Close()
	if end := g.stopped("continue"); end.reason != "exited-normally" {
		t.Errorf("%v", end)
	}
}

// TestBackground resumes in the background and interrupts by command.
func TestBackground(t *testing.T) {
	s := newSession(t)
	program := native(t, "loop.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program, "set mi-async on")
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	for range 3 {
		g.start("continue &")
		v.hears("where", `at \d+\n`)
		g.run("interrupt")
		if got := g.stopped("interrupt"); got.signal != "SIGINT" {
			t.Fatalf("%v", got)
		}
		g.matches("backtrace", `main \(`)
	}
}

// TestDetachFromKilled detaches from a program that has been killed meanwhile.
// Its leader's end is reported only once the other threads are reaped, which
// nobody but the server can do: it must not wait for the one without the other.
func TestDetachFromKilled(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	v := s.launch(program, "8")
	g := s.connected(v, program)
	g.run("break all_ready")
	g.stopsIn("continue", "breakpoint-hit", "all_ready")
	if err := syscall.Kill(v.inferior, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.eventually("the threads but the leader are zombies", func() bool {
		statuses, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/status", v.inferior))
		if err != nil {
			t.Fatal(err)
		}
		zombies := 0
		for _, path := range statuses {
			// The id of any thread names a directory in /proc, listed or not.
			tid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err == nil && tid != v.inferior && strings.HasPrefix(statusField(tid, "State"), "Z") {
				zombies++
			}
		}
		return zombies == 7
	})
	g.run("detach")
	if status := v.wait(); status != 0 {
		t.Errorf("the server ended with %d", status)
	}
	g.quit()
	s.nothingLeft()
}
