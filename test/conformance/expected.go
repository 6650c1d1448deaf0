package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An Expectation is what a server is known to achieve: for each file how many
// tests pass, in the suite of one version of GDB.
type Expectation struct {
	Version string
	Board   string
	Files   []string
	Passes  map[string]int
}

// parseExpectation reads "suite VERSION", "board NAME" and then lines of a file
// and its number. "#" begins a comment. An expectation of nothing is an error,
// as nothing could fail it.
func parseExpectation(r io.Reader) (*Expectation, error) {
	e := &Expectation{Passes: map[string]int{}}
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 {
			return nil, fmt.Errorf("line %d: want a file and how many of its tests pass", number)
		}
		switch words[0] {
		case "suite":
			e.Version = words[1]
			continue
		case "board":
			e.Board = words[1]
			continue
		}
		count, err := strconv.Atoi(words[1])
		if err != nil || count <= 0 {
			return nil, fmt.Errorf("line %d: %q is no number of tests that pass", number, words[1])
		}
		if _, twice := e.Passes[words[0]]; twice {
			return nil, fmt.Errorf("line %d: %s is named a second time", number, words[0])
		}
		e.Files = append(e.Files, words[0])
		e.Passes[words[0]] = count
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if e.Version == "" || e.Board == "" || len(e.Files) == 0 {
		return nil, fmt.Errorf("an expectation needs a suite's version, a board, and files")
	}
	return e, nil
}

// write writes the expectation as parseExpectation reads it.
func (e *Expectation) write(w io.Writer) error {
	text := fmt.Sprintf("# How many tests of each file pass. make conformance-fast FLAGS=-record writes it.\nsuite %s\nboard %s\n", e.Version, e.Board)
	for _, file := range slices.Sorted(slices.Values(e.Files)) {
		text += fmt.Sprintf("%s %d\n", file, e.Passes[file])
	}
	_, err := io.WriteString(w, text)
	return err
}

// shortfall returns what keeps a file's results from what is expected of it:
// the tests that fail, and one without a name if fewer pass than are known to.
// An exception is no shortfall and may be missing among those that pass.
func (e *Expectation) shortfall(file string, results []Result, exceptions Exceptions) []Difference {
	var short []Difference
	excepted := 0
	for _, result := range results {
		if !result.Outcome.bad() {
			continue
		}
		if _, known := exceptions.reason(result.Test); known {
			excepted++
			continue
		}
		short = append(short, Difference{Test: result.Test, Ours: result.Outcome, Peers: Passed})
	}
	if missing := e.Passes[file] - passes(results) - excepted; missing > 0 && len(short) == 0 {
		name := fmt.Sprintf("%d of %d tests", missing, e.Passes[file])
		short = append(short, Difference{Test: Test{File: file, Name: name}, Ours: Absent, Peers: Passed})
	}
	return short
}
