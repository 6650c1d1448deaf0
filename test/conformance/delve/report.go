package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"rspd/test/conformance/reasons"
)

// readExceptions reads the tests that need not pass in a form.
func readExceptions(path string, in form) (map[test]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	exceptions, err := reasons.Parse(file, string(in), parseTest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return exceptions, nil
}

// summarize prints what a run came to. It returns an error if a test that has to
// pass is wrong, and if nothing passed. Flaky tests are named.
func summarize(w io.Writer, in form, results []result, excused map[test]string) error {
	counts := map[outcome]int{}
	wrong := 0
	fmt.Fprintf(w, "\n")
	for _, r := range results {
		counts[r.outcome]++
		reason, known := excused[r.test]
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
