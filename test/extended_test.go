package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// multi starts a server without a program and a gdb that will run one there.
func (s *session) multi(program string) (*server, *gdb) {
	s.Helper()
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program)
	g.run("set remote exec-file " + program)
	return v, g
}

func TestRunArguments(t *testing.T) {
	s := newSession(t)
	program := native(t, "surroundings.c", inferiors.PIE)
	v, g := s.multi(program)
	g.run(`set args plain 'two words' "two  words" back\\slash quote\" '' '*' '$HOME'`)
	g.exits("run", 8)
	v.stdout.wait(t, `(?s)argc 9\narg 1 <plain>\narg 2 <two words>\narg 3 <two  words>\narg 4 <back\\slash>\narg 5 <quote">\narg 6 <>\narg 7 <\*>\narg 8 <\$HOME>\n`)
	start := v.stdout.size()
	g.run("set args again")
	g.exits("run", 1)
	v.stdout.waitFrom(t, start, `argc 2\narg 1 <again>\n`)
}

// TestRunApostrophe is apart, since not every server keeps one.
func TestRunApostrophe(t *testing.T) {
	gnuLacks(t, "13.1 puts a backslash before an apostrophe")
	s := newSession(t)
	program := native(t, "surroundings.c", inferiors.PIE)
	v, g := s.multi(program)
	g.run(`set args "it's" \'`)
	g.exits("run", 2)
	v.stdout.wait(t, `(?s)arg 1 <it's>\narg 2 <'>\n`)
}

func TestRunSurroundings(t *testing.T) {
	s := newSession(t)
	program := native(t, "surroundings.c", inferiors.PIE)
	v, g := s.multi(program)
	dir := t.TempDir()
	g.runs("set environment RSPD_SET=a value, with; signs", "unset environment PATH", "set cwd "+dir)
	g.exits("run", 0)
	v.stdout.wait(t, `(?m)^end$`)
	text := v.stdout.String()
	if !strings.Contains(text, "env RSPD_SET=a value, with; signs\n") || strings.Contains(text, "env PATH=") || !strings.Contains(text, "cwd "+dir+"\n") {
		t.Errorf("%s", text)
	}
	start := v.stdout.size()
	g.runs("set environment RSPD_SET=b", "set cwd")
	g.exits("run", 0)
	text = v.stdout.waitFrom(t, start, `(?ms).*^end$`)[0]
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "env RSPD_SET=b\n") || !strings.Contains(text, "cwd "+here+"\n") {
		t.Errorf("%s", text)
	}
	start = v.stdout.size()
	g.run("set cwd ~/")
	g.exits("run", 0)
	text = v.stdout.waitFrom(t, start, `(?ms).*^end$`)[0]
	home, err := os.UserHomeDir()
	if err == nil {
		home, err = filepath.EvalSymlinks(home)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "cwd "+home+"\n") {
		t.Errorf("the program does not start in %s: %s", home, text)
	}
}

func TestRandomization(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	_, g := s.multi(program)
	g.runs("break all_ready", "set disable-randomization on")
	places := map[uint64]bool{}
	for range 2 {
		g.stopsIn("run", "breakpoint-hit", "all_ready")
		places[g.value("&worked")] = true
	}
	if len(places) != 1 {
		t.Errorf("without randomisation: %v", places)
	}
	g.run("set disable-randomization off")
	for range 3 {
		g.stopsIn("run", "breakpoint-hit", "all_ready")
		places[g.value("&worked")] = true
	}
	if len(places) < 2 {
		t.Errorf("with randomisation: %v", places)
	}
}

