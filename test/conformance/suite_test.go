package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// makefile stands for the suite's: a test's file is a shell script that writes
// the lines of its .sum.
const makefile = `
all site.exp:
check/%.exp:
	mkdir -p outputs/$*
	BOARD=` + "`echo '$(RUNTESTFLAGS)' | sed 's/.*board=//'`" + ` LOGGED=$(GDBSERVER_DEBUG) sh SOURCE/gdb/testsuite/$*.exp > outputs/$*/gdb.sum
`

// fake makes a source tree with the given tests.
func fake(t *testing.T, tests map[string]string) *Source {
	t.Helper()
	source := &Source{Dir: t.TempDir(), Version: "13.1"}
	write := func(path, text string) {
		path = filepath.Join(source.Dir, "gdb", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("version.in", "13.1\n")
	write("testsuite/configure", "#!/bin/sh\ncat > Makefile <<'END'\n"+strings.ReplaceAll(makefile, "SOURCE", source.Dir)+"END\n")
	for name, script := range tests {
		write("testsuite/"+name, script)
	}
	return source
}

func configured(t *testing.T, source *Source, limit time.Duration) *Suite {
	t.Helper()
	suite := &Suite{Dir: filepath.Join(t.TempDir(), "run"), Server: "/bin/rspd", Board: "native-gdbserver", Limit: limit}
	if err := suite.configure(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	return suite
}

func TestExpand(t *testing.T) {
	source := fake(t, map[string]string{"gdb.base/a.exp": "", "gdb.base/ab.exp": "", "gdb.base/ab.c": "", "gdb.multi/b.exp": ""})
	found, err := findSource(t.Context(), source.Dir, "")
	if err != nil || *found != *source {
		t.Fatalf("%+v, %v; want %+v", found, err, source)
	}
	got, err := source.expand([]string{"gdb.*/b.exp", "gdb.base/a*", "gdb.base/a.exp"})
	if want := []string{"gdb.base/a.exp", "gdb.base/ab.exp", "gdb.multi/b.exp"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, pattern := range []string{"gdb.base/c.exp", "gdb.base/*.c", "gdb.base/["} {
		if got, err := source.expand([]string{"gdb.base/a.exp", pattern}); err == nil {
			t.Errorf("%s: %q, want an error", pattern, got)
		}
	}
	if _, err := findSource(t.Context(), t.TempDir(), ""); err == nil {
		t.Error("found a source in an empty directory")
	}
}

func TestRunAll(t *testing.T) {
	suite := configured(t, fake(t, map[string]string{
		"gdb.base/a.exp": "echo PASS: gdb.base/a.exp: board $BOARD; exit 1",
		"gdb.base/b.exp": "rm outputs/gdb.base/b/gdb.sum",
		"gdb.base/c.exp": "echo PASS: gdb.base/c.exp: begin; exec sleep 60",
		"gdb.base/d.exp": "echo FAIL: gdb.base/d.exp: d",
	}), 2*time.Second)
	runs := map[string]FileRun{}
	err := suite.runAll(t.Context(), []string{"gdb.base/a.exp", "gdb.base/b.exp", "gdb.base/c.exp", "gdb.base/d.exp"}, 2, func(run FileRun) {
		runs[run.File] = run
	})
	if err != nil || len(runs) != 4 {
		t.Fatalf("%v, %v", runs, err)
	}
	if run := runs["gdb.base/a.exp"]; run.Err != nil || len(run.Results) != 1 || run.Results[0].Test.Name != "board native-gdbserver" {
		t.Errorf("a: %+v", run)
	}
	if run := runs["gdb.base/b.exp"]; run.Err == nil || !errors.Is(run.Err, os.ErrNotExist) {
		t.Errorf("b: %+v; want no results", run)
	}
	if run := runs["gdb.base/c.exp"]; !errors.Is(run.Err, errOverran) || len(run.Results) != 1 {
		t.Errorf("c: %+v; want one result and %v", run, errOverran)
	}
	if run := runs["gdb.base/d.exp"]; run.Err != nil || len(run.Results) != 1 || run.Results[0].Outcome != Failed {
		t.Errorf("d: %+v", run)
	}
}

// TestRunUnderMake holds that the options and variables of a make that runs the
// suite do not reach the suite's own.
func TestRunUnderMake(t *testing.T) {
	t.Setenv("MAKEFLAGS", "n -- TESTS=gdb.base/*.exp RUNTESTFLAGS=none")
	suite := configured(t, fake(t, map[string]string{"gdb.base/a.exp": "echo PASS: gdb.base/a.exp: board $BOARD"}), time.Minute)
	results, err := suite.run(t.Context(), "gdb.base/a.exp", false)
	if err != nil || len(results) != 1 || results[0].Test.Name != "board native-gdbserver" {
		t.Errorf("%v, %v", results, err)
	}
}

func TestRunAllEnds(t *testing.T) {
	suite := configured(t, fake(t, map[string]string{"gdb.base/a.exp": "touch begun; exec sleep 60"}), time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(suite.Dir, "begun")); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	err := suite.runAll(ctx, []string{"gdb.base/a.exp", "gdb.base/a.exp"}, 1, func(run FileRun) { t.Errorf("%+v", run) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// TestRunLeavesNothing runs a file that leaves a process of its own session
// behind, which holds the run's output open.
func TestRunLeavesNothing(t *testing.T) {
	suite := configured(t, fake(t, map[string]string{"gdb.base/a.exp": `
setsid sh -c 'echo $$ > left; exec sleep 600' &
while ! [ -s left ]; do sleep 0.01; done
echo PASS: gdb.base/a.exp: a
`}), time.Minute)
	if results, err := suite.run(t.Context(), "gdb.base/a.exp", false); err != nil || len(results) != 1 {
		t.Fatalf("%v, %v", results, err)
	}
	text, err := os.ReadFile(filepath.Join(suite.Dir, "left"))
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(text))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		command, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		if err != nil || len(command) == 0 { // gone, or a zombie
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %s is left: %q", pid, command)
		}
	}
}

// TestSettle holds that a test that fails in the first run alone is flaky, one
// that fails again is not, and that the last run, and no other, logs packets.
func TestSettle(t *testing.T) {
	const file = "gdb.base/a.exp"
	suite := configured(t, fake(t, map[string]string{file: `
echo run >> count
echo "FAIL: gdb.base/a.exp: always (timeout)"
if [ $(wc -l < count) = 1 ]; then echo FAIL: gdb.base/a.exp: once; else echo PASS: gdb.base/a.exp: once; fi
echo $LOGGED > outputs/gdb.base/a/logged
`}), time.Minute)
	wanted := sums(t, "PASS always", "PASS once")
	judge := func(results []Result) []Difference {
		worse, _ := compare(results, wanted)
		return worse
	}
	results, err := suite.run(t.Context(), file, false)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := suite.settle(t.Context(), file, judge(results), 2, judge)
	if err != nil || len(findings) != 2 {
		t.Fatalf("%+v, %v", findings, err)
	}
	if f := findings[0]; f.flaky() || f.Again != 2 || f.Test.Name != "always" {
		t.Errorf("%+v, want one that is not flaky", f)
	}
	if f := findings[1]; !f.flaky() || f.Again != 0 || f.Test.Name != "once" {
		t.Errorf("%+v, want one that is flaky", f)
	}
	for dir, want := range map[string]string{
		findings[0].Logs: "\n", filepath.Join(suite.Dir, "again-1/gdb.base/a"): "\n", findings[0].Packets: "replay\n",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, "logged")); err != nil || string(text) != want {
			t.Errorf("%s logged %q, %v; want %q", dir, text, err, want)
		}
	}
}
