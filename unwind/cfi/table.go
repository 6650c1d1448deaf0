package cfi

import (
	"errors"
	"fmt"
	"sort"
)

// A Format is one of the two ways in which frame information is stored.
type Format uint8

// The formats, named for the sections that hold them.
const (
	EHFrame Format = iota
	DebugFrame
)

// ErrNotCovered means that a table has no information about an address.
var ErrNotCovered = errors.New("no call frame information covers the address")

// maxRules bounds the call frame instructions that are executed for one row,
// and maxDepth the states that they may remember.
const (
	maxInstructions = 1 << 16
	maxDepth        = 64
)

// A Table holds the frame information of one section. It is safe for
// concurrent use.
type Table struct {
	data    []byte
	section uint64
	format  Format
	entries []entry
}

// An entry is one frame description entry (FDE).
type entry struct {
	start, size  uint64
	common       *common
	instructions uint64 // offset of the call frame instructions in the section
	end          uint64 // offset of their end
}

// A common is a common information entry (CIE).
type common struct {
	codeFactor   uint64
	dataFactor   int64
	returnColumn uint64
	encoding     uint8
	augmented    bool // entries have augmentation data
	signal       bool
	instructions []byte
	at           uint64
}

// NewTable indexes a section that is loaded at an address; what it says of
// addresses is relative to the same. The data is kept. Entries that make no
// sense are left out, and the error tells of the first: the table is usable
// in spite of it.
func NewTable(data []byte, section uint64, format Format) (*Table, error) {
	t := &Table{data: data, section: section, format: format}
	commons := map[uint64]*common{}
	var first error
	note := func(at uint64, err error) {
		if first == nil && err != nil {
			first = fmt.Errorf("frame information at offset %#x: %w", at, err)
		}
	}
	for at := uint64(0); at < uint64(len(data)); {
		body, id, next, err := t.record(at)
		if err != nil {
			note(at, err)
			break
		}
		if body == nil { // the terminator of .eh_frame
			at = next
			continue
		}
		if !t.isCommon(id) {
			where, ok := t.commonOf(id, body)
			c := commons[where]
			if ok && c == nil {
				c, err = t.common(where)
				if err == nil {
					commons[where] = c
				}
				note(at, err)
			}
			if c != nil {
				e, err := t.entry(c, body)
				note(at, err)
				if err == nil && e.size > 0 {
					t.entries = append(t.entries, e)
				}
			} else if !ok {
				note(at, errors.New("an entry points to no common information"))
			}
		}
		at = next
	}
	sort.SliceStable(t.entries, func(i, j int) bool { return t.entries[i].start < t.entries[j].start })
	return t, first
}

// An identified is the body of a record, after its length, with the size of
// its offsets.
type identified struct {
	reader
	end  uint64
	wide bool
	idAt uint64
}

// record reads the length and the CIE id or pointer of the record at an
// offset. The body is nil for a terminator.
func (t *Table) record(at uint64) (body *identified, id uint64, next uint64, err error) {
	r := reader{data: t.data[at:], at: at}
	length := r.uint(4)
	wide := false
	if length == 0xffffffff {
		wide = true
		length = r.uint(8)
	}
	if r.err != nil {
		return nil, 0, 0, r.err
	}
	if length == 0 {
		return nil, 0, r.at, nil
	}
	if length > uint64(len(r.data)) {
		return nil, 0, 0, errTruncated
	}
	next = r.at + length
	body = &identified{reader: reader{data: r.data[:length], at: r.at}, end: next, wide: wide, idAt: r.at}
	size := uint64(4)
	if wide && t.format == DebugFrame {
		size = 8
	}
	id = body.uint(size)
	return body, id, next, body.err
}

func (t *Table) isCommon(id uint64) bool {
	if t.format == EHFrame {
		return id == 0
	}
	return id == 0xffffffff || id == 0xffffffffffffffff
}

