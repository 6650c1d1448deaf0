package rsp

import "math"

// Resume is c, C, s or S: let the thread chosen with Hc run or step.
type Resume struct {
	// Step asks for one instruction: s or S.
	Step bool
	// Signal is delivered, for C and S; Signal0 delivers none.
	Signal    Signal
	HasSignal bool
	// Address is where to go on, if HasAddress.
	Address    uint64
	HasAddress bool
}

// Packet returns PacketContinue, PacketContinueSignal, PacketStep or
// PacketStepSignal.
func (r *Resume) Packet() PacketName {
	switch {
	case r.Step && r.HasSignal:
		return PacketStepSignal
	case r.Step:
		return PacketStep
	case r.HasSignal:
		return PacketContinueSignal
	}
	return PacketContinue
}

func (p *Parser) parseResume(s *scanner, name PacketName) Request {
	s.name = name
	r := &p.resume
	*r = Resume{
		Step:      name == PacketStep || name == PacketStepSignal,
		HasSignal: name == PacketContinueSignal || name == PacketStepSignal,
	}
	if r.HasSignal {
		r.Signal = s.signal()
		if s.accept(';') {
			r.HasAddress = true
			r.Address = s.number()
		}
	} else if !s.done() {
		r.HasAddress = true
		r.Address = s.number()
	}
	s.end()
	return r
}

func (s *scanner) signal() Signal { return Signal(s.numberUpTo(math.MaxUint8)) }

// An ActionKind is what a vCont action does to a thread.
type ActionKind uint8

// The actions of vCont, with their letters.
const (
	ActionContinue       ActionKind = iota // c
	ActionContinueSignal                   // C sig
	ActionStep                             // s
	ActionStepSignal                       // S sig
	ActionStop                             // t
	ActionRangeStep                        // r start,end
)

const actionLetters = "cCsStr"

// String returns the action's letter.
func (k ActionKind) String() string {
	if int(k) < len(actionLetters) {
		return actionLetters[k : k+1]
	}
	return "?"
}

// An Action is one action of vCont. For each thread the first action that
// matches it counts; threads that none matches stay as they are.
type Action struct {
	Kind ActionKind
	// Signal is delivered, for ActionContinueSignal and ActionStepSignal;
	// for the others it is Signal0.
	Signal Signal
	// RangeStart and RangeEnd bound the addresses at which
	// ActionRangeStep keeps stepping; the end is outside. When both are
	// the same it is a single step.
	RangeStart, RangeEnd uint64
	// Thread says which threads the action is for. When HasThread is false
	// it is for all, and Thread is "-1".
	Thread    ThreadID
	HasThread bool
}

// VCont is vCont ("Packets", vCont): resume or stop threads.
type VCont struct {
	// Actions holds at least one action, in the packet's order.
	Actions []Action
}

// Packet returns PacketVCont.
func (*VCont) Packet() PacketName { return PacketVCont }

// VContQuery is vCont?: which actions are there? The answer is VContActions.
type VContQuery struct{}

var theVContQuery = &VContQuery{}

// Packet returns PacketVContQuery.
func (*VContQuery) Packet() PacketName { return PacketVContQuery }

func (p *Parser) parseVCont(s *scanner) Request {
	if s.accept('?') {
		return bare(s, PacketVContQuery, theVContQuery)
	}
	s.name = PacketVCont
	r := &p.vCont
	r.Actions = r.Actions[:0]
	s.expect(';')
	for s.err == nil {
		r.Actions = append(r.Actions, s.action())
		if s.done() {
			break
		}
		s.expect(';')
	}
	return r
}

func (s *scanner) action() Action {
	a := Action{Thread: ThreadID{PID: NoProcess, TID: All}}
	switch {
	case s.accept('c'):
		a.Kind = ActionContinue
	case s.accept('s'):
		a.Kind = ActionStep
	case s.accept('C'):
		a.Kind = ActionContinueSignal
		a.Signal = s.signal()
	case s.accept('S'):
		a.Kind = ActionStepSignal
		a.Signal = s.signal()
	case s.accept('t'):
		a.Kind = ActionStop
	case s.accept('r'):
		a.Kind = ActionRangeStep
		at := s.pos
		a.RangeStart = s.number()
		s.expect(',')
		a.RangeEnd = s.number()
		if a.RangeEnd < a.RangeStart {
			s.failAt(at, "the stepping range ends before it starts")
		}
	default:
		s.fail("none of the actions c, C, s, S, t, r")
	}
	if s.accept(':') {
		a.HasThread = true
		a.Thread = s.threadID()
	}
	return a
}

// VContActions is the reply to vCont?: the actions that are understood.
type VContActions []ActionKind

// AppendTo appends the reply, "vCont;c;C" and so on.
func (v VContActions) AppendTo(dst []byte) []byte {
	dst = append(dst, "vCont"...)
	for _, k := range v {
		dst = append(append(dst, ';'), k.String()...)
	}
	return dst
}

// CtrlC is vCtrlC: interrupt, as the byte 0x03 does, also in non-stop mode.
type CtrlC struct{}

var theCtrlC = &CtrlC{}

// Packet returns PacketCtrlC.
func (*CtrlC) Packet() PacketName { return PacketCtrlC }
