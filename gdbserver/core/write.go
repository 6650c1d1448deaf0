package core

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
)

// File is where a core file goes. What is not written is to read as zeros, as
// in a file that was made longer.
type File interface {
	io.WriterAt
	Truncate(size int64) error
}

// segment is a program header and, but for the notes, the memory behind it.
type segment struct {
	kind                   elf.ProgType
	flags                  elf.ProgFlag
	address, offset        uint64
	fileSize, size, aligns uint64
}

// Write writes the core file of a process. Memory is read and written in pieces,
// and pages that are zero, or cannot be read, are left out of the file.
func Write(file File, p *Process) error {
	if len(p.Threads) == 0 {
		return errors.New("the process has no thread that could be looked at")
	}
	notes := p.notes()
	segments := p.segments(len(notes))
	header := p.headers()
	end := segments[0].offset + segments[0].fileSize
	for _, s := range segments[1:] {
		end = max(end, s.offset+s.fileSize)
	}
	extended := len(segments) >= manySegments
	if extended {
		header.sectionOffset = end
		end += header.sectionSize()
	}
	if err := file.Truncate(int64(end)); err != nil {
		return err
	}
	if _, err := file.WriteAt(header.bytes(segments), 0); err != nil {
		return err
	}
	if _, err := file.WriteAt(notes, int64(segments[0].offset)); err != nil {
		return err
	}
	if extended {
		if _, err := file.WriteAt(header.section(len(segments)), int64(header.sectionOffset)); err != nil {
			return err
		}
	}
	buffer := make([]byte, 1<<20)
	for _, s := range segments[1:] {
		if err := p.copyMemory(file, s, buffer); err != nil {
			return err
		}
	}
	return nil
}

func alignUp(n uint64) uint64 { return (n + pageSize - 1) &^ (pageSize - 1) }

// segments lists the parts of the file behind its headers.
func (p *Process) segments(noteSize int) []segment {
	segments := make([]segment, 1, len(p.Areas)+1)
	for i := range p.Areas {
		area := &p.Areas[i]
		s := segment{kind: elf.PT_LOAD, address: area.Start, size: area.End - area.Start,
			fileSize: p.dumped(area), aligns: pageSize}
		if area.Read {
			s.flags |= elf.PF_R
		}
		if area.Write {
			s.flags |= elf.PF_W
		}
		if area.Execute {
			s.flags |= elf.PF_X
		}
		segments = append(segments, s)
	}
	offset := uint64(p.headers().size(len(segments)))
	segments[0] = segment{kind: elf.PT_NOTE, offset: offset, fileSize: uint64(noteSize), aligns: 4}
	offset = alignUp(offset + uint64(noteSize))
	for i := range segments[1:] {
		s := &segments[1+i]
		s.offset = offset
		offset += s.fileSize
	}
	return segments
}

// copyMemory writes the memory of a segment.
func (p *Process) copyMemory(file File, s segment, buffer []byte) error {
	for done := uint64(0); done < s.fileSize; {
		piece := buffer[:min(uint64(len(buffer)), s.fileSize-done)]
		n, err := p.Memory.Read(s.address+done, piece)
		if err != nil || n == 0 {
			// A page of which there is nothing to be had.
			done += pageSize - (s.address+done)%pageSize
			continue
		}
		if err := writeSparsely(file, piece[:n], int64(s.offset+done)); err != nil {
			return err
		}
		done += uint64(n)
	}
	return nil
}

var zeroPage [pageSize]byte

