package unwind_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rspd/test/walk"
)

// cases are the patches of testdata/sites.S, in the order in which the program
// runs them.
var cases = []string{
	"rr_call", "framed", "rr", "rr_trap", "rr_store", "rr_load", "rr_nops", "rr_before", "extends", "vectors", "switches", "subroutine",
	"indirect", "absolute", "hops", "traced", "popret", "rr_popret", "rr_retnop", "entry", "leaves", "copied", "branches",
}

// walkInGDB runs the script that steps through stubs in gdb.
func walkInGDB(t *testing.T, program string, environment ...string) []walk.Report {
	t.Helper()
	return runCases(t, program, cases, environment, need(t, "gdb"), gdbScript...)
}

// walkInLLDB does the same in lldb.
func walkInLLDB(t *testing.T, program string, environment ...string) []walk.Report {
	t.Helper()
	lldb := need(t, "lldb")
	return runCases(t, program, cases, append(environment, lldbEnvironment(t, lldb)...), lldb, lldbScript...)
}

// The arguments with which debuggers run the scripts.
var (
	gdbScript  = []string{"-nx", "--batch", "-x", "testdata/walk.py"}
	lldbScript = []string{"--no-lldbinit", "-b", "-o", "command script import testdata/walk_lldb.py"}
)

func lldbEnvironment(t *testing.T, lldb string) []string {
	t.Helper()
	modules, err := walk.LLDBModules(lldb)
	if err != nil {
		missing(t, err)
	}
	return []string{"PYTHONPATH=" + modules}
}

