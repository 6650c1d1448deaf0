// Package test drives the server from outside: with a real gdb, over raw packet
// sessions, and by its command line. RSPD_SERVER names another server binary,
// for example GNU gdbserver, to which the same tests are then put.
package test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rspd/test/inferiors"
)

var (
	serverPath string
	serverGNU  bool
	builder    inferiors.Builder
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "rspd-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		builder.Dir = filepath.Join(dir, "inferiors")
		if serverPath, err = findServer(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		version, err := exec.Command(serverPath, "--version").Output()
		if err != nil {
			fmt.Fprintln(os.Stderr, serverPath, "--version:", err)
			return 1
		}
		serverGNU = strings.HasPrefix(string(version), "GNU gdbserver")
		return m.Run()
	}())
}

// findServer returns the path of the server under test, built into dir unless
// RSPD_SERVER names one.
func findServer(dir string) (string, error) {
	if given := os.Getenv("RSPD_SERVER"); given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("RSPD_SERVER: %w", err)
		}
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "rspd")
	output, err := exec.Command("go", "build", "-o", path, "rspd/cmd/rspd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build rspd: %w\n%s", err, output)
	}
	return path, nil
}

// gnuLacks skips a test when the server under test is GNU gdbserver, which for
// the given reason does not pass it.
func gnuLacks(t *testing.T, reason string) {
	t.Helper()
	if serverGNU {
		t.Skip("GNU gdbserver: " + reason)
	}
}

// missing ends a test that needs a tool that is not installed: it is skipped,
// but in continuous integration, which installs everything, it fails.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// need returns the path of a tool.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		missing(t, err)
	}
	return path
}

// bits32 has the C programs be programs of 32 bits; see TestWith32Bits.
var bits32 = os.Getenv("RSPD_TEST_BITS") == "32"

// notAgain skips a test when all tests run again with programs of 32 bits, for
// the given reason.
func notAgain(t *testing.T, reason string) {
	t.Helper()
	if bits32 {
		t.Skip("with 32 bits: " + reason)
	}
}

// programCounter is the number of that register in the target description.
func programCounter() int {
	if bits32 {
		return 8
	}
	return 16
}

// i386Numbers are the numbers that 32-bit programs have for system calls, by
// those for 64-bit ones (asm/unistd_32.h).
var i386Numbers = map[int]int{
	syscall.SYS_READ: 3, syscall.SYS_CLOSE: 6, syscall.SYS_EXECVE: 11, syscall.SYS_UMASK: 60, syscall.SYS_CLONE: 120,
	syscall.SYS_NANOSLEEP: 162, syscall.SYS_VFORK: 190, syscall.SYS_EXIT_GROUP: 252,
}

// number is the number of a system call for the programs of the tests.
func number(t *testing.T, call int) int {
	t.Helper()
	if !bits32 {
		return call
	}
	its, known := i386Numbers[call]
	if !known {
		t.Fatalf("the number of system call %d for 32-bit programs is not in the table", call)
	}
	return its
}

// native builds a C, C++ or assembly inferior.
func native(t *testing.T, source string, link inferiors.Link) string {
	t.Helper()
	if bits32 && filepath.Ext(source) == ".c" {
		link = link.Of32Bits()
	}
	return built(t)(builder.Native(source, link))
}

// golang builds a Go inferior.
func golang(t *testing.T, name string, link inferiors.Link) string {
	t.Helper()
	return built(t)(builder.Go(name, link))
}

func built(t *testing.T) func(string, error) string {
	return func(path string, err error) string {
		t.Helper()
		var absent *inferiors.Missing
		if errors.As(err, &absent) {
			missing(t, err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// at returns the place FILE:LINE of the first line of source that holds text.
func at(t *testing.T, source, text string) string {
	t.Helper()
	line, err := inferiors.LineOf(source, text)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s:%d", source, line)
}