// commonOf gives the offset of the CIE that an entry points to.
func (t *Table) commonOf(id uint64, body *identified) (uint64, bool) {
	if t.format == EHFrame { // the distance from the pointer itself
		if id > body.idAt {
			return 0, false
		}
		return body.idAt - id, true
	}
	return id, id < uint64(len(t.data))
}

func (t *Table) common(at uint64) (*common, error) {
	r, id, _, err := t.record(at)
	if err != nil {
		return nil, err
	}
	if r == nil || !t.isCommon(id) {
		return nil, errors.New("an entry points to no common information")
	}
	c := &common{}
	version := r.uint(1)
	augmentation := r.text()
	if version >= 4 {
		if size := r.uint(1); size != 8 {
			return nil, fmt.Errorf("addresses have %d bytes", size)
		}
		r.uint(1) // segment selector
	}
	c.codeFactor = r.uleb()
	c.dataFactor = r.sleb()
	if version == 1 {
		c.returnColumn = r.uint(1)
	} else {
		c.returnColumn = r.uleb()
	}
	if len(augmentation) > 0 && augmentation[0] == 'z' {
		c.augmented = true
		data := reader{at: r.at}
		length := r.uleb()
		data.at = r.at
		data.data = r.bytes(length)
		for _, letter := range augmentation[1:] {
			switch letter {
			case 'R':
				c.encoding = uint8(data.uint(1))
			case 'P':
				data.pointer(uint8(data.uint(1))&^encodingIndirect, t.section)
			case 'L':
				data.uint(1)
			case 'S':
				c.signal = true
			case 'B':
			default:
				// Unknown letters end what can be understood of the data.
				data.data = nil
			}
		}
		if data.err != nil {
			return nil, data.err
		}
	} else if augmentation != "" {
		return nil, fmt.Errorf("the augmentation %.16q is unknown", augmentation)
	}
	c.at = r.at
	c.instructions = r.data
	return c, r.err
}

func (t *Table) entry(c *common, r *identified) (entry, error) {
	e := entry{common: c, end: r.end}
	if t.format == EHFrame {
		e.start = r.pointer(c.encoding, t.section)
		e.size = r.pointer(c.encoding&encodingFormat, t.section)
	} else {
		e.start = r.uint(8)
		e.size = r.uint(8)
	}
	if c.augmented {
		r.bytes(r.uleb())
	}
	e.instructions = r.at
	if r.err == nil && e.start+e.size < e.start {
		return e, errors.New("an entry's range wraps around")
	}
	return e, r.err
}

// Range gives the addresses, from start up to end, of the entry that covers an
// address: as a rule, those of a function.
func (t *Table) Range(address uint64) (start, end uint64, err error) {
	e, err := t.find(address)
	if err != nil {
		return 0, 0, err
	}
	return e.start, e.start + e.size, nil
}

func (t *Table) find(address uint64) (*entry, error) {
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].start > address })
	// Entries of discarded functions may overlap at low addresses; the
	// nearest before is the one in all other cases.
	if i == 0 || address-t.entries[i-1].start >= t.entries[i-1].size {
		return nil, ErrNotCovered
	}
	return &t.entries[i-1], nil
}

// Row gives the rules at an address, or ErrNotCovered, or what is wrong with
// the table.
func (t *Table) Row(address uint64) (Row, error) {
	e, err := t.find(address)
	if err != nil {
		return Row{}, err
	}
	m := machine{table: t, common: e.common}
	if _, err := m.run(reader{data: e.common.instructions, at: e.common.at}, 0, ^uint64(0)); err != nil {
		return Row{}, err
	}
	m.initial = m.row
	m.row.Start = e.start
	end, err := m.run(reader{data: t.data[e.instructions:e.end], at: e.instructions}, e.start, address)
	if err != nil {
		return Row{}, err
	}
	m.row.End = min(end, e.start+e.size)
	m.row.Signal = e.common.signal
	if m.row.CFA.Kind == Unspecified {
		return Row{}, errors.New("the call frame information defines no CFA")
	}
	return m.row, nil
}
