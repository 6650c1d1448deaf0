package main

import (
	"fmt"
	"io"

	"rspd/test/conformance/reasons"
)

// Exceptions are the tests that need not pass, each with the reason.
type Exceptions map[Test]string

// parseExceptions reads the exceptions for a board. Tests are named as in a .sum
// file.
func parseExceptions(r io.Reader, board string) (Exceptions, error) {
	return reasons.Parse(r, board, func(text string) (Test, error) {
		test, valid := parseTest(text)
		if !valid {
			return test, fmt.Errorf("%q is not a test's name, such as gdb.base/a.exp: b", text)
		}
		return test, nil
	})
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
