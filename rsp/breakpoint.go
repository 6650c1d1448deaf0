package rsp

import (
	"math"
	"slices"
)

// A BreakpointType is the kind of thing that Z inserts and z removes.
type BreakpointType uint8

// The breakpoint types, with their numbers on the wire.
const (
	SoftwareBreakpoint BreakpointType = 0
	HardwareBreakpoint BreakpointType = 1
	WriteWatchpoint    BreakpointType = 2
	ReadWatchpoint     BreakpointType = 3
	AccessWatchpoint   BreakpointType = 4
)

// String describes the type in words.
func (t BreakpointType) String() string {
	switch t {
	case SoftwareBreakpoint:
		return "software breakpoint"
	case HardwareBreakpoint:
		return "hardware breakpoint"
	case WriteWatchpoint:
		return "write watchpoint"
	case ReadWatchpoint:
		return "read watchpoint"
	case AccessWatchpoint:
		return "access watchpoint"
	}
	return "unknown breakpoint type"
}

// Breakpoint is Z or z ("Packets", Z): insert or remove a breakpoint or
// watchpoint. A type that the manual does not have is *Unknown.
type Breakpoint struct {
	// Insert says that it was Z.
	Insert  bool
	Type    BreakpointType
	Address uint64
	// Kind is for breakpoints what the architecture makes of it, for
	// watchpoints the number of bytes to watch.
	Kind int
	// Conditions are agent expressions in bytecode. The breakpoint counts
	// when one of them is true, or when there are none.
	Conditions [][]byte
	// Commands are agent expressions to run at the breakpoint instead of
	// stopping. HasCommands says that a list was given, even an empty one.
	Commands    [][]byte
	HasCommands bool
	// Persist says that the commands go on after the client has gone.
	Persist bool
}

// Packet returns PacketInsertBreakpoint or PacketRemoveBreakpoint.
func (r *Breakpoint) Packet() PacketName {
	if r.Insert {
		return PacketInsertBreakpoint
	}
	return PacketRemoveBreakpoint
}

func (p *Parser) parseBreakpoint(s *scanner, name PacketName) Request {
	if len(s.data) > 1 && (s.data[1] < '0' || s.data[1] > '4') {
		return &Unknown{Name: string(s.data[:2])}
	}
	s.name = name
	r := &p.breakpoint
	*r = Breakpoint{
		Insert:     name == PacketInsertBreakpoint,
		Conditions: r.Conditions[:0],
		Commands:   r.Commands[:0],
	}
	r.Type = BreakpointType(s.numberUpTo(uint64(AccessWatchpoint)))
	s.expect(',')
	r.Address = s.number()
	s.expect(',')
	r.Kind = int(s.numberUpTo(math.MaxInt32))
	if s.done() {
		return r
	}
	if !r.Insert {
		s.end()
		return r
	}
	p.scratch = slices.Grow(p.scratch[:0], len(s.data)/2)
	for s.accept(';') {
		switch {
		case s.next('X'):
			r.Conditions = p.expressions(s, r.Conditions)
		case s.acceptText("cmds:"):
			r.HasCommands = true
			r.Persist = s.number() != 0
			s.expect(',')
			r.Commands = p.expressions(s, r.Commands)
		default:
			s.fail("neither a condition nor a command list")
		}
	}
	s.end()
	return r
}

// expressions takes agent expressions, each "X len,bytes", into the scratch
// buffer, which is large enough.
func (p *Parser) expressions(s *scanner, list [][]byte) [][]byte {
	for s.accept('X') {
		length := s.number()
		s.expect(',')
		if s.err != nil {
			break
		}
		if left := uint64(len(s.data) - s.pos); length > left/2 {
			s.fail("the expression is shorter than the packet says")
			break
		}
		text := s.data[s.pos : s.pos+2*int(length)]
		s.pos += len(text)
		at := len(p.scratch)
		p.scratch = s.hexTo(p.scratch, text)
		list = append(list, p.scratch[at:len(p.scratch):len(p.scratch)])
	}
	return list
}
