package program

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var sizes = []Words{{8}, {4}}

func (w Words) appended(values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		if w.Size == 4 {
			b = ByteOrder.AppendUint32(b, uint32(v))
		} else {
			b = ByteOrder.AppendUint64(b, v)
		}
	}
	return b
}

func TestParseVector(t *testing.T) {
	for _, w := range sizes {
		size := uint64(w.HeaderSize())
		whole := w.appended(AtPhdr, 0xf0000040, AtPhent, size, AtPhnum, 9, AtBase, 0xf7fc0000, AtEntry, 0x1234, AtNull, 0, AtEntry, 1)
		want := Vector{Words: w, Headers: 0xf0000040, Count: 9, Linker: 0xf7fc0000, Entry: 0x1234}
		if got, err := ParseVector(whole); got != want || err != nil {
			t.Errorf("%d: %+v, %v, want %+v", w.Size, got, err, want)
		}
		for name, auxv := range map[string][]byte{
			"nothing":          nil,
			"no AT_PHENT":      w.appended(AtPhdr, 0x40, AtNull, 0),
			"another size":     w.appended(AtPhent, size+1, AtNull, 0),
			"after the end":    w.appended(AtNull, 0, AtPhent, size),
			"half of an entry": w.appended(AtPhent, size)[:2*w.Size-1],
		} {
			if got, err := ParseVector(auxv); err == nil {
				t.Errorf("%d: %s: %+v", w.Size, name, got)
			}
		}
	}
}

func (w Words) headers(headers ...elf.Prog64) []byte {
	var b []byte
	var err error
	for _, h := range headers {
		if w.Size == 8 {
			b, err = binary.Append(b, ByteOrder, h)
		} else {
			b, err = binary.Append(b, ByteOrder, elf.Prog32{Type: h.Type, Flags: h.Flags, Off: uint32(h.Off),
				Vaddr: uint32(h.Vaddr), Filesz: uint32(h.Filesz), Memsz: uint32(h.Memsz), Align: uint32(h.Align)})
		}
		if err != nil {
			panic(err)
		}
	}
	return b
}

// memoryAt is a memory of some bytes from an address on.
func memoryAt(start uint64, content []byte) Read {
	return func(address uint64, buffer []byte) error {
		if address < start || address-start > uint64(len(content)) || copy(buffer, content[address-start:]) < len(buffer) {
			return errors.New("there is no memory")
		}
		return nil
	}
}

func TestExecutable(t *testing.T) {
	const moved = 0xf0000000
	self := elf.Prog64{Type: uint32(elf.PT_PHDR), Vaddr: 0x40}
	first := elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: 0}
	dynamic := elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Vaddr: 0x3d90}
	for name, c := range map[string]struct {
		headers       []elf.Prog64
		bias, dynamic uint64
		problem       string
	}{
		"by PT_PHDR":          {[]elf.Prog64{self, first, dynamic}, moved, moved + 0x3d90, ""},
		"by the first page":   {[]elf.Prog64{first, dynamic}, moved, moved + 0x3d90, ""},
		"moved down":          {[]elf.Prog64{{Type: uint32(elf.PT_PHDR), Vaddr: moved + 0x1040}}, 1<<64 - 0x1000, 0, ""},
		"without any":         {[]elf.Prog64{dynamic}, 0, 0, "neither PT_PHDR nor"},
		"without the headers": {[]elf.Prog64{{Type: uint32(elf.PT_LOAD), Off: 0x1000}}, 0, 0, "neither PT_PHDR nor"},
	} {
		for _, w := range sizes {
			vector := Vector{Words: w, Headers: moved + 0x40, Count: uint64(len(c.headers))}
			i, err := vector.Executable(memoryAt(moved+0x40, w.headers(c.headers...)))
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Errorf("%d: %s: %v, want %q", w.Size, name, err, c.problem)
				}
				continue
			}
			if err != nil || i.Bias != w.Address(c.bias) || i.Dynamic() != c.dynamic || fmt.Sprint(i.Headers) != fmt.Sprint(c.headers) {
				t.Errorf("%d: %s: %+v, %v", w.Size, name, i, err)
			}
		}
	}
	for name, vector := range map[string]Vector{
		"no headers":   {Words: Words{8}, Count: 3},
		"none of them": {Words: Words{8}, Headers: moved},
		"too many":     {Words: Words{8}, Headers: moved, Count: 1 << 40},
		"no memory":    {Words: Words{8}, Headers: 0x1000, Count: 3},
	} {
		if i, err := vector.Executable(memoryAt(moved, make([]byte, 4096))); err == nil {
			t.Errorf("%s: %+v", name, i)
		}
	}
}

func TestLibrary(t *testing.T) {
	const bias = 0xf7d00000
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Memsz: 0x1000}
	dynamic := elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Vaddr: 0x2e90}
	for _, w := range sizes {
		var file []byte
		var err error
		ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64)}
		if w.Size == 8 {
			file, err = binary.Append(nil, ByteOrder, elf.Header64{Ident: ident, Phoff: 64, Phentsize: 56, Phnum: 2})
		} else {
			ident[elf.EI_CLASS] = byte(elf.ELFCLASS32)
			file, err = binary.Append(nil, ByteOrder, elf.Header32{Ident: ident, Phoff: 64, Phentsize: 32, Phnum: 2})
		}
		if err != nil {
			t.Fatal(err)
		}
		file = append(append(file, make([]byte, 64-len(file))...), w.headers(load, dynamic)...)
		i, err := w.Library(memoryAt(bias, file), bias)
		if err != nil || i.Bias != bias || i.Table != bias+64 || i.Dynamic() != bias+0x2e90 || len(i.Headers) != 2 {
			t.Errorf("%d: %+v, %v", w.Size, i, err)
		}
		other := Words{12 - w.Size}
		if i, err := other.Library(memoryAt(bias, file), bias); err == nil {
			t.Errorf("%d: a file of the other class: %+v", w.Size, i)
		}
		for _, length := range []int{0, 20, len(file) - 1} {
			if i, err := w.Library(memoryAt(bias, file[:length]), bias); err == nil {
				t.Errorf("%d: %d bytes of a file: %+v", w.Size, length, i)
			}
		}
	}
}
