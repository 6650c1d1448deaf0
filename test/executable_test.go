package test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
)

// writeExecutable writes a file that can be executed at once. Nobody forks while it
// is open for writing: the child would have it open, too, until it executes a
// program, and execve(2) fails with ETXTBSY as long.
func writeExecutable(t *testing.T, name string, content []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(name, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// names counts the names that copies of programs were given.
var names atomic.Int32

// ownCopy copies a program, so that its name is nobody else's.
func ownCopy(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), fmt.Sprintf("n%d-%d", os.Getpid(), names.Add(1)))
	writeExecutable(t, name, content)
	return name
}
