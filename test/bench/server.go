package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A session is one server with one program and the connection to it.
type session struct {
	*wire
	command  *exec.Cmd
	features string
	thread   string
	pc       uint64
}

var listening = regexp.MustCompile(`^Listening on port (\d+)`)

// begin starts a server on a program, connects, turns acknowledgements off and
// asks for the first stop reply.
func begin(server, program string, args ...string) (*session, error) {
	return beginWith(server, nil, program, args...)
}

// beginWith is begin with options of the server.
func beginWith(server string, options []string, program string, args ...string) (*session, error) {
	line := append(append(slices.Clone(options), "--once", "127.0.0.1:0", program), args...)
	s := &session{command: exec.Command(server, line...)}
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	if err := s.connect(stderr); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (s *session) connect(stderr io.Reader) error {
	lines := bufio.NewReader(stderr)
	var said strings.Builder
	port := 0
	for port == 0 {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if match := listening.FindStringSubmatch(line); match != nil {
			if port, err = strconv.Atoi(match[1]); err != nil {
				return err
			}
		} else if err != nil {
			return fmt.Errorf("the server does not listen: %s", said.String())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	var err error
	if s.wire, err = dial(port); err != nil {
		return err
	}
	if s.features, err = s.must("qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;no-resumed+", "PacketSize="); err != nil {
		return err
	}
	if err := s.acknowledge(); err != nil {
		return err
	}
	if _, err = s.must("QStartNoAckMode", "OK"); err != nil {
		return err
	}
	if err := s.acknowledge(); err != nil {
		return err
	}
	first, err := s.must("?", "T05")
	if err != nil {
		return err
	}
	if s.thread, err = stopThread(first); err != nil {
		return err
	}
	if s.pc, err = stopPC(first); err != nil {
		return err
	}
	_, err = s.must("Hg"+s.thread, "OK")
	return err
}

// end kills the program and the server, whichever of them is left.
func (s *session) end() {
	if s.wire != nil {
		pid, _, _ := strings.Cut(strings.TrimPrefix(s.thread, "p"), ".")
		if pid != "" {
			_, _ = s.ask("vKill;" + pid)
		}
		_ = s.close()
	}
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

// peakMemory returns the server's highest resident size in KiB.
func (s *session) peakMemory() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			return strconv.ParseFloat(strings.Fields(value)[0], 64)
		}
	}
	return 0, fmt.Errorf("no VmHWM of the server")
}
