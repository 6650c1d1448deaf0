package gdbserver

import (
	"os"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/rsp"
)

// setStandardFile answers QSetSTDIN, QSetSTDOUT and QSetSTDERR.
func (s *session) setStandardFile(request *rsp.SetStandardFile) (rsp.Reply, error) {
	s.server.startup.files.Set(request)
	return rsp.OK{}, nil
}

// openFiles gives a program its descriptors. The function that it returns closes
// what was opened for it, once it has been launched. The terminal is nil unless
// one was made. Gone is that of host.OpenWaiting.
func (u *Startup) openFiles(program *ptrace.Program, gone func() bool) (terminal *pseudoterminal, done func(), err error) {
	var opened []*os.File
	closeAll := func() {
		for _, file := range opened {
			_ = file.Close()
		}
	}
	targets := [3]**os.File{&program.Input, &program.Output, &program.Errors}
	if u.OwnTerminal && (u.files[0] == "" || u.files[1] == "" || u.files[2] == "") {
		var file *os.File
		if terminal, file, err = openPseudoterminal(); err != nil {
			return nil, nil, err
		}
		opened = append(opened, file)
		for _, target := range targets {
			*target = file
		}
	}
	named, err := u.files.Open(targets, gone)
	if err != nil {
		closeAll()
		if terminal != nil {
			terminal.close()
		}
		return nil, nil, err
	}
	opened = append(opened, named...)
	return terminal, closeAll, nil
}

// watch has input of the client, and output of the program where it goes to the
// client, end the waiting for the program.
func (s *session) watch() error {
	s.unwatch()
	terminal := s.server.programTerminal
	if terminal == nil {
		return s.server.tracer.WatchInput(s.line.Fd())
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	for _, descriptor := range []int{s.line.Fd(), terminal.descriptor} {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(descriptor)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, descriptor, &event); err != nil {
			unix.Close(epoll)
			return err
		}
	}
	s.epoll = epoll
	return s.server.tracer.WatchInput(epoll)
}

func (s *session) unwatch() {
	// The descriptor may be closed already.
	_ = s.server.tracer.WatchInput(-1)
	if s.epoll > 0 {
		unix.Close(s.epoll)
		s.epoll = 0
	}
}

// forwardOutput sends what the program has written to its terminal.
func (s *session) forwardOutput() error {
	terminal := s.server.programTerminal
	if terminal == nil {
		return nil
	}
	var buffer [4096]byte
	for {
		text := terminal.read(buffer[:])
		if len(text) == 0 {
			break
		}
		if err := s.sendOutput(rsp.ConsoleOutput(text)); err != nil {
			return connectionError{err}
		}
	}
	poll := []unix.PollFd{{Fd: int32(terminal.descriptor), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, 0); err == nil && n > 0 && poll[0].Revents&unix.POLLHUP != 0 {
		// Nobody has the other end: there is nothing more to come, and the
		// hang-up would be seen for ever.
		s.server.closeTerminal()
		return s.watch()
	}
	return nil
}

func (s *Server) closeTerminal() {
	if s.programTerminal != nil {
		s.programTerminal.close()
		s.programTerminal = nil
	}
}

// standardInput answers I.
func (s *session) standardInput(request *rsp.StandardInput) (rsp.Reply, error) {
	terminal := s.server.programTerminal
	if terminal == nil {
		return nil, refusal("the program has no terminal of the client's")
	}
	if err := terminal.write(request.Data); err != nil {
		return nil, err
	}
	return rsp.OK{}, nil
}
