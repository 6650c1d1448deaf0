package unwind

import (
	"cmp"
	"slices"

	"rspd/unwind/cfi"
)

// Settle looks for code that the stubs of several patches share, and makes its rows
// right for all of them: with the return address where the stubs have put it
// rather than the number that it is for one site. What can't be said for all is left
// out. regions are those of all patches; it gives those whose rows are others now.
func Settle(p *Process, regions []*Region) (changed []*Region) {
	var shared []*Region
	for _, r := range regions {
		if len(r.Instructions) > 0 {
			shared = append(shared, r)
		}
	}
	shared = overlapping(shared)
	if len(shared) == 0 {
		return nil
	}
	at := map[uint64][]*Instruction{}
	for _, r := range shared {
		for i := range r.Instructions {
			in := &r.Instructions[i]
			at[in.Address] = append(at[in.Address], in)
		}
	}
	var general map[*Region]map[uint64]Instruction
	for _, r := range shared {
		different := false
		for i := range r.Instructions {
			all := at[r.Instructions[i].Address]
			different = different || len(all) > 1 && !alike(all)
		}
		if different {
			if general == nil {
				general = map[*Region]map[uint64]Instruction{}
			}
			general[r] = r.generally(p)
		}
	}
	settled := map[uint64]Instruction{}
	for address, all := range at {
		if len(all) > 1 && !alike(all) {
			settled[address] = inGeneral(address, shared, general)
		}
	}
	for _, r := range shared {
		other, lost := false, uint64(0)
		for i := range r.Instructions {
			in := &r.Instructions[i]
			if len(at[in.Address]) == 1 {
				continue
			}
			was := *in
			in.Shared = true
			if now, ok := settled[in.Address]; ok {
				in.Row, in.Confidence, in.Assumptions = now.Row, now.Confidence, now.Assumptions
				if in.Confidence == Unknown && was.Confidence != Unknown && lost == 0 {
					lost = in.Address
				}
			}
			other = other || *in != was
		}
		if lost != 0 {
			r.warn(lost, "other stubs share this code, and what is known of it isn't right for all of them")
		}
		if other {
			changed = append(changed, r)
		}
	}
	return changed
}

// overlapping gives the regions that have code in common with another one. Those
// that were made of one description count as one.
func overlapping(regions []*Region) []*Region {
	type stretch struct {
		Extent
		region *Region
	}
	var stretches []stretch
	seen := map[*Instruction]bool{}
	for _, r := range regions {
		if first := &r.Instructions[0]; !seen[first] {
			seen[first] = true
			for _, e := range r.Extents() {
				stretches = append(stretches, stretch{e, r})
			}
		}
	}
	slices.SortStableFunc(stretches, func(a, b stretch) int { return cmp.Compare(a.Start, b.Start) })
	var list []*Region
	found := map[*Region]bool{}
	add := func(r *Region) {
		if !found[r] {
			found[r] = true
			list = append(list, r)
		}
	}
	for i, last := 1, 0; i < len(stretches); i++ {
		if s := &stretches[i]; s.Start < stretches[last].End && s.region != stretches[last].region {
			add(stretches[last].region)
			add(s.region)
		}
		if stretches[i].End > stretches[last].End {
			last = i
		}
	}
	return list
}

// alike reports whether instructions have the same row.
func alike(all []*Instruction) bool {
	for _, in := range all {
		if in.Confidence != all[0].Confidence || !in.Row.Same(all[0].Row) {
			return false
		}
	}
	return true
}

// generally derives the region's instructions without what is so for one site only.
func (r *Region) generally(p *Process) map[uint64]Instruction {
	list := map[uint64]Instruction{}
	if r.Kind == Hinted || r.Target == 0 || !p.foreign(r.Target) {
		return list
	}
	for _, derived := range derive(p, r.Patch, true) {
		for _, in := range derived.Instructions {
			list[in.Address] = in
		}
	}
	return list
}

