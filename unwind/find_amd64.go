package unwind

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"rspd/unwind/cfi"
)

// The limits of a search.
const (
	compareSize    = 256 << 10 // bytes compared at once
	maxPatches     = 1 << 16
	maxDifferences = 1 << 13 // differing bytes in one mapping that belong to no patch
	maxLead        = 8       // instructions from a site to its stub
	longestJump    = 16      // bytes of one
)

// Find compares the executable mappings of files with the files, and gives the
// patches that lead into anonymous executable memory, in the order of their
// sites. Warnings tell what could not be looked at.
func Find(p *Process) ([]Patch, []Warning) {
	f := &finder{process: p}
	for _, m := range p.Mappings {
		if m.Executable && !m.Anonymous() && m.Start < m.End && m.End <= maxAddress {
			f.mapping(m)
		}
	}
	f.patches = slices.DeleteFunc(f.patches, func(patch Patch) bool { return f.hops[patch.Site] })
	p.countCallers(f.patches)
	return f.patches, f.warnings
}

type finder struct {
	process  *Process
	patches  []Patch
	hops     map[uint64]bool // addresses of jumps that sites reach by a shorter one
	warnings []Warning
	current  []byte
	original []byte
}

func (f *finder) warn(address uint64, format string, args ...any) {
	f.warnings = append(f.warnings, Warning{address, fmt.Sprintf(format, args...)})
}

func (f *finder) mapping(m Mapping) {
	extents := []Extent{{m.Start, m.End}}
	if f.process.Written != nil {
		if extents = f.process.Written(m); len(extents) == 0 {
			return
		}
	}
	module, err := f.process.module(m)
	if err != nil {
		f.warn(m.Start, "patches in %s can't be looked for: %v", m.Path, err)
		return
	}
	s := &text{finder: f, mapping: m, module: module}
	for _, e := range extents {
		start, end := max(e.Start, m.Start), min(e.End, m.End)
		if start >= end {
			continue
		}
		if err := s.compare(start, end); err != nil {
			f.warn(start, "patches in %s can't be looked for: %v", m.Path, err)
			return
		}
	}
}

// A text is a mapping being compared.
type text struct {
	*finder
	mapping     Mapping
	module      *Module
	done        uint64 // what is before has been dealt with
	differences int
}

func (t *text) compare(start, end uint64) error {
	if t.current == nil {
		t.current, t.finder.original = make([]byte, compareSize), make([]byte, compareSize)
	}
	for at := start; at < end; {
		n := int(min(compareSize, end-at))
		current, original := t.current[:n], t.finder.original[:n]
		got, err := t.module.ReadAt(original, int64(t.mapping.Offset+at-t.mapping.Start))
		if got < n && err != io.EOF {
			return fmt.Errorf("reading the file: %w", err)
		}
		original = original[:got]
		if got == 0 {
			return nil // the rest of the last page
		}
		got, err = t.process.Memory.ReadAt(current[:got], int64(at))
		if got == 0 {
			return fmt.Errorf("reading memory at %#x: %w", at, err)
		}
		current, original = current[:got], original[:got]
		if !bytes.Equal(current, original) {
			if err := t.differ(at, current, original); err != nil {
				return err
			}
		}
		if got < n {
			return nil
		}
		at += uint64(n)
	}
	return nil
}

// differ looks at a block that isn't as in the file.
func (t *text) differ(at uint64, current, original []byte) error {
	const line = 256
	for i := 0; i < len(current); i += line {
		end := min(i+line, len(current))
		if bytes.Equal(current[i:end], original[i:end]) {
			continue
		}
		for j := i; j < end; j++ {
			if current[j] == original[j] {
				continue
			}
			if address := at + uint64(j); address >= t.done {
				if err := t.site(address); err != nil {
					return err
				}
			}
			if t.differences > maxDifferences {
				return fmt.Errorf("more than %d bytes aren't those of the file, which may be another one by now", maxDifferences)
			}
		}
	}
	return nil
}

