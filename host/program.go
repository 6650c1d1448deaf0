package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// notFound is the error for a program, named without a directory, that does not
// exist. It ends as a shell's message does, which tools look for.
type notFound string

func (n notFound) Error() string {
	return fmt.Sprintf("cannot run %s, neither here nor in the PATH: exec: %[1]s: not found", string(n))
}

// Is makes it an ENOENT as for a program that is named with its directory.
func (n notFound) Is(target error) bool { return target == unix.ENOENT }

// FindProgram finds the file of a program as gdbserver does: a name without a
// slash may be in the server's directory, or else in the PATH. The error is an
// ENOENT if there is no such file.
func FindProgram(program string) (string, error) {
	if !strings.Contains(program, "/") {
		if info, err := os.Stat(program); err != nil || info.IsDir() {
			path, err := exec.LookPath(program)
			if err != nil {
				return "", notFound(program)
			}
			return filepath.Abs(path)
		}
	}
	path, err := filepath.Abs(program)
	if err != nil {
		return "", err
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return "", &ptrace.LaunchError{Path: path, Errno: err.(unix.Errno)}
	}
	return path, nil
}
