package unwind

import (
	"fmt"
	"slices"

	"rspd/unwind/cfi"
)

// A Hint is what a patcher tells of one patch. Whatever is zero or empty is
// found out, if it can be.
type Hint struct {
	// Site and Length are those of Patch. Site is never 0.
	Site   uint64
	Length int
	// Entry is where the site leads to.
	Entry uint64
	// Stub are the addresses of the stub; rows lie within.
	Stub Extent
	// Return is where the function goes on.
	Return uint64
	// Rows describe parts of the stub, in the order of their addresses and
	// without overlaps. The CFA is the stack pointer at the site. Registers
	// without a rule have the values that they had at the site. A rule for
	// RIP is not needed: it is Return.
	Rows []cfi.Row
}

// The limits of one hint.
const (
	maxStub   = 1 << 20 // bytes
	maxLength = 64      // bytes of replaced instructions
)

// At gives the patch at a site that is known to be one, whether or not its text
// differs from the file. It reports whether the site leads into anonymous
// executable memory.
func At(p *Process, site uint64) (Patch, bool) {
	m, ok := p.mapping(site)
	if !ok || !m.Executable {
		return Patch{}, false
	}
	entry, state := lead{process: p, mapping: m}.follow(site, site)
	if state == nil {
		return Patch{}, false
	}
	patch := Patch{Site: site, Length: int(entry.end - site), Target: entry.target, Kind: entry.kind, Hops: entry.hops, Path: m.Path}
	if !m.Anonymous() {
		if module, err := p.module(m); err == nil {
			describe(p, m, module, &patch)
		}
	}
	return patch, true
}

// Follow makes the regions of a hint: what it states is taken from it, and the
// rest derived. A hint that contradicts itself or the process gives no region
// but a warning.
func Follow(p *Process, hint Hint) ([]*Region, []Warning) {
	patch, found := At(p, hint.Site)
	if !found {
		patch = Patch{Site: hint.Site, Target: hint.Entry, Kind: Hinted, Length: hint.Length}
		if hint.Entry == 0 {
			patch.Target = hint.Stub.Start
		}
		if m, ok := p.mapping(hint.Site); ok {
			patch.Path = m.Path
		}
	}
	if err := check(p, hint, patch); err != nil {
		return nil, []Warning{{hint.Site, "the hint is ignored: " + err.Error()}}
	}
	if hint.Length > 0 {
		patch.Length = hint.Length
		patch.Original = nil // is read again with the length
	}
	if hint.Entry != 0 {
		patch.Target = hint.Entry
	}
	regions := Derive(p, patch)
	region := regions[0]
	if hint.Return != 0 && hint.Return != region.Return {
		region.returnTo(hint.Return)
	}
	region.state(p, hint)
	return regions, nil
}

// check gives what is wrong with a hint.
func check(p *Process, hint Hint, patch Patch) error {
	site, ok := p.mapping(hint.Site)
	switch {
	case !ok || !site.Executable:
		return fmt.Errorf("the site is in %s", p.describe(hint.Site))
	case hint.Length < 0 || hint.Length > maxLength:
		return fmt.Errorf("%d bytes would have been replaced", hint.Length)
	case hint.Stub.End < hint.Stub.Start || hint.Stub.End-hint.Stub.Start > maxStub:
		return fmt.Errorf("the stub would be from %#x to %#x", hint.Stub.Start, hint.Stub.End)
	case patch.Target == 0:
		return fmt.Errorf("the site leads to no stub, and the hint names none")
	case hint.Entry != 0 && !p.foreign(hint.Entry):
		return fmt.Errorf("the entry of the stub, %#x, is in %s", hint.Entry, p.describe(hint.Entry))
	case !p.foreign(patch.Target):
		return fmt.Errorf("the stub at %#x is in %s", patch.Target, p.describe(patch.Target))
	case hint.Stub.Start != hint.Stub.End && (!p.foreign(hint.Stub.Start) || !p.foreign(hint.Stub.End-1)):
		return fmt.Errorf("the stub from %#x to %#x isn't all in anonymous executable memory", hint.Stub.Start, hint.Stub.End)
	}
	if hint.Return != 0 {
		if m, ok := p.mapping(hint.Return); !ok || !m.Executable {
			return fmt.Errorf("the return address %#x is in %s", hint.Return, p.describe(hint.Return))
		}
	}
	for i, row := range hint.Rows {
		switch {
		case row.End <= row.Start || row.End-row.Start > maxStub:
			return fmt.Errorf("a row is from %#x to %#x", row.Start, row.End)
		case row.Start < hint.Stub.Start || row.End > hint.Stub.End:
			return fmt.Errorf("the row from %#x to %#x is outside of the stub", row.Start, row.End)
		case i > 0 && row.Start < hint.Rows[i-1].End:
			return fmt.Errorf("the row from %#x overlaps the one before", row.Start)
		}
	}
	return nil
}

// returnTo makes the region a frame that returns to an address which the
// patcher knows.
func (r *Region) returnTo(address uint64) {
	r.Return = address
	for i := range r.Instructions {
		in := &r.Instructions[i]
		if r.StandsIn || in.Confidence == Unknown {
			continue
		}
		in.Row.Rules[cfi.RIP] = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Constant(address)}
		in.Assumptions |= PatcherIsRight
		in.Confidence = Assumed
	}
}

// state puts the rows of a hint in the place of what was derived.
func (r *Region) state(p *Process, hint Hint) {
	if len(hint.Rows) == 0 {
		return
	}
	if r.Return == 0 {
		r.warn(r.Site, "the hint has rows but no return address, and none was found; its rows are ignored")
		return
	}
	if r.StandsIn {
		// The CFA of a hint is that of a frame of its own.
		r.StandsIn = false
		r.Instructions = nil
	}
	var stated []Instruction
	for _, row := range hint.Rows {
		for i := range row.Rules {
			register := cfi.Register(i)
			switch rule := &row.Rules[i]; {
			case register == cfi.RIP:
				*rule = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Constant(r.Return)}
			case register == cfi.RSP:
				*rule = cfi.Rule{}
			case rule.Kind == cfi.Unspecified:
				rule.Kind = cfi.SameValue
			}
		}
		if row.CFA.Kind == cfi.ByExpression || row.CFA.Register != cfi.RSP {
			r.SwitchesStack = true
		}
		for at := row.Start; at < row.End; {
			in, err := decode(p.code(at, 15))
			length := uint64(in.Len)
			if err != nil || length > row.End-at {
				length = row.End - at // data, or what isn't known
			}
			stated = append(stated, Instruction{
				Address: at, Length: int(length), Row: row, Confidence: Assumed,
				Assumptions: PatcherIsRight, Original: r.original(at),
			})
			stated[len(stated)-1].Row.Start, stated[len(stated)-1].Row.End = at, at+length
			at += length
		}
	}
	kept := slices.DeleteFunc(r.Instructions, func(in Instruction) bool {
		return slices.ContainsFunc(hint.Rows, func(row cfi.Row) bool {
			return in.Address < row.End && row.Start < in.Address+uint64(in.Length)
		})
	})
	r.Instructions = append(kept, stated...)
	slices.SortFunc(r.Instructions, func(a, b Instruction) int {
		if a.Address < b.Address {
			return -1
		}
		return 1
	})
}

// original gives the address that corresponds to an instruction, as far as it
// was derived.
func (r *Region) original(address uint64) uint64 {
	if in := r.At(address); in != nil {
		return in.Original
	}
	return r.Site
}
