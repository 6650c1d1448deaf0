package hint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// The names of the symbols of c/jump_patch.h.
const (
	DescriptorSymbol = "__jump_patch_descriptor"
	ChangedSymbol    = "__jump_patch_changed"
)

// The sizes of the structures of c/jump_patch.h, in bytes.
const (
	descriptorSize = 24
	entrySize      = 80
	rowSize        = 128
	placeSize      = 16
)

// The kinds of enum jump_patch_place_kind.
const (
	placeSame = iota
	placeLost
	placeRegister
	placeMemory
	placeAbsolute
	placeCFA
)

// An Action is what a patcher has just done with an entry.
type Action uint32

// The actions of enum jump_patch_action.
const (
	NoAction Action = iota
	Added
	Removed
)

// A Descriptor is the head of a table.
type Descriptor struct {
	Version  uint32
	Action   Action
	Relevant uint64 // address of the entry that the action is about
	First    uint64 // address of the first entry; 0 if there is none
}

// ReadDescriptor reads the descriptor at an address.
func ReadDescriptor(memory io.ReaderAt, at uint64) (Descriptor, error) {
	var b [descriptorSize]byte
	if err := read(memory, b[:], at); err != nil {
		return Descriptor{}, fmt.Errorf("the descriptor of jump patches: %w", err)
	}
	d := Descriptor{
		Version: little.Uint32(b[0:]), Action: Action(little.Uint32(b[4:])),
		Relevant: little.Uint64(b[8:]), First: little.Uint64(b[16:]),
	}
	if d.Version != Version {
		return d, fmt.Errorf("the descriptor of jump patches at %#x has version %d; %d is understood", at, d.Version, Version)
	}
	return d, nil
}

// ReadTable reads the table whose descriptor is at an address, in a process's
// memory. The error says why there is nothing to be read; warnings tell what
// was left out.
func ReadTable(memory io.ReaderAt, at uint64) ([]unwind.Hint, []unwind.Warning, error) {
	d, err := ReadDescriptor(memory, at)
	if err != nil {
		return nil, nil, err
	}
	c := &collector{}
	seen := map[uint64]bool{}
	for entry := d.First; entry != 0; {
		if seen[entry] {
			c.warn(entry, "the table of jump patches has a loop; it ends here")
			break
		}
		if len(seen) == maxPatches {
			c.warn(entry, "the table has more than %d jump patches; the rest is left out", maxPatches)
			break
		}
		seen[entry] = true
		hint, next, err := readEntry(memory, entry)
		if errors.Is(err, errEntry) {
			c.warn(entry, "the table of jump patches ends here: %v", err)
			break
		}
		c.add(hint, err)
		entry = next
		if c.rows > maxAll {
			c.warn(entry, "the table of jump patches has too many rows; the rest is left out")
			break
		}
	}
	hints := c.finish()
	return hints, c.warnings, nil
}

var (
	little   = binary.LittleEndian
	errEntry = errors.New("an entry can't be read")
)

func read(memory io.ReaderAt, b []byte, at uint64) error {
	if at >= maxAddress || at%8 != 0 {
		return fmt.Errorf("%#x is no address of it", at)
	}
	if n, err := memory.ReadAt(b, int64(at)); n < len(b) {
		return fmt.Errorf("reading at %#x: %w", at, err)
	}
	return nil
}

// readEntry reads a struct jump_patch.
func readEntry(memory io.ReaderAt, at uint64) (h unwind.Hint, next uint64, err error) {
	var b [entrySize]byte
	if err := read(memory, b[:], at); err != nil {
		return h, 0, fmt.Errorf("%w: %w", errEntry, err)
	}
	word := func(i int) uint64 { return little.Uint64(b[8*i:]) }
	next = word(0)
	h.Site, h.Entry, h.Return = word(2), word(6), word(7)
	length, stub, size, rows, count := word(3), word(4), word(5), word(8), word(9)
	const mostBytes = 1 << 20
	switch {
	case length > mostBytes:
		return h, next, fmt.Errorf("%d bytes would have been replaced", length)
	case size > mostBytes:
		return h, next, fmt.Errorf("its stub would have %d bytes", size)
	case count > maxRows:
		return h, next, fmt.Errorf("it has %d rows; %d is the most", count, maxRows)
	}
	h.Length = int(length)
	h.Stub = unwind.Extent{Start: stub, End: stub + size}
	if count == 0 {
		return h, next, nil
	}
	content := make([]byte, count*rowSize)
	if err := read(memory, content, rows); err != nil {
		return h, next, fmt.Errorf("its rows can't be read: %w", err)
	}
	for ; len(content) > 0; content = content[rowSize:] {
		row, err := readRow(content[:rowSize], stub)
		if err != nil {
			return h, next, err
		}
		h.Rows = append(h.Rows, row)
	}
	return h, next, nil
}

// readRow reads a struct jump_patch_row.
func readRow(b []byte, stub uint64) (row cfi.Row, err error) {
	start, end := little.Uint64(b), little.Uint64(b[8:])
	row.Start, row.End = stub+start, stub+end
	if row.Start < stub || row.End < stub {
		return row, fmt.Errorf("its row from %#x to %#x isn't within the stub", start, end)
	}
	if row.CFA, err = readPlace(b[16:], true); err != nil {
		return row, err
	}
	for i, register := range cfi.CalleeSaved {
		if row.Rules[register], err = readPlace(b[16+placeSize*(i+1):], false); err != nil {
			return row, err
		}
	}
	return row, nil
}

// readPlace reads a struct jump_patch_place.
func readPlace(b []byte, isCFA bool) (cfi.Rule, error) {
	kind, register := b[0], cfi.Register(b[1])
	plus, offset := int64(int32(little.Uint32(b[4:]))), int64(little.Uint64(b[8:]))
	if register >= cfi.RIP {
		return cfi.Rule{}, fmt.Errorf("%d is the number of no register", register)
	}
	load := func(address string) (cfi.Rule, error) {
		return cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(address, plus)}, nil
	}
	switch {
	case kind == placeSame && !isCFA:
		return cfi.Rule{Kind: cfi.SameValue}, nil
	case kind == placeLost && !isCFA:
		return cfi.Rule{Kind: cfi.Undefined}, nil
	case kind == placeRegister:
		return cfi.Rule{Kind: cfi.InRegister, Register: register, Offset: offset}, nil
	case kind == placeMemory:
		return load(cfi.RegisterPlus(register, offset))
	case kind == placeAbsolute:
		return load(cfi.Constant(uint64(offset)))
	case kind == placeCFA && !isCFA && plus == 0:
		return cfi.Rule{Kind: cfi.SavedAt, Offset: offset}, nil
	}
	return cfi.Rule{}, fmt.Errorf("a place of kind %d isn't possible there", kind)
}