// inGeneral gives the row at an address that is right for all regions which have it.
func inGeneral(address uint64, regions []*Region, general map[*Region]map[uint64]Instruction) Instruction {
	var found *Instruction
	for _, r := range regions {
		if exact := r.At(address); exact == nil || exact.Address != address {
			continue
		}
		in, ok := general[r][address]
		if !ok || in.Confidence == Unknown || found != nil && !found.Row.Same(in.Row) {
			return Instruction{}
		}
		if found == nil {
			found = &in
			continue
		}
		found.Confidence = min(found.Confidence, in.Confidence)
		found.Assumptions |= in.Assumptions
	}
	if found == nil {
		return Instruction{}
	}
	return *found
}

// makeGeneral makes a row as make does, but with the return address where memory has
// it, or, without that, with the function's own caller.
func (d *derivation) makeGeneral(m *rowMaker, pc uint64) bool {
	if d.region.StandsIn || !d.make(m, pc) {
		return d.region.StandsIn && d.make(m, pc)
	}
	target := number(int64(d.target(pc)))
	for i := range m.cells {
		c := &m.cells[i]
		if c.size != 8 || c.content.kind != constant || !c.content.same(target) || !m.safe(c.address) {
			continue
		}
		rule := cfi.Rule{Kind: cfi.SavedAt, Offset: c.address.offset - m.cfa.offset}
		if c.address.origin() != m.cfa.origin() {
			address, assumed, ok := m.expression(c.address)
			if !ok || c.address.kind == constant {
				continue
			}
			rule = cfi.Rule{Kind: cfi.SavedAtExpression, Expression: address}
			m.assumed |= assumed
		}
		m.row.Rules[cfi.RIP] = rule
		m.assumed |= c.content.assumed
		return true
	}
	*m = rowMaker{state: m.state}
	return d.siteError == nil && standIn(m, d.siteRow)
}

// maxSystemCalls bounds the numbers of system calls that are entries of the page at 0.
const maxSystemCalls = 512

// deriveCalled derives a stub that several sites call, as a function that may be
// called from anywhere: what it returns to is on the stack. The page at 0 is entered
// by calls of the number of a system call. ok tells whether it is such a stub.
func (p *Process) deriveCalled(patch Patch) (region *Region, ok bool) {
	if patch.Kind != Call || patch.Moved || p.callers[patch.Target] < 2 && patch.Target != 0 {
		return nil, false
	}
	region = &Region{Patch: patch, Return: patch.Site + uint64(patch.Length)}
	if known := p.called[patch.Target]; known != nil {
		region.Instructions, region.Warnings = known.Instructions, known.Warnings
		region.SwitchesStack = known.SwitchesStack
		return region, true
	}
	entries := []uint64{patch.Target}
	if patch.Target == 0 {
		for len(entries) < maxSystemCalls && p.foreign(uint64(len(entries))) {
			entries = append(entries, uint64(len(entries)))
		}
	}
	d := &derivation{process: p, region: region, graph: explore(p, entries, siteState())}
	for _, w := range d.graph.warnings {
		region.warn(w.Address, w.Text)
	}
	called := &rowMaker{}
	called.called()
	d.siteRow = called.row
	d.sortNodes()
	if len(entries) == 1 {
		d.removeOverlaps()
	}
	region.StandsIn = true // while the rows are made
	d.rows()
	region.StandsIn = false
	for i := range region.Instructions {
		in := &region.Instructions[i]
		in.Shared, in.Original = true, 0
		if i+1 < len(region.Instructions) {
			in.Length = min(in.Length, int(region.Instructions[i+1].Address-in.Address))
			in.Row.End = in.Row.Start + uint64(in.Length)
		}
	}
	if p.called == nil {
		p.called = map[uint64]*Region{}
	}
	p.called[patch.Target] = region
	return region, true
}

// countCallers notes how many patches call each stub.
func (p *Process) countCallers(patches []Patch) {
	p.callers, p.called = map[uint64]int{}, nil
	for i := range patches {
		if patch := &patches[i]; patch.Kind == Call && !patch.Moved {
			p.callers[patch.Target]++
		}
	}
}
