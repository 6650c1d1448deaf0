package ptrace

import (
	"os/exec"
	"testing"
	"time"
)

func TestStartOfProcess(t *testing.T) {
	before := SinceBoot()
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	after := SinceBoot()
	stat, err := ReadTaskStat(child.Process.Pid, child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// It is rounded down.
	if stat.Start <= before-10*time.Millisecond || stat.Start > after {
		t.Errorf("a process made between %v and %v started at %v", before, after, stat.Start)
	}
}