// site looks for a patch that the differing byte at an address belongs to. Its
// first bytes may be the same as before, as when a jump replaced a jump.
func (t *text) site(address uint64) error {
	for back := uint64(0); back < 5; back++ {
		start := address - back
		if start < max(t.done, t.mapping.Start) {
			break
		}
		if back > 0 && !beginsJump(t.process.code(start, 2)) {
			continue
		}
		patch, ok := t.follow(start, address)
		if !ok {
			continue
		}
		if len(t.patches) >= maxPatches {
			return fmt.Errorf("there are more than %d patches", maxPatches)
		}
		t.complete(&patch)
		t.patches = append(t.patches, patch)
		for _, hop := range patch.Hops {
			if t.hops == nil {
				t.hops = map[uint64]bool{}
			}
			t.hops[hop] = true
		}
		t.done = patch.Site + uint64(patch.Length)
		return nil
	}
	t.differences++
	return nil
}

func beginsJump(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	loads := b[0]&0xfe == 0x48 && b[1]&0xf8 == 0xb8 || b[0] == 0x68 // movabs, push
	return loads || b[0] == 0xe9 || b[0] == 0xe8 || b[0] == 0xeb || b[0] == 0xff && (b[1] == 0x25 || b[1] == 0x15)
}

// follow executes instructions from start as long as they are not the file's
// own, and gives the patch if they lead into anonymous executable memory.
func (t *text) follow(start, difference uint64) (patch Patch, ok bool) {
	if start == difference && t.systemCall(start) {
		return Patch{Site: start, Length: 2, Kind: Call, Path: t.mapping.Path}, true
	}
	entry, state := lead{t.process, t.mapping, t.changed}.follow(start, difference)
	if state == nil {
		return t.moved(start, entry)
	}
	patch = Patch{Site: start, Length: int(entry.end - start), Target: entry.target, Kind: entry.kind, Hops: entry.hops, Path: t.mapping.Path}
	return patch, true
}

// systemCall reports whether a system call became a call of its number, which leads
// into the page at address 0 if there is code.
func (t *text) systemCall(address uint64) bool {
	if !t.process.foreign(0) || !bytes.Equal(t.process.code(address, 2), []byte{0xff, 0xd0}) { // call *%rax
		return false
	}
	var original [2]byte
	n, _ := t.module.ReadAt(original[:], int64(t.mapping.Offset+address-t.mapping.Start))
	return n == 2 && original[0] == 0x0f && (original[1] == 0x05 || original[1] == 0x34)
}

// moved gives the patch at a site that leads to a file's code, which goes to a copy
// of the displaced instructions in anonymous executable memory by itself.
func (t *text) moved(start uint64, entry arrival) (patch Patch, ok bool) {
	if !entry.elsewhere {
		return Patch{}, false
	}
	patch = Patch{Site: start, Length: int(entry.end - start), Kind: entry.kind, Hops: entry.hops, Path: t.mapping.Path, Moved: true}
	t.complete(&patch)
	d := &derivation{process: t.process, region: &Region{Patch: patch}, mapping: t.mapping, module: t.module}
	if len(patch.Original) == 0 {
		return Patch{}, false
	}
	ends, displaced := d.ends()
	for i, end := range ends {
		before := displaced[:len(displaced)-len(ends)+1+i]
		for _, jump := range t.process.jumpsBack()[end] {
			if t.process.work >= maxWork {
				break
			}
			copied := d.copyBefore(jump, end, before)
			if copied != nil && copied.Instructions[0].Original == start {
				patch.Target, patch.Length = copied.Instructions[0].Address, int(end-start)
				t.complete(&patch)
				return patch, true
			}
		}
	}
	return Patch{}, false
}

// changed reports whether memory at an address of the mapping differs from the
// file.
func (t *text) changed(address uint64, n int) bool {
	original := make([]byte, n)
	got, _ := t.module.ReadAt(original, int64(t.mapping.Offset+address-t.mapping.Start))
	return !bytes.Equal(t.process.code(address, got), original[:got])
}

// complete adds what the file says of the site.
func (t *text) complete(patch *Patch) {
	describe(t.process, t.mapping, t.module, patch)
}

