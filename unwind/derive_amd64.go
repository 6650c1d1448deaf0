package unwind

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/arch/x86/x86asm"

	"rspd/unwind/cfi"
)

// Derive finds out what the rows of a patch's stub are. The first region is
// what the site leads to; others are copies of the displaced instructions that
// only a hook goes to. A patch that can't be understood gives regions without
// rows, and warnings.
//
// What a patch is after [Find] counts: stubs that several of its patches call are
// taken for functions. Of other code that stubs share the rows are those of this
// patch; see [Settle].
func Derive(p *Process, patch Patch) []*Region { return derive(p, patch, false) }

// derive derives a patch, in general if asked: without what is so for one site only.
func derive(p *Process, patch Patch, general bool) []*Region {
	if region, ok := p.deriveCalled(patch); ok {
		return []*Region{region}
	}
	d := &derivation{process: p, region: &Region{Patch: patch}, general: general}
	d.findSite()
	entry, state := lead{process: p, mapping: d.mapping}.follow(patch.Site, patch.Site)
	switch {
	case !p.foreign(patch.Target):
		d.region.warn(patch.Target, fmt.Sprintf("the stub would be in %s", p.describe(patch.Target)))
		return []*Region{d.region}
	case state == nil || entry.target != patch.Target:
		state = siteState() // only a hint knows of it
	}
	d.region.Shape = recognise(p.code(patch.Target, longest))
	d.graph = explore(p, []uint64{patch.Target}, state)
	for _, w := range d.graph.warnings {
		d.region.warn(w.Address, w.Text)
	}
	d.classify()
	d.rows()
	d.hops()
	d.originals()
	return append([]*Region{d.region}, d.copies()...)
}

type derivation struct {
	process *Process
	region  *Region
	graph   *graph
	mapping Mapping
	module  *Module // nil if the site isn't in a file
	// start and end are those of the patched function, in memory.
	start, end uint64
	siteRow    cfi.Row
	siteError  error
	nodes      []*node // in the order of addresses
	// general says that rows are to be right for other sites, too.
	general bool
	// targets are where the function goes on, best first, and reaching the
	// nodes from which control gets there.
	targets  []uint64
	reaching []map[uint64]bool
}

func (d *derivation) findSite() {
	site := d.region.Site
	d.start, d.end = site, site+uint64(d.region.Length)+1
	d.siteError = cfi.ErrNotCovered
	m, ok := d.process.mapping(site)
	if !ok {
		d.region.warn(site, "the site isn't mapped")
		return
	}
	d.mapping = m
	if m.Anonymous() {
		return
	}
	module, err := d.process.module(m)
	if err != nil {
		d.region.warn(site, fmt.Sprintf("nothing is known of the patched function: %v", err))
		return
	}
	d.module = module
	if inFile, ok := module.Address(m.Offset + site - m.Start); ok {
		if _, start, end, ok := module.Function(inFile); ok && end > inFile {
			d.start, d.end = site-(inFile-start), site+(end-inFile)
		}
	}
	if d.region.Length > 0 && len(d.region.Original) == 0 {
		describe(d.process, m, module, &d.region.Patch)
	}
	d.siteRow, d.siteError = d.process.siteRow(m, module, site)
}

func (d *derivation) row(address uint64) (cfi.Row, error) {
	if d.module == nil || !d.mapping.contains(address) {
		return cfi.Row{}, cfi.ErrNotCovered
	}
	return d.process.siteRow(d.mapping, d.module, address)
}

// own reports whether an address is where the patched function may go on.
func (d *derivation) own(address uint64) bool {
	inPatch := address >= d.region.Site && address < d.region.Site+uint64(d.region.Length)
	return address >= d.start && address < d.end && (!inPatch || d.region.Kind == Call)
}

// classify finds where the stub goes back to, and decides what its frame is.
func (d *derivation) classify() {
	d.sortNodes()
	d.removeOverlaps()
	end := d.region.Site + uint64(d.region.Length)
	goesOn := d.goesOn()
	leaving := map[uint64][]uint64{} // nodes, by where they go back to
	for _, n := range d.nodes {
		for _, x := range n.exits {
			switch {
			case x.known && d.own(x.target):
				leaving[x.target] = append(leaving[x.target], n.pc)
			case x.backKnown && d.own(x.back) && (x.back != end || goesOn):
				leaving[x.back] = append(leaving[x.back], n.pc)
			}
		}
	}
	d.targets = sortedKeys(leaving)
	distance := func(address uint64) uint64 {
		if address < end { // backwards comes last
			return 1<<63 + address
		}
		return address - end
	}
	sort.SliceStable(d.targets, func(i, j int) bool { return distance(d.targets[i]) < distance(d.targets[j]) })
	const most = 8
	d.targets = d.targets[:min(len(d.targets), most)]
	d.reach(leaving)
	if len(d.targets) == 0 {
		d.region.StandsIn = true
		return
	}
	d.region.Return = d.targets[0]
	for _, target := range d.targets {
		// A debugger looks up the caller at the address before.
		row, err := d.row(target - 1)
		if d.siteError == nil && (err != nil || !row.Same(d.siteRow)) {
			d.region.StandsIn = true
		}
	}
}

