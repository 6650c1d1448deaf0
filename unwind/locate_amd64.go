package unwind

import "rspd/unwind/cfi"

// redZone is how far below the stack pointer memory is safe from signal
// handlers (System V ABI, AMD64 supplement, section 3.2.2).
const redZone = 128

// A place is where a value of the site is found at an instruction.
type place struct {
	inMemory bool
	register cfi.Register // that has it, if it isn't in memory
	offset   int64        // to be added to what is found
	address  value        // of the memory
	assumed  Assumption
}

// order is the preference among registers that an expression may use.
var order = [...]cfi.Register{
	cfi.RSP, cfi.RBP, cfi.RBX, cfi.R12, cfi.R13, cfi.R14, cfi.R15,
	cfi.RAX, cfi.RDX, cfi.RCX, cfi.RSI, cfi.RDI, cfi.R8, cfi.R9, cfi.R10, cfi.R11,
}

// locate finds a value that the site knew; preferred is the register to look
// in first. Of several places it gives the one that assumes least. An address
// relative to a register at the site will do only if fromCFA says so.
func (s *state) locate(v value, preferred cfi.Register, fromCFA bool) (best place, found bool) {
	better := func(p place) {
		if !found || p.assumed != best.assumed && best.assumed != 0 && weight(p.assumed) < weight(best.assumed) {
			best, found = p, true
		}
	}
	origin := v.origin()
	inRegister := func(r cfi.Register) {
		if has := &s.registers[r]; has.kind == origin.kind && has.origin() == origin {
			better(place{register: r, offset: v.offset - has.offset, assumed: has.assumed})
		}
	}
	if preferred != cfi.RIP {
		inRegister(preferred)
	}
	for _, r := range order {
		if found && best.assumed == 0 {
			return best, true
		}
		inRegister(r)
	}
	if v.kind == saved && !s.lost {
		address := value{kind: initial, register: v.register, offset: v.slot}
		if has, ok := s.content(address, 8); ok && has.origin() == origin && s.safe(address) {
			better(place{inMemory: true, address: address, offset: v.offset, assumed: has.assumed})
		}
	}
	for i := range s.cells {
		c := &s.cells[i]
		if c.size != 8 || c.content.kind == unknown || c.content.origin() != origin || !s.safe(c.address) {
			continue
		}
		_, assumed, ok := s.expression(c.address)
		if !ok && !(fromCFA && c.address.kind == initial) {
			continue
		}
		p := place{inMemory: true, address: c.address, offset: v.offset - c.content.offset, assumed: assumed | c.content.assumed}
		if c.address.kind == constant {
			p.assumed |= PrivateMemory
		}
		better(p)
	}
	return best, found
}

func weight(a Assumption) int {
	n := 0
	for ; a != 0; a &= a - 1 {
		n++
	}
	return n
}

// safe reports whether memory keeps its content if a signal arrives.
func (s *state) safe(address value) bool {
	rsp := s.rsp()
	return rsp.origin() != address.origin() || address.offset >= rsp.offset-redZone
}

// maxChain bounds the pointers that an expression follows.
const maxChain = 3

// expression gives a DWARF expression of an address, and what that assumes.
func (s *state) expression(address value) (expression string, assumed Assumption, ok bool) {
	return s.chain(address, maxChain)
}

func (s *state) chain(address value, depth int) (expression string, assumed Assumption, ok bool) {
	if address.kind == constant {
		return cfi.Constant(uint64(address.offset)), 0, true
	}
	origin := address.origin()
	for _, r := range order {
		if has := s.registers[r]; has.kind != unknown && has.origin() == origin {
			return cfi.RegisterPlus(r, address.offset-has.offset), has.assumed, true
		}
	}
	if depth == 0 {
		return "", 0, false
	}
	for i := range s.cells {
		c := &s.cells[i]
		if c.size != 8 || c.content.kind == unknown || c.content.origin() != origin || !s.safe(c.address) {
			continue
		}
		where, assumed, ok := s.chain(c.address, depth-1)
		if !ok {
			continue
		}
		if c.address.kind == constant {
			assumed |= PrivateMemory
		}
		return cfi.Load(where, address.offset-c.content.offset), assumed | c.content.assumed, true
	}
	return "", 0, false
}

// A row being made: where the frame's registers are in a state.
type rowMaker struct {
	*state
	row     cfi.Row
	cfa     value // what the CFA is, in terms of the site
	assumed Assumption
}

// setCFA makes the CFA of the row; it reports whether it is known.
func (m *rowMaker) setCFA(v value) bool {
	m.cfa = v
	p, ok := m.locate(v, cfi.RSP, false)
	if !ok {
		return false
	}
	m.assumed |= p.assumed
	if !p.inMemory {
		m.row.CFA = cfi.Rule{Kind: cfi.InRegister, Register: p.register, Offset: p.offset}
		return true
	}
	address, _, ok := m.expression(p.address)
	if !ok {
		return false
	}
	m.row.CFA = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(address, p.offset)}
	return true
}

// set makes the rule of a register that has a value of the site.
func (m *rowMaker) set(register cfi.Register, v value) {
	m.row.Rules[register] = cfi.Rule{Kind: cfi.Undefined}
	p, ok := m.locate(v, register, true)
	if !ok {
		return
	}
	rule := cfi.Rule{}
	switch {
	case !p.inMemory && p.register == register && p.offset == 0 && register != cfi.RIP:
		rule.Kind = cfi.SameValue
	case !p.inMemory:
		rule = cfi.Rule{Kind: cfi.InRegister, Register: p.register, Offset: p.offset}
	case p.offset == 0 && p.address.origin() == m.cfa.origin():
		rule = cfi.Rule{Kind: cfi.SavedAt, Offset: p.address.offset - m.cfa.offset}
	default:
		address, _, ok := m.expression(p.address)
		switch {
		case ok && p.offset == 0:
			rule = cfi.Rule{Kind: cfi.SavedAtExpression, Expression: address}
		case ok:
			rule = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(address, p.offset)}
		default:
			return
		}
	}
	m.row.Rules[register] = rule
	m.assumed |= p.assumed
}

// forCaller gives what of a state holds both before a call and, for the frame
// of the caller, while the called function runs.
func (s *state) forCaller() *state {
	n := s.clone()
	for i := range n.registers {
		switch cfi.Register(i) {
		case cfi.RBX, cfi.RBP, cfi.RSP, cfi.R12, cfi.R13, cfi.R14, cfi.R15:
		default:
			n.registers[i] = value{}
		}
	}
	kept := n.cells[:0]
	for _, c := range n.cells {
		if c.address.kind == initial || n.onStack(c.address) {
			kept = append(kept, c)
		}
	}
	n.cells = kept
	n.clearBelow(n.rsp())
	return n
}
