package unwind

import (
	"math"
	"slices"

	"rspd/unwind/cfi"
)

// A kind of value says what is known of 64 bits.
type valueKind uint8

const (
	unknown  valueKind = iota
	constant           // the number itself
	initial            // what a register held at the site
	saved              // what memory held at the site, at a register's value then plus slot
	base               // not known, but the same wherever it has the same name
	fsBase             // the address of thread-local memory; for addresses only
	gsBase
)

// A value is a number as far as it is known: that of its kind plus offset.
type value struct {
	kind     valueKind
	register cfi.Register // of initial and saved
	slot     int64        // of saved, and of a base that is bounded
	name     uint64       // of base: the address where it arose, and marks
	offset   int64
	assumed  Assumption
}

// Names of bases have marks besides the address.
const (
	joined = 1 << 63 // it arose where paths meet, not in the instruction there
	near   = 1 << 62 // it is on the same stack as the site's stack pointer
	stack  = 1 << 61 // it has been a stack pointer
)

// A base that came of aligning the site's stack pointer is bounded: it is at
// most what rsp was at the site plus slot.
func (v value) bounded() bool { return v.kind == base && v.register == cfi.RSP }

// onSiteStack reports whether a stack pointer is on the stack that the site
// had.
func (v value) onSiteStack() bool {
	return v.kind == initial && v.register == cfi.RSP || v.kind == base && v.name&near != 0
}

func number(n int64) value { return value{kind: constant, offset: n} }

// origin gives the value without its offset and assumptions; values of one
// origin differ by their offsets.
func (v value) origin() value { v.offset, v.assumed = 0, 0; return v }

func (v value) same(o value) bool { v.assumed, o.assumed = 0, 0; return v == o }

func (v value) plus(n int64) value {
	if v.kind != unknown {
		v.offset += n
	}
	return v
}

// A cell is memory whose content was stored since the site.
type cell struct {
	address value // its kind tells the space; assumed is 0
	size    int64
	content value
}

func (c *cell) overlaps(address value, size int64) bool {
	return c.address.origin() == address.origin() &&
		c.address.offset < address.offset+size && address.offset < c.address.offset+c.size
}

// A state is what is known before an instruction.
type state struct {
	registers [16]value
	// cells don't overlap. Memory that none covers is as it was at the site.
	cells []cell
	// stacks are the origins of the stack pointers that the stub has moved
	// through, the present one last. What lies beyond the one that it goes
	// back to is dead.
	stacks []value
	// floor is an offset from the site's stack pointer: below it, memory that
	// no cell covers is unknown.
	floor int64
	// initialAssumed holds for memory that no cell covers.
	initialAssumed Assumption
	// lost means that nothing is known of memory.
	lost bool
}

// maxCells bounds the memory that is kept track of.
const maxCells = 256

// siteState is the state at the site.
func siteState() *state {
	s := &state{floor: math.MinInt64, stacks: []value{{kind: initial, register: cfi.RSP}}}
	for i := range s.registers {
		s.registers[i] = value{kind: initial, register: cfi.Register(i)}
	}
	return s
}

func (s *state) clone() *state {
	n := *s
	n.cells = append(make([]cell, 0, len(s.cells)+2), s.cells...)
	n.stacks = slices.Clone(s.stacks)
	return &n
}

func (s *state) rsp() value { return s.registers[cfi.RSP] }

// fresh gives the unknown value that arises at an address. What an earlier
// round of a loop left under the name is forgotten.
func (s *state) fresh(name uint64) value {
	for i := range s.registers {
		if r := &s.registers[i]; r.kind == base && r.name == name {
			*r = value{}
		}
	}
	s.stacks = slices.DeleteFunc(s.stacks, func(v value) bool { return v.kind == base && v.name == name })
	kept := s.cells[:0]
	for _, c := range s.cells {
		if c.address.kind == base && c.address.name == name {
			continue
		}
		if c.content.kind == base && c.content.name == name {
			c.content = value{}
		}
		kept = append(kept, c)
	}
	s.cells = kept
	return value{kind: base, name: name}
}

