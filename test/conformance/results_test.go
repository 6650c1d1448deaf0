package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const sum = `Test run by root on Sat Nov 21 22:56:33 2026
Running /src/gdb/testsuite/gdb.base/a.exp ...
PASS: gdb.base/a.exp: break main
FAIL: gdb.base/a.exp: next (timeout)
ERROR: internal buffer is full.
PASS: gdb.base/a.exp: x/i 0x7ffff7fe4b40
PASS: gdb.base/a.exp: attach to process 4711
PASS: gdb.base/a.exp: break main
UNTESTED: gdb.base/b.exp: failed to compile
PASS: gdb.base/b.exp
PASS: gdb.base/b.exp: load /build/outputs/gdb.base/b/lib.so twice
PASS: nobody knows

		=== gdb Summary ===

# of expected passes		2
KFAIL: gdb.threads/c.exp: p 1/2 (PRMS: gdb/1234)`

func TestParseSum(t *testing.T) {
	results, err := parseSum(strings.NewReader(sum))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, result := range results {
		got = append(got, string(result.Outcome)+": "+result.Test.String())
	}
	want := []string{
		"PASS: gdb.base/a.exp: break main",
		"FAIL: gdb.base/a.exp: next (timeout)",
		"PASS: gdb.base/a.exp: x/i ADDRESS",
		"PASS: gdb.base/a.exp: attach to process NUMBER",
		"PASS: gdb.base/a.exp: break main #2",
		"UNTESTED: gdb.base/b.exp: failed to compile",
		"PASS: gdb.base/b.exp",
		"PASS: gdb.base/b.exp: load PATH twice",
		"KFAIL: gdb.threads/c.exp: p 1/2 (PRMS: gdb/1234)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := passes(results); n != 6 {
		t.Errorf("%d pass, want 6", n)
	}
	if files := byFile(results); len(files) != 3 || len(files["gdb.base/a.exp"]) != 5 {
		t.Errorf("by file: %v", files)
	}
}

func TestParseSumReadsItsOwn(t *testing.T) {
	first, err := parseSum(strings.NewReader(sum))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, result := range first {
		text.WriteString(string(result.Outcome) + ": " + result.Test.String() + "\n")
	}
	second, err := parseSum(strings.NewReader(text.String()))
	if err != nil || !slices.Equal(first, second) {
		t.Errorf("%v, %v; want %v", second, err, first)
	}
}

func TestParseSumFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := parseSum(io.MultiReader(strings.NewReader(sum), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
