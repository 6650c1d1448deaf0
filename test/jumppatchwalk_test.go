package test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patchedProgram is the program of package unwind that patches itself, and the
// names of its cases.
func patchedProgram(t *testing.T, flags ...string) (program string, cases []string) {
	t.Helper()
	const folder = "../unwind/testdata/"
	source, err := os.ReadFile(folder + "sites.S")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^\t(?:RR_)?CASE\t(\w+),`).FindAllSubmatch(source, -1) {
		cases = append(cases, string(match[1]))
	}
	program = filepath.Join(t.TempDir(), "patches")
	arguments := append([]string{"-g", "-O2", "-o", program, folder + "patches.c", folder + "sites.S", "-lpthread"}, flags...)
	if out, err := exec.Command(need(t, "gcc"), arguments...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return program, cases
}

// A walkReport is what a debugger's script says of one case: numbers of
// instructions at which the backtrace is right and wrong.
type walkReport struct {
	Case               string
	Stub, Hook, Signal [2]int
	Wrong              []string
}

// walked runs a script that steps through the stubs of a program that a server has
// started.
func (s *session) walked(cases []string, environment []string, debugger string, arguments ...string) []walkReport {
	s.Helper()
	result := filepath.Join(s.TempDir(), "report")
	names, err := json.Marshal(cases)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, debugger, arguments...)
	command.Env = append(os.Environ(), "REPORT="+result, "CASES="+string(names), "HOME="+s.TempDir(), s.mark)
	command.Env = append(command.Env, environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		s.Fatalf("%s: %v\n%s", debugger, err, out)
	}
	content, err := os.ReadFile(result)
	if err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	var reports []walkReport
	if err := json.Unmarshal(content, &reports); err != nil {
		s.Fatal(err)
	}
	return reports
}

// right checks reports: every case has to be there and nothing to be wrong, but for
// what mayFail says.
func (s *session) right(cases []string, reports []walkReport, mayFail func(walkReport) bool) {
	s.Helper()
	var stub, hook, signal [2]int
	for _, r := range reports {
		for i := range 2 {
			stub[i] += r.Stub[i]
			hook[i] += r.Hook[i]
			signal[i] += r.Signal[i]
		}
		if len(r.Wrong) > 0 && (mayFail == nil || !mayFail(r)) || r.Stub[0] == 0 {
			s.Errorf("%s: stub %v, hook %v, signal handler %v\n%s", r.Case, r.Stub, r.Hook, r.Signal, strings.Join(r.Wrong[:min(len(r.Wrong), 2)], "\n"))
		}
	}
	if len(reports) != len(cases) {
		s.Errorf("%d cases were walked, of %d", len(reports), len(cases))
	}
	s.Logf("right and wrong: stubs %v, hooks %v, signal handlers %v", stub, hook, signal)
}

// TestJumpPatchWalk steps through every instruction of every stub and hook in a gdb
// that is connected to a server since before the patches are made. At each one the
// names, addresses, stack pointers and callee-saved registers of all callers are
// those at the site.
func TestJumpPatchWalk(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	gdb := need(t, "gdb")
	for _, test := range []struct {
		name, mode  string
		flags       []string
		setup       []string
		environment []string
		mayFail     func(walkReport) bool
	}{
		{name: "dynamic"},
		{name: "no PIE", flags: []string{"-no-pie"}},
		{name: "static", flags: []string{"-static"}},
		{name: "stack above", mode: "above", mayFail: func(r walkReport) bool {
			// At the ret of rr's __morestack gdb 13 doesn't ask the hook's file.
			return r.Stub[1] == 0 && r.Hook[1] == 1 && regexp.MustCompile(`<__morestack\+\d+>:\s+ret`).MatchString(r.Wrong[0])
		}},
		{name: "in signal handlers", environment: []string{"SIGNAL=1"}},
		{name: "in a child", mode: "fork", setup: []string{"set follow-fork-mode child"}},
		{name: "late", mode: "late", environment: []string{"LATE=1"}},
		{name: "unpatched", mode: "unpatch", environment: []string{"UNPATCHED=1"}},
		{name: "through the server", setup: []string{"set sysroot target:"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t)
			program, cases := patchedProgram(t, test.flags...)
			arguments := []string{"127.0.0.1:0", program}
			if test.mode != "" {
				arguments = append(arguments, test.mode)
			}
			v, _ := s.serveIn(arguments...)
			setup := append([]string{"set debuginfod enabled off", "set sysroot /"}, test.setup...)
			environment := append([]string{"PROGRAM=" + program, "SERVER=" + v.address(), "SETUP=" + strings.Join(setup, "\n")}, test.environment...)
			reports := s.walked(cases, environment, gdb, "-nx", "--batch", "-x", "../unwind/testdata/walk.py")
			want := cases
			if test.mode == "unpatch" {
				for _, name := range cases {
					want = append(want[:len(want):len(want)], fmt.Sprint(name, " undone"))
				}
			}
			s.right(want, reports, test.mayFail)
		})
	}
}

// TestJumpPatchWalkLLDB does the same in lldb.
func TestJumpPatchWalkLLDB(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	lldb := need(t, "lldb")
	for _, test := range []struct {
		name, mode string
		flags      []string
	}{
		{name: "dynamic"},
		{name: "no PIE", flags: []string{"-no-pie"}},
		{name: "stack above", mode: "above"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t)
			program, cases := patchedProgram(t, test.flags...)
			arguments := []string{"127.0.0.1:0", program}
			if test.mode != "" {
				arguments = append(arguments, test.mode)
			}
			v, _ := s.serveIn(arguments...)
			environment := []string{"PROGRAM=" + program, "SERVER=" + v.address(), "PYTHONPATH=" + lldbModules(t, lldb)}
			reports := s.walked(cases, environment, lldb, "--no-lldbinit", "-b", "-o", "command script import ../unwind/testdata/walk_lldb.py")
			s.right(cases, reports, func(r walkReport) bool {
				// The longer jump is between the program's functions, where lldb asks
				// no other module.
				return r.Case == "hops" && r.Stub[1] == 0 && r.Hook[1] == 1
			})
		})
	}
}

// lldbModules are the folders of lldb's Python modules, which Debian's lldb 14
// doesn't find by itself.
func lldbModules(t *testing.T, lldb string) string {
	t.Helper()
	path, err := exec.Command(lldb, "-P").Output()
	if err != nil {
		missing(t, fmt.Errorf("lldb has no Python: %w", err))
	}
	folder := strings.TrimSpace(string(path))
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(folder)), "python3*", "dist-packages"))
	more, _ := filepath.Glob("/usr/lib/llvm-*/lib/python3*/dist-packages")
	return strings.Join(append(append([]string{folder}, found...), more...), ":")
}
