package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

var little = binary.LittleEndian

// A section of the file; offset and name are set by layout.
type section struct {
	name    string
	header  elf.Section64
	content []byte
}

func (w *writer) file() []byte {
	list := []*section{{}}
	for i, t := range w.texts {
		name := ".text"
		if i > 0 {
			name = fmt.Sprintf(".text.%d", i)
		}
		list = append(list, &section{name, elf.Section64{
			Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC | elf.SHF_EXECINSTR),
			Addr: t.Start - w.base, Addralign: 1,
		}, t.code})
	}
	plain := func(name string, content []byte, align uint64) *section {
		s := &section{name, elf.Section64{Type: uint32(elf.SHT_PROGBITS), Addralign: align}, content}
		list = append(list, s)
		return s
	}
	plain(".eh_frame", w.frame(), 8)
	abbreviations, information := w.debug()
	plain(".debug_abbrev", abbreviations, 1)
	plain(".debug_info", information, 1)
	plain(".debug_ranges", w.ranges(), 8)
	symbols, names := w.symbols()
	table := plain(".symtab", symbols, 8)
	table.header.Type = uint32(elf.SHT_SYMTAB)
	table.header.Link = uint32(len(list))
	table.header.Info = 1
	table.header.Entsize = elf.Sym64Size
	plain(".strtab", names, 1).header.Type = uint32(elf.SHT_STRTAB)
	plain(".shstrtab", nil, 1).header.Type = uint32(elf.SHT_STRTAB)
	return w.layout(list)
}

// layout places the sections in the file, and adds the headers.
func (w *writer) layout(list []*section) []byte {
	names := []byte{0}
	for _, s := range list[1:] {
		s.header.Name = uint32(len(names))
		names = append(append(names, s.name...), 0)
	}
	list[len(list)-1].content = names
	programs := len(w.texts)
	file := make([]byte, elf64HeaderSize+programs*elf64ProgramSize)
	for _, s := range list[1:] {
		if s.header.Flags&uint64(elf.SHF_ALLOC) != 0 {
			// Offsets of segments are those of addresses in their page.
			for uint64(len(file))%pageSize != s.header.Addr%pageSize {
				file = append(file, make([]byte, (s.header.Addr-uint64(len(file)))%pageSize)...)
			}
		}
		for uint64(len(file))%s.header.Addralign != 0 {
			file = append(file, 0)
		}
		s.header.Off, s.header.Size = uint64(len(file)), uint64(len(s.content))
		file = append(file, s.content...)
	}
	for len(file)%8 != 0 {
		file = append(file, 0)
	}
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: elf64HeaderSize, Shoff: uint64(len(file)),
		Ehsize: elf64HeaderSize, Phentsize: elf64ProgramSize, Phnum: uint16(programs),
		Shentsize: elf64SectionSize, Shnum: uint16(len(list)), Shstrndx: uint16(len(list) - 1),
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	for _, s := range list {
		file = append(file, encode(s.header)...)
	}
	copy(file, encode(header))
	for i := range w.texts {
		s := list[i+1]
		copy(file[elf64HeaderSize+i*elf64ProgramSize:], encode(elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: s.header.Off,
			Vaddr: s.header.Addr, Paddr: s.header.Addr, Filesz: s.header.Size, Memsz: s.header.Size, Align: pageSize,
		}))
	}
	return file
}

// The sizes of ELF's structures (System V ABI, chapter 4).
const (
	elf64HeaderSize  = 64
	elf64ProgramSize = 56
	elf64SectionSize = 64
)

func encode(v any) []byte {
	var b bytes.Buffer
	// Writing a structure of fixed size to a buffer doesn't fail.
	_ = binary.Write(&b, little, v)
	return b.Bytes()
}

