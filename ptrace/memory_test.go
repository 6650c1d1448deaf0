package ptrace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMemoryOfReplacedProgram: memory that nobody uses any more, since its process
// has executed another program, is not that program's.
func TestMemoryOfReplacedProgram(t *testing.T) {
	shell := exec.Command("sh", "-c", "echo; read line; exec cat")
	input, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = shell.Process.Kill()
		_ = shell.Wait()
	}()
	answer := make([]byte, 1)
	if _, err := io.ReadFull(output, answer); err != nil {
		t.Fatal(err)
	}
	memory, err := OpenMemory(shell.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if _, err := memory.Read(stack(t, shell.Process.Pid), answer); err != nil {
		t.Fatal(err)
	}
	// cat repeats the second line.
	if _, err := io.WriteString(input, "\n\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(output, answer); err != nil {
		t.Fatal(err)
	}
	var missing *MemoryError
	if n, err := memory.Read(stack(t, shell.Process.Pid), answer); !errors.As(err, &missing) {
		t.Errorf("%d bytes are read, %v", n, err)
	}
}

// stack is an address in the stack of a process.
func stack(t *testing.T, pid int) (address uint64) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[stack]\n") {
			_, end, _ := strings.Cut(line, "-")
			if _, err := fmt.Sscanf(end, "%x", &address); err != nil {
				t.Fatal(err)
			}
			return address - 8
		}
	}
	t.Fatalf("process %d has no stack", pid)
	return 0
}
