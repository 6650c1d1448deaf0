package unwind

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"rspd/unwind/cfi"
)

// isCopy reports whether an instruction does the same as an original one, which
// is at another address.
func (d *derivation) isCopy(in x86asm.Inst, pc uint64, o original) bool {
	if bytes.Equal(d.process.code(pc, in.Len), o.code) && in.PCRel == 0 {
		return true
	}
	if in.Op != o.in.Op {
		return false
	}
	if to, ok := d.process.leads(in, pc); ok {
		other, ok := d.process.leads(o.in, o.pc)
		return ok && to == other
	}
	if in.PCRel == 0 || o.in.PCRel == 0 {
		return false
	}
	next, originalNext := pc+uint64(in.Len), o.pc+uint64(o.in.Len)
	for i, arg := range in.Args {
		other := o.in.Args[i]
		switch a := arg.(type) {
		case x86asm.Rel:
			b, ok := other.(x86asm.Rel)
			if !ok || next+uint64(int64(a)) != originalNext+uint64(int64(b)) {
				return false
			}
		case x86asm.Mem:
			b, ok := other.(x86asm.Mem)
			if !ok {
				return false
			}
			if a.Base == x86asm.RIP && b.Base == x86asm.RIP {
				if next+uint64(int64(int32(a.Disp))) != originalNext+uint64(int64(int32(b.Disp))) {
					return false
				}
				a.Disp, b.Disp = 0, 0
			}
			if a != b {
				return false
			}
		default:
			if arg != other {
				return false
			}
		}
	}
	return true
}

// leads gives where a jump, branch or call goes that needs no register to be known,
// beyond the jumps in anonymous memory that it may go through.
func (p *Process) leads(in x86asm.Inst, pc uint64) (target uint64, ok bool) {
	s := siteState()
	how, target, known := (&step{state: s, in: in, pc: pc, next: pc + uint64(in.Len)}).flow(p)
	if how == falls || how == returns || !known {
		return 0, false
	}
	const most = 3
	for n := 0; n < most && p.foreign(target); n++ {
		in, err := decode(p.code(target, 15))
		if err != nil || in.Op != x86asm.JMP {
			break
		}
		_, further, known := (&step{state: s, in: in, pc: target, next: target + uint64(in.Len)}).flow(p)
		if !known {
			break
		}
		target = further
	}
	return target, true
}

// opposite are the branches that are taken if another one isn't.
var opposite = map[x86asm.Op]x86asm.Op{
	x86asm.JA: x86asm.JBE, x86asm.JAE: x86asm.JB, x86asm.JE: x86asm.JNE, x86asm.JG: x86asm.JLE,
	x86asm.JGE: x86asm.JL, x86asm.JO: x86asm.JNO, x86asm.JP: x86asm.JNP, x86asm.JS: x86asm.JNS,
	x86asm.JBE: x86asm.JA, x86asm.JB: x86asm.JAE, x86asm.JNE: x86asm.JE, x86asm.JLE: x86asm.JG,
	x86asm.JL: x86asm.JGE, x86asm.JNO: x86asm.JO, x86asm.JNP: x86asm.JP, x86asm.JNS: x86asm.JS,
}

// ends gives where a jump back may lead to: the end of the site, or of original
// instructions after it, which some patchers replace by NOPs. The displaced
// instructions before each are the first so many.
func (d *derivation) ends() (ends []uint64, displaced []original) {
	displaced = d.displaced()
	ends = []uint64{d.region.Site + uint64(d.region.Length)}
	if len(displaced) == 0 {
		return ends, nil
	}
	for len(ends) < maxMore {
		at := ends[len(ends)-1]
		code := d.original(at)
		in, err := decode(code)
		if err != nil || !allNOPs(d.process.code(at, in.Len), in.Len) {
			break
		}
		displaced = append(displaced, original{at, in, code[:in.Len]})
		ends = append(ends, at+uint64(in.Len))
	}
	return ends, displaced
}

// maxMore bounds the instructions that are taken to be displaced beyond the jump.
const maxMore = 8

func allNOPs(code []byte, n int) bool {
	for _, b := range code {
		if b != 0x90 {
			return false
		}
	}
	return len(code) == n && n > 0
}

// original gives the file's code at an address near the site.
func (d *derivation) original(address uint64) []byte {
	if d.module == nil || !d.mapping.contains(address) {
		return nil
	}
	code := make([]byte, 15)
	n, _ := d.module.ReadAt(code, int64(d.mapping.Offset+address-d.mapping.Start))
	return code[:n]
}