// writeSparsely writes the runs of pages that are not zero.
func writeSparsely(file File, data []byte, offset int64) error {
	for start := 0; start < len(data); {
		if page := data[start:min(start+pageSize, len(data))]; bytes.Equal(page, zeroPage[:len(page)]) {
			start += len(page)
			continue
		}
		end := start
		for end < len(data) {
			page := data[end:min(end+pageSize, len(data))]
			if bytes.Equal(page, zeroPage[:len(page)]) {
				break
			}
			end += len(page)
		}
		if _, err := file.WriteAt(data[start:end], offset+int64(start)); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// headers are the ELF header and what follows it, of one of the two classes.
type headers struct {
	machine elf.Machine
	wide    bool
	// sectionOffset is where the section header is that says how many program
	// headers there are, if those are too many for the ELF header.
	sectionOffset uint64
}

// manySegments is PN_XNUM: that many program headers and more are counted in
// sh_info of section 0 (elf(5)).
const manySegments = 0xffff

func (p *Process) headers() headers {
	return headers{machine: p.Machine, wide: p.Machine != elf.EM_386}
}

func (h headers) size(segments int) int {
	if h.wide {
		return binary.Size(elf.Header64{}) + segments*binary.Size(elf.Prog64{})
	}
	return binary.Size(elf.Header32{}) + segments*binary.Size(elf.Prog32{})
}

func (h headers) sectionSize() uint64 {
	if h.wide {
		return uint64(binary.Size(elf.Section64{}))
	}
	return uint64(binary.Size(elf.Section32{}))
}

func (h headers) identification() (identification [elf.EI_NIDENT]byte) {
	copy(identification[:], elf.ELFMAG)
	identification[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	if !h.wide {
		identification[elf.EI_CLASS] = byte(elf.ELFCLASS32)
	}
	identification[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	identification[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	return identification
}

// bytes are the ELF header and the program headers.
func (h headers) bytes(segments []segment) []byte {
	count, sections, sectionEntry := uint16(min(len(segments), manySegments)), uint16(0), uint16(0)
	if h.sectionOffset != 0 {
		sections, sectionEntry = 1, uint16(h.sectionSize())
	}
	var out bytes.Buffer
	// A bytes.Buffer takes everything, and the types are of fixed sizes.
	put := func(value any) { _ = binary.Write(&out, binary.LittleEndian, value) }
	if h.wide {
		put(elf.Header64{Ident: h.identification(), Type: uint16(elf.ET_CORE), Machine: uint16(h.machine), Version: uint32(elf.EV_CURRENT),
			Phoff: uint64(binary.Size(elf.Header64{})), Shoff: h.sectionOffset, Ehsize: uint16(binary.Size(elf.Header64{})),
			Phentsize: uint16(binary.Size(elf.Prog64{})), Phnum: count, Shentsize: sectionEntry, Shnum: sections})
		for _, s := range segments {
			put(elf.Prog64{Type: uint32(s.kind), Flags: uint32(s.flags), Off: s.offset, Vaddr: s.address,
				Filesz: s.fileSize, Memsz: s.size, Align: s.aligns})
		}
		return out.Bytes()
	}
	put(elf.Header32{Ident: h.identification(), Type: uint16(elf.ET_CORE), Machine: uint16(h.machine), Version: uint32(elf.EV_CURRENT),
		Phoff: uint32(binary.Size(elf.Header32{})), Shoff: uint32(h.sectionOffset), Ehsize: uint16(binary.Size(elf.Header32{})),
		Phentsize: uint16(binary.Size(elf.Prog32{})), Phnum: count, Shentsize: sectionEntry, Shnum: sections})
	for _, s := range segments {
		put(elf.Prog32{Type: uint32(s.kind), Flags: uint32(s.flags), Off: uint32(s.offset), Vaddr: uint32(s.address),
			Filesz: uint32(s.fileSize), Memsz: uint32(s.size), Align: uint32(s.aligns)})
	}
	return out.Bytes()
}

// section is section header 0, with the number of program headers.
func (h headers) section(segments int) []byte {
	var out bytes.Buffer
	if h.wide {
		_ = binary.Write(&out, binary.LittleEndian, elf.Section64{Size: 1, Info: uint32(segments)})
	} else {
		_ = binary.Write(&out, binary.LittleEndian, elf.Section32{Size: 1, Info: uint32(segments)})
	}
	return out.Bytes()
}
