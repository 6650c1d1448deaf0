// Package program finds where the kernel has loaded a program, from what it
// tells every program of that, the auxiliary vector (getauxval(3)), and from the
// program headers in the program's memory (System V ABI, "Program Header").
//
// The package makes no system call. Words have the server's byte order, and the
// size that the program has: a 32-bit program's are half as long.
package program

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// ByteOrder is that of every program, which runs on the server's machine.
var ByteOrder = binary.NativeEndian

// PageSize is the smallest size of a page on Linux.
const PageSize = 4096

// Words is what depends on the size of a program's words.
type Words struct {
	// Size is that size in bytes, 4 or 8.
	Size int
}

// At is the i-th word in b.
func (w Words) At(b []byte, i int) uint64 {
	if w.Size == 4 {
		return uint64(ByteOrder.Uint32(b[4*i:]))
	}
	return ByteOrder.Uint64(b[8*i:])
}

// Address is what is left of a sum when it is an address of the program.
func (w Words) Address(sum uint64) uint64 {
	if w.Size == 4 {
		return uint64(uint32(sum))
	}
	return sum
}

// HeaderSize is the size in bytes of a program header.
func (w Words) HeaderSize() int {
	if w.Size == 4 {
		return 32
	}
	return 56
}

// Types of entries of the auxiliary vector, from <linux/auxvec.h>.
const (
	AtNull  = 0
	AtPhdr  = 3
	AtPhent = 4
	AtPhnum = 5
	AtBase  = 7
	AtEntry = 9
)

// Vector is what an auxiliary vector tells. An entry that it lacks is 0.
type Vector struct {
	Words
	// Headers is the address of the program headers and Count their number.
	Headers, Count uint64
	// Linker is where the dynamic linker is loaded, 0 if there is none.
	Linker uint64
	// Entry is where the program itself starts, once its dynamic linker is done.
	Entry uint64
}

// ParseVector reads an auxiliary vector as /proc/PID/auxv has it: pairs of words,
// type and value. Their size is that of the program headers of which it tells.
func ParseVector(auxv []byte) (Vector, error) {
	for _, words := range []Words{{8}, {4}} {
		v := Vector{Words: words}
		var size uint64
		for b := auxv; len(b) >= 2*words.Size && v.At(b, 0) != AtNull; b = b[2*words.Size:] {
			value := v.At(b, 1)
			switch v.At(b, 0) {
			case AtPhdr:
				v.Headers = value
			case AtPhent:
				size = value
			case AtPhnum:
				v.Count = value
			case AtBase:
				v.Linker = value
			case AtEntry:
				v.Entry = value
			}
		}
		if size == uint64(words.HeaderSize()) {
			return v, nil
		}
	}
	return Vector{}, fmt.Errorf("the program's auxiliary vector of %d bytes has no AT_PHENT that tells whether it has 32 or 64 bits", len(auxv))
}

// A Read fills a buffer from an address of the program's memory on, or fails.
type Read func(address uint64, buffer []byte) error

// maxHeaders is how many bytes of program headers the kernel takes when it
// executes a file (fs/binfmt_elf.c, load_elf_phdrs).
const maxHeaders = 1 << 16

// Image is a program or a library as it is in memory.
type Image struct {
	Words
	// Bias is an address in memory less the same address in the file.
	Bias uint64
	// Table is where the program headers are.
	Table uint64
	// Headers are they, those of 32 bits in the form for 64.
	Headers []elf.Prog64
}

