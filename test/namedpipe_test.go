package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// launchWithPipe has a program launched whose standard input is a named pipe that
// nobody has opened.
func launchWithPipe(s *session) (*server, *client, string) {
	s.Helper()
	pipe := filepath.Join(s.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		s.Fatal(err)
	}
	program := native(s.T, "echo.c", inferiors.PIE)
	v := s.serve([]string{"gdbserver"})
	c := s.client(v, strings.Split(lldbFeatures, ";")...)
	c.must("QSetSTDIN:" + rsp.HexText(pipe))
	c.send(fmt.Sprintf("A%d,0,%x", 2*len(program), program))
	// It waits in openat(2).
	s.eventually("the server waits for the other end", func() bool {
		calls, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", v.pid))
		for _, call := range calls {
			if text, _ := os.ReadFile(call); strings.HasPrefix(string(text), fmt.Sprint(syscall.SYS_OPENAT, " ")) {
				return true
			}
		}
		return false
	})
	return v, c, pipe
}

// TestLaunchWithNamedPipe launches a program once somebody writes to the named pipe
// that is its standard input.
func TestLaunchWithNamedPipe(t *testing.T) {
	gnuLacks(t, "it is given no files by the client")
	s := newSession(t)
	_, c, pipe := launchWithPipe(s)
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := c.within(c.conn.Receive); err != nil || reply != "OK" {
		t.Fatal(reply, err)
	}
	stop, err := rsp.ParseStop([]byte(c.ask("?")))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/0", stop.(*rsp.StopReply).Thread.PID))
	if err != nil {
		t.Fatal(err)
	}
	var position, flags int
	if _, err := fmt.Sscanf(string(info), "pos: %d\nflags: %o", &position, &flags); err != nil || flags&syscall.O_NONBLOCK != 0 {
		t.Errorf("the program's pipe does not block: %s %v", info, err)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
	c.send("k")
	c.vanish()
	s.nothingLeft()
}

// TestNamedPipeOfNobody ends the server, and lets the client go, while it waits for
// the other end of a named pipe.
func TestNamedPipeOfNobody(t *testing.T) {
	gnuLacks(t, "it is given no files by the client")
	t.Run("client", func(t *testing.T) {
		s := newSession(t)
		v, c, _ := launchWithPipe(s)
		c.vanish()
		v.wait()
	})
	t.Run("server", func(t *testing.T) {
		s := newSession(t)
		v, _, _ := launchWithPipe(s)
		v.end(t)
	})
}
