package gdbserver

import (
	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/threads"
)

// signalSet leaves out signals that cannot occur: those that Linux does not
// have, and second names for one, such as SIGPOLL, whose number is reported as
// SIGIO.
func (s *session) signalSet(signals []rsp.Signal) threads.SignalSet {
	var set threads.SignalSet
	for _, signal := range signals {
		if number, err := s.linuxSignal(signal); err == nil && s.signal(number) == signal {
			set.Add(number)
		}
	}
	return set
}

func (s *session) passSignals(request *rsp.PassSignals) (rsp.Reply, error) {
	s.table.Pass = s.signalSet(request.Signals)
	return rsp.OK{}, nil
}

func (s *session) programSignals(request *rsp.ProgramSignals) (rsp.Reply, error) {
	s.table.Program = s.signalSet(request.Signals)
	return rsp.OK{}, nil
}

// linuxSignal turns a signal that the client wants delivered into the
// kernel's number.
func (s *session) linuxSignal(signal rsp.Signal) (unix.Signal, error) {
	if s.lldb() {
		if signal > 64 {
			return 0, refusal("Linux has no signal %d", int(signal))
		}
		return unix.Signal(signal), nil
	}
	if signal == rsp.Signal0 {
		return 0, nil
	}
	number, ok := signal.Linux()
	if !ok {
		return 0, refusal("Linux has no signal %v", signal)
	}
	return unix.Signal(number), nil
}