// store changes memory. viaStack says that the address comes from the stack
// pointer: such stores keep to the discipline of stacks and don't hit what was
// saved elsewhere.
func (s *state) store(address value, size int64, content value, viaStack bool) {
	if s.lost {
		return
	}
	s.suspect(address, size, viaStack)
	if address.kind == unknown {
		return
	}
	address.assumed = 0
	n := len(s.cells)
	kept := s.cells[:0:n]
	var rest []cell
	for _, c := range s.cells {
		if !c.overlaps(address, size) {
			kept = append(kept, c)
			continue
		}
		// What remains of an overwritten cell is of unknown content.
		if before := address.offset - c.address.offset; before > 0 {
			rest = append(rest, cell{address: c.address, size: before, content: half(c, 0, before)})
		}
		if after := c.address.offset + c.size - (address.offset + size); after > 0 {
			tail := c.address.plus(c.size - after)
			rest = append(rest, cell{address: tail, size: after, content: half(c, c.size-after, after)})
		}
	}
	s.cells = append(append(kept, rest...), cell{address, size, content})
	if len(s.cells) > maxCells {
		s.cells, s.lost = nil, true
	}
}

// half gives what is known of a part of a cell: the halves of constants.
func half(c cell, at, size int64) value {
	if c.content.kind == constant && c.size == 8 && size == 4 && at%4 == 0 {
		v := number(int64(uint32(uint64(c.content.offset) >> (8 * at))))
		v.assumed = c.content.assumed
		return v
	}
	return value{}
}

// suspect marks what a store would have changed if its address were the same
// as that of something saved in another space.
func (s *state) suspect(address value, size int64, viaStack bool) {
	flag := Assumption(NoAliasing)
	nearOnly := false
	switch address.kind {
	case constant, fsBase, gsBase:
		return
	case initial:
		// What was stored after the stack had been aligned is below.
		nearOnly = viaStack
	case base:
		if viaStack && address.offset+size <= 0 {
			if address.onSiteStack() {
				return
			}
			flag = OtherStack
		}
	}
	origin := address.origin()
	if flag == NoAliasing && !s.onStack(address) {
		// Two pointers from memory may well be the same.
		s.cells = slices.DeleteFunc(s.cells, func(c cell) bool {
			return !s.onStack(c.address) && c.address.kind == base && c.address.origin() != origin
		})
	}
	for i := range s.cells {
		c := &s.cells[i]
		switch {
		case address.kind != unknown && c.address.origin() == origin:
		case nearOnly && !(c.address.kind == base && c.address.onSiteStack()):
		case address.bounded() && c.address.kind == initial && c.address.register == cfi.RSP &&
			c.address.offset >= address.slot+address.offset+size:
		case flag == OtherStack && (c.address.kind == constant || c.address.kind == fsBase || c.address.kind == gsBase):
		default:
			c.content.assumed |= flag
		}
	}
	if !nearOnly && !(address.bounded() && address.slot+address.offset+size <= 0) {
		s.initialAssumed |= flag
	}
}

// onStack reports whether an address is on a stack: the site's, or another one
// that the stub has used.
func (s *state) onStack(address value) bool {
	switch address.kind {
	case initial:
		return true
	case base:
		return address.name&(near|joined|stack) != 0
	}
	return false
}

// clearBelow forgets what is below a stack pointer: from now on it may be
// overwritten by stores whose distance to it isn't known.
func (s *state) clearBelow(rsp value) {
	origin, floor := rsp.origin(), rsp.offset
	s.cells = slices.DeleteFunc(s.cells, func(c cell) bool {
		below := c.address.origin() == origin && c.address.offset < rsp.offset
		if below {
			floor = max(floor, c.address.offset+c.size)
		}
		return below
	})
	if rsp.kind == initial && rsp.register == cfi.RSP {
		s.floor = max(s.floor, floor)
	}
}

