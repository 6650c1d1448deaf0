package tls

import (
	"debug/elf"
	"fmt"

	"rspd/gdbserver/program"
)

// segment is a PT_TLS header and where its image is in memory.
type segment struct {
	elf.Prog64
	address uint64
}

func tlsOf(i program.Image) (segment, error) {
	for n := range i.Headers {
		h := &i.Headers[n]
		if elf.ProgType(h.Type) != elf.PT_TLS || h.Memsz == 0 {
			continue
		}
		if h.Align&(h.Align-1) != 0 {
			return segment{}, fmt.Errorf("the module's PT_TLS has the alignment %d, which is no power of two", h.Align)
		}
		return segment{*h, i.Place(h)}, nil
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
