package main

import (
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
}

// wrong returns the findings that remain: not known and not flaky.
func (r *Report) wrong() []Finding {
	return r.pick(func(f Finding, known bool) bool { return !known && !f.flaky() })
}

func (r *Report) pick(which func(f Finding, known bool) bool) []Finding {
	var picked []Finding
	for _, finding := range r.Findings {
		if _, known := r.Known[finding.Test]; which(finding, known) {
			picked = append(picked, finding)
		}
	}
	return picked
}

// verdict returns an error unless all is as it should be. That nothing passed
// is an error too.
func (r *Report) verdict() error {
	var complaints []string
	if wrong := len(r.wrong()); wrong > 0 {
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
func (r *Report) write(w io.Writer) {
	section := func(title string, findings []Finding) {
		if len(findings) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		file := ""
		for _, f := range findings {
			if f.Test.File != file {
				file = f.Test.File
				fmt.Fprintf(w, "  %s\n", file)
				if f.Logs != "" {
					fmt.Fprintf(w, "    logs     %s\n", f.Logs)
				}
				if f.Packets != "" {
					fmt.Fprintf(w, "    packets  %s\n", f.Packets)
				}
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
	section("known exceptions:", r.pick(func(_ Finding, known bool) bool { return known }))
	section("flaky (passed when run again):", r.pick(func(f Finding, known bool) bool { return !known && f.flaky() }))
	section(fmt.Sprintf("%s passes, %s does not:", r.Peers, r.Ours), r.wrong())
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
