package ptrace

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrGone says that the tracee does not exist any more or is no longer in a
// ptrace stop (ESRCH in ptrace(2)). The wait stream tells the rest.
var ErrGone = errors.New("the thread is gone or no longer stopped")

// Error is a call of the kernel that failed for one tracee.
type Error struct {
	// Operation names what was tried, in words that the thread completes:
	// "read the registers of".
	Operation string
	// TID is the kernel's id of the thread it was tried on.
	TID int
	// Errno is the kernel's answer.
	Errno unix.Errno
}

func (e *Error) Error() string {
	return fmt.Sprintf("cannot %s thread %d: %v", e.Operation, e.TID, e.Errno)
}

// Unwrap gives the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Is makes errors.Is(err, ErrGone) true for ESRCH.
func (e *Error) Is(target error) bool { return target == ErrGone && e.Errno == unix.ESRCH }

func failure(operation string, tid int, errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return &Error{operation, tid, errno}
}