// TestRunAgain restarts a program from the middle and after its end, and runs
// another one on the same connection.
func TestRunAgain(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	v, g := s.multi(program)
	g.runs("set args 20", "break all_ready")
	pids := map[string]bool{}
	for range 3 {
		g.stopsIn("run", "breakpoint-hit", "all_ready")
		pids[g.matches("info inferiors", `process (\d+)`)[1]] = true
		if n := g.threadCount(); n != 20 {
			t.Errorf("%d threads, want 20", n)
		}
	}
	if len(pids) != 3 {
		t.Errorf("processes %v, want 3", pids)
	}
	g.exits("continue", 0)
	v.stdout.wait(t, "worked 20\n")

	other := native(t, "crash.c", inferiors.Static)
	g.runs("file "+other, "set remote exec-file "+other, "set args abrt", "delete")
	g.signals("run", "SIGABRT")
	g.run("kill")
	g.fails("continue", "not being run")
	g.diesOf("run", "SIGABRT")
	if !v.alive() {
		t.Error("the server ended")
	}
}

// diesOf runs into a fatal signal and then through it.
func (g *gdb) diesOf(command, signal string) {
	g.s.Helper()
	g.signals(command, signal)
	if end := g.resume("continue"); end.reason != "exited-signalled" || end.signal != signal {
		g.s.Fatalf("%v", end)
	}
}

func TestExtendedAttach(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program)
	for range 3 {
		p := s.start(program, "10", "hold")
		p.stdout.wait(t, "ready\n")
		g.run(fmt.Sprint("attach ", p.pid))
		if n := g.threadCount(); n != 10 {
			t.Errorf("%d threads, want 10", n)
		}
		g.run("detach")
		s.untouched(p.pid)
		g.run(fmt.Sprint("attach ", p.pid))
		g.prints("thread_count", "10")
		g.start("continue")
		p.say("")
		if end := g.stopped("continue"); end.reason != "exited-normally" {
			t.Errorf("%v", end)
		}
		p.wait()
	}
}

func TestExtendedTwoProcesses(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	first, second := s.start(program), s.start(program)
	first.stdout.wait(t, "ready\n")
	second.stdout.wait(t, "ready\n")
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program)
	g.run(fmt.Sprint("attach ", first.pid))
	g.runs("add-inferior -exec "+program, "inferior 2", fmt.Sprint("attach ", second.pid))
	g.matches("info inferiors", fmt.Sprintf(`(?s)process %d.*process %d`, first.pid, second.pid))
	g.runs("set variable lines = 10", "inferior 1")
	g.prints("lines", "0")
	g.run("inferior 2")
	g.prints("lines", "10")
	g.run("detach")
	s.untouched(second.pid)
	second.hears("x", "echo x\n")
	g.run("inferior 1")
	g.run("detach")
	s.untouched(first.pid)
	first.hears("x", "echo x\n")
}

func TestMonitor(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program)
	// By these words GDB's test suite knows a gdbserver, in target_is_gdbserver.
	g.matches("monitor help", `(?s)The following monitor commands are supported:.*set debug.*\n.*exit.*Quit GDBserver`)
	if _, err := g.try("monitor no-such-command"); err == nil && !serverGNU {
		if !strings.Contains(g.log.String(), "no-such-command") {
			t.Error("an unknown monitor command is not named")
		}
	}
	g.run("monitor exit")
	if status := v.wait(); status != 0 {
		t.Errorf("server ended with %d", status)
	}
	g.quit()
	s.nothingLeft()
}

func TestRunMissing(t *testing.T) {
	s := newSession(t)
	program := native(t, "surroundings.c", inferiors.PIE)
	_, g := s.multi(program)
	g.run("set remote exec-file /no/such/program")
	g.fails("run", `(?i)failed|no such file`)
	if !serverGNU {
		// After a failed vRun GNU gdbserver loses step with gdb.
		g.run("set remote exec-file " + program)
		g.exits("run", 0)
	}
}

func TestAttachMissing(t *testing.T) {
	gnuLacks(t, "after a failed vAttach it loses step with gdb")
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program)
	g.fails("attach 4194303", `(?i)no such process|Attaching to process 4194303 failed`)
	p := s.start(program)
	p.stdout.wait(t, "ready\n")
	g.run(fmt.Sprint("attach ", p.pid))
	g.prints("lines", "0")
	// Killed while the server traces it, its end would wait for the server's.
	g.run("detach")
}
