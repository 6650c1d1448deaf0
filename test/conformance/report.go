package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Report is what a run of the suite came to.
type Report struct {
	Ours, Peers string
	Files       int
	// Passes counts our tests that pass, PeerPasses the peer's in the same
	// files; it is 0 if there is no peer to compare with.
	Passes, PeerPasses int
	Findings           []Finding
	// Known are the findings that have a reason, Better the tests that the
	// peer does not pass and we do.
	Known  map[Test]string
	Better []Difference
	// Unused are exceptions whose files ran and whose tests pass.
	Unused []Test
	// Broken are the files that gave no whole run.
	Broken []string
	// Whole lists every test; else only the first few of a file are listed.
	Whole bool
}

// few is how many tests of a file are listed.
const few = 10

// A verdict is what became of a finding.
type verdict uint8

const (
	wrong   verdict = iota // the server falls short
	known                  // there is a reason
	flaky                  // it passed when run again
	peerToo                // the peer does no better here
)

func (r *Report) judge(f *Finding) verdict {
	if _, excepted := r.Known[f.Test]; excepted {
		return known
	}
	switch {
	case f.flaky():
		return flaky
	case f.PeerToo:
		return peerToo
	}
	return wrong
}

// pick returns the findings of which one thing became.
func (r *Report) pick(what verdict) []*Finding {
	var picked []*Finding
	for i := range r.Findings {
		if finding := &r.Findings[i]; r.judge(finding) == what {
			picked = append(picked, finding)
		}
	}
	return picked
}

// err returns an error unless all is as it should be. That nothing passed
// is an error too.
func (r *Report) err() error {
	var complaints []string
	if wrong := len(r.pick(wrong)); wrong > 0 {
		complaints = append(complaints, fmt.Sprintf("%d tests fall short of %s", wrong, r.Peers))
	}
	if len(r.Broken) > 0 {
		complaints = append(complaints, fmt.Sprintf("%d files gave no whole run", len(r.Broken)))
	}
	if r.Passes == 0 {
		complaints = append(complaints, "nothing passed")
	}
	if len(complaints) > 0 {
		return fmt.Errorf("%s", strings.Join(complaints, "; "))
	}
	return nil
}

// write prints the report.
func (r *Report) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	section := func(title string, findings []*Finding) {
		if len(findings) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		file, listed := "", 0
		endFile := func() {
			if listed > few && !r.Whole {
				fmt.Fprintf(w, "    and %d more\n", listed-few)
			}
			listed = 0
		}
		defer endFile()
		for _, f := range findings {
			if f.Test.File != file {
				endFile()
				file = f.Test.File
				fmt.Fprintf(w, "  %s\n", file)
				if f.Logs != "" {
					fmt.Fprintf(w, "    logs     %s\n", f.Logs)
				}
				if f.Packets != "" {
					fmt.Fprintf(w, "    packets  %s\n", f.Packets)
				}
			}
			if listed++; listed > few && !r.Whole {
				continue
			}
			fmt.Fprintf(w, "    %-11s %s", f.Ours, f.Test.Name)
			if f.Times > 0 {
				fmt.Fprintf(w, " [again %d of %d]", f.Again, f.Times)
			}
			fmt.Fprintln(w)
			if reason, known := r.Known[f.Test]; known {
				fmt.Fprintf(w, "                %s\n", reason)
			}
		}
	}
	if len(r.Better) > 0 {
		fmt.Fprintf(w, "\n%s passes, %s does not:\n", r.Ours, r.Peers)
		for _, d := range r.Better {
			fmt.Fprintf(w, "    %-11s %s\n", d.Peers, d.Test)
		}
	}
	section("known exceptions:", r.pick(known))
	section("flaky (passed when run again):", r.pick(flaky))
	section("neither server passes now:", r.pick(peerToo))
	section(fmt.Sprintf("%s passes, %s does not:", r.Peers, r.Ours), r.pick(wrong))
	if len(r.Unused) > 0 {
		fmt.Fprintln(w, "\nexceptions that were not needed:")
		for _, test := range r.Unused {
			fmt.Fprintf(w, "    %s\n", test)
		}
	}
	if len(r.Broken) > 0 {
		fmt.Fprintln(w, "\nwithout a whole run:")
		for _, text := range r.Broken {
			fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      "))
		}
	}
	fmt.Fprintf(w, "\n%d files: %s passes %d", r.Files, r.Ours, r.Passes)
	if r.PeerPasses > 0 {
		fmt.Fprintf(w, ", %s %d", r.Peers, r.PeerPasses)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// unused returns the exceptions whose tests passed although their file ran.
func unused(exceptions Exceptions, results []Result) []Test {
	var idle []Test
	for _, result := range results {
		if !result.Outcome.good() {
			continue
		}
		if _, found := exceptions[result.Test]; found {
			idle = append(idle, result.Test)
		}
	}
	slices.SortFunc(idle, func(a, b Test) int { return strings.Compare(a.String(), b.String()) })
	return idle
}
