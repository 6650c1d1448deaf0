package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// complaint is an error that is a whole line for stderr, worded and
// punctuated as gdbserver's where tools look for gdbserver's.
type complaint string

func (c complaint) Error() string { return string(c) }

func complaintf(format string, args ...any) error {
	return complaint(fmt.Sprintf(format, args...))
}

// errnoText is the cause of a system call's failure as strerror(3) writes
// it, which is what tools that know gdbserver look for.
func errnoText(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// causedComplaint is a complaint whose cause callers may ask for.
type causedComplaint struct {
	complaint
	cause error
}

func (c causedComplaint) Unwrap() error { return c.cause }
