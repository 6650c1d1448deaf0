// Package reasons reads lists of tests that need not pass, each with the reason.
package reasons

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Parse reads a list for runs of one kind. A line that begins with a word names a
// test, which name understands; the indented lines after it are the reason.
// "[KIND...]" says for which kinds the tests below it are meant. "#" begins a
// comment. A test without a reason, or named twice for a kind, is an error.
func Parse[Test comparable](r io.Reader, kind string, name func(text string) (Test, error)) (map[Test]string, error) {
	type entry struct {
		line   int
		kinds  []string
		text   string
		test   Test
		reason string
	}
	var entries []entry
	var kinds []string
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimRight(lines.Text(), " \t")
		text := strings.TrimSpace(line)
		inBrackets, opened := strings.CutPrefix(line, "[")
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case opened:
			names, closed := strings.CutSuffix(inBrackets, "]")
			if kinds = strings.Fields(names); !closed || len(kinds) == 0 {
				return nil, fmt.Errorf("line %d: %q: want [KIND...]", number, line)
			}
		case line == text:
			test, err := name(text)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			entries = append(entries, entry{line: number, kinds: kinds, text: text, test: test})
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
	found := map[Test]string{}
	for _, e := range entries {
		if e.reason == "" {
			return nil, fmt.Errorf("line %d: %s needs a reason", e.line, e.text)
		}
		if e.kinds != nil && !slices.Contains(e.kinds, kind) {
			continue
		}
		if _, twice := found[e.test]; twice {
			return nil, fmt.Errorf("line %d: %s is named a second time", e.line, e.text)
		}
		found[e.test] = e.reason
	}
	return found, nil
}
