package platform

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"rspd/rsp"
)

type silence struct{}

func (silence) Enabled() bool        { return false }
func (silence) Debug(string, ...any) {}
func (silence) Packet(bool, []byte)  {}

func newTestSession(t *testing.T, options Options) *Session {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() {
		_ = here.Close()
		_ = there.Close()
	})
	options.Messages, options.Remote, options.Processes = &bytes.Buffer{}, silence{}, silence{}
	s, err := NewSession(here, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(true) })
	return s
}

func TestShell(t *testing.T) {
	s := newTestSession(t, Options{AllowShell: true})
	directory := t.TempDir()
	for _, test := range []struct {
		command        string
		timeout        time.Duration
		status, signal uint32
		output         string
	}{
		{"echo out; echo err >&2; pwd", time.Minute, 0, 0, "out\nerr\n" + directory + "\n"},
		{"exit 7", time.Minute, 7, 0, ""},
		{"kill -TERM $$", time.Minute, 128 + 15, 15, ""},
		{"echo begun; sleep 1000; echo over", 500 * time.Millisecond, statusTimeout, 9, "begun\nThe command was ended after 500ms.\n"},
		// What is left behind holds the outputs open, and is not waited for.
		{"sleep 5 & echo done", time.Minute, 0, 0, "done\n"},
	} {
		result, err := s.runShell(test.command, directory, test.timeout)
		if err != nil || result.Status != test.status || result.Signal != test.signal || string(result.Output) != test.output {
			t.Errorf("%s: %+v (%q), %v", test.command, result, result.Output, err)
		}
	}
	if result, err := s.runShell("true", "/no/such/directory", time.Minute); err != nil || result.Status != statusRefused ||
		!strings.Contains(string(result.Output), "no such file or directory") {
		t.Errorf("%+v (%q), %v", result, result.Output, err)
	}
	result, err := s.runShell("yes '}' | head -c 1000000", directory, time.Minute)
	if err != nil || len(result.AppendTo(nil)) > s.conn.MaxPacket() || len(result.Output) < s.conn.MaxPacket()/2-100 {
		t.Errorf("%d bytes, of which %d are output: %v", len(result.AppendTo(nil)), len(result.Output), err)
	}
}

func TestShellRefused(t *testing.T) {
	s := newTestSession(t, Options{})
	reply, err := s.shell(&rsp.Shell{Command: "echo executed"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(reply.AppendTo(nil)); got != "F,7e,0,The platform executes no shell commands: start it with --allow-shell.\n" {
		t.Error(got)
	}
}
