package test

import (
	"os/exec"
	"strconv"
)

// A server is a running server under test and, when it launched one, the
// inferior's process id.
type server struct {
	*process
	port     string
	inferior int
}

// serve starts the server with the given options before a loopback port that
// it chooses, and the given words after it.
func (s *session) serve(options []string, words ...string) *server {
	s.Helper()
	args := append(append(append([]string{}, options...), "127.0.0.1:0"), words...)
	return s.serveCmd(exec.Command(serverPath, args...))
}

// launch starts the server with a program.
func (s *session) launch(program string, args ...string) *server {
	s.Helper()
	v := s.serve(nil, append([]string{program}, args...)...)
	pid, err := strconv.Atoi(v.stderr.wait(s, `(?m)^Process .* created; pid = (\d+)$`)[1])
	if err != nil {
		s.Fatal(err)
	}
	v.inferior = pid
	return v
}

// attach starts the server attached to a process.
func (s *session) attach(pid int, options ...string) *server {
	s.Helper()
	v := s.serve(append(options, "--attach"), strconv.Itoa(pid))
	v.stderr.wait(s, `Attached; pid = `+strconv.Itoa(pid))
	v.inferior = pid
	return v
}

// serveCmd starts the server by a command that makes it listen on a port.
func (s *session) serveCmd(cmd *exec.Cmd) *server {
	s.Helper()
	v := &server{process: s.startCmd(cmd)}
	v.port = v.stderr.wait(s, `(?m)^Listening on port (\d+)$`)[1]
	return v
}

// address is what gdb's target command takes.
func (v *server) address() string { return "127.0.0.1:" + v.port }
