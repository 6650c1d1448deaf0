package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestListsExist holds the files in the repository to their form.
func TestListsExist(t *testing.T) {
	for _, in := range []form{asLLDBServer, asDebugserver, native} {
		if exceptions, err := readExceptions("exceptions.txt", in); err != nil || len(exceptions) == 0 {
			t.Errorf("%v, %v", exceptions, err)
		}
	}
	if listed, err := readList("fast.txt"); err != nil || len(listed) == 0 {
		t.Errorf("%v, %v", listed, err)
	}
	for _, text := range []string{"", "TestA", "proc/", "proc/BenchmarkA"} {
		if parsed, err := parseTest(text); err == nil {
			t.Errorf("%q: %v", text, parsed)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, test := range []struct {
		text    string
		success bool
		want    outcome
	}{
		{"=== RUN   TestA\n    --- FAIL: TestA/sub (0.1s)\n--- PASS: TestA (0.10s)\nPASS\n", true, passed},
		{"--- PASS: TestA (0.10s)\npanic: at the end\n", false, failed},
		{"--- FAIL: TestA (0.10s)\nFAIL\n", false, failed},
		{"--- SKIP: TestA (0.10s)\nPASS\n", true, skipped},
		{"--- PASS: TestAnother (0.10s)\nPASS\n", true, failed},
		{"testing: warning: no tests to run\nPASS\n", true, failed},
		{"panic: test timed out after 1m0s\n", false, slow},
	} {
		if got := outcomeOf("TestA", []byte(test.text), test.success); got != test.want {
			t.Errorf("%q: %s, want %s", test.text, got, test.want)
		}
	}
}

func TestSummary(t *testing.T) {
	of := func(name string, what outcome) result { return result{test: test{"proc", name}, outcome: what} }
	excused := map[test]string{{"proc", "TestKnown"}: "a reason"}
	for _, test := range []struct {
		results []result
		want    string
		fails   bool
	}{
		{[]result{of("TestA", passed), of("TestB", skipped), of("TestKnown", failed)}, "FAIL, as is known: proc/TestKnown\n    a reason", false},
		{[]result{of("TestA", passed), of("TestKnown", passed)}, "passes, although it is an exception: proc/TestKnown", false},
		{[]result{of("TestA", passed), of("TestB", flaky)}, "FLAKY: proc/TestB", false},
		{[]result{of("TestA", passed), of("TestB", slow)}, "TIMEOUT: proc/TestB", true},
		{[]result{of("TestA", passed), of("TestB", failed)}, "as native: 1 pass, 1 fail, 0 time out", true},
		{[]result{of("TestB", skipped)}, "0 pass", true},
	} {
		var text bytes.Buffer
		if err := summarize(&text, native, test.results, excused); (err != nil) != test.fails || !strings.Contains(text.String(), test.want) {
			t.Errorf("%v: %v\n%s", test.results, err, &text)
		}
	}
}

// TestKeptBuild builds a fixture once, and others each time.
func TestKeptBuild(t *testing.T) {
	root := t.TempDir()
	fixtures, other, kept := filepath.Join(root, "_fixtures"), filepath.Join(root, "other"), filepath.Join(root, "kept")
	for _, directory := range []string{fixtures, other, kept} {
		if err := os.Mkdir(directory, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	// A go command that counts its calls, and makes a file of its arguments.
	calls := filepath.Join(root, "calls")
	fake := filepath.Join(root, "go")
	const script = "#!/bin/sh\necho \"$@\" >>\"$CALLS\"\ntest \"$1\" = build || exit 3\necho \"$2\" >\"$4\"\n"
	if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CALLS", calls)
	t.Setenv(realGo, fake)
	t.Setenv(fixturesPath, kept)
	result := filepath.Join(root, "result")
	for _, step := range []struct {
		directory    string
		args         []string
		status, runs int
	}{
		{fixtures, []string{"build", "-flag", "-o", result, "a.go"}, 0, 1},
		{fixtures, []string{"build", "-flag", "-o", result, "a.go"}, 0, 1},
		{fixtures, []string{"build", "-other", "-o", result, "a.go"}, 0, 2},
		{fixtures, []string{"version"}, 3, 3},
		{fixtures, []string{"build", "-flag", "-o", filepath.Join(root, "new", "result"), "a.go"}, 0, 3},
		{other, []string{"build", "-flag", "-o", result, "a.go"}, 0, 4},
		{other, []string{"build", "-flag", "-o", result, "a.go"}, 0, 5},
	} {
		t.Chdir(step.directory)
		if status, err := keptBuild(step.args); err != nil || status != step.status {
			t.Fatalf("%v: %d, %v", step.args, status, err)
		}
		text, err := os.ReadFile(calls)
		if err != nil {
			t.Fatal(err)
		}
		if runs := bytes.Count(text, []byte("\n")); runs != step.runs {
			t.Errorf("%s: %v: go ran %d times, want %d", step.directory, step.args, runs, step.runs)
		}
		if step.status != 0 {
			continue
		}
		if made, err := os.ReadFile(step.args[3]); err != nil || string(made) != step.args[1]+"\n" {
			t.Errorf("%v: %q, %v", step.args, made, err)
		}
	}
}

// TestKillMarked ends a shell and two subshells, which print a line each once they
// are there and would read forever.
func TestKillMarked(t *testing.T) {
	const mark = markName + "=of TestKillMarked"
	process := exec.Command("sh", "-c", "(echo; read line <&3) & (echo; read line <&3) & wait")
	process.Env = append(process.Environ(), mark)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	process.ExtraFiles = []*os.File{reader}
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = process.Start()
	_ = reader.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(output, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	found, err := marked(mark)
	if err != nil || len(found) != 3 || !slices.Contains(found, process.Process.Pid) {
		t.Errorf("%v, %v, want %d and two others", found, err, process.Process.Pid)
	}
	if err := killMarked(mark); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err == nil {
		t.Error("the shell has ended by itself")
	}
	if left, err := marked(mark); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}
