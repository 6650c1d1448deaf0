package main

import (
	"slices"
	"strings"
	"testing"
)

// sums parses "OUTCOME name" lines as the results of the file gdb.base/a.exp.
func sums(t *testing.T, lines ...string) []Result {
	t.Helper()
	var text strings.Builder
	for _, line := range lines {
		outcome, name, _ := strings.Cut(line, " ")
		text.WriteString(outcome + ": gdb.base/a.exp: " + name + "\n")
	}
	results, err := parseSum(strings.NewReader(text.String()))
	if err != nil || len(results) != len(lines) {
		t.Fatalf("%v, %v", results, err)
	}
	return results
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name        string
		ours, peers []string
		// worse and better are "OURS<PEERS name".
		worse, better []string
	}{
		{name: "alike", ours: []string{"PASS a", "FAIL b"}, peers: []string{"PASS a", "FAIL b"}},
		{name: "both ways", ours: []string{"FAIL a", "PASS b"}, peers: []string{"PASS a", "FAIL b"},
			worse: []string{"FAIL<PASS a"}, better: []string{"PASS<FAIL b"}},
		{name: "never came to it", ours: []string{"PASS a"}, peers: []string{"PASS a", "PASS b"}, worse: []string{"not run<PASS b"}},
		{name: "unsupported", ours: []string{"UNSUPPORTED a"}, peers: []string{"PASS a"}, worse: []string{"UNSUPPORTED<PASS a"}},
		{name: "a remark", ours: []string{"FAIL a (timeout)"}, peers: []string{"PASS a"}, worse: []string{"FAIL<PASS a"}},
		{name: "another remark", ours: []string{"PASS a (pattern 1)"}, peers: []string{"PASS a (pattern 2)"}},
		{name: "a remark of the peer", ours: []string{"PASS a"}, peers: []string{"FAIL a (the program exited)"},
			better: []string{"PASS<FAIL a (the program exited)"}},
		{name: "a name that ends like a remark", ours: []string{"PASS a (1)", "FAIL a (2)"}, peers: []string{"PASS a (1)", "PASS a (2)"},
			worse: []string{"FAIL<PASS a (2)"}},
		{name: "no other test's success", ours: []string{"PASS a (1)"}, peers: []string{"PASS a (1)", "PASS a (2)"},
			worse: []string{"not run<PASS a (2)"}},
		{name: "the worse of two remarks", ours: []string{"PASS a (x)", "FAIL a (y)"}, peers: []string{"PASS a"}, worse: []string{"FAIL<PASS a"},
			better: []string{"PASS<not run a (x)"}},
		{name: "only ours", ours: []string{"PASS a", "FAIL b"}, better: []string{"PASS<not run a"}},
		{name: "the second of a name", ours: []string{"PASS a", "FAIL a"}, peers: []string{"PASS a", "PASS a"}, worse: []string{"FAIL<PASS a #2"}},
		{name: "unresolved", ours: []string{"UNRESOLVED a"}, peers: []string{"KPASS a"}, worse: []string{"UNRESOLVED<KPASS a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			worse, better := compare(sums(t, c.ours...), sums(t, c.peers...))
			if got := differences(worse); !slices.Equal(got, c.worse) {
				t.Errorf("worse %q, want %q", got, c.worse)
			}
			if got := differences(better); !slices.Equal(got, c.better) {
				t.Errorf("better %q, want %q", got, c.better)
			}
		})
	}
}

func differences(of []Difference) []string {
	var texts []string
	for _, d := range of {
		texts = append(texts, string(d.Ours)+"<"+string(d.Peers)+" "+d.Test.Name)
	}
	return texts
}