// sortNodes puts the nodes that are instructions in the order of addresses.
func (d *derivation) sortNodes() {
	d.nodes = make([]*node, 0, len(d.graph.nodes))
	for _, n := range d.graph.nodes {
		if n.in.Len > 0 {
			d.nodes = append(d.nodes, n)
		}
	}
	sort.Slice(d.nodes, func(i, j int) bool { return d.nodes[i].pc < d.nodes[j].pc })
}

// removeOverlaps drops instructions that begin within others, which happens
// if what was followed isn't code.
func (d *derivation) removeOverlaps() {
	kept := d.nodes[:0]
	for _, n := range d.nodes {
		if len(kept) > 0 && n.pc < kept[len(kept)-1].end() {
			d.region.warn(n.pc, "instructions overlap; the later one is left out")
			continue
		}
		kept = append(kept, n)
	}
	d.nodes = kept
}

// reach finds from which nodes each target is reached.
func (d *derivation) reach(leaving map[uint64][]uint64) {
	before := map[uint64][]uint64{}
	for _, n := range d.nodes {
		for _, next := range n.next {
			before[next] = append(before[next], n.pc)
		}
	}
	for _, target := range d.targets {
		reaching := map[uint64]bool{}
		work := slices.Clone(leaving[target])
		for len(work) > 0 {
			pc := work[len(work)-1]
			work = work[:len(work)-1]
			if !reaching[pc] {
				reaching[pc] = true
				work = append(work, before[pc]...)
			}
		}
		d.reaching = append(d.reaching, reaching)
	}
}

// target gives where the function goes on after an instruction.
func (d *derivation) target(pc uint64) uint64 {
	for i, target := range d.targets {
		if d.reaching[i][pc] {
			return target
		}
	}
	return d.region.Return
}

func (d *derivation) rows() {
	r := d.region
	if r.StandsIn && d.siteError != nil && len(d.nodes) > 0 {
		r.warn(r.Site, fmt.Sprintf("the stub doesn't come back to the function, whose frame isn't known: %v", d.siteError))
	}
	for _, n := range d.nodes {
		in := Instruction{Address: n.pc, Length: n.in.Len, Original: r.Site}
		if n.before != nil {
			s := n.before
			if n.call {
				s = s.forCaller()
			}
			m := &rowMaker{state: s}
			m.row.Start, m.row.End = n.pc, n.end()
			makeRow := d.make
			if d.general {
				makeRow = d.makeGeneral
			}
			if makeRow(m, n.pc) {
				in.Row = m.row
				in.Assumptions = m.assumed &^ r.Shape.keeps()
				if r.Moved {
					in.Assumptions |= EnteredAsOriginal
				}
				in.Confidence = Certain
				if in.Assumptions != 0 {
					in.Confidence = Assumed
				}
				if !n.before.rsp().onSiteStack() {
					r.SwitchesStack = true
				}
			} else if !r.StandsIn || d.siteError == nil {
				r.warn(n.pc, "where the site's frame is can't be told here")
			}
		}
		r.Instructions = append(r.Instructions, in)
	}
}

// hops makes rows of the jumps in the program's text that no function contains.
func (d *derivation) hops() {
	for _, pc := range d.region.Hops {
		if _, err := d.row(pc); !errors.Is(err, cfi.ErrNotCovered) {
			continue
		}
		in, err := decode(d.process.code(pc, 15))
		if err != nil {
			continue
		}
		m := &rowMaker{state: siteState()}
		known := false
		switch d.region.Kind {
		case Call:
			m.called() // by any site: others may lead there, too
			known = true
		case Absolute: // other instructions came before
		default:
			known = d.make(m, d.region.Target)
		}
		if m.row.Start, m.row.End = pc, pc+uint64(in.Len); known {
			d.region.HopInstructions = append(d.region.HopInstructions, Instruction{
				Address: pc, Length: in.Len, Row: m.row, Confidence: Certain, Original: d.region.Site,
			})
		}
	}
}

