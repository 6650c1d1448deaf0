package main

import (
	"fmt"
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
		{"the peer too", Report{Passes: 1, Findings: []Finding{{Difference: finding(2)[0].Difference, PeerToo: true}}}, ""},
		{"known", Report{Passes: 1, Findings: finding(2), Known: map[Test]string{test: "For this."}}, ""},
		{"nothing ran", Report{}, "nothing passed"},
		{"cut off", Report{Passes: 1, Broken: []string{"gdb.base/a.exp: no results"}}, "1 files gave no whole run"},
	} {
		text := ""
		if err := c.report.err(); err != nil {
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
	if err := report.write(&text); err != nil {
		t.Fatal(err)
	}
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

// TestReportIsShort holds that a file that broke off does not fill the report.
func TestReportIsShort(t *testing.T) {
	report := Report{Ours: "rspd", Peers: "gdbserver", Files: 2, Passes: 1}
	add := func(file string, count int) {
		for i := range count {
			test := Test{file, fmt.Sprint(i)}
			report.Findings = append(report.Findings, Finding{Difference: Difference{test, Absent, Passed}})
		}
	}
	add("gdb.base/a.exp", 12)
	add("gdb.base/b.exp", 10)
	for whole, want := range map[bool][]string{
		false: {"    and 2 more\n  gdb.base/b.exp\n", "    not run     9\n\n2 files"},
		true:  {"    not run     11\n  gdb.base/b.exp\n", "    not run     9\n\n2 files"},
	} {
		var text strings.Builder
		report.Whole = whole
		if err := report.write(&text); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(text.String(), part) {
				t.Errorf("whole %v: no %q in\n%s", whole, part, text.String())
			}
		}
	}
}
