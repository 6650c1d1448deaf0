package test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"rspd/test/inferiors"
)

func (s *session) signals(mode string) (*server, *gdb) {
	s.Helper()
	program := native(s.T, "signals.c", inferiors.PIE)
	v := s.launch(program, mode)
	return v, s.connected(v, program)
}

func TestCrash(t *testing.T) {
	for _, c := range []struct {
		how, signal, pattern string
		number               int
	}{
		{"segv", "SIGSEGV", `= \(void \*\) 0x1234$`, 11},
		{"fpe", "SIGFPE", `= \(void \*\) 0x[0-9a-f]+ <die\+`, 8},
		{"ill", "SIGILL", `= \(void \*\) 0x[0-9a-f]+ <die\+`, 4},
		{"abrt", "SIGABRT", ``, 6},
	} {
		t.Run(c.how, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "crash.c", inferiors.PIE)
			v := s.launch(program, c.how)
			g := s.connected(v, program)
			g.signals("continue", c.signal)
			g.matches("backtrace", `die \(how=`)
			g.prints("$_siginfo.si_signo", fmt.Sprint(c.number))
			if c.pattern != "" {
				g.matches("print $_siginfo._sifields._sigfault.si_addr", `(?m)`+c.pattern)
			}
			if c.how == "segv" {
				g.prints("$_siginfo.si_code", "1")
			}
			end := g.resume("continue")
			if end.reason != "exited-signalled" || end.signal != c.signal {
				t.Errorf("%v", end)
			}
			v.stderr.wait(t, fmt.Sprintf(`Child terminated with signal = 0x%x \(%s\)`, c.number, c.signal))
			v.wait()
		})
	}
}

func TestSignalHandling(t *testing.T) {
	for _, c := range []struct {
		handle  string
		stops   int
		printed string
	}{
		{"stop print pass", 3, "usr1 3 usr2 1"},
		{"stop print nopass", 3, "usr1 0 usr2 1"},
		{"nostop noprint pass", 0, "usr1 3 usr2 1"},
		{"nostop print nopass", 0, "usr1 0 usr2 1"},
	} {
		t.Run(strings.ReplaceAll(c.handle, " ", "-"), func(t *testing.T) {
			s := newSession(t)
			v, g := s.signals("count")
			g.runs("handle SIGUSR1 "+c.handle, "handle SIGUSR2 nostop noprint pass", "break finished")
			for range c.stops {
				g.signals("continue", "SIGUSR1")
			}
			g.stopsIn("continue", "breakpoint-hit", "finished")
			g.exits("continue", 0)
			v.stdout.wait(t, c.printed+" ")
		})
	}
}

// TestSignalCommand gives the program another signal than the one it got, and
// none.
func TestSignalCommand(t *testing.T) {
	s := newSession(t)
	v, g := s.signals("count")
	g.run("handle SIGUSR2 nostop noprint pass")
	g.signals("continue", "SIGUSR1")
	g.signals("signal SIGUSR2", "SIGUSR1")
	g.signals("signal 0", "SIGUSR1")
	g.exits("continue", 0)
	v.stdout.wait(t, "usr1 1 usr2 2 ")
}

func TestSignalPayload(t *testing.T) {
	t.Run("read", func(t *testing.T) {
		s := newSession(t)
		v, g := s.signals("queue")
		g.signals("continue", "SIGUSR1")
		g.prints("$_siginfo.si_code", "-1")
		g.prints("$_siginfo._sifields._rt.si_sigval.sival_int", "42")
		g.prints("$_siginfo._sifields._rt.si_pid", fmt.Sprint(v.inferior))
		g.exits("continue", 0)
		v.stdout.wait(t, "payloads 1: 42\n")
	})
	t.Run("write", func(t *testing.T) {
		s := newSession(t)
		v, g := s.signals("queue")
		g.signals("continue", "SIGUSR1")
		g.run("set variable $_siginfo._sifields._rt.si_sigval.sival_int = 99")
		g.prints("$_siginfo._sifields._rt.si_sigval.sival_int", "99")
		g.exits("continue", 0)
		v.stdout.wait(t, "payloads 1: 99\n")
	})
}

func TestIgnoredSignal(t *testing.T) {
	s := newSession(t)
	v, g := s.signals("ignored")
	g.signals("continue", "SIGUSR1")
	g.exits("continue", 0)
	v.stdout.wait(t, "usr1 0 usr2 0 ")
}

func TestMaskedSignal(t *testing.T) {
	s := newSession(t)
	v, g := s.signals("masked")
	g.run("break unmask")
	g.stopsIn("continue", "breakpoint-hit", "unmask")
	g.signals("continue", "SIGUSR1")
	g.exits("continue", 0)
	v.stdout.wait(t, "usr1 1 ")
}

