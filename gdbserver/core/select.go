package core

import (
	"slices"
	"strings"

	"rspd/ptrace"
)

// pageSize is the size of x86's pages, by which program headers and mappings are
// aligned.
const pageSize = 4096

// dumped is how many bytes of an area go into the file, from its start on.
func (p *Process) dumped(area *ptrace.MemoryArea) uint64 {
	whole := area.End - area.Start
	wanted := func(kind int) uint64 {
		if p.Filter>>kind&1 != 0 {
			return whole
		}
		return 0
	}
	choose := func(private, shared int) uint64 {
		if area.Shared {
			return wanted(shared)
		}
		return wanted(private)
	}
	flag := func(name string) bool { return slices.Contains(area.Flags, name) }
	switch {
	case area.Name == "[vdso]", area.Name == "[vsyscall]":
		return whole
	case flag("dd"):
		return 0
	case flag("ht"):
		return choose(hugePrivate, hugeShared)
	case flag("io"):
		return 0
	case area.Shared && (area.Inode == 0 || strings.HasSuffix(area.Name, " (deleted)")):
		return wanted(anonymousShared)
	case area.Shared:
		return wanted(mappedShared)
	case area.Anonymous && p.Filter>>anonymousPrivate&1 != 0:
		return whole
	case area.Inode == 0:
		return 0
	case p.Filter>>mappedPrivate&1 != 0:
		return whole
	case p.Filter>>elfHeaders&1 != 0 && area.Offset == 0 && area.Read && p.beginsELF(area.Start):
		return pageSize
	}
	return 0
}

// beginsELF tells whether an ELF file is mapped at an address.
func (p *Process) beginsELF(address uint64) bool {
	var magic [4]byte
	n, err := p.Memory.Read(address, magic[:])
	return err == nil && n == len(magic) && string(magic[:]) == "\x7fELF"
}
