package unwind

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// A Mapping is one line of /proc/PID/maps (proc(5)).
type Mapping struct {
	Start, End uint64 // addresses, End not included
	Offset     uint64 // of Start in the file
	Executable bool
	Path       string // as the kernel writes it; empty for anonymous memory
}

// Anonymous reports whether the memory has no file that a linker made: it is
// where patchers put stubs. Memory files and shared anonymous memory count as
// such. The vDSO doesn't: the kernel provides it as an ELF image.
func (m Mapping) Anonymous() bool {
	switch {
	case m.Path == "", m.Path == "[stack]", m.Path == "[heap]":
		return true
	}
	for _, prefix := range []string{"[anon", "/memfd:", "/dev/zero", "/SYSV", "anon_inode:"} {
		if strings.HasPrefix(m.Path, prefix) {
			return true
		}
	}
	return false
}

func (m Mapping) contains(address uint64) bool { return m.Start <= address && address < m.End }

// A Process is what is looked at: one moment of a stopped process. Its methods
// and the functions that take it must not be called concurrently.
type Process struct {
	// Memory is the process's memory, with offsets as addresses, as the
	// program left it: without a debugger's breakpoints.
	Memory io.ReaderAt
	// Mappings are in the order of their addresses and don't overlap.
	Mappings []Mapping
	// Open gives the original content of what a mapping shows, with offsets
	// as in the file: the file, or for "[vdso]" an image of the vDSO, which
	// is the same for all processes of one kernel. It is called once for
	// each path.
	Open func(Mapping) (io.ReaderAt, error)
	// Written, if not nil, tells which parts of a mapping may differ from
	// its file: /proc/PID/pagemap has it. Otherwise all is compared.
	Written func(Mapping) []Extent

	modules map[string]*Module
	failed  map[string]error
	pages   map[uint64][]byte
	returns map[uint64][]uint64
	// callers are the numbers of patches that call a stub, and called what such
	// stubs are.
	callers map[uint64]int
	called  map[uint64]*Region
	// work counts what was done so far; see maxWork.
	work int
}

// An Extent is a range of addresses, End not included.
type Extent struct{ Start, End uint64 }

// A Warning says what could not be done, and why, in a sentence for a user.
type Warning struct {
	Address uint64 // what it is about
	Text    string
}

func (w Warning) String() string { return fmt.Sprintf("%#x: %s", w.Address, w.Text) }

// maxAddress is where the lower half of the canonical addresses ends, with
// four levels of page tables. Linux places user memory above it only on
// request.
const maxAddress = 1 << 56

// mapping gives the mapping of an address.
func (p *Process) mapping(address uint64) (Mapping, bool) {
	i := sort.Search(len(p.Mappings), func(i int) bool { return p.Mappings[i].End > address })
	if i < len(p.Mappings) && p.Mappings[i].contains(address) {
		return p.Mappings[i], true
	}
	return Mapping{}, false
}

// foreign reports whether an address is in anonymous executable memory.
func (p *Process) foreign(address uint64) bool {
	m, ok := p.mapping(address)
	return ok && m.Executable && m.Anonymous()
}

// module gives the ELF file that a mapping shows.
func (p *Process) module(m Mapping) (*Module, error) {
	if module := p.modules[m.Path]; module != nil {
		return module, nil
	}
	if err := p.failed[m.Path]; err != nil {
		return nil, err
	}
	if p.modules == nil {
		p.modules, p.failed = map[string]*Module{}, map[string]error{}
	}
	file, err := p.Open(m)
	if err == nil {
		var module *Module
		if module, err = NewModule(file); err == nil {
			p.modules[m.Path] = module
			return module, nil
		}
	}
	p.failed[m.Path] = err
	return nil, err
}

const pageSize = 4096

// maxPages bounds the pages of stubs that are kept.
const maxPages = 1 << 14

// code reads up to n bytes; fewer if the memory ends there.
func (p *Process) code(address uint64, n int) []byte {
	var b []byte
	for n > 0 {
		page := p.page(address &^ (pageSize - 1))
		at := int(address % pageSize)
		if at >= len(page) {
			break
		}
		part := page[at:min(len(page), at+n)]
		if b == nil && len(part) == n {
			return part
		}
		b = append(b, part...)
		address += uint64(len(part))
		n -= len(part)
		if address%pageSize != 0 {
			break
		}
	}
	return b
}

func (p *Process) page(address uint64) []byte {
	if page, ok := p.pages[address]; ok {
		return page
	}
	if p.pages == nil || len(p.pages) >= maxPages {
		p.pages = map[uint64][]byte{}
	}
	page := make([]byte, pageSize)
	n := 0
	if address < maxAddress {
		n, _ = p.Memory.ReadAt(page, int64(address))
	}
	p.pages[address] = page[:n]
	return page[:n]
}

// word reads 8 bytes.
func (p *Process) word(address uint64) (uint64, bool) {
	b := p.code(address, 8)
	if len(b) < 8 {
		return 0, false
	}
	return le64(b), true
}

// describe says where an address is, in words.
func (p *Process) describe(address uint64) string {
	m, ok := p.mapping(address)
	switch {
	case !ok:
		return "unmapped memory"
	case !m.Executable:
		return "memory that isn't executable"
	case m.Anonymous():
		return "anonymous memory"
	}
	return m.Path
}
