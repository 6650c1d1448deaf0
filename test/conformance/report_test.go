package main

import (
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	test := Test{"gdb.base/a.exp", "next"}
	finding := func(again int) []Finding {
		return []Finding{{Difference: Difference{Test: test, Ours: Failed, Peers: Passed}, Again: again, Times: 2}}
	}
	for _, c := range []struct {
		name   string
		report Report
		want   string
	}{
		{"good", Report{Passes: 1}, ""},
		{"wrong", Report{Passes: 1, Peers: "gdbserver", Findings: finding(2)}, "1 tests fall short of gdbserver"},
		{"flaky", Report{Passes: 1, Findings: finding(1)}, ""},
		{"known", Report{Passes: 1, Findings: finding(2), Known: map[Test]string{test: "For this."}}, ""},
		{"nothing ran", Report{}, "nothing passed"},
		{"cut off", Report{Passes: 1, Broken: []string{"gdb.base/a.exp: no results"}}, "1 files gave no whole run"},
	} {
		text := ""
		if err := c.report.verdict(); err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s: %q, want %q", c.name, text, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	wrong := Test{"gdb.base/a.exp", "next"}
	known := Test{"gdb.base/b.exp", "step"}
	flaky := Test{"gdb.base/c.exp", "finish"}
	report := Report{
		Ours: "rspd", Peers: "gdbserver", Files: 4, Passes: 10, PeerPasses: 12,
		Findings: []Finding{
			{Difference: Difference{wrong, Failed, Passed}, Again: 1, Times: 1, Logs: "LOGS", Packets: "PACKETS"},
			{Difference: Difference{known, Absent, Passed}},
			{Difference: Difference{flaky, Failed, Passed}, Times: 1},
		},
		Known:  map[Test]string{known: "For this."},
		Better: []Difference{{Test{"gdb.base/d.exp", "up"}, Passed, Failed}},
		Broken: []string{"gdb.base/e.exp: no results\nmake: bad\n"},
	}
	var text strings.Builder
	report.write(&text)
	const want = `
rspd passes, gdbserver does not:
    FAIL        gdb.base/d.exp: up

known exceptions:
  gdb.base/b.exp
    not run     step
                For this.

flaky (passed when run again):
  gdb.base/c.exp
    FAIL        finish [again 0 of 1]

gdbserver passes, rspd does not:
  gdb.base/a.exp
    logs     LOGS
    packets  PACKETS
    FAIL        next [again 1 of 1]

without a whole run:
    gdb.base/e.exp: no results
      make: bad

4 files: rspd passes 10, gdbserver 12
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}
