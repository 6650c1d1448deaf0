package main

import (
	"slices"
	"strings"
	"testing"
)

func TestExpectation(t *testing.T) {
	e := &Expectation{Version: "13.1", Board: "native-gdbserver", Files: []string{"gdb.base/b.exp", "gdb.base/a.exp"},
		Passes: map[string]int{"gdb.base/a.exp": 3, "gdb.base/b.exp": 100}}
	var text strings.Builder
	if err := e.write(&text); err != nil {
		t.Fatal(err)
	}
	read, err := parseExpectation(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	if read.Version != "13.1" || read.Board != "native-gdbserver" || len(read.Passes) != 2 ||
		!slices.Equal(read.Files, []string{"gdb.base/a.exp", "gdb.base/b.exp"}) || read.Passes["gdb.base/b.exp"] != 100 {
		t.Errorf("read %+v of\n%s", read, text.String())
	}
}

func TestExpectationRefused(t *testing.T) {
	const head = "suite 13.1\nboard native-gdbserver\n"
	for text, complaint := range map[string]string{
		"":                                    "needs a suite's version",
		head:                                  "and files",
		"suite 13.1\ngdb.base/a.exp 3\n":      "a board",
		head + "gdb.base/a.exp\n":             "line 3: want a file and",
		head + "gdb.base/a.exp many\n":        "no number of tests",
		head + "gdb.base/a.exp 0\n":           "no number of tests",
		head + "gdb.a/a.exp 1\ngdb.a/a.exp 2": "line 4: gdb.a/a.exp is named a second time",
	} {
		if _, err := parseExpectation(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: error %v, want %q", text, err, complaint)
		}
	}
}

func TestShortfall(t *testing.T) {
	const file = "gdb.base/a.exp"
	e := &Expectation{Files: []string{file}, Passes: map[string]int{file: 3}}
	exceptions := Exceptions{Test{file, "d"}: "For this."}
	for _, c := range []struct {
		name    string
		results []string
		want    []string
	}{
		{"as expected", []string{"PASS a", "PASS b", "PASS c"}, nil},
		{"more than expected", []string{"PASS a", "PASS b", "PASS c", "PASS d"}, nil},
		{"one fails", []string{"PASS a", "FAIL b (timeout)", "PASS c"}, []string{"FAIL<PASS b (timeout)"}},
		{"one fails, another passes", []string{"PASS a", "PASS b", "PASS c", "UNRESOLVED e"}, []string{"UNRESOLVED<PASS e"}},
		{"one is missing", []string{"PASS a", "UNSUPPORTED b", "PASS c"}, []string{"not run<PASS 1 of 3 tests"}},
		{"the exception fails", []string{"PASS a", "PASS b", "FAIL d (timeout)"}, nil},
		{"nothing ran", nil, []string{"not run<PASS 3 of 3 tests"}},
	} {
		if got := differences(e.shortfall(file, sums(t, c.results...), exceptions)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
