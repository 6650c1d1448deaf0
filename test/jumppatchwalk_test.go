package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rspd/test/walk"
)

// patchedProgram starts a server with the program of package unwind that patches
// itself, in a mode of it, and gives the names of its cases.
func (s *session) patchedProgram(mode string, flags ...string) (program string, cases []string, v *server) {
	s.Helper()
	source, err := os.ReadFile(patchers + "sites.S")
	if err != nil {
		s.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^\t(?:RR_)?CASE\t(\w+),`).FindAllSubmatch(source, -1) {
		cases = append(cases, string(match[1]))
	}
	program, v = s.patcher(mode, append([]string{patchers + "patches.c", patchers + "sites.S", "-lpthread"}, flags...)...)
	return program, cases, v
}

// patchers is the folder of programs that patch themselves.
const patchers = "../unwind/testdata/"

// patcher starts a server with a program that gcc makes, in a mode of it.
func (s *session) patcher(mode string, arguments ...string) (program string, v *server) {
	s.Helper()
	program = filepath.Join(s.TempDir(), "patches")
	arguments = append([]string{"-g", "-O2", "-o", program}, arguments...)
	if out, err := exec.Command(need(s.T, "gcc"), arguments...).CombinedOutput(); err != nil {
		s.Fatalf("gcc: %v\n%s", err, out)
	}
	v, _ = s.serveIn(append([]string{"127.0.0.1:0", program}, strings.Fields(mode)...)...)
	return program, v
}

// walked runs a script that steps through the stubs of a program that a server has
// started.
func (s *session) walked(cases []string, environment []string, debugger string, arguments ...string) []walk.Report {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Minute)
	defer cancel()
	reports, err := walk.Run(ctx, s.TempDir(), cases, append(environment, s.mark), debugger, arguments...)
	if err != nil {
		s.Fatal(err)
	}
	return reports
}

// right checks reports: every case has to be there and nothing to be wrong, but for
// what mayFail says.
func (s *session) right(cases []string, reports []walk.Report, mayFail func(walk.Report) bool) {
	s.Helper()
	for _, r := range reports {
		if len(r.Wrong) > 0 && (mayFail == nil || !mayFail(r)) || r.Stub[0] == 0 {
			s.Errorf("%s: stub %v, hook %v, signal handler %v\n%s", r.Case, r.Stub, r.Hook, r.Signal, strings.Join(r.Wrong[:min(len(r.Wrong), 2)], "\n"))
		}
	}
	if len(reports) != len(cases) {
		s.Errorf("%d cases were walked, of %d", len(reports), len(cases))
	}
	stub, hook, signal := walk.Sum(reports)
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
		mayFail     func(walk.Report) bool
	}{
		{name: "dynamic"},
		{name: "no PIE", flags: []string{"-no-pie"}},
		{name: "static", flags: []string{"-static"}},
		{name: "stack above", mode: "above", mayFail: func(r walk.Report) bool {
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
			program, cases, v := s.patchedProgram(test.mode, test.flags...)
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

// TestJumpPatchWalkShared steps through stubs that several sites share. Patched one
// by one, what is described of the first site's is made right for the second's.
func TestJumpPatchWalkShared(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	cases := []string{"called1", "called2", "inside16", "inside48", "numbered1", "numbered2"}
	for _, mode := range []string{"", "late"} {
		t.Run("mode "+mode, func(t *testing.T) {
			s := newSession(t)
			program, v := s.patcher(mode, patchers+"shared.c", patchers+"shared.S")
			environment := []string{"PROGRAM=" + program, "SERVER=" + v.address(), "SETUP=set debuginfod enabled off\nset sysroot /"}
			if mode == "late" {
				environment = append(environment, "LATE=1")
			}
			s.right(cases, s.walked(cases, environment, need(t, "gdb"), "-nx", "--batch", "-x", patchers+"walk.py"), nil)
		})
	}
}

// TestJumpPatchWalkLLDB does in lldb what TestJumpPatchWalk does in gdb.
func TestJumpPatchWalkLLDB(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	lldb := need(t, "lldb")
	modules, err := walk.LLDBModules(lldb)
	if err != nil {
		missing(t, err)
	}
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
			program, cases, v := s.patchedProgram(test.mode, test.flags...)
			environment := []string{"PROGRAM=" + program, "SERVER=" + v.address(), "PYTHONPATH=" + modules}
			reports := s.walked(cases, environment, lldb, "--no-lldbinit", "-b", "-o", "command script import ../unwind/testdata/walk_lldb.py")
			s.right(cases, reports, func(r walk.Report) bool {
				// The longer jump is between the program's functions, where lldb asks
				// no other module.
				return r.Case == "hops" && r.Stub[1] == 0 && r.Hook[1] == 1
			})
		})
	}
}
