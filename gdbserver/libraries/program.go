package libraries

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// byteOrder is that of the program, which runs on the server's machine.
var byteOrder = binary.NativeEndian

// Types of entries of the auxiliary vector, from <linux/auxvec.h>.
const (
	atNull  = 0
	atPhdr  = 3
	atPhent = 4
	atPhnum = 5
	atEntry = 9
)

// Sizes of a program header in ELF files of both classes, from the System V
// ABI. AT_PHENT is one of them.
const (
	programHeader32 = 32
	programHeader64 = 56
)

// maxProgramHeaders is how many bytes of program headers the kernel takes when
// it executes a file (fs/binfmt_elf.c, load_elf_phdrs).
const maxProgramHeaders = 1 << 16

// maxDynamic is how many bytes of a dynamic section are searched.
const maxDynamic = 1 << 20

// layout is what depends on the size of a program's words.
type layout struct{ word int } // bytes, 4 or 8

// at is the i-th word in b.
func (l layout) at(b []byte, i int) uint64 {
	if l.word == 4 {
		return uint64(byteOrder.Uint32(b[4*i:]))
	}
	return byteOrder.Uint64(b[8*i:])
}

// address is what is left of a sum when it is an address of the program.
func (l layout) address(sum uint64) uint64 {
	if l.word == 4 {
		return uint64(uint32(sum))
	}
	return sum
}

// program is what an auxiliary vector tells of a program.
type program struct {
	layout
	headers uint64 // AT_PHDR
	count   uint64 // AT_PHNUM
	entry   uint64 // AT_ENTRY
}

// parseAuxv reads an auxiliary vector: pairs of words, type and value. The size
// of its words is that by which it says the size of a program header.
func parseAuxv(auxv []byte) (program, error) {
	for _, class := range []struct{ word, header int }{{8, programHeader64}, {4, programHeader32}} {
		p := program{layout: layout{class.word}}
		var size uint64
		for b := auxv; len(b) >= 2*p.word; b = b[2*p.word:] {
			kind, value := p.at(b, 0), p.at(b, 1)
			if kind == atNull {
				break
			}
			switch kind {
			case atPhdr:
				p.headers = value
			case atPhent:
				size = value
			case atPhnum:
				p.count = value
			case atEntry:
				p.entry = value
			}
		}
		if size == uint64(class.header) {
			return p, nil
		}
	}
	return program{}, fmt.Errorf("the program's auxiliary vector of %d bytes has no AT_PHENT that tells whether it has 32 or 64 bits", len(auxv))
}

// ProgramEntry is the address at which the program itself starts, once its
// dynamic linker is done (AT_ENTRY of getauxval(3)). The error says what the
// auxiliary vector lacks.
func ProgramEntry(auxv []byte) (uint64, error) {
	p, err := parseAuxv(auxv)
	if err != nil {
		return 0, err
	}
	if p.entry == 0 {
		return 0, errors.New("the program's auxiliary vector has no AT_ENTRY")
	}
	return p.entry, nil
}

// debugBase finds the value of DT_DEBUG.
func debugBase(memory *pages, p program) (uint64, error) {
	headers, err := readHeaders(memory, p)
	if err != nil {
		return 0, err
	}
	dynamic, err := findDynamic(headers, p)
	if err != nil {
		return 0, err
	}
	return findDebug(memory, p.layout, dynamic)
}

// readHeaders reads a program's headers, those of 32 bits into the form for 64.
func readHeaders(memory *pages, p program) ([]elf.Prog64, error) {
	size := uint64(programHeader64)
	if p.word == 4 {
		size = programHeader32
	}
	if p.headers == 0 || p.count == 0 {
		return nil, errors.New("the program's auxiliary vector does not tell where its program headers are")
	}
	if p.count > maxProgramHeaders/size {
		return nil, fmt.Errorf("the program's auxiliary vector tells of %d program headers, more than any program has", p.count)
	}
	b := make([]byte, p.count*size)
	if err := memory.read(p.headers, b); err != nil {
		return nil, fmt.Errorf("the program headers cannot be read: %w", err)
	}
	headers := make([]elf.Prog64, p.count)
	for i := range headers {
		var err error
		if p.word == 8 {
			_, err = binary.Decode(b[uint64(i)*size:], byteOrder, &headers[i])
		} else {
			var h elf.Prog32
			_, err = binary.Decode(b[uint64(i)*size:], byteOrder, &h)
			headers[i] = elf.Prog64{Type: h.Type, Off: uint64(h.Off), Vaddr: uint64(h.Vaddr)}
		}
		if err != nil {
			return nil, fmt.Errorf("a program header cannot be decoded: %w", err)
		}
	}
	return headers, nil
}

// findDynamic finds the address of a program's dynamic section.
//
// A program that is not where its headers say, such as a position-independent
// one, is moved as a whole. By how much tells PT_PHDR, which has the address
// of the headers themselves. A program without PT_PHDR (a static one that is
// position-independent has none) has its headers in the first page of the
// file, and that is in the first PT_LOAD; they come in order of address
// (System V ABI, "Program Header").
func findDynamic(headers []elf.Prog64, p program) (uint64, error) {
	var dynamic, self, load *elf.Prog64
	for i := range headers {
		h := &headers[i]
		switch kind := elf.ProgType(h.Type); {
		case kind == elf.PT_DYNAMIC && dynamic == nil:
			dynamic = h
		case kind == elf.PT_PHDR && self == nil:
			self = h
		case kind == elf.PT_LOAD && load == nil:
			load = h
		}
	}
	switch {
	case dynamic == nil:
		return 0, ErrNoList
	case self != nil:
		return p.address(dynamic.Vaddr + p.headers - self.Vaddr), nil
	case load != nil && load.Off < pageSize:
		moved := p.headers&^(pageSize-1) - load.Vaddr&^(pageSize-1)
		return p.address(dynamic.Vaddr + moved), nil
	}
	return 0, errors.New("the program headers do not tell where the program was loaded: there is neither PT_PHDR nor a PT_LOAD with them")
}

// findDebug finds DT_DEBUG among the entries of a dynamic section, pairs of
// words that one with DT_NULL ends.
func findDebug(memory *pages, l layout, dynamic uint64) (uint64, error) {
	var buffer [2 * 8]byte
	b := buffer[:2*l.word]
	for offset := uint64(0); offset < maxDynamic; offset += uint64(len(b)) {
		if err := memory.read(dynamic+offset, b); err != nil {
			return 0, fmt.Errorf("the program's dynamic section cannot be read: %w", err)
		}
		switch elf.DynTag(l.at(b, 0)) {
		case elf.DT_NULL:
			return 0, ErrNoList
		case elf.DT_DEBUG:
			return l.at(b, 1), nil
		}
	}
	return 0, fmt.Errorf("the program's dynamic section at %#x has no end within %d bytes", dynamic, maxDynamic)
}
