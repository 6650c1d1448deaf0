package image

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// Suffix is what the names of stubs end with, after the name of the site.
const Suffix = "@jump-patch"

// shared is what code is named after that stubs of several sites share.
const shared = "shared"

// An Image is an ELF file.
type Image struct {
	// Base is the address that the file's addresses are relative to, a
	// multiple of the page size: the l_addr of the library.
	Base uint64
	// Content is the file.
	Content []byte
	// Extents are the addresses that it describes, in their order.
	Extents []unwind.Extent
}

// ErrEmpty means that the regions have no rows.
var ErrEmpty = errors.New("no region has a row to write")

const pageSize = 4096

// maxExtent bounds the code of one section, and maxSections their number (ELF
// has other ways to count from 0xff00 on).
const (
	maxExtent   = 16 << 20
	maxSections = 0xff00 - 16
)

// A part is a stretch of a region's code.
type part struct {
	region *unwind.Region
	name   string
	unwind.Extent
	section int
}

// Write makes an image of regions. memory gives the bytes of the stubs, with
// offsets as addresses. Instructions without a row are named but not
// described. Code that two regions share has the rows of the first; [unwind.Settle]
// makes them right for both.
func Write(regions []*unwind.Region, memory io.ReaderAt) (*Image, error) {
	w := &writer{memory: memory}
	w.collect(regions)
	if len(w.parts) == 0 {
		return nil, ErrEmpty
	}
	w.base = w.parts[0].Start
	for _, e := range w.entries {
		// gdb doesn't look for rows before the base.
		w.base = min(w.base, e.rows[0].Start)
	}
	w.base &^= pageSize - 1
	if err := w.sections(); err != nil {
		return nil, err
	}
	extents := make([]unwind.Extent, len(w.texts))
	for i, t := range w.texts {
		extents[i] = t.Extent
	}
	return &Image{Base: w.base, Content: w.file(), Extents: extents}, nil
}

type writer struct {
	memory  io.ReaderAt
	base    uint64
	parts   []part
	texts   []text
	entries []frameEntry
}

// A text is a section of code: parts close to one another.
type text struct {
	unwind.Extent
	code []byte
}

// A frameEntry is a run of instructions with rows.
type frameEntry struct {
	rows []cfi.Row
}

func (w *writer) collect(regions []*unwind.Region) {
	taken := map[uint64]bool{}
	hops := map[uint64]cfi.Row{}
	for _, r := range regions {
		for _, in := range r.HopInstructions {
			if row, ok := hops[in.Address]; ok && !row.Same(in.Row) {
				taken[in.Address] = true // no row is right for both
			}
			hops[in.Address] = in.Row
		}
	}
	for _, r := range regions {
		if r.Known() == 0 {
			continue
		}
		w.stub(r, taken)
		w.hops(r.HopInstructions, taken)
	}
	sort.SliceStable(w.parts, func(i, j int) bool { return w.parts[i].Start < w.parts[j].Start })
	kept := w.parts[:0]
	for _, p := range w.parts {
		if n := len(kept); n > 0 && p.Start < kept[n-1].End {
			if p.End <= kept[n-1].End {
				continue
			}
			p.Start = kept[n-1].End
		}
		kept = append(kept, p)
	}
	w.parts = kept
}

// stub makes a part of each stretch of a region's code, and an entry if it has rows:
// lldb takes those of a function from one entry alone. Data within is as what is
// before it.
func (w *writer) stub(r *unwind.Region, taken map[uint64]bool) {
	for _, s := range r.Stretches() {
		if s.End <= s.Start || s.End-s.Start > maxExtent {
			continue
		}
		name := r.Name()
		if s.Shared {
			name = shared
		}
		p := part{region: r, name: name + Suffix, Extent: s.Extent}
		var rows []cfi.Row
		for i := range r.Instructions {
			in := &r.Instructions[i]
			if in.Address < s.Start || in.Address >= s.End {
				continue
			}
			known := in.Confidence != unwind.Unknown && !taken[in.Address]
			if in.Address > p.Start && known != (len(rows) > 0) {
				p.End = in.Address
				w.add(p, rows)
				p.Extent, rows = unwind.Extent{Start: in.Address, End: s.End}, nil
			}
			if known {
				taken[in.Address] = true
				if n := len(rows); n > 0 {
					rows[n-1].End = in.Address
				}
				rows = append(rows, row(in))
			}
		}
		w.add(p, rows)
	}
}

// add adds a part and, if there are rows, the entry for it.
func (w *writer) add(p part, rows []cfi.Row) {
	w.parts = append(w.parts, p)
	if len(rows) > 0 {
		w.entries = append(w.entries, frameEntry{rows})
	}
}

// hops makes an entry of each jump in the program's text.
func (w *writer) hops(instructions []unwind.Instruction, taken map[uint64]bool) {
	for i := range instructions {
		if in := &instructions[i]; in.Confidence != unwind.Unknown && !taken[in.Address] {
			taken[in.Address] = true
			w.entries = append(w.entries, frameEntry{[]cfi.Row{row(in)}})
		}
	}
}

// row gives an instruction's row as it is written.
func row(in *unwind.Instruction) cfi.Row {
	row := in.Row
	row.Start, row.End = in.Address, in.Address+uint64(in.Length)
	if rule := &row.Rules[cfi.RIP]; rule.Kind == cfi.SavedAt {
		*rule = cfi.Rule{Kind: cfi.SavedAtExpression, Expression: cfi.OfCFA(rule.Offset)}
	}
	return row
}

// sections groups the parts: those on the same or adjacent pages share a
// section.
func (w *writer) sections() error {
	for i := range w.parts {
		p := &w.parts[i]
		n := len(w.texts)
		if n > 0 && p.Start-w.texts[n-1].End <= pageSize && p.End-w.texts[n-1].Start <= maxExtent {
			w.texts[n-1].End = max(w.texts[n-1].End, p.End)
		} else {
			w.texts = append(w.texts, text{Extent: p.Extent})
			n++
		}
		p.section = max(n, 1)
	}
	if len(w.texts) > maxSections {
		return fmt.Errorf("the stubs lie in %d places far apart; an image has room for %d", len(w.texts), maxSections)
	}
	for i := range w.texts {
		t := &w.texts[i]
		t.code = make([]byte, t.End-t.Start)
		if n, err := w.memory.ReadAt(t.code, int64(t.Start)); n < len(t.code) {
			return fmt.Errorf("reading the stub at %#x: %w", t.Start, err)
		}
	}
	return nil
}