// Executable is the program that the kernel has executed.
//
// A program that is not where its headers say, such as a position-independent
// one, is moved as a whole. By how much tells PT_PHDR, which has the address
// of the headers themselves. A program without PT_PHDR (a static one that is
// position-independent has none) has its headers in the first page of the
// file, and that is in the first PT_LOAD; they come in order of address.
func (v Vector) Executable(read Read) (Image, error) {
	if v.Headers == 0 || v.Count == 0 {
		return Image{}, errors.New("the program's auxiliary vector does not tell where its program headers are")
	}
	i, err := v.image(read, v.Headers, v.Count)
	if err != nil {
		return Image{}, fmt.Errorf("the program headers cannot be read: %w", err)
	}
	if self := i.Header(elf.PT_PHDR); self != nil {
		i.Bias = v.Address(v.Headers - self.Vaddr)
		return i, nil
	}
	if load := i.Header(elf.PT_LOAD); load != nil && load.Off < PageSize {
		i.Bias = v.Address(v.Headers&^(PageSize-1) - load.Vaddr&^(PageSize-1))
		return i, nil
	}
	return Image{}, errors.New("the program headers do not tell where the program was loaded: there is neither PT_PHDR nor a PT_LOAD with them")
}

// Library is a library or a dynamic linker, whose file begins at its bias.
func (w Words) Library(read Read, bias uint64) (Image, error) {
	// e_phoff, e_phentsize and e_phnum of both classes' file headers.
	type places struct{ class, offset, size, count int }
	at := places{int(elf.ELFCLASS64), 32, 54, 56}
	if w.Size == 4 {
		at = places{int(elf.ELFCLASS32), 28, 42, 44}
	}
	header := make([]byte, at.count+2)
	if err := read(bias, header); err != nil {
		return Image{}, fmt.Errorf("the module's ELF header at %#x cannot be read: %w", bias, err)
	}
	if string(header[:4]) != elf.ELFMAG || int(header[elf.EI_CLASS]) != at.class ||
		int(ByteOrder.Uint16(header[at.size:])) != w.HeaderSize() {
		return Image{}, fmt.Errorf("there is no ELF header of the program's kind at %#x", bias)
	}
	i, err := w.image(read, w.Address(bias+w.At(header[at.offset:], 0)), uint64(ByteOrder.Uint16(header[at.count:])))
	if err != nil {
		return Image{}, fmt.Errorf("the program headers of the module at %#x cannot be read: %w", bias, err)
	}
	i.Bias = bias
	return i, nil
}

func (w Words) image(read Read, table, count uint64) (Image, error) {
	size := w.HeaderSize()
	if count > uint64(maxHeaders/size) {
		return Image{}, fmt.Errorf("there are said to be %d program headers, more than any program has", count)
	}
	b := make([]byte, int(count)*size)
	if err := read(table, b); err != nil {
		return Image{}, err
	}
	headers := make([]elf.Prog64, count)
	for i := range headers {
		var err error
		if w.Size == 8 {
			_, err = binary.Decode(b[i*size:], ByteOrder, &headers[i])
		} else {
			var h elf.Prog32
			_, err = binary.Decode(b[i*size:], ByteOrder, &h)
			headers[i] = elf.Prog64{Type: h.Type, Flags: h.Flags, Off: uint64(h.Off), Vaddr: uint64(h.Vaddr),
				Filesz: uint64(h.Filesz), Memsz: uint64(h.Memsz), Align: uint64(h.Align)}
		}
		if err != nil {
			return Image{}, fmt.Errorf("a program header cannot be decoded: %w", err)
		}
	}
	return Image{Words: w, Table: table, Headers: headers}, nil
}

// Header is the first program header of a type; nil if there is none.
func (i Image) Header(kind elf.ProgType) *elf.Prog64 {
	for n := range i.Headers {
		if elf.ProgType(i.Headers[n].Type) == kind {
			return &i.Headers[n]
		}
	}
	return nil
}

// Place is where a segment is in memory.
func (i Image) Place(header *elf.Prog64) uint64 { return i.Address(i.Bias + header.Vaddr) }

// Dynamic is where the dynamic section is, which tells one image from another;
// 0 if there is none.
func (i Image) Dynamic() uint64 {
	if header := i.Header(elf.PT_DYNAMIC); header != nil {
		return i.Place(header)
	}
	return 0
}
