package unwind

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"rspd/unwind/cfi"
)

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// A Module is an ELF file of x86-64 as the linker made it. Its addresses are
// those in the file, before loading.
type Module struct {
	file    io.ReaderAt
	elf     *elf.File
	tables  []*cfi.Table
	read    bool
	symbols []function
	sorted  bool
}

// A function is a symbol with code.
type function struct {
	name       string
	start, end uint64
}

// maxSection bounds what is read of one section.
const maxSection = 1 << 30

// NewModule reads the headers of an ELF file. The file is read further when
// more is asked for, and has to stay open.
func NewModule(file io.ReaderAt) (*Module, error) {
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	if f.Machine != elf.EM_X86_64 || f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("it is a program for %v, not for x86-64", f.Machine)
	}
	return &Module{file: file, elf: f}, nil
}

// ReadAt reads the file.
func (m *Module) ReadAt(b []byte, offset int64) (int, error) { return m.file.ReadAt(b, offset) }

// Address gives the address in the file of what is stored at an offset.
func (m *Module) Address(offset uint64) (uint64, bool) {
	for _, p := range m.elf.Progs {
		if p.Type == elf.PT_LOAD && offset >= p.Off && offset-p.Off < p.Filesz {
			return p.Vaddr + offset - p.Off, true
		}
	}
	return 0, false
}

// Row gives the call frame information of an address.
func (m *Module) Row(address uint64) (cfi.Row, error) {
	err := cfi.ErrNotCovered
	for _, table := range m.frames() {
		var row cfi.Row
		if row, err = table.Row(address); !errors.Is(err, cfi.ErrNotCovered) {
			return row, err
		}
	}
	return cfi.Row{}, err
}

func (m *Module) frames() []*cfi.Table {
	if m.read {
		return m.tables
	}
	m.read = true
	for _, kind := range []struct {
		section string
		format  cfi.Format
	}{{".eh_frame", cfi.EHFrame}, {".debug_frame", cfi.DebugFrame}} {
		section := m.elf.Section(kind.section)
		if section == nil || section.Type == elf.SHT_NOBITS || section.Size > maxSection {
			continue
		}
		data, err := section.Data()
		if err != nil {
			continue
		}
		// An entry that makes no sense doesn't hinder the others.
		table, _ := cfi.NewTable(data, section.Addr, kind.format)
		m.tables = append(m.tables, table)
	}
	return m.tables
}

// Function gives the name and the addresses of the function at an address,
// end not included: from the symbols, or, without a name, from the call frame
// information. ok tells whether either knows it.
func (m *Module) Function(address uint64) (name string, start, end uint64, ok bool) {
	for _, table := range m.frames() {
		var err error
		if start, end, err = table.Range(address); err == nil {
			ok = true
			break
		}
	}
	if s := m.symbol(address); s != nil {
		return s.name, s.start, max(end, s.end), true
	}
	return "", start, end, ok
}

func (m *Module) symbol(address uint64) *function {
	m.sortSymbols()
	i := sort.Search(len(m.symbols), func(i int) bool { return m.symbols[i].start > address })
	// Some may be nested; look back a little.
	for n := 0; i > 0 && n < 16; n++ {
		i--
		s := &m.symbols[i]
		if address < s.end || address == s.start {
			return s
		}
	}
	return nil
}

func (m *Module) sortSymbols() {
	if m.sorted {
		return
	}
	m.sorted = true
	static, _ := m.elf.Symbols()
	dynamic, _ := m.elf.DynamicSymbols()
	for _, list := range [][]elf.Symbol{static, dynamic} {
		for _, s := range list {
			kind := elf.ST_TYPE(s.Info)
			if kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC || s.Section == elf.SHN_UNDEF || s.Name == "" {
				continue
			}
			m.symbols = append(m.symbols, function{s.Name, s.Value, s.Value + s.Size})
		}
	}
	// Of several names of one function the later in this order is found:
	// the one with fewest underscores in front, and then the shortest.
	rank := func(f function) int {
		underscores := 0
		for underscores < len(f.name) && f.name[underscores] == '_' {
			underscores++
		}
		return underscores*1000 + len(f.name)
	}
	sort.SliceStable(m.symbols, func(i, j int) bool {
		a, b := m.symbols[i], m.symbols[j]
		if a.start != b.start {
			return a.start < b.start
		}
		if (a.end > a.start) != (b.end > b.start) {
			return a.end == a.start
		}
		return rank(a) > rank(b)
	})
}