func runCases(t *testing.T, program string, cases, environment []string, debugger string, arguments ...string) []walk.Report {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	environment = append([]string{"PROGRAM=" + program, "DERIVE=" + self, "IMAGE=" + filepath.Join(folder, "image")}, environment...)
	reports, err := walk.Run(ctx, folder, cases, environment, debugger, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

// At every instruction of stubs and hooks gdb sees the callers as at the site:
// names, addresses, stack pointers and callee-saved registers.
func TestWalkInGDB(t *testing.T) {
	for _, test := range []struct {
		name        string
		flags       []string
		environment []string
		signals     bool
		// blind is the number of instructions of rr's hooks at which gdb goes
		// astray on its own account.
		blind int
	}{
		{name: "dynamic"},
		{name: "static", flags: []string{"-static"}},
		// At the ret of rr's __morestack gdb 13 doesn't ask the hook's file.
		{name: "stack above", environment: []string{"ARGUMENTS=above"}, blind: 1},
		{name: "in signal handlers", environment: []string{"SIGNAL=1"}, signals: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			reports := walkInGDB(t, build(t, test.flags...), test.environment...)
			if len(reports) != len(cases) {
				t.Errorf("%d cases were walked, of %d", len(reports), len(cases))
			}
			for _, r := range reports {
				if test.blind > 0 && r.Stub[0] > 0 && r.Stub[1] == 0 && r.Hook[1] == test.blind && isRRHook(r) {
					continue
				}
				if r.Stub[0] == 0 || len(r.Wrong) > 0 || test.signals && r.Signal[0] == 0 {
					t.Errorf("%s: stub %d right and %d wrong, hook %d and %d, signal handler %d and %d", r.Case,
						r.Stub[0], r.Stub[1], r.Hook[0], r.Hook[1], r.Signal[0], r.Signal[1])
				}
				for _, wrong := range r.Wrong[:min(len(r.Wrong), 2)] {
					t.Log(wrong)
				}
			}
			stub, hook, signal := walk.Sum(reports)
			t.Logf("right and wrong: stubs %v, hooks %v, signal handlers %v", stub, hook, signal)
		})
	}
}

// Code that the stubs of several sites share has rows that are right for each.
func TestWalkShared(t *testing.T) {
	program := compile(t, "testdata/shared.c", "testdata/shared.S")
	cases := []string{"called1", "called2", "inside16", "inside48", "numbered1", "numbered2"}
	for _, debugger := range []string{"gdb", "lldb"} {
		t.Run(debugger, func(t *testing.T) {
			var reports []walk.Report
			if command := need(t, debugger); debugger == "gdb" {
				reports = runCases(t, program, cases, nil, command, gdbScript...)
			} else {
				reports = runCases(t, program, cases, lldbEnvironment(t, command), command, lldbScript...)
			}
			if len(reports) != len(cases) {
				t.Errorf("%d cases were walked, of %d", len(reports), len(cases))
			}
			for _, r := range reports {
				if r.Stub[0] < 20 || len(r.Wrong) > 0 {
					t.Errorf("%s: stub %v, hook %v\n%s", r.Case, r.Stub, r.Hook, strings.Join(r.Wrong[:min(len(r.Wrong), 2)], "\n"))
				}
			}
			stub, hook, _ := walk.Sum(reports)
			t.Logf("right and wrong: stubs %v, hooks %v", stub, hook)
		})
	}
}

// isRRHook tells whether a case has one of rr's present hooks, and all that is wrong
// is in __morestack.
func isRRHook(r walk.Report) bool {
	for _, wrong := range r.Wrong {
		if !strings.Contains(wrong, "__morestack") || !strings.Contains(wrong, "ret") {
			return false
		}
	}
	return r.Case == "rr" || strings.HasPrefix(r.Case, "rr_") && r.Case != "rr_call"
}

// The walk sees what is wrong: without an image gdb goes astray in most stubs.
func TestWalkWithoutImage(t *testing.T) {
	stub, _, _ := walk.Sum(walkInGDB(t, build(t), "LOAD=0"))
	if stub[0] != 0 || stub[1] < 200 {
		t.Errorf("without an image, %d instructions of stubs are right and %d wrong", stub[0], stub[1])
	}
}

// lldb sees the same.
func TestWalkInLLDB(t *testing.T) {
	reports := walkInLLDB(t, build(t))
	if len(reports) != len(cases) {
		t.Errorf("%d cases were walked, of %d", len(reports), len(cases))
	}
	for _, r := range reports {
		if r.Case == "hops" && r.Stub[1] == 0 && r.Stub[0] > 0 && r.Hook[1] == 1 {
			// The longer jump is between the program's functions, where lldb
			// asks no other module.
			continue
		}
		if r.Stub[0] == 0 || len(r.Wrong) > 0 {
			t.Errorf("%s: stub %d right and %d wrong, hook %d and %d", r.Case, r.Stub[0], r.Stub[1], r.Hook[0], r.Hook[1])
		}
		for _, wrong := range r.Wrong[:min(len(r.Wrong), 2)] {
			t.Log(wrong)
		}
	}
	stub, hook, _ := walk.Sum(reports)
	t.Logf("right and wrong: stubs %v, hooks %v", stub, hook)
}

// The jump pad of a fast tracepoint, which Debian's gdbserver makes, is walked
// after the server has gone. The pad is at a low address, out of the reach of a
// position-independent program.
func TestWalkFastTracepoint(t *testing.T) {
	gdbserver := need(t, "gdbserver")
	agents, _ := filepath.Glob("/usr/lib/libinproctrace.so")
	more, _ := filepath.Glob("/usr/lib/*/libinproctrace.so")
	if agents = append(agents, more...); len(agents) == 0 {
		missing(t, errors.New("gdb's in-process agent, of the package gdbserver, is not installed"))
	}
	directory := t.TempDir()
	program := filepath.Join(directory, "traced")
	if out, err := exec.Command(need(t, "gcc"), "-g", "-O0", "-no-pie", "-o", program, "testdata/traced.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	traced := exec.Command(program)
	// The agent leaves a socket there.
	traced.Env = append(os.Environ(), "LD_PRELOAD="+agents[0], "TMPDIR="+directory)
	if err := traced.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		traced.Process.Kill()
		traced.Wait()
		os.Remove(fmt.Sprintf("/tmp/gdb_ust%d", traced.Process.Pid))
	})
	// A server that comes before the agent has its socket finds none, and no fast
	// tracepoints.
	awaitSocket(t, filepath.Join(directory, fmt.Sprintf("gdb_ust%d", traced.Process.Pid)), fmt.Sprintf("/tmp/gdb_ust%d", traced.Process.Pid))
	server := exec.Command(gdbserver, "--once", "--attach", "127.0.0.1:0", strconv.Itoa(traced.Process.Pid))
	says, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	port := ""
	for lines := bufio.NewScanner(says); port == "" && lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "Listening on port "); ok {
			port = after
		}
	}
	if port == "" {
		t.Fatal("gdbserver doesn't listen")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	commands := []string{"set debuginfod enabled off", "set sysroot /", "target remote 127.0.0.1:" + port, "ftrace tracepoint", "actions\ncollect $regs\nend", "tstart", "info tracepoints"}
	script := filepath.Join(directory, "trace.gdb")
	text := strings.Join(commands, "\n") + fmt.Sprintf("\npython import os; os.kill(%d, 9)\n", server.Process.Pid)
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(ctx, need(t, "gdb"), "-nx", "--batch", "-x", script, program).CombinedOutput()
	server.Wait()
	if !strings.Contains(string(out), "tracepoint") {
		t.Fatalf("gdb: %s", out)
	}
	reports := runCases(t, program, cases, []string{"ATTACH=" + strconv.Itoa(traced.Process.Pid), `CASES=["collected"]`, "HOOK=12"},
		need(t, "gdb"), gdbScript...)
	for _, r := range reports {
		if r.Stub[0] < 40 || r.Stub[1] > 0 || r.Hook[0] < 12 || r.Hook[1] > 0 {
			t.Errorf("stub %v, hook %v: %s\n%s", r.Stub, r.Hook, strings.Join(r.Wrong, "\n"), out)
		}
		t.Logf("right and wrong: stub %v, hook %v", r.Stub, r.Hook)
	}
	if len(reports) != 1 {
		t.Errorf("there are %d reports\n%s", len(reports), out)
	}
}

// awaitSocket waits until one of two files is there.
func awaitSocket(t *testing.T, files ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		for _, file := range files {
			if _, err := os.Lstat(file); err == nil {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("none of %v is there", files)
		}
	}
}