// load reads memory; name is for a value of which nothing is known.
func (s *state) load(address value, size int64, name uint64) value {
	if address.kind == unknown {
		return s.unknownWord(size, name)
	}
	if v, ok := s.content(address, size); ok {
		return v
	}
	return s.unknownWord(size, name)
}

func (s *state) unknownWord(size int64, name uint64) value {
	if size != 8 {
		return value{}
	}
	return s.fresh(name)
}

// content gives what memory holds, if anything is known of it.
func (s *state) content(address value, size int64) (value, bool) {
	if s.lost {
		return value{}, false
	}
	assumed := address.assumed
	if address.kind == constant {
		assumed |= PrivateMemory
	}
	var low, high *cell
	for i := range s.cells {
		c := &s.cells[i]
		if !c.overlaps(address, size) {
			continue
		}
		at := address.offset - c.address.offset
		switch {
		case at == 0 && c.size == size:
			v := c.content
			v.assumed |= assumed
			return v, v.kind != unknown
		case c.size == 8 && size == 4:
			v := half(*c, at, 4)
			v.assumed |= assumed
			return v, v.kind != unknown
		case c.size == 4 && size == 8 && at == 0:
			low = c
		case c.size == 4 && size == 8 && at == -4:
			high = c
		default:
			return value{}, false
		}
	}
	switch {
	case low != nil && high != nil && low.content.kind == constant && high.content.kind == constant:
		v := number(int64(uint64(uint32(low.content.offset)) | uint64(high.content.offset)<<32))
		v.assumed = assumed | low.content.assumed | high.content.assumed
		return v, true
	case low != nil || high != nil || size != 8:
		return value{}, false
	}
	if address.kind == initial && (address.register != cfi.RSP || address.offset >= s.floor) {
		return value{kind: saved, register: address.register, slot: address.offset, assumed: assumed | s.initialAssumed}, true
	}
	return value{}, false
}

// stackDepth is how far string instructions are taken to write.
const stackDepth = 1 << 20

// stored reports whether the stub has, or may have, stored at an address.
func (s *state) stored(address value, size int64) bool {
	if s.lost || address.kind == unknown || s.onStack(address) {
		return true
	}
	for i := range s.cells {
		if s.cells[i].overlaps(address, size) {
			return true
		}
	}
	return false
}

// useAsStack marks the name of a base that becomes the stack pointer.
func (s *state) useAsStack(v value) value {
	if v.kind != base || v.name&(near|joined|stack) != 0 {
		return v
	}
	old := v.name
	s.fresh(old | stack) // of an earlier round
	rename := func(v *value) {
		if v.kind == base && v.name == old {
			v.name |= stack
		}
	}
	for i := range s.registers {
		rename(&s.registers[i])
	}
	for i := range s.cells {
		rename(&s.cells[i].address)
		rename(&s.cells[i].content)
	}
	rename(&v)
	return v
}

// stackMoved notes a new stack pointer. Back on an earlier stack, what was stored
// on those after it is dead: it may be overwritten at any time.
func (s *state) stackMoved(v value) {
	origin := v.origin()
	at := slices.Index(s.stacks, origin)
	if at < 0 {
		s.stacks = append(s.stacks, origin)
		if len(s.stacks) > maxCells {
			s.cells, s.lost = nil, true
		}
		return
	}
	dead := s.stacks[at+1:]
	if len(dead) > 0 {
		s.cells = slices.DeleteFunc(s.cells, func(c cell) bool {
			return c.address.kind == base && slices.Contains(dead, c.address.origin())
		})
		s.stacks = s.stacks[:at+1]
	}
}

