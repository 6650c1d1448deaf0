package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// readExceptions reads the tests that need not pass in a form, each with the
// reason: a line names a test, the indented ones after it are the reason. A line
// "[FORM]" says that the tests below it are meant in that form alone.
func readExceptions(path string, in form) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	exceptions, err := parseExceptions(file, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return exceptions, nil
}

func parseExceptions(from io.Reader, in form) (map[string]string, error) {
	exceptions := map[string]string{}
	last, meant := "", true
	lines := bufio.NewScanner(from)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(lines.Text())
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case strings.HasPrefix(text, "["):
			meant = text == "["+string(in)+"]"
		case text == lines.Text():
			if last != "" && exceptions[last] == "" {
				return nil, fmt.Errorf("%s needs a reason", last)
			}
			last = ""
			if _, twice := exceptions[text]; twice {
				return nil, fmt.Errorf("line %d: %s is named a second time", number, text)
			}
			if meant {
				last, exceptions[text] = text, ""
			}
		case last != "":
			exceptions[last] = strings.TrimSpace(exceptions[last] + " " + text)
		case meant:
			return nil, fmt.Errorf("line %d: a reason without a test", number)
		}
	}
	if last != "" && exceptions[last] == "" {
		return nil, fmt.Errorf("%s needs a reason", last)
	}
	return exceptions, lines.Err()
}

// summarize prints what a run came to. It returns an error if a test that has to
// pass is wrong, and if nothing passed. Flaky tests are named.
func summarize(w io.Writer, in form, results []result, excused map[string]string) error {
	counts := map[outcome]int{}
	wrong := 0
	fmt.Fprintf(w, "\n")
	for _, r := range results {
		counts[r.outcome]++
		reason, known := excused[r.test.String()]
		switch {
		case r.outcome == skipped:
		case r.outcome == passed && known:
			fmt.Fprintf(w, "passes, although it is an exception: %s\n", r.test)
		case r.outcome == passed:
		case known:
			fmt.Fprintf(w, "%s, as is known: %s\n    %s\n", r.outcome, r.test, reason)
		default:
			if r.outcome != flaky {
				wrong++
			}
			fmt.Fprintf(w, "%s: %s\n    %s\n", r.outcome, r.test, r.log)
		}
	}
	fmt.Fprintf(w, "as %s: %d pass, %d fail, %d time out, %d are flaky, %d skip themselves\n", in,
		counts[passed], counts[failed], counts[slow], counts[flaky], counts[skipped])
	switch {
	case wrong > 0:
		return fmt.Errorf("%d tests fail as %s", wrong, in)
	case counts[passed] == 0:
		return errors.New("nothing passed")
	}
	return nil
}
