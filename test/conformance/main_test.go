package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestConform holds what makes a whole run fail.
func TestConform(t *testing.T) {
	source := fake(t, map[string]string{
		"gdb.base/good.exp":  "echo PASS: gdb.base/good.exp: a; echo PASS: gdb.base/good.exp: b",
		"gdb.base/bad.exp":   "echo PASS: gdb.base/bad.exp: a; echo FAIL: gdb.base/bad.exp: b",
		"gdb.base/none.exp":  "echo UNSUPPORTED: gdb.base/none.exp: a",
		"gdb.base/empty.exp": "rm outputs/gdb.base/empty/gdb.sum",
		"gdb.base/ours.exp": `case $PWD in
*/true.*) echo FAIL: gdb.base/ours.exp: a;;
*) echo PASS: gdb.base/ours.exp: a;;
esac`,
	})
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const head = "suite 13.1\nboard native-gdbserver\n"
	const absent = "no such file"
	none := write("none", "")
	for _, c := range []struct {
		name string
		set  func(*options)
		want string
	}{
		{"as expected", func(o *options) { o.expect = write("list", head+"gdb.base/good.exp 2\n") }, ""},
		{"fewer than expected", func(o *options) { o.expect = write("list", head+"gdb.base/good.exp 3\n") }, "1 tests fall short"},
		{"one fails", func(o *options) { o.expect = write("list", head+"gdb.base/bad.exp 1\n") }, "1 tests fall short"},
		{"an exception fails", func(o *options) {
			o.expect = write("list", head+"gdb.base/bad.exp 1\n")
			o.exceptions = write("exceptions", "gdb.base/bad.exp: b\n  For this.\n")
		}, ""},
		{"a file the suite lacks", func(o *options) { o.expect = write("list", head+"gdb.base/gone.exp 1\n") }, "no such test"},
		{"a file without results", func(o *options) { o.expect = write("list", head+"gdb.base/empty.exp 1\n") }, "1 tests fall short"},
		{"no list", func(o *options) { o.expect = filepath.Join(dir, "gone") }, absent},
		{"no exceptions", func(o *options) { o.exceptions = filepath.Join(dir, "gone") }, absent},
		{"an empty list", func(o *options) { o.expect = none }, "an expectation needs"},
		{"another version's list", func(o *options) {
			o.expect = write("list", "suite 99\nboard native-gdbserver\ngdb.base/good.exp 99\n")
		}, ""},
		{"like the peer", func(o *options) { o.patterns = []string{"gdb.base/bad.exp"} }, ""},
		{"worse than the peer", func(o *options) { o.patterns = []string{"gdb.base/ours.exp"} }, "1 tests fall short of false"},
		{"better than the peer", func(o *options) {
			o.patterns = []string{"gdb.base/*.exp"}
			o.server, o.peer = o.peer, o.server
		}, "1 files gave no whole run"},
		{"nothing to compare", func(o *options) { o.patterns = []string{"gdb.base/none.exp"} }, "nothing could be compared"},
		{"a baseline", func(o *options) {
			o.patterns = []string{"gdb.base/good.exp"}
			o.baseline = write("base.sum", "PASS: gdb.base/good.exp: a\nPASS: gdb.base/good.exp: b\n")
		}, ""},
		{"worse than a baseline", func(o *options) {
			o.patterns = []string{"gdb.base/ours.exp"}
			o.baseline = write("base.sum", "PASS: gdb.base/ours.exp: a\n")
		}, "1 tests fall short of base.sum"},
		{"a baseline that the peer does not reach now", func(o *options) {
			o.patterns = []string{"gdb.base/bad.exp"}
			o.baseline = write("base.sum", "PASS: gdb.base/bad.exp: a\nPASS: gdb.base/bad.exp: b\n")
		}, ""},
		{"a baseline without its peer", func(o *options) {
			o.patterns = []string{"gdb.base/bad.exp"}
			o.baseline = write("base.sum", "PASS: gdb.base/bad.exp: a\nPASS: gdb.base/bad.exp: b\n")
			o.peer = filepath.Join(dir, "gone")
		}, "1 tests fall short of base.sum"},
		{"no baseline", func(o *options) {
			o.patterns = []string{"gdb.base/good.exp"}
			o.baseline = filepath.Join(dir, "gone.sum")
		}, absent},
		{"no server", func(o *options) { o.patterns = []string{"gdb.base/good.exp"}; o.server = filepath.Join(dir, "gone") }, absent},
		{"no such board", func(o *options) { o.board = "unix" }, "want one of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options{
				server: "true", peer: "false", board: boards[0], cache: t.TempDir(), source: source.Dir, exceptions: none,
				jobs: 2, again: 1, limit: time.Minute,
			}
			c.set(&o)
			err := o.conform(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestRecord holds that what was recorded is then met, and that a run in which
// nothing passed is not recorded.
func TestRecord(t *testing.T) {
	source := fake(t, map[string]string{
		"gdb.base/good.exp": "echo PASS: gdb.base/good.exp: a; echo PASS: gdb.base/good.exp: b",
		"gdb.base/none.exp": "echo UNSUPPORTED: gdb.base/none.exp: a",
	})
	dir := t.TempDir()
	exceptions := filepath.Join(dir, "exceptions")
	if err := os.WriteFile(exceptions, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := options{
		server: "true", board: boards[0], cache: dir, source: source.Dir, exceptions: exceptions, jobs: 1, again: 1, limit: time.Minute,
		expect: filepath.Join(dir, "list"), record: true, patterns: []string{"gdb.base/good.exp"},
	}
	for range 2 { // the first makes the list, the second reads it
		if err := o.conform(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(o.expect)
	if err != nil || !strings.Contains(string(text), "\ngdb.base/good.exp 2\n") {
		t.Fatalf("recorded %q, %v", text, err)
	}
	o.record, o.patterns = false, nil
	if err := o.conform(t.Context()); err != nil {
		t.Error(err)
	}
	o.record, o.patterns = true, []string{"gdb.base/none.exp"}
	if err := o.conform(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing passed") {
		t.Errorf("error %v", err)
	}
	if after, err := os.ReadFile(o.expect); err != nil || string(after) != string(text) {
		t.Errorf("the list is now %q, %v", after, err)
	}
}

func TestConformEnds(t *testing.T) {
	source := fake(t, map[string]string{"gdb.base/a.exp": "echo PASS: gdb.base/a.exp: a"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := options{server: "true", peer: "true", board: boards[0], cache: t.TempDir(), source: source.Dir, exceptions: os.DevNull,
		jobs: 1, again: 1, limit: time.Minute, patterns: []string{"gdb.base/a.exp"}}
	if err := o.conform(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