// called changes the state as a call does that a function has returned from;
// rsp is as before the call.
func (s *state) called() {
	for i := range s.registers {
		switch cfi.Register(i) {
		case cfi.RBX, cfi.RBP, cfi.RSP, cfi.R12, cfi.R13, cfi.R14, cfi.R15:
			s.registers[i].assumed |= HooksKeepABI
		default:
			s.registers[i] = value{}
		}
	}
	kept := s.cells[:0]
	for _, c := range s.cells {
		switch c.address.kind {
		case constant, fsBase, gsBase: // the hook may use the same slots
			c.content = value{}
		case base:
			if !s.onStack(c.address) {
				continue
			}
		}
		c.content.assumed |= HooksKeepABI
		kept = append(kept, c)
	}
	s.cells = kept
	s.initialAssumed |= HooksKeepABI
	s.clearBelow(s.rsp())
}

// join gives what two states agree on. Where the stack pointers differ, the
// result has a new one with the name.
func join(a, b *state, name uint64) *state {
	if !a.rsp().same(b.rsp()) {
		a, b = a.clone(), b.clone()
		a.clearBelow(a.rsp())
		b.clearBelow(b.rsp())
	}
	n := &state{lost: a.lost || b.lost, floor: max(a.floor, b.floor), initialAssumed: a.initialAssumed | b.initialAssumed}
	for i := range n.registers {
		v := a.registers[i]
		if !v.same(b.registers[i]) {
			v = value{assumed: v.assumed}
		}
		v.assumed |= b.registers[i].assumed
		n.registers[i] = v
	}
	for i := range min(len(a.stacks), len(b.stacks)) {
		if a.stacks[i] != b.stacks[i] {
			break
		}
		n.stacks = append(n.stacks, a.stacks[i])
	}
	if a.rsp().same(b.rsp()) {
		n.stackMoved(a.rsp())
	}
	defer func() {
		if !a.rsp().same(b.rsp()) {
			name |= joined
			if a.rsp().onSiteStack() && b.rsp().onSiteStack() {
				name |= near
			}
			rsp := n.fresh(name)
			rsp.assumed = n.registers[cfi.RSP].assumed
			n.registers[cfi.RSP] = rsp
			n.stackMoved(rsp)
		}
	}()
	if n.lost {
		return n
	}
	for _, c := range a.cells {
		other, known := b.content(c.address, c.size)
		if !known || !other.same(c.content) {
			c.content = value{}
		}
		c.content.assumed |= other.assumed
		n.add(c)
	}
	for _, c := range b.cells {
		v, known := a.content(c.address, c.size)
		if !known || !v.same(c.content) {
			c.content = value{}
		}
		c.content.assumed |= v.assumed
		n.add(c)
	}
	return n
}

// add adds a cell of a join, if its memory isn't covered yet; if it is in
// part, nothing is known of the whole.
func (s *state) add(c cell) {
	if c.content.kind == unknown && (c.address.kind == base ||
		c.address.kind == initial && c.address.register == cfi.RSP && c.address.offset+c.size <= s.floor) {
		return // nothing is known of it anyway
	}
	for i := range s.cells {
		if o := &s.cells[i]; o.address == c.address && o.size == c.size {
			if !o.content.same(c.content) {
				o.content = value{}
			}
			return
		}
	}
	for i := range s.cells {
		if o := &s.cells[i]; o.overlaps(c.address, c.size) {
			// Cover both by one.
			low := min(o.address.offset, c.address.offset)
			high := max(o.address.offset+o.size, c.address.offset+c.size)
			c.address.offset, c.size, c.content = low, high-low, value{}
			s.cells = append(s.cells[:i], s.cells[i+1:]...)
			s.add(c)
			return
		}
	}
	s.cells = append(s.cells, c)
}

// widen gives up what changes from round to round of a loop: everything in
// memory, and registers that differ.
func widen(a, b *state, name uint64) *state {
	n := join(a, b, name)
	n.cells, n.lost = nil, true
	return n
}

// equal reports whether two states say the same.
func (s *state) equal(o *state) bool {
	if s.registers != o.registers || !slices.Equal(s.stacks, o.stacks) || s.floor != o.floor || s.lost != o.lost || s.initialAssumed != o.initialAssumed || len(s.cells) != len(o.cells) {
		return false
	}
	for i := range s.cells {
		found := false
		for j := range o.cells {
			if s.cells[i] == o.cells[j] {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