// TestRealTimeSignals has four queued signals arrive in order, whether or not
// gdb is told of each.
func TestRealTimeSignals(t *testing.T) {
	for _, handle := range []string{"stop", "nostop"} {
		t.Run(handle, func(t *testing.T) {
			s := newSession(t)
			v, g := s.signals("realtime")
			g.run("handle SIG37 pass print " + handle)
			if handle == "stop" {
				for i := range 4 {
					g.signals("continue", "SIG37")
					g.prints("$_siginfo._sifields._rt.si_sigval.sival_int", fmt.Sprint(i+1))
				}
			}
			g.exits("continue", 0)
			v.stdout.wait(t, "payloads 4: 1 2 3 4\n")
		})
	}
}

// TestOutsideSignal sends signals from outside to a running program.
func TestOutsideSignal(t *testing.T) {
	s := newSession(t)
	v, g := s.signals("wait")
	g.start("continue")
	v.stdout.wait(t, "ready\n")
	for i := range 3 {
		if err := syscall.Kill(v.inferior, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if got := g.stopped("kill"); got.signal != "SIGUSR1" {
			t.Fatalf("%v", got)
		}
		g.start("continue")
		v.stdout.wait(t, fmt.Sprintf("got %d\n", i+1))
	}
	if err := syscall.Kill(v.inferior, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := g.stopped("kill"); got.signal != "SIGTERM" {
		t.Fatalf("%v", got)
	}
	g.exits("continue", 0)
}

// TestSignalWhileAttached keeps a signal that arrived while the program was
// stopped under the debugger: it is delivered after the detach.
func TestSignalWhileAttached(t *testing.T) {
	s := newSession(t)
	program := native(t, "signals.c", inferiors.PIE)
	p := s.start(program, "wait")
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid, "--once")
	g := s.connected(v, program)
	if err := syscall.Kill(p.pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	g.run("detach")
	v.wait()
	p.stdout.wait(t, "got 1\n")
	s.untouched(p.pid)
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("inferior ended with %d", status)
	}
}

// TestDetachWithSignal detaches at a signal stop: the program gets the signal.
func TestDetachWithSignal(t *testing.T) {
	s := newSession(t)
	program := native(t, "signals.c", inferiors.PIE)
	p := s.start(program, "wait")
	p.stdout.wait(t, "ready\n")
	v := s.attach(p.pid, "--once")
	g := s.connected(v, program)
	g.start("continue")
	if err := syscall.Kill(p.pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := g.stopped("kill"); got.signal != "SIGUSR1" {
		t.Fatalf("%v", got)
	}
	g.run("detach")
	v.wait()
	p.stdout.wait(t, "got 1\n")
	s.untouched(p.pid)
}

// TestGroupStop passes SIGSTOP on, which stops the whole program, until a
// SIGCONT from outside.
func TestGroupStop(t *testing.T) {
	s := newSession(t)
	v, g := s.signals("stop")
	g.signals("continue", "SIGSTOP")
	g.exits("signal 0", 0)
	v.stdout.wait(t, "continued\n")
}

// TestSecondNameOfASignal stops for SIGIO although gdb passes SIGPOLL, which is
// the same signal on Linux.
func TestSecondNameOfASignal(t *testing.T) {
	s := newSession(t)
	v, g := s.signals("wait")
	g.runs("handle SIGPOLL nostop noprint pass", "handle SIGIO stop print nopass")
	g.start("continue")
	v.stdout.wait(t, "ready\n")
	if err := syscall.Kill(v.inferior, syscall.SIGIO); err != nil {
		t.Fatal(err)
	}
	if got := g.stopped("kill"); got.signal != "SIGIO" {
		t.Fatalf("%v", got)
	}
	g.run("kill")
}

// TestNextAmongSignals steps by lines through a loop while signals come that the
// program handles and gdb passes on: no step may end in the handler.
func TestNextAmongSignals(t *testing.T) {
	s := newSession(t)
	program := native(t, "hits.c", inferiors.PIE)
	v := s.launch(program, "1", "100000", "timer")
	g := s.connected(v, program)
	g.runs("handle SIGALRM nostop noprint pass", "break visited if alarms > 2")
	g.stopsIn("continue", "breakpoint-hit", "visited")
	g.runs("delete", "finish")
	if got := g.stopped("finish"); got.function != "visitor" {
		t.Fatalf("%v", got)
	}
	before := g.value("alarms")
	for range 40 {
		g.stopsIn("next", "end-stepping-range", "visitor")
	}
	if g.value("alarms") == before {
		t.Error("no signal came")
	}
	g.run("kill")
}

// TestSignalTrap gives a SIGTRAP to a thread that no signal has stopped: it is
// the program's, which dies of it.
func TestSignalTrap(t *testing.T) {
	s := newSession(t)
	v, g := s.allReady(3, inferiors.PIE)
	g.runs("delete", "thread 2")
	if end := g.resume("signal SIGTRAP"); end.reason != "exited-signalled" || end.signal != "SIGTRAP" {
		t.Errorf("%v", end)
	}
	v.wait()
}