// describe adds what the file says of a patch's site, and makes it end where an
// original instruction does.
func describe(p *Process, m Mapping, module *Module, patch *Patch) {
	offset := m.Offset + patch.Site - m.Start
	original := make([]byte, patch.Length+longestJump)
	n, _ := module.ReadAt(original, int64(offset))
	original = original[:n]
	length := 0
	for length < patch.Length {
		in, err := decode(original[min(length, len(original)):])
		if err != nil {
			length = patch.Length
			break
		}
		length += in.Len
	}
	patch.Length = length
	patch.Original = bytes.Clone(original[:min(length, len(original))])
	address, ok := module.Address(offset)
	if !ok {
		address = offset
	}
	patch.Offset = address
	if name, start, _, ok := module.Function(address); ok && name != "" {
		patch.Function, patch.Offset = name, address-start
	}
}

// A lead is the way from a site to its stub.
type lead struct {
	process *Process
	mapping Mapping
	changed func(address uint64, n int) bool // nil if it doesn't matter
}

type arrival struct {
	target uint64
	end    uint64 // of the instructions at the site
	kind   Kind
	hops   []uint64
	// elsewhere says that the site leads to a file's own code.
	elsewhere bool
}

// follow gives where a site leads, and the state there; nil if it doesn't lead
// into anonymous executable memory. The instructions at the site include the
// byte at difference.
func (l lead) follow(start, difference uint64) (arrival, *state) {
	s := siteState()
	a := arrival{end: start}
	covered := false
	for pc, n := start, 0; n < maxLead; n++ {
		in, err := decode(l.process.code(pc, 15))
		if err != nil {
			return a, nil
		}
		x := &step{state: s, in: in, pc: pc, next: pc + uint64(in.Len)}
		if l.changed != nil && !l.changed(pc, in.Len) {
			return a, nil
		}
		if pc == a.end && len(a.hops) == 0 {
			a.end = x.next
			covered = covered || pc <= difference && difference < x.next
		}
		how, target, known := x.flow(l.process)
		switch how {
		case falls:
			if !x.execute() {
				return a, nil
			}
			a.kind = Absolute
			pc = x.next
			continue
		case jumps:
			a.kind = kindOf(a, in, Jump)
			if m, ok := in.Args[0].(x86asm.Mem); ok && len(a.hops) == 0 && m.Base == x86asm.RIP {
				// The pointer may be among the replaced bytes.
				pointer := x.next + uint64(int64(int32(m.Disp)))
				if pointer >= a.end && pointer-a.end < 8 {
					a.end = pointer + 8
				}
			}
		case calls:
			a.kind = kindOf(a, in, Call)
			x.push(8, number(int64(x.next)))
		case returns:
			a.kind = Absolute
			x.execute()
		default:
			return a, nil
		}
		switch {
		case !known || !covered:
			return a, nil
		case l.process.foreign(target):
			a.target = target
			return a, s
		case (how == jumps || how == calls) && l.mapping.contains(target) && target != pc && !l.original(target):
			if a.kind == Jump || a.kind == Indirect {
				a.kind = Hop
			}
			a.hops = append(a.hops, target)
			pc = target
		default:
			m, ok := l.process.mapping(target)
			a.elsewhere = ok && m.Executable && (target < start || target >= a.end)
			return a, nil
		}
	}
	return a, nil
}

// original reports whether the instruction at an address of the mapping is known to
// be the file's.
func (l lead) original(address uint64) bool {
	if l.changed == nil {
		return false
	}
	in, err := decode(l.process.code(address, 15))
	return err == nil && !l.changed(address, in.Len)
}

func kindOf(a arrival, in x86asm.Inst, direct Kind) Kind {
	switch {
	case a.kind != "":
		return a.kind
	case direct == Call:
		return Call
	}
	if m, ok := in.Args[0].(x86asm.Mem); ok && m.Base == x86asm.RIP {
		return Indirect
	}
	if _, ok := in.Args[0].(x86asm.Rel); !ok {
		return Absolute
	}
	return direct
}

// siteRow gives the call frame information of an address in a mapping, with
// addresses as in memory.
func (p *Process) siteRow(m Mapping, module *Module, address uint64) (cfi.Row, error) {
	inFile, ok := module.Address(m.Offset + address - m.Start)
	if !ok {
		return cfi.Row{}, cfi.ErrNotCovered
	}
	row, err := module.Row(inFile)
	row.Start += address - inFile
	row.End += address - inFile
	return row, err
}