// copies finds displaced instructions that the site doesn't lead to, by the
// jump back that follows them. Each has the row of the original one.
func (d *derivation) copies() []*Region {
	if d.module == nil || d.region.Length == 0 {
		return nil
	}
	var list []*Region
	ends, displaced := d.ends()
	taken := map[uint64]bool{} // jumps that begin within others
	for i, end := range ends {
		for _, jump := range d.process.jumpsBack()[end] {
			if d.graph.nodes[jump] != nil {
				taken[jump+1] = true
				continue
			}
			if taken[jump] || len(list) >= 8 || d.process.work >= maxWork {
				continue
			}
			copied := d.copyBefore(jump, end, displaced[:max(0, len(displaced)-len(ends)+1+i)])
			if copied == nil || copied.Known() == 0 {
				continue
			}
			first := &copied.Instructions[0]
			if d.graph.nodes[first.Address] != nil || i > 0 && first.Original != d.region.Site {
				continue
			}
			taken[jump+1] = len(copied.Instructions) > 1
			list = append(list, copied)
		}
	}
	return list
}

// A placed instruction is one of the stub that stands for one of the program.
type placed struct {
	pc       uint64
	length   int
	original uint64
}

// copyBefore gives the copies of displaced instructions before a jump back, and
// the jump; nil if there is none.
func (d *derivation) copyBefore(jump, end uint64, displaced []original) *Region {
	d.process.work++
	back, target, ok := d.process.leap(jump)
	if !ok || target != end {
		return nil
	}
	list := d.copiesBefore(jump, displaced)
	if len(list) < len(displaced) {
		// Some may be longer than the original ones.
		d.process.work += maxCopy / 8
		for start := jump - 1; start >= jump-maxCopy; start-- {
			if longer := d.copiesFrom(start, jump, end, displaced); longer != nil {
				list = longer
				break
			}
		}
	}
	copied := &Region{Patch: d.region.Patch, Return: end, StandsIn: true, Shape: d.region.Shape}
	for _, p := range list {
		d.copy(copied, p.pc, p.length, p.original)
	}
	for i, s := range back {
		if i == 0 {
			d.copy(copied, s.pc, s.in.Len, end)
			continue
		}
		in := Instruction{Address: s.pc, Length: s.in.Len, Original: end}
		m := &rowMaker{state: s.state}
		if row, err := d.row(end); err == nil && standIn(m, row) {
			m.row.Start, m.row.End = s.pc, s.next
			in.Row, in.Confidence, in.Assumptions = m.row, Assumed, m.assumed|EnteredAsOriginal
		}
		copied.Instructions = append(copied.Instructions, in)
	}
	return copied
}

// copiesBefore gives the copies that lie directly before a jump back, the last ones
// of the displaced instructions if not all.
func (d *derivation) copiesBefore(jump uint64, displaced []original) []placed {
	var list []placed
	for at, k := jump, len(displaced)-1; k >= 0; k-- {
		// A copy has the same length, as a rule; jumps may be longer.
		o := displaced[k]
		length, ok := 0, false
		for _, length = range []int{o.in.Len, 5, 6} {
			in, err := decode(d.process.code(at-uint64(length), length))
			if ok = err == nil && in.Len == length && d.isCopy(in, at-uint64(length), o); ok {
				break
			}
		}
		if !ok {
			break
		}
		at -= uint64(length)
		list = append(list, placed{at, length, o.pc})
	}
	slices.Reverse(list)
	return list
}

// maxCopy is how far before a jump back the copies of displaced instructions may
// begin.
const maxCopy = 96

// copiesFrom gives the copies of all displaced instructions from an address up to a
// jump back; nil if there is anything else among them. A branch may have become
// its opposite, around a longer jump, and pointers may lie between the copies,
// with a jump around them.
func (d *derivation) copiesFrom(start, jump, end uint64, displaced []original) []placed {
	var list []placed
	k := 0
	next := func() uint64 {
		if k < len(displaced) {
			return displaced[k].pc
		}
		return end
	}
	for pc := start; pc < jump && len(list) < maxCopy; {
		in, err := decode(d.process.code(pc, 15))
		if err != nil {
			return nil
		}
		after := pc + uint64(in.Len)
		relative, _ := in.Args[0].(x86asm.Rel)
		around := after + uint64(int64(relative))
		switch {
		case k < len(displaced) && d.isCopy(in, pc, displaced[k]):
			list = append(list, placed{pc, in.Len, displaced[k].pc})
			k++
			pc = after
		case k < len(displaced) && opposite[in.Op] == displaced[k].in.Op && in.Op != displaced[k].in.Op && relative > 0 && around <= jump:
			further, err := decode(d.process.code(after, 15))
			to, ok := d.process.leads(further, after)
			want, known := d.process.leads(displaced[k].in, displaced[k].pc)
			if err != nil || further.Op != x86asm.JMP || !ok || !known || to != want || after+uint64(further.Len) > around {
				return nil
			}
			list = append(list, placed{pc, in.Len, displaced[k].pc}, placed{after, further.Len, displaced[k].pc})
			k++
			pc = around
		case k > 0 && in.Op == x86asm.NOP:
			list = append(list, placed{pc, in.Len, next()})
			pc = after
		case k > 0 && in.Op == x86asm.JMP && relative > 0 && around <= jump:
			list = append(list, placed{pc, in.Len, next()})
			pc = around
		default:
			return nil
		}
		if pc == jump && k == len(displaced) {
			return list
		}
	}
	return nil
}

