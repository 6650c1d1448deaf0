package tls

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rspd/gdbserver/program"
)

// memory is the pages that were written to.
type memory struct {
	program.Words
	pages map[uint64]*[program.PageSize]byte
}

func (m *memory) Read(address uint64, buffer []byte) (int, error) {
	n := 0
	for n < len(buffer) {
		at := address + uint64(n)
		p := m.pages[at&^(program.PageSize-1)]
		if p == nil {
			if n > 0 {
				return n, nil
			}
			return 0, errUnmapped
		}
		n += copy(buffer[n:], p[at&(program.PageSize-1):])
	}
	return n, nil
}

var errUnmapped = errors.New("bad address")

func (m *memory) write(address uint64, b []byte) {
	for len(b) > 0 {
		p := m.pages[address&^(program.PageSize-1)]
		if p == nil {
			p = new([program.PageSize]byte)
			m.pages[address&^(program.PageSize-1)] = p
		}
		n := copy(p[address&(program.PageSize-1):], b)
		address, b = address+uint64(n), b[n:]
	}
}

func (m *memory) appendWords(b []byte, values ...uint64) []byte {
	for _, v := range values {
		if m.Size == 4 {
			b = program.ByteOrder.AppendUint32(b, uint32(v))
		} else {
			b = program.ByteOrder.AppendUint64(b, v)
		}
	}
	return b
}

func (m *memory) words(address uint64, values ...uint64) {
	m.write(address, m.appendWords(nil, values...))
}

func (m *memory) headers(address uint64, headers ...elf.Prog64) {
	for i, h := range headers {
		var b []byte
		var err error
		if m.Size == 8 {
			b, err = binary.Append(nil, program.ByteOrder, h)
		} else {
			b, err = binary.Append(nil, program.ByteOrder, elf.Prog32{Type: h.Type, Flags: h.Flags, Off: uint32(h.Off),
				Vaddr: uint32(h.Vaddr), Filesz: uint32(h.Filesz), Memsz: uint32(h.Memsz), Align: uint32(h.Align)})
		}
		if err != nil {
			panic(err)
		}
		m.write(address+uint64(i*len(b)), b)
	}
}

// file writes an ELF header and program headers behind it.
func (m *memory) file(bias uint64, headers ...elf.Prog64) {
	var b []byte
	var err error
	ident := [elf.EI_NIDENT]byte{0: 0x7f, 1: 'E', 2: 'L', 3: 'F', elf.EI_CLASS: byte(elf.ELFCLASS64)}
	if m.Size == 8 {
		b, err = binary.Append(nil, program.ByteOrder, elf.Header64{Ident: ident, Phoff: 64, Phentsize: uint16(m.HeaderSize()), Phnum: uint16(len(headers))})
	} else {
		ident[elf.EI_CLASS] = byte(elf.ELFCLASS32)
		b, err = binary.Append(nil, program.ByteOrder, elf.Header32{Ident: ident, Phoff: 64, Phentsize: uint16(m.HeaderSize()), Phnum: uint16(len(headers))})
	}
	if err != nil {
		panic(err)
	}
	m.write(bias, b)
	m.headers(bias+64, headers...)
}

// Addresses of what newMemory writes. All fit in 32 bits.
const (
	mainBias   = 0x56555000
	linkerBias = 0xf7fc0000
	bias       = 0xf7dd4000
	mainMap    = 0xf7ffe000
	linkMapAt  = 0xf7bf0100
	pointer    = 0xf7bcf740
	vector     = 0xf7bd0010
	slots      = 0xf7be0000
	otherSlots = 0xf7be1000
	block      = 0x5655a2c0
	id         = 3
)

// PT_TLS of the program and of the library.
var (
	mainTLS    = elf.Prog64{Type: uint32(elf.PT_TLS), Vaddr: 0x3d74, Filesz: 4, Memsz: 0x14, Align: 0x20}
	libraryTLS = elf.Prog64{Type: uint32(elf.PT_TLS), Vaddr: 0x2e10, Filesz: 0x18, Memsz: 0x40, Align: 16}
)

func newMemory(word int) (*memory, []byte) {
	m := &memory{program.Words{Size: word}, map[uint64]*[program.PageSize]byte{}}
	m.file(mainBias, elf.Prog64{Type: uint32(elf.PT_PHDR), Vaddr: 64}, elf.Prog64{Type: uint32(elf.PT_LOAD)},
		elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Vaddr: 0x3d90}, mainTLS)
	m.words(mainMap, mainBias, 0, mainBias+0x3d90, 0, 0, mainMap, 0, 0)
	m.file(bias, elf.Prog64{Type: uint32(elf.PT_LOAD)}, elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Vaddr: 0x2e90}, libraryTLS)
	size := uint64(m.HeaderSize())
	const atPagesz = 6
	return m, m.appendWords(nil, atPagesz, 4096, program.AtPhdr, mainBias+64, program.AtPhent, size, program.AtPhnum, 4, program.AtBase, linkerBias, program.AtEntry, 1, program.AtNull, 0)
}

