package platform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

const (
	shellPath = "/bin/sh"
	// shellTimeout is how long a command may take for which the client names no
	// time, as with lldb-server.
	shellTimeout = 10 * time.Second
	// shellDelay is how long its outputs are read once the shell has ended, for
	// what it may have left behind holds them open.
	shellDelay = time.Second

	// The exit statuses of a shell that may not execute a command (POSIX, "Exit
	// Status for Commands"), and of timeout(1).
	statusRefused = 126
	statusTimeout = 124
)

// shell answers qPlatform_shell. lldb shows its user the output and the status
// and takes no other answer, so a refusal is told as a shell would.
func (s *Session) shell(request *rsp.Shell) (rsp.Reply, error) {
	if !s.options.AllowShell {
		return &rsp.ShellResult{Status: statusRefused,
			Output: []byte("The platform executes no shell commands: start it with --allow-shell.\n")}, nil
	}
	timeout := shellTimeout
	if request.Timeout != 0 {
		timeout = time.Duration(request.Timeout) * time.Second
	}
	s.options.Processes.Debug("shell command", "command", request.Command, "directory", request.Directory)
	return s.runShell(request.Command, request.Directory, timeout)
}

// lookInterval is how often it is looked whether the client still waits.
const lookInterval = 50 * time.Millisecond

// cancelWhenGone ends a command that nobody waits for any more.
func (s *Session) cancelWhenGone(ctx context.Context, cancel func()) {
	for s.options.Gone != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookInterval):
		}
		if s.options.Gone() {
			cancel()
		}
	}
}

func (s *Session) runShell(text, directory string, timeout time.Duration) (*rsp.ShellResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	go s.cancelWhenGone(ctx, cancel)
	command := exec.CommandContext(ctx, shellPath, "-c", text)
	command.Dir = directory
	command.WaitDelay = shellDelay
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return unix.Kill(-command.Process.Pid, unix.SIGKILL) }
	output := limitedBuffer{limit: s.conn.MaxPacket()}
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	result := &rsp.ShellResult{}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		result.Status, result.Signal = statusTimeout, uint32(unix.SIGKILL)
		output.add(fmt.Sprintf("The command was ended after %v.\n", timeout))
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			const bySignal = 128 // as shells tell of it
			result.Signal = uint32(status.Signal())
			result.Status = bySignal + result.Signal
		} else {
			result.Status = uint32(status.ExitStatus())
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		result.Status = statusRefused
		output.add(err.Error() + "\n")
	}
	const header = len("F,ffffffff,ffffffff,")
	result.Output = output.text[:rsp.EscapedPrefix(output.text, s.conn.MaxPacket()-header)]
	return result, nil
}

// limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct {
	text  []byte
	limit int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), b.limit-len(b.text))]...)
	return len(p), nil
}

// add puts a line at the end, for which it makes room.
func (b *limitedBuffer) add(line string) {
	b.text = append(b.text[:min(len(b.text), b.limit-len(line))], line...)
}
