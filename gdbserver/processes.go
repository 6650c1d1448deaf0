package gdbserver

import (
	"slices"

	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/threads"
)

// kill answers k, which has no reply: every process is killed, and unless the
// server is to stay for more the session is over.
func (s *session) kill(*rsp.Kill) (rsp.Reply, error) {
	if s.lldb() && s.table.NonStop() {
		return s.killLLDB()
	}
	return nil, s.killAll()
}

func (s *session) killAll() error {
	if len(s.table.Processes()) > 0 {
		s.server.printf("Killing all inferiors\n")
	}
	// Also those that come to be known meanwhile, and that have ended untold.
	defer s.table.ForgetEnds()
	for processes := s.table.Processes(); len(processes) > 0; processes = s.table.Processes() {
		process := processes[0]
		if err := s.table.Kill(process); err != nil {
			return err
		}
		s.ended(process.PID)
		if s.lldb() {
			// It waits for the end of each process.
			if err := s.conn.Send(s.killed(process.PID)); err != nil {
				return connectionError{err}
			}
		}
	}
	if s.server.extended {
		return nil
	}
	return errFinished
}

func (s *session) killed(pid int) rsp.Reply {
	return rsp.Signaled{Signal: s.signal(unix.SIGKILL), PID: pid, HasProcess: s.client.multiprocess}
}

func (s *session) killProcess(request *rsp.KillProcess) (rsp.Reply, error) {
	process := s.table.Process(request.PID)
	if process == nil && s.table.ForgetEnd(request.PID) {
		s.ended(request.PID)
		return rsp.OK{}, nil
	}
	if process == nil {
		return nil, refusal("process %d is not being debugged", request.PID)
	}
	if err := s.table.Kill(process); err != nil {
		return nil, err
	}
	s.ended(request.PID)
	return rsp.OK{}, nil
}

// detach answers D and D;pid. A client of LLDB's kind means all processes by D,
// and ends the session itself.
func (s *session) detach(request *rsp.Detach) (rsp.Reply, error) {
	if s.lldb() && !request.HasPID {
		return s.detachAll()
	}
	process, err := s.process()
	if request.HasPID {
		process = s.table.Process(request.PID)
		if process == nil && s.table.ForgetEnd(request.PID) {
			s.ended(request.PID)
			return s.left()
		}
		if process == nil {
			return nil, refusal("process %d is not being debugged", request.PID)
		}
	} else if err != nil {
		return nil, err
	}
	s.server.printf("Detaching from process %d\n", process.PID)
	launched, pid := !process.Attached, process.PID
	if !s.lldb() && process.Persists() {
		if err := s.table.Leave(process); err != nil {
			return nil, err
		}
		s.server.printf("Process %d stays with rspd for its breakpoints with persistent commands\n", pid)
	} else if err := s.table.Detach(process); err != nil {
		return nil, err
	}
	s.ended(pid)
	if !s.lldb() && !s.server.extended && s.server.over() && launched {
		s.server.lingering = pid
	}
	return s.left()
}

// left answers that a process was let go, and ends the session where it was the
// last one, unless the client does that itself.
func (s *session) left() (rsp.Reply, error) {
	if !s.lldb() && !s.server.extended && s.server.over() {
		s.afterReply = func() error { return errFinished }
	}
	return rsp.OK{}, nil
}

func (s *session) detachAll() (rsp.Reply, error) {
	if len(s.table.Processes()) == 0 {
		return nil, errNoProcess
	}
	for _, process := range slices.Clone(s.table.Processes()) {
		s.server.printf("Detaching from process %d\n", process.PID)
		if err := s.table.Detach(process); err != nil {
			return nil, err
		}
		s.ended(process.PID)
	}
	return rsp.OK{}, nil
}

// restart answers R, which has no reply and is for extended mode only.
func (s *session) restart(*rsp.Restart) (rsp.Reply, error) {
	if !s.server.extended {
		return rsp.Empty{}, nil
	}
	if err := s.killAll(); err != nil {
		return nil, err
	}
	s.server.printf("GDBserver restarting\n")
	if s.server.startup.Program == "" {
		return nil, nil
	}
	process, err := s.server.launch(s.gone)
	if err != nil {
		s.server.printf("%v\n", err)
		return nil, nil
	}
	s.selectLWP(process.FirstLWP())
	return nil, nil
}

// run answers vRun: start a program, or the last one again.
func (s *session) run(request *rsp.Run) (rsp.Reply, error) {
	startup := &s.server.startup
	if request.Filename != "" {
		startup.Program = request.Filename
	} else if startup.Program == "" {
		return nil, refusal("no program was named to run: use 'set remote exec-file'")
	}
	if s.client.singleArgument {
		// All of them in one piece, for a shell to take apart.
		startup.Arguments = request.Arguments
	} else {
		startup.Arguments = quoteAll(request.Arguments)
	}
	process, err := s.server.launch(s.gone)
	s.extended.launchFailure = err
	if err != nil {
		return nil, s.launchFailure(err)
	}
	if err := s.watch(); err != nil {
		return nil, err
	}
	return s.begin(process)
}

func (s *session) attach(request *rsp.Attach) (rsp.Reply, error) { return s.attachTo(request.PID) }

func (s *session) attachTo(pid int) (rsp.Reply, error) {
	process, err := s.server.attach(pid)
	if err != nil {
		return nil, err
	}
	if s.table.NonStop() && !s.lldb() {
		// It goes on running until the client stops it.
		return rsp.OK{}, nil
	}
	if s.table.NonStop() {
		if err := s.table.StopProcess(process); err != nil {
			return nil, err
		}
	}
	return s.begin(process)
}

// begin is the stop reply for a process that has just come under debugging.
func (s *session) begin(process *threads.Process) (rsp.Reply, error) {
	lwp := process.FirstLWP()
	if lwp == nil {
		return nil, refusal("process %d ended at once", process.PID)
	}
	s.selectLWP(lwp)
	if stop := lwp.Reported(); stop.Kind == threads.Signalled {
		return s.stopReplyFor(stop), nil
	}
	return s.stopReplyFor(threads.Stop{PID: process.PID, LWP: lwp}), nil
}