// glibc writes what glibc has of the library and of a thread. The place of the
// record differs between versions.
func glibc(word int, place uint64, offset uint64) (*memory, []byte) {
	m, auxv := newMemory(word)
	w := uint64(word)
	m.words(linkMapAt, bias, 0, bias+0x2e90, 0, mainMap, linkMapAt, 0, 0)
	m.words(linkMapAt+place*w, 0, bias+libraryTLS.Vaddr, libraryTLS.Filesz, libraryTLS.Memsz, libraryTLS.Align,
		libraryTLS.Vaddr&15, offset, id, 0)
	m.file(linkerBias, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Memsz: 0x100},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Vaddr: 0x2ff4, Memsz: 0x40c})
	// Among the linker's variables are some that are not what is looked for.
	m.words(linkerBias+0x3000, 7, linkMapAt, bias, 0xffff, otherSlots, 0, slots, linkerBias)
	m.words(linkerBias+0x2ff0, 0, 0, 0, 0)
	m.words(otherSlots, 64, 0)
	m.words(otherSlots+(2+2*id)*w, 1, mainMap)
	m.words(slots, 2, slots+0x100)
	m.words(slots+0x100, 64, 0, 0, 0, 5, linkMapAt)
	// The vector: room for modules, generation, the blocks.
	m.words(pointer, pointer, vector)
	m.words(vector-2*w, 16, 0, 5, 0, block-0x100, 0, block-0x200, 0, block, 0)
	return m, auxv
}

// musl writes what musl has.
func musl(word int) (*memory, []byte) {
	m, auxv := newMemory(word)
	w := uint64(word)
	size := uint64(m.HeaderSize())
	m.words(linkMapAt, bias, 0, bias+0x2e90, 0, mainMap, bias+64, 3, size)
	m.words(linkMapAt+37*w, 0, bias+libraryTLS.Vaddr, libraryTLS.Filesz, libraryTLS.Memsz, libraryTLS.Align, 0x60, id)
	m.words(pointer, pointer, vector)
	m.words(vector, 3, block-0x100, block-0x200, block)
	return m, auxv
}

func sizes(t *testing.T, test func(t *testing.T, word int)) {
	for _, word := range []int{4, 8} {
		t.Run(fmt.Sprint(8*word, " bits"), func(t *testing.T) { test(t, word) })
	}
}

func TestExecutable(t *testing.T) {
	sizes(t, func(t *testing.T, word int) {
		m, auxv := newMemory(word)
		for _, module := range []uint64{0, mainMap} {
			// 0x14 bytes that end at an address which is 0x3d88 modulo 32.
			const want = pointer - 0x2c + 8
			if (pointer-0x2c)%0x20 != mainTLS.Vaddr%0x20 {
				t.Fatal("the example is wrong")
			}
			if got, err := Address(m, auxv, pointer, module, 8); got != want || err != nil {
				t.Errorf("module %#x: %#x, %v, want %#x", module, got, err, uint64(want))
			}
			if got, err := Address(m, auxv, 0, module, 8); !errors.Is(err, ErrNoThreadPointer) {
				t.Errorf("module %#x without a thread pointer: %#x, %v", module, got, err)
			}
		}
	})
}

func TestDistance(t *testing.T) {
	for _, test := range []struct{ vaddr, memsz, align, want uint64 }{
		{0x3d98, 4, 4, 4}, {0x3d98, 5, 4, 8}, {0x3d90, 0x18, 8, 0x18}, {0x1000, 1, 64, 64}, {0x1010, 0x30, 0x40, 0x30}, {0x1010, 0x31, 0x40, 0x70},
		{0x1000, 9, 0, 9}, {0x1001, 9, 1, 9},
	} {
		got := segment{Prog64: elf.Prog64{Vaddr: test.vaddr, Memsz: test.memsz, Align: test.align}}.distance()
		if got != test.want {
			t.Errorf("%+v: %#x", test, got)
		}
	}
}