// called makes the row of an instruction that a call has just led to.
func (m *rowMaker) called() {
	m.row.CFA = cfi.Rule{Kind: cfi.InRegister, Register: cfi.RSP, Offset: 8}
	for i := range m.registers {
		m.row.Rules[i] = cfi.Rule{Kind: cfi.SameValue}
	}
	m.row.Rules[cfi.RSP] = cfi.Rule{}
	m.row.Rules[cfi.RIP] = cfi.Rule{Kind: cfi.SavedAt, Offset: -8}
}

// make makes the row of an instruction; it reports whether it is known.
func (d *derivation) make(m *rowMaker, pc uint64) bool {
	if d.region.StandsIn {
		return d.siteError == nil && standIn(m, d.siteRow)
	}
	if !m.setCFA(value{kind: initial, register: cfi.RSP}) {
		return false
	}
	for i := range m.registers {
		if register := cfi.Register(i); register != cfi.RSP {
			m.set(register, value{kind: initial, register: register})
		}
	}
	m.row.Rules[cfi.RIP] = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Constant(d.target(pc))}
	return true
}

// standIn rewrites the row of the site for a later state: where it names a
// register, it means what that held at the site.
func standIn(m *rowMaker, site cfi.Row) bool {
	register, offset := site.CFA.Register, site.CFA.Offset
	if site.CFA.Kind != cfi.InRegister {
		var ok bool
		if register, offset, ok = cfi.AsRegisterPlus(site.CFA.Expression); !ok {
			return false
		}
	}
	cfa := value{kind: initial, register: register, offset: offset}
	if register == cfi.RIP || !m.setCFA(cfa) {
		return false
	}
	m.row.Signal = site.Signal
	for _, register := range append([]cfi.Register{cfi.RIP}, cfi.CalleeSaved[:]...) {
		v := value{kind: initial, register: register}
		switch rule := site.Rules[register]; rule.Kind {
		case cfi.Unspecified, cfi.SameValue:
			if register == cfi.RIP {
				return false
			}
		case cfi.SavedAt:
			v = value{kind: saved, register: cfa.register, slot: cfa.offset + rule.Offset}
		case cfi.CFAPlus:
			v = cfa.plus(rule.Offset)
		case cfi.InRegister:
			v = value{kind: initial, register: rule.Register, offset: rule.Offset}
		default:
			m.row.Rules[register] = cfi.Rule{Kind: cfi.Undefined}
			if register == cfi.RIP {
				return false
			}
			continue
		}
		m.set(register, v)
	}
	return m.row.Rules[cfi.RIP].Kind != cfi.Undefined
}

// originals finds which displaced instructions the stub's are copies of: those
// before a jump back to the end of the site.
func (d *derivation) originals() {
	r := d.region
	displaced := d.displaced()
	end := r.Site + uint64(r.Length)
	for i := len(d.nodes) - 1; i >= 0; i-- {
		leaves := false
		for _, x := range d.nodes[i].exits {
			leaves = leaves || x.known && x.target == end && d.nodes[i].how == jumps
		}
		if !leaves {
			continue
		}
		r.Instructions[i].Original = end
		k := len(displaced)
		for j := i - 1; j >= 0 && k > 0 && d.nodes[j].end() <= d.nodes[j+1].pc; j-- {
			n := d.nodes[j]
			switch {
			case d.isCopy(n.in, n.pc, displaced[k-1]):
				k--
				r.Instructions[j].Original = displaced[k].pc
			case n.in.Op == x86asm.NOP:
				r.Instructions[j].Original = r.Instructions[j+1].Original
			default:
				k = 0
			}
		}
	}
}

// goesOn reports whether the function gets from the displaced instructions to
// those after them. A hook that executes them itself may be given an address there
// all the same.
func (d *derivation) goesOn() bool {
	for _, o := range d.displaced() {
		if o.in.Op == x86asm.RET || o.in.Op == x86asm.JMP {
			return false
		}
	}
	return true
}

// A place in the original text.
type original struct {
	pc   uint64
	in   x86asm.Inst
	code []byte
}

// displaced gives the instructions that the patch replaced.
func (d *derivation) displaced() []original {
	var list []original
	for code, pc := d.region.Original, d.region.Site; len(code) > 0; {
		in, err := decode(code)
		if err != nil {
			return nil
		}
		list = append(list, original{pc, in, code[:in.Len]})
		code, pc = code[in.Len:], pc+uint64(in.Len)
	}
	return list
}
