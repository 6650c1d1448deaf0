package gdbserver

import (
	"errors"

	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// stopNotification is the name of the only notification that gdb knows (manual,
// "Notification Packets").
const stopNotification = "Stop"

// nonStop answers QNonStop.
func (s *session) nonStop(request *rsp.NonStop) (rsp.Reply, error) {
	if err := s.chooseMode(request.Enable); err != nil {
		return nil, err
	}
	s.extended.stops, s.extended.outputs = notifications{name: stopNotification}, notifications{name: outputNotification}
	return rsp.OK{}, nil
}

func (s *session) chooseMode(nonStop bool) error {
	s.modeChosen = true
	return s.table.SetNonStop(nonStop)
}

// concernsMode has the packets that mean one thing in all-stop and another in
// non-stop: a client that has not sent QNonStop by then is one of all-stop.
var concernsMode = func() (concerns [rsp.PacketCount]bool) {
	for _, packet := range []rsp.PacketName{rsp.PacketStopReason, rsp.PacketVCont, rsp.PacketContinue, rsp.PacketContinueSignal,
		rsp.PacketStep, rsp.PacketStepSignal, rsp.PacketAttach, rsp.PacketRun, rsp.PacketDetach} {
		concerns[packet] = true
	}
	return concerns
}()

// Unattended lets the program run on that a client in non-stop has left
// running, or any client behind with persistent breakpoints, until the
// descriptor, where clients come from, is readable: -1 stops the program that
// non-stop left instead. Signals reach it as if it were not traced. What stops a
// thread otherwise the next client will learn. Finished is the answer when no
// process is left that a client could come for.
func (s *Server) Unattended(descriptor int) (Ending, error) {
	if !s.table.NonStop() {
		left := s.table.LeftBehind()
		if err := s.attend(descriptor); err != nil || !left || s.extended || !s.over() {
			return Disconnected, err
		}
		return Finished, nil
	}
	if descriptor < 0 {
		return Disconnected, s.table.SetNonStop(false)
	}
	if err := s.tracer.WatchInput(descriptor); err != nil {
		return Disconnected, err
	}
	defer func() { _ = s.tracer.WatchInput(-1) }()
	s.table.Pass, s.table.Events = threads.AllSignals, threads.Events{}
	defer func() { s.table.Pass = 0 }()
	for !s.quitting.Load() {
		stop, found, err := s.table.Acknowledge()
		if err == nil && !found {
			stop, err = s.table.Wait()
		}
		switch {
		case errors.Is(err, ptrace.ErrInput):
			if wouldRead(descriptor) {
				return Disconnected, nil
			}
		case errors.Is(err, threads.ErrIdle), errors.Is(err, ptrace.ErrNoTracees):
			return Disconnected, nil
		case err != nil:
			return Disconnected, err
		case stop.Ended():
			s.ended(stop)
			if !s.extended && s.over() {
				return Finished, nil
			}
		}
	}
	return Finished, nil
}

// attend lets what no client sees go on until one comes: what was let go, and
// what was left behind.
func (s *Server) attend(descriptor int) error {
	if descriptor < 0 || !s.table.Background() {
		return nil
	}
	if err := s.tracer.WatchInput(descriptor); err != nil {
		return err
	}
	defer func() { _ = s.tracer.WatchInput(-1) }()
	for !s.quitting.Load() && !wouldRead(descriptor) && s.table.Background() {
		if err := s.table.Attend(); err != nil && !errors.Is(err, ptrace.ErrInput) {
			return err
		}
	}
	return nil
}

// receive waits for the client's next input. In non-stop the program runs
// meanwhile, and the client is told when there is something to tell. One
// notification is outstanding at most: the table keeps the rest. In all-stop
// only what the client has let go can be running.
func (s *session) receive() (rsp.Input, error) {
	for readable := false; s.table.NonStop() && s.modeChosen; {
		input, whole, err := s.conn.ReceiveReady(readable)
		if whole || err != nil {
			return input, err
		}
		readable = false
		stop, err := s.table.Wait()
		switch {
		case errors.Is(err, ptrace.ErrInput):
			if s.server.quitting.Load() {
				return rsp.Input{}, errFinished
			}
			if err := s.forwardOutput(); err != nil {
				return rsp.Input{}, err
			}
			readable = s.inputReady()
		case errors.Is(err, threads.ErrIdle), errors.Is(err, ptrace.ErrNoTracees):
			return s.conn.Receive()
		case err != nil:
			return rsp.Input{}, err
		default:
			if err := s.notify(stop); err != nil {
				return rsp.Input{}, err
			}
		}
	}
	return s.receiveInBackground()
}

// receiveInBackground waits for the client's next input in all-stop. What the
// program has written to its terminal stays there until the program runs: only
// then the client takes it.
func (s *session) receiveInBackground() (input rsp.Input, err error) {
	if s.server.programTerminal != nil && s.table.Background() {
		if err := s.server.tracer.WatchInput(s.line.Fd()); err != nil {
			return rsp.Input{}, err
		}
		defer func() {
			if watching := s.watch(); err == nil {
				err = watching
			}
		}()
	}
	for readable := false; !s.table.NonStop() && s.table.Background(); {
		input, whole, err := s.conn.ReceiveReady(readable)
		if whole || err != nil {
			return input, err
		}
		readable = false
		if err := s.table.Attend(); errors.Is(err, ptrace.ErrInput) {
			if s.server.quitting.Load() {
				return rsp.Input{}, errFinished
			}
			readable = s.inputReady()
		} else if err != nil {
			return rsp.Input{}, err
		}
	}
	return s.conn.Receive()
}

// notify sends a stop as a notification. A client that cannot be told that no
// thread is left running is not told.
func (s *session) notify(stop threads.Stop) error {
	if s.lldb() {
		return s.notifyLLDB(stop)
	}
	for {
		reply := s.stopped(stop)
		if stop.Kind != threads.NoResumed || s.client.noResumed {
			return s.conn.SendNotification(stopNotification, reply)
		}
		next, found, err := s.table.Acknowledge()
		if !found || err != nil {
			return err
		}
		stop = next
	}
}

// acknowledged answers vStopped: the next stop, or OK when there is none.
func (s *session) acknowledged(*rsp.StopAcknowledgment) (rsp.Reply, error) {
	if s.lldb() {
		return s.extended.stops.acknowledge()
	}
	if !s.table.NonStop() {
		return rsp.OK{}, nil
	}
	if s.firstReason {
		s.firstReason = false
		s.table.TakenIn()
		return rsp.OK{}, nil
	}
	stop, found, err := s.table.Acknowledge()
	if err != nil {
		return nil, err
	}
	if !found {
		return rsp.OK{}, nil
	}
	return s.stopped(stop), nil
}

// stopReasons answers "?" in non-stop: the first of the threads that are
// stopped. The manual has the others follow in answer to vStopped; but gdb 13 to
// 16 fail an assertion when there are any (remote.c, remote_target::wait and
// queued_stop_reply, before it is in async mode), so that they follow in
// notifications, which they take at any time.
func (s *session) stopReasons() (rsp.Reply, error) {
	if s.lldb() {
		return s.stopReasonsLLDB()
	}
	s.firstReason = false
	s.table.ReportAgain()
	reply, err := s.acknowledged(nil)
	_, s.firstReason = reply.(*rsp.StopReply)
	return reply, err
}
