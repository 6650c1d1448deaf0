package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Exceptions are the tests that need not pass, each with the reason.
type Exceptions map[Test]string

// parseExceptions reads the exceptions for a board. A line that begins with a
// word names a test as a .sum file does; the indented lines after it are the
// reason. "[BOARD...]" says for which boards the tests below it are meant. "#"
// begins a comment. A test without a reason, or named twice for a board, is an
// error.
func parseExceptions(r io.Reader, board string) (Exceptions, error) {
	type entry struct {
		line   int
		boards []string
		test   Test
		reason string
	}
	var entries []entry
	var boards []string
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimRight(lines.Text(), " \t")
		text := strings.TrimSpace(line)
		inBrackets, opened := strings.CutPrefix(line, "[")
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case opened:
			names, closed := strings.CutSuffix(inBrackets, "]")
			if boards = strings.Fields(names); !closed || len(boards) == 0 {
				return nil, fmt.Errorf("line %d: %q: want [BOARD...]", number, line)
			}
		case line == text:
			test, valid := parseTest(text)
			if !valid {
				return nil, fmt.Errorf("line %d: %q is not a test's name, such as gdb.base/a.exp: b", number, text)
			}
			entries = append(entries, entry{line: number, boards: boards, test: test})
		case len(entries) == 0:
			return nil, fmt.Errorf("line %d: a reason without a test", number)
		default:
			last := &entries[len(entries)-1]
			last.reason = strings.TrimSpace(last.reason + " " + text)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	exceptions := Exceptions{}
	for _, e := range entries {
		if e.reason == "" {
			return nil, fmt.Errorf("line %d: %s needs a reason", e.line, e.test)
		}
		if e.boards != nil && !slices.Contains(e.boards, board) {
			continue
		}
		if _, twice := exceptions[e.test]; twice {
			return nil, fmt.Errorf("line %d: %s is named a second time", e.line, e.test)
		}
		exceptions[e.test] = e.reason
	}
	return exceptions, nil
}

// reason returns why a test need not pass. The test may be named with or
// without the remark that it ended with.
func (e Exceptions) reason(test Test) (string, bool) {
	if reason, found := e[test]; found {
		return reason, true
	}
	reason, found := e[test.withoutRemark()]
	return reason, found
}
