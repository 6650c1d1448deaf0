package rsp

import "math"

// StopReasonQuery is "?": why is the inferior stopped? The answer is a stop
// reply.
type StopReasonQuery struct{}

var theStopReasonQuery = &StopReasonQuery{}

// Packet returns PacketStopReason.
func (*StopReasonQuery) Packet() PacketName { return PacketStopReason }

// Kill is k: kill what is debugged. It has no answer.
type Kill struct{}

var theKill = &Kill{}

// Packet returns PacketKill.
func (*Kill) Packet() PacketName { return PacketKill }

// KillProcess is vKill: kill one process.
type KillProcess struct{ PID int }

// Packet returns PacketKillProcess.
func (*KillProcess) Packet() PacketName { return PacketKillProcess }

func parseKillProcess(s *scanner) Request {
	s.name = PacketKillProcess
	s.expect(';')
	r := &KillProcess{PID: s.pid()}
	s.end()
	return r
}

func (s *scanner) pid() int { return int(s.numberUpTo(math.MaxInt32)) }

// Detach is D: let one process, or what is debugged, go.
type Detach struct {
	// PID is the process, if HasPID.
	PID    int
	HasPID bool
}

// Packet returns PacketDetach.
func (*Detach) Packet() PacketName { return PacketDetach }

func parseDetach(s *scanner) Request {
	s.name = PacketDetach
	r := &Detach{}
	if s.accept(';') {
		r.HasPID = true
		r.PID = s.pid()
	}
	s.end()
	return r
}

// Restart is R: start the program again, in extended mode. It has no answer.
type Restart struct{}

var theRestart = &Restart{}

// Packet returns PacketRestart.
func (*Restart) Packet() PacketName { return PacketRestart }

func parseRestart(s *scanner) Request {
	s.name = PacketRestart
	if !s.done() {
		s.number()
	}
	s.end()
	return theRestart
}

// Attach is vAttach: attach to a running process. The answer is a stop
// reply.
type Attach struct{ PID int }

// Packet returns PacketAttach.
func (*Attach) Packet() PacketName { return PacketAttach }

func parseAttach(s *scanner) Request {
	s.name = PacketAttach
	s.expect(';')
	r := &Attach{PID: s.pid()}
	s.end()
	return r
}

// AttachedQuery is qAttached: was the process attached to, or created? The
// answer is Attached.
type AttachedQuery struct {
	// PID is the process, if HasPID.
	PID    int
	HasPID bool
}

// Packet returns PacketAttached.
func (*AttachedQuery) Packet() PacketName { return PacketAttached }

func parseAttachedQuery(s *scanner) Request {
	s.name = PacketAttached
	r := &AttachedQuery{}
	if s.accept(':') {
		r.HasPID = true
		r.PID = s.pid()
	}
	s.end()
	return r
}

// Attached is the reply to qAttached: true for a process that was attached
// to, false for one that the server created.
type Attached bool

// AppendTo appends "1" or "0".
func (a Attached) AppendTo(dst []byte) []byte {
	if a {
		return append(dst, '1')
	}
	return append(dst, '0')
}

// CatchSyscalls is QCatchSyscalls: report system calls, or stop doing so.
type CatchSyscalls struct {
	Enable bool
	// Numbers are the system calls to report; none means all.
	Numbers []int
}

// Packet returns PacketCatchSyscalls.
func (*CatchSyscalls) Packet() PacketName { return PacketCatchSyscalls }

func parseCatchSyscalls(s *scanner) Request {
	s.name = PacketCatchSyscalls
	s.expect(':')
	r := &CatchSyscalls{Enable: s.toggle()}
	for r.Enable && s.accept(';') {
		r.Numbers = append(r.Numbers, int(s.numberUpTo(math.MaxInt32)))
	}
	s.end()
	return r
}
