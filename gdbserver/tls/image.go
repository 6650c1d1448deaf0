package tls

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of entries of the auxiliary vector, from <linux/auxvec.h>.
const (
	atNull  = 0
	atPhdr  = 3
	atPhent = 4
	atPhnum = 5
	atBase  = 7
)

// Sizes of a program header in ELF files of both classes.
const (
	programHeader32 = 32
	programHeader64 = 56
)

const pageSize = 4096

// maxProgramHeaders is how many a library or program may have here.
const maxProgramHeaders = 1 << 10

// program is what an auxiliary vector tells of a program.
type program struct {
	layout
	headers uint64 // AT_PHDR
	count   uint64 // AT_PHNUM
	linker  uint64 // AT_BASE: where the dynamic linker is, 0 for none
}

// parseAuxv reads an auxiliary vector: pairs of words, type and value. The size
// of its words is that by which it says the size of a program header.
func parseAuxv(auxv []byte) (program, error) {
	for _, class := range []struct{ word, header int }{{8, programHeader64}, {4, programHeader32}} {
		p := program{layout: layout{class.word}}
		var size uint64
		for b := auxv; len(b) >= 2*p.word && p.at(b, 0) != atNull; b = b[2*p.word:] {
			value := p.at(b, 1)
			switch p.at(b, 0) {
			case atPhdr:
				p.headers = value
			case atPhent:
				size = value
			case atPhnum:
				p.count = value
			case atBase:
				p.linker = value
			}
		}
		if size == uint64(class.header) {
			return p, nil
		}
	}
	return program{}, errors.New("the program's auxiliary vector does not tell whether it has 32 or 64 bits")
}

// image is a program or library in memory.
type image struct {
	layout
	// bias is an address in memory less the same address in the file.
	bias uint64
	// table is where the program headers are.
	table   uint64
	headers []elf.Prog64
}

// executable is the program that the kernel has executed.
func (r reader) executable(p program) (image, error) {
	i, err := r.image(p.headers, p.count)
	if err != nil {
		return image{}, fmt.Errorf("the program's headers cannot be read: %w", err)
	}
	// PT_PHDR has the address of the headers themselves. Without it they are in
	// the first page of the file, and that is in the first PT_LOAD.
	for _, h := range i.headers {
		if elf.ProgType(h.Type) == elf.PT_PHDR {
			i.bias = p.headers - h.Vaddr
			return i, nil
		}
	}
	for _, h := range i.headers {
		if elf.ProgType(h.Type) == elf.PT_LOAD {
			i.bias = p.headers&^(pageSize-1) - h.Vaddr&^(pageSize-1)
			return i, nil
		}
	}
	return image{}, errors.New("the program's headers do not tell where it was loaded")
}

// library is a library or a dynamic linker, whose file begins at its bias.
func (r reader) library(bias uint64) (image, error) {
	// e_phoff, e_phentsize and e_phnum of both classes' file headers.
	type places struct{ class, offset, size, count, header int }
	at := places{int(elf.ELFCLASS64), 32, 54, 56, programHeader64}
	if r.word == 4 {
		at = places{int(elf.ELFCLASS32), 28, 42, 44, programHeader32}
	}
	header := make([]byte, at.count+2)
	if err := r.bytes(bias, header); err != nil {
		return image{}, fmt.Errorf("the module's ELF header at %#x cannot be read: %w", bias, err)
	}
	if string(header[:4]) != elf.ELFMAG || int(header[elf.EI_CLASS]) != at.class ||
		int(byteOrder.Uint16(header[at.size:])) != at.header {
		return image{}, fmt.Errorf("there is no ELF header of the program's kind at %#x", bias)
	}
	table := r.address(bias + r.at(header[at.offset:], 0))
	i, err := r.image(table, uint64(byteOrder.Uint16(header[at.count:])))
	if err != nil {
		return image{}, fmt.Errorf("the program headers of the module at %#x cannot be read: %w", bias, err)
	}
	i.bias = bias
	return i, nil
}

// image reads program headers, those of 32 bits into the form for 64.
func (r reader) image(table, count uint64) (image, error) {
	if count > maxProgramHeaders {
		return image{}, fmt.Errorf("there are %d of them, more than any program has", count)
	}
	size := programHeader64
	if r.word == 4 {
		size = programHeader32
	}
	b := make([]byte, int(count)*size)
	if err := r.bytes(table, b); err != nil {
		return image{}, err
	}
	headers := make([]elf.Prog64, count)
	for i := range headers {
		var err error
		if r.word == 8 {
			_, err = binary.Decode(b[i*size:], byteOrder, &headers[i])
		} else {
			var h elf.Prog32
			_, err = binary.Decode(b[i*size:], byteOrder, &h)
			headers[i] = elf.Prog64{Type: h.Type, Flags: h.Flags, Off: uint64(h.Off), Vaddr: uint64(h.Vaddr),
				Filesz: uint64(h.Filesz), Memsz: uint64(h.Memsz), Align: uint64(h.Align)}
		}
		if err != nil {
			return image{}, err
		}
	}
	return image{layout: r.layout, table: table, headers: headers}, nil
}

// dynamic is the address of the dynamic section, which tells one image from
// another; 0 if there is none.
func (i image) dynamic() uint64 {
	for _, h := range i.headers {
		if elf.ProgType(h.Type) == elf.PT_DYNAMIC {
			return i.address(i.bias + h.Vaddr)
		}
	}
	return 0
}

// segment is a PT_TLS header and where its image is in memory.
type segment struct {
	elf.Prog64
	address uint64
}

func (i image) tls() (segment, error) {
	for _, h := range i.headers {
		if elf.ProgType(h.Type) != elf.PT_TLS || h.Memsz == 0 {
			continue
		}
		if h.Align&(h.Align-1) != 0 {
			return segment{}, fmt.Errorf("the module's PT_TLS has the alignment %d, which is no power of two", h.Align)
		}
		return segment{h, i.address(i.bias + h.Vaddr)}, nil
	}
	return segment{}, ErrNoVariables
}

// distance is how far below the thread pointer the executable's variables
// begin: no nearer than they are long, and aligned as in the file.
func (s segment) distance() uint64 {
	if s.Align == 0 {
		return s.Memsz
	}
	return s.Memsz + -(s.Vaddr+s.Memsz)&(s.Align-1)
}
