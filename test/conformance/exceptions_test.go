package main

import (
	"strings"
	"testing"
)

func TestExceptions(t *testing.T) {
	const text = `# what need not pass
gdb.base/a.exp: everywhere
    A reason
    in two lines.

[native-gdbserver native-stdio-gdbserver]
gdb.base/a.exp: print $_siginfo at 0x1234
    Here.
[native-extended-gdbserver]
gdb.base/a.exp: elsewhere
    There.
`
	exceptions, err := parseExceptions(strings.NewReader(text), "native-gdbserver")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"everywhere":                     "A reason in two lines.",
		"everywhere (timeout)":           "A reason in two lines.",
		"print $_siginfo at ADDRESS":     "Here.",
		"print $_siginfo at ADDRESS (x)": "Here.",
		"elsewhere":                      "",
	} {
		if got, found := exceptions.reason(Test{"gdb.base/a.exp", name}); got != want || found != (want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, found, want)
		}
	}
	if len(exceptions) != 2 {
		t.Errorf("%d exceptions, want 2", len(exceptions))
	}
}

func TestExceptionsRefused(t *testing.T) {
	for text, complaint := range map[string]string{
		"gdb.base/a.exp: b\n": "line 1: gdb.base/a.exp: b needs a reason",
		"gdb.base/a.exp: b\ngdb.base/a.exp: c\n  For this.\n": "line 1: gdb.base/a.exp: b needs a reason",
		"[other]\ngdb.base/a.exp: b\n":                        "needs a reason",
		"  For this.\n":                                       "line 1: a reason without a test",
		"break main\n  For this.\n":                           "is not a test's name",
		"[board\n":                                            "want [KIND...]",
		"[]\n":                                                "want [KIND...]",
		"gdb.base/a.exp: b\n  1\n[board]\ngdb.base/a.exp: b\n  2\n":      "line 4: gdb.base/a.exp: b is named a second time",
		"gdb.base/a.exp: b\n  1\n# A comment\n\ngdb.base/a.exp: c\n\n\n": "line 5",
	} {
		if _, err := parseExceptions(strings.NewReader(text), "board"); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: error %v, want %q", text, err, complaint)
		}
	}
}
