package gdbserver

import (
	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/threads"
)

// signalSet leaves out signals that cannot occur: those that Linux does not
// have, and second names for one, such as SIGPOLL, whose number is reported as
// SIGIO.
func signalSet(signals []rsp.Signal) threads.SignalSet {
	var set threads.SignalSet
	for _, signal := range signals {
		if number, ok := signal.Linux(); ok && rsp.SignalFromLinux(number) == signal {
			set.Add(unix.Signal(number))
		}
	}
	return set
}

func (s *session) passSignals(request *rsp.PassSignals) (rsp.Reply, error) {
	s.table.Pass = signalSet(request.Signals)
	return rsp.OK{}, nil
}

func (s *session) programSignals(request *rsp.ProgramSignals) (rsp.Reply, error) {
	s.table.Program = signalSet(request.Signals)
	return rsp.OK{}, nil
}

// linuxSignal turns a signal that the client wants delivered into the
// kernel's number.
func linuxSignal(signal rsp.Signal) (unix.Signal, error) {
	if signal == rsp.Signal0 {
		return 0, nil
	}
	number, ok := signal.Linux()
	if !ok {
		return 0, refusal("Linux has no signal %v", signal)
	}
	return unix.Signal(number), nil
}