func TestLibrary(t *testing.T) {
	sizes(t, func(t *testing.T, word int) {
		w := uint64(word)
		none := program.Words{Size: word}.Address(^uint64(0))
		for _, place := range []uint64{40, 130, 200} {
			m, auxv := glibc(word, place, 0)
			if got, err := Address(m, auxv, pointer, linkMapAt, 0x20); got != block+0x20 || err != nil {
				t.Errorf("glibc, record at %d: %#x, %v", place, got, err)
			}
		}
		m, auxv := glibc(word, 130, 0x90)
		if got, err := Address(m, auxv, pointer, linkMapAt, 0x20); got != pointer-0x90+0x20 || err != nil {
			t.Errorf("glibc, at a distance: %#x, %v", got, err)
		}
		m, auxv = musl(word)
		if got, err := Address(m, auxv, pointer, linkMapAt, 0x20); got != block+0x20 || err != nil {
			t.Errorf("musl: %#x, %v", got, err)
		}

		for what, spoil := range map[string]func(m *memory){
			"not in the vector":     func(m *memory) { m.words(vector-2*w, 2) },
			"an older vector":       func(m *memory) { m.words(vector, 4) },
			"not allocated":         func(m *memory) { m.words(vector+2*id*w, none) },
			"nothing in the vector": func(m *memory) { m.words(vector+2*id*w, 0) },
		} {
			m, auxv := glibc(word, 130, none)
			spoil(m)
			if got, err := Address(m, auxv, pointer, linkMapAt, 0); !errors.Is(err, ErrNotAllocated) {
				t.Errorf("glibc, %s: %#x, %v", what, got, err)
			}
		}
		for what, spoil := range map[string]func(m *memory){
			"not in the vector":     func(m *memory) { m.words(vector, 2) },
			"nothing in the vector": func(m *memory) { m.words(vector+id*w, 0) },
		} {
			m, auxv := musl(word)
			spoil(m)
			if got, err := Address(m, auxv, pointer, linkMapAt, 0); !errors.Is(err, ErrNotAllocated) {
				t.Errorf("musl, %s: %#x, %v", what, got, err)
			}
		}
	})
}

// TestNonsense spoils what is needed, one thing after the other.
func TestNonsense(t *testing.T) {
	sizes(t, func(t *testing.T, word int) {
		w := uint64(word)
		unmap := func(address uint64) func(m *memory) {
			return func(m *memory) { delete(m.pages, address&^(program.PageSize-1)) }
		}
		for what, test := range map[string]struct {
			spoil func(m *memory)
			want  string
		}{
			"link_map":        {unmap(linkMapAt), "link_map at"},
			"library":         {unmap(bias), "ELF header"},
			"no ELF":          {func(m *memory) { m.write(bias, []byte{1}) }, "no ELF header"},
			"other class":     {func(m *memory) { m.write(bias+elf.EI_CLASS, []byte{7}) }, "no ELF header"},
			"no PT_TLS":       {func(m *memory) { m.file(bias, elf.Prog64{Type: uint32(elf.PT_LOAD)}) }, "no thread-local variables"},
			"bad alignment":   {func(m *memory) { h := libraryTLS; h.Align = 12; m.file(bias, h) }, "no power of two"},
			"other record":    {func(m *memory) { m.words(linkMapAt+133*w, 0x41) }, "not recognised"},
			"other list":      {func(m *memory) { m.words(slots+0x100+5*w, mainMap) }, "not recognised"},
			"empty list":      {func(m *memory) { m.words(slots, 0) }, "not recognised"},
			"endless list":    {func(m *memory) { m.words(slots, 1, slots) }, "not recognised"},
			"vector":          {unmap(vector), "vector"},
			"thread pointer":  {unmap(pointer), "vector"},
			"program headers": {unmap(mainBias), "headers"},
			"linker":          {unmap(linkerBias), "ELF header"},
			"linker's data":   {unmap(linkerBias + 0x3000), "not recognised"},
		} {
			m, auxv := glibc(word, 130, 0)
			test.spoil(m)
			if got, err := Address(m, auxv, pointer, linkMapAt, 0); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %#x, %v", what, got, err)
			}
		}
		m, auxv := newMemory(word)
		for _, auxv := range [][]byte{nil, auxv[:2*word], auxv[:len(auxv)/2]} {
			if got, err := Address(m, auxv, pointer, 0, 0); err == nil {
				t.Errorf("an auxiliary vector of %d bytes: %#x", len(auxv), got)
			}
		}
	})
}

// FuzzAddress reads memory that has anything where the structs should be.
func FuzzAddress(f *testing.F) {
	f.Add([]byte("\x7fELF"), uint64(0), uint64(8))
	f.Fuzz(func(t *testing.T, junk []byte, at, module uint64) {
		for _, word := range []int{4, 8} {
			m, auxv := glibc(word, 130, 0)
			places := []uint64{linkMapAt, linkMapAt + 130*uint64(word), bias, mainBias, linkerBias, slots, vector - 32, pointer}
			m.write(places[at%uint64(len(places))], junk[:min(len(junk), 512)])
			// Whatever comes, it ends and does not panic.
			_, _ = Address(m, auxv, pointer, linkMapAt, 0)
			_, _ = Address(m, auxv, pointer, module, 0)
			_, _ = Address(m, junk, pointer, linkMapAt, 0)
		}
	})
}
