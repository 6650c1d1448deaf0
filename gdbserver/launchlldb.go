package gdbserver

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rspd/host"
	"rspd/ptrace"
	"rspd/rsp"
)

// launchArguments answers A. Whether the program was started is asked for by
// qLaunchSuccess, but is told at once, too.
func (s *session) launchArguments(request *rsp.LaunchArguments) (rsp.Reply, error) {
	startup := &s.server.startup
	startup.Program, startup.Arguments = request.Arguments[0], quoteAll(request.Arguments[1:])
	process, err := s.server.launch(s.gone)
	s.extended.launchFailure = err
	if err != nil {
		return nil, s.launchFailure(err)
	}
	s.selectLWP(process.FirstLWP())
	return rsp.OK{}, s.watch()
}

// launchSuccess answers qLaunchSuccess.
func (s *session) launchSuccess(rsp.Extension) (rsp.Reply, error) {
	return host.LaunchSuccess(s.extended.launchFailure), nil
}

// launchFailure words the failure of an execve(2) as LLDB's clients look for it.
func (s *session) launchFailure(err error) error {
	var failed *ptrace.LaunchError
	if s.lldb() && errors.As(err, &failed) {
		text := failed.Errno.Error()
		return refusal("execve failed: %s%s (%s)", strings.ToUpper(text[:1]), text[1:], failed.Path)
	}
	return err
}

// attachNamed answers vAttachName, vAttachWait and vAttachOrWait.
func (s *session) attachNamed(request *rsp.AttachNamed) (rsp.Reply, error) {
	present, err := host.NamedProcesses(request.Program)
	if err != nil {
		return nil, err
	}
	pid := 0
	switch {
	case request.Packets != rsp.PacketAttachWait && len(present) == 1:
		pid = present[0]
	case request.Packets != rsp.PacketAttachWait && len(present) > 1:
		return nil, refusal("%d processes execute %s: name one by its process id", len(present), request.Program)
	case request.Packets == rsp.PacketAttachName:
		return nil, refusal("no process executes %s", request.Program)
	default:
		if pid, err = s.awaitProcess(request.Program, present); err != nil {
			return nil, err
		}
	}
	return s.attachTo(pid)
}

// lookInterval is how often the processes are looked at for a new one. Nothing
// short of a privileged netlink socket tells of them.
const lookInterval = 10 * time.Millisecond

// awaitProcess waits for a process of that name that is not among the given ones.
// An interrupt, or the client's end, ends it.
func (s *session) awaitProcess(program string, known []int) (int, error) {
	s.server.options.Connections.Debug("waiting for a program", "name", program, "known", known)
	old := map[int]bool{}
	for _, pid := range known {
		old[pid] = true
	}
	for {
		now, err := host.NamedProcesses(program)
		if err != nil {
			return 0, err
		}
		for _, pid := range now {
			if !old[pid] {
				return pid, nil
			}
		}
		poll := []unix.PollFd{{Fd: int32(s.line.Fd()), Events: unix.POLLIN | unix.POLLRDHUP}}
		if n, err := unix.Poll(poll, int(lookInterval/time.Millisecond)); err != nil && err != unix.EINTR {
			return 0, err
		} else if n > 0 || s.conn.Pending() || s.server.quitting.Load() {
			return 0, refusal("the waiting for %s was ended", program)
		}
	}
}

// startTerminal notes the terminal of a program that has just been launched.
func (s *Server) startTerminal(terminal *pseudoterminal) {
	s.closeTerminal()
	s.programTerminal = terminal
}