// frame makes the .eh_frame.
func (w *writer) frame() []byte {
	var b []byte
	record := func(body []byte) {
		for (len(body)+4)%8 != 0 {
			body = append(body, 0) // DW_CFA_nop
		}
		b = little.AppendUint32(b, uint32(len(body)))
		b = append(b, body...)
	}
	commons := map[bool]int{}
	for _, e := range w.entries {
		signal := e.rows[0].Signal
		if _, ok := commons[signal]; !ok {
			commons[signal] = len(b)
			augmentation := "zR"
			if signal {
				augmentation = "zRS"
			}
			common := append([]byte{0, 0, 0, 0, 1}, augmentation...)
			common = append(common, 0)
			common = cfi.AppendULEB128(common, 1)
			common = cfi.AppendSLEB128(common, cfi.DataFactor)
			common = append(common, byte(cfi.RIP), 1, absolutePointer)
			record(common)
		}
		start, end := e.rows[0].Start, e.rows[len(e.rows)-1].End
		body := little.AppendUint32(nil, uint32(len(b)+4-commons[signal]))
		body = little.AppendUint64(body, start-w.base)
		body = little.AppendUint64(body, end-start)
		body = append(body, 0) // no augmentation data
		record(append(body, cfi.Program(e.rows)...))
	}
	return little.AppendUint32(b, 0)
}

// absolutePointer is the encoding DW_EH_PE_absptr.
const absolutePointer = 0

// moreStack is the name that gdb lets switch stacks.
const moreStack = "__morestack"

func (w *writer) symbols() (table, names []byte) {
	names = []byte{0}
	table = encode(elf.Sym64{})
	for _, p := range w.parts {
		name := p.name
		if p.region.SwitchesStack {
			name = moreStack
		}
		table = append(table, encode(elf.Sym64{
			Name: uint32(len(names)), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC),
			Shndx: uint16(p.section), Value: p.Start - w.base, Size: p.End - p.Start,
		})...)
		names = append(append(names, name...), 0)
	}
	return table, names
}

// The numbers of DWARF that the unit needs (DWARF 4, section 7).
const (
	tagCompileUnit    = 0x11
	tagSubprogram     = 0x2e
	attributeName     = 0x03
	attributeLow      = 0x11
	attributeHigh     = 0x12
	attributeLang     = 0x13
	attributeMaker    = 0x25
	attributeOuter    = 0x3f
	attributeRanges   = 0x55
	formAddress       = 0x01
	formData2         = 0x05
	formData8         = 0x07
	formString        = 0x08
	formSectionOffset = 0x17
	formPresent       = 0x19
	languageC11       = 0x1d
)

// producer is taken by gdb for a compiler that describes epilogues.
const producer = "GNU C17 12.2.0"

// ranges makes the .debug_ranges of the unit: the sections, and nothing of what
// may lie between them.
func (w *writer) ranges() []byte {
	var b []byte
	for _, t := range w.texts {
		b = little.AppendUint64(b, t.Start-w.base)
		b = little.AppendUint64(b, t.End-w.base)
	}
	return append(b, make([]byte, 16)...)
}

// debug makes .debug_abbrev and .debug_info.
func (w *writer) debug() (abbreviations, information []byte) {
	abbreviations = []byte{
		1, tagCompileUnit, 1,
		attributeMaker, formString, attributeLang, formData2, attributeName, formString,
		attributeLow, formAddress, attributeRanges, formSectionOffset, 0, 0,
		2, tagSubprogram, 0,
		attributeName, formString, attributeLow, formAddress, attributeHigh, formData8,
		attributeOuter, formPresent, 0, 0,
		0,
	}
	// Version 4, abbreviations at 0, addresses of 8 bytes.
	b := []byte{4, 0, 0, 0, 0, 0, 8}
	text := func(s string) { b = append(append(b, s...), 0) }
	extent := func(e unwind.Extent) {
		b = little.AppendUint64(b, e.Start-w.base)
		b = little.AppendUint64(b, e.End-e.Start)
	}
	b = append(b, 1)
	text(producer)
	b = little.AppendUint16(b, languageC11)
	text("jump-patches")
	b = little.AppendUint64(b, 0) // what the ranges are relative to
	b = little.AppendUint32(b, 0) // offset in .debug_ranges
	for _, p := range w.parts {
		b = append(b, 2)
		text(p.name)
		extent(p.Extent)
	}
	b = append(b, 0)
	return abbreviations, append(little.AppendUint32(nil, uint32(len(b))), b...)
}
