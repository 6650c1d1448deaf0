package gdbserver

import (
	"slices"

	"rspd/rsp"
	"rspd/threads"
)

// LLDB's non-stop is that of its own server (LLVM,
// GDBRemoteCommunicationServerLLGS.cpp): a process runs or is stopped as a whole,
// each by itself. When one stops, the notification is of the thread that stopped
// it, and the answers to vStopped are those of its other threads, which have no
// reason; what they stopped for themselves is told when they are resumed. What
// programs write comes in notifications as well.

// outputNotification is the name of the notification of output.
const outputNotification = "Stdio"

// notifications are what the client has not acknowledged yet, of one kind. The
// first one was sent when it came; the others are answers to acknowledgments.
type notifications struct {
	name  string
	queue []rsp.Reply
}

// add takes in what is to be told, and sends it if nothing else is outstanding.
func (n *notifications) add(conn *rsp.Conn, reply rsp.Reply) error {
	// A reply may be made of room that is used again.
	n.queue = append(n.queue, rsp.Raw(reply.AppendTo(nil)))
	if len(n.queue) > 1 {
		return nil
	}
	if err := conn.SendNotification(n.name, n.queue[0]); err != nil {
		return connectionError{err}
	}
	return nil
}

// acknowledge answers that the client has taken in the first one.
func (n *notifications) acknowledge() (rsp.Reply, error) {
	if len(n.queue) == 0 {
		return nil, coded(codeUnknownProcess, "there is no notification to acknowledge")
	}
	n.queue = n.queue[1:]
	if len(n.queue) > 0 {
		return n.queue[0], nil
	}
	return rsp.OK{}, nil
}

// outputAcknowledged answers vStdio.
func (s *session) outputAcknowledged(*rsp.OutputAcknowledgment) (rsp.Reply, error) {
	return s.extended.outputs.acknowledge()
}

// sendOutput sends what a program has written.
func (s *session) sendOutput(output rsp.ConsoleOutput) error {
	if s.table.NonStop() {
		return s.extended.outputs.add(s.conn, output)
	}
	return s.conn.Send(output)
}

// notifyLLDB reports a stop, and all that are known by then. That no thread is
// left running is not told.
func (s *session) notifyLLDB(stop threads.Stop) error {
	if err := s.forwardOutput(); err != nil {
		return err
	}
	for found := true; found; {
		if stop.LWP != nil {
			if err := s.table.StopProcess(stop.LWP.Process); err != nil {
				return err
			}
		}
		if stop.Kind != threads.NoResumed {
			if err := s.extended.stops.add(s.conn, s.stopped(stop)); err != nil {
				return err
			}
		}
		if err := s.addOthers(stop.LWP); err != nil {
			return err
		}
		var err error
		if stop, found, err = s.table.Acknowledge(); err != nil {
			return err
		}
	}
	return nil
}

// addOthers adds the threads that have stopped because another one did.
func (s *session) addOthers(stopped *threads.LWP) error {
	if stopped == nil {
		return nil
	}
	for _, lwp := range stopped.Process.LWPs() {
		if lwp == stopped || lwp.Ending() || lwp.Unreported() {
			continue
		}
		if err := s.extended.stops.add(s.conn, s.noStopOf(lwp)); err != nil {
			return err
		}
	}
	return nil
}

// stopReasonsLLDB answers "?": it begins to report the selected process's threads
// again, unless that runs. Ends that were not acknowledged stay to be.
func (s *session) stopReasonsLLDB() (rsp.Reply, error) {
	stops := &s.extended.stops
	stops.queue = slices.DeleteFunc(stops.queue, func(reply rsp.Reply) bool {
		text := reply.AppendTo(nil)
		return text[0] != 'W' && text[0] != 'X'
	})
	if process, err := s.process(); err == nil && !process.Resumed() {
		lwp := s.table.Last()
		if lwp == nil || lwp.Process != process || lwp.Ending() {
			lwp = process.FirstLWP()
		}
		if lwp != nil {
			stop := lwp.Reported()
			stop.LWP, stop.PID = lwp, process.PID
			// The answer is the first of them, so that none is sent by itself.
			sent := len(stops.queue) == 0
			if sent {
				stops.queue = append(stops.queue, rsp.OK{})
			}
			if err := s.addStops(stop); err != nil {
				return nil, err
			}
			if sent {
				stops.queue = stops.queue[1:]
			}
		}
	}
	if len(stops.queue) == 0 {
		return rsp.OK{}, nil
	}
	return stops.queue[0], nil
}

func (s *session) addStops(stop threads.Stop) error {
	if err := s.extended.stops.add(s.conn, s.stopReplyFor(stop)); err != nil {
		return err
	}
	return s.addOthers(stop.LWP)
}

// steerLLDB does what s.actions say. A process that runs cannot be resumed, nor
// one of its threads, but stopped.
func (s *session) steerLLDB() (rsp.Reply, error) {
	halts := false
	for _, process := range s.table.Processes() {
		if process.Unreported() || !process.Resumed() {
			continue
		}
		for _, lwp := range process.LWPs() {
			switch s.chooseAction(lwp).Kind {
			case threads.Stay:
			case threads.Halt:
				halts = true
			default:
				return nil, coded(codeRunning, "process %d is running", process.PID)
			}
		}
	}
	if !halts {
		return s.resume()
	}
	for _, process := range s.table.Processes() {
		if lwp := process.FirstLWP(); lwp != nil && s.chooseAction(lwp).Kind == threads.Halt {
			if err := s.halt(process); err != nil {
				return nil, err
			}
		}
	}
	return rsp.OK{}, nil
}

// halt has a process stop, which is reported of one of its threads.
func (s *session) halt(process *threads.Process) error {
	chosen := false
	return s.table.Resume(func(lwp *threads.LWP) threads.Action {
		if chosen || lwp.Process != process || !lwp.Resumed() {
			return threads.Action{}
		}
		chosen = true
		return threads.Action{Kind: threads.Halt}
	})
}

// killLLDB answers k: each end is told in a notification.
func (s *session) killLLDB() (rsp.Reply, error) {
	var killed []int
	for _, process := range slices.Clone(s.table.Processes()) {
		if err := s.table.Kill(process); err != nil {
			return nil, err
		}
		s.ended(process.PID)
		killed = append(killed, process.PID)
	}
	s.afterReply = func() error {
		for _, pid := range killed {
			if err := s.extended.stops.add(s.conn, s.killed(pid)); err != nil {
				return err
			}
		}
		return nil
	}
	return rsp.OK{}, nil
}