func (d *derivation) copy(r *Region, pc uint64, length int, original uint64) {
	in := Instruction{Address: pc, Length: length, Original: original}
	row, err := d.row(original)
	if err == nil {
		row.Start, row.End = pc, pc+uint64(length)
		in.Row, in.Confidence, in.Assumptions = row, Assumed, EnteredAsOriginal
	} else if !errors.Is(err, cfi.ErrNotCovered) {
		r.warn(pc, fmt.Sprintf("the row of %#x can't be read: %v", original, err))
	}
	r.Instructions = append(r.Instructions, in)
}

// notrack is a prefix of indirect jumps that need not lead to an ENDBR (Intel SDM,
// volume 1, "Control-flow Enforcement Technology").
const notrack = 0x3e

// The limits of the search for jumps back.
const (
	maxForeign   = 256 << 20 // bytes of anonymous executable memory
	maxJumpsBack = 1 << 20
)

// maxLeap bounds the instructions of a jump that loads its address first.
const maxLeap = 4

// leap follows the instructions at an address, with the state before each, until
// they go elsewhere, and gives where that is if it is known.
func (p *Process) leap(at uint64) (steps []*step, target uint64, ok bool) {
	s := siteState()
	for pc := at; len(steps) < maxLeap; {
		in, err := decode(p.code(pc, 15))
		if err != nil {
			return nil, 0, false
		}
		x := &step{state: s, in: in, pc: pc, next: pc + uint64(in.Len)}
		steps = append(steps, &step{state: s.clone(), in: in, pc: pc, next: x.next})
		switch how, target, known := x.flow(p); how {
		case jumps, returns:
			return steps, target, known
		case falls:
		default:
			return nil, 0, false
		}
		if !x.execute() {
			return nil, 0, false
		}
		pc = x.next
	}
	return nil, 0, false
}

// jumpsBack gives the addresses of jumps in anonymous executable memory that
// lead to the text of files, by where they lead: near ones, those through a
// pointer, and those that load an address or push it first.
func (p *Process) jumpsBack() map[uint64][]uint64 {
	if p.returns != nil {
		return p.returns
	}
	p.returns = map[uint64][]uint64{}
	total, count := uint64(0), 0
	for _, m := range p.Mappings {
		if !m.Executable || !m.Anonymous() || m.End > maxAddress || m.End <= m.Start {
			continue
		}
		if total += m.End - m.Start; total > maxForeign {
			break
		}
		code := make([]byte, m.End-m.Start)
		n, _ := p.Memory.ReadAt(code, int64(m.Start))
		code = code[:n]
		for i := 0; i+5 <= len(code) && count < maxJumpsBack; i++ {
			at := m.Start + uint64(i)
			target, ok := p.jumpBack(code, i, m)
			if !ok {
				continue
			}
			if i > 0 && code[i] == 0xff && code[i-1] == notrack {
				p.returns[target] = append(p.returns[target], at-1)
			}
			p.returns[target] = append(p.returns[target], at)
			count++
		}
	}
	return p.returns
}

// jumpBack tells where the jump to a file leads that begins in a mapping's code at
// an index, if there is one.
func (p *Process) jumpBack(code []byte, i int, m Mapping) (target uint64, ok bool) {
	at := m.Start + uint64(i)
	rest := code[i:]
	switch b := rest[0]; {
	case b == 0xe9:
		target = at + 5 + uint64(int64(int32(le32(rest[1:]))))
		return target, p.inFile(target)
	case b == 0xff && rest[1] == 0x25 && len(rest) >= 6:
		pointer := at + 6 + uint64(int64(int32(le32(rest[2:]))))
		if m.contains(pointer) && pointer-m.Start+8 <= uint64(len(code)) {
			target = le64(code[pointer-m.Start:])
		} else if _, mapped := p.mapping(pointer); mapped {
			target, _ = p.word(pointer)
		}
		return target, p.inFile(target)
	case b == 0x68 && len(rest) >= 6 && (rest[5] == 0xc3 || rest[5] == 0xc7): // push; mov to its upper half; ret
	case b&0xfe == 0x48 && rest[1]&0xf8 == 0xb8 && len(rest) >= 12 && p.inFile(le64(rest[2:])): // movabs
	case b&0xf8 == 0x50 && rest[1]&0xfe == 0x48 && rest[2]&0xf8 == 0xb8 && len(rest) >= 13 && p.inFile(le64(rest[3:])): // push; movabs; xchg
	default:
		return 0, false
	}
	_, target, ok = p.leap(at)
	return target, ok && p.inFile(target)
}

// inFile reports whether an address is in a file's code.
func (p *Process) inFile(address uint64) bool {
	m, ok := p.mapping(address)
	return ok && m.Executable && !m.Anonymous()
}
