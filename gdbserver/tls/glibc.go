package tls

import (
	"debug/elf"
	"errors"
	"fmt"
)

// glibcBlock finds a thread's block of a library's variables as glibc does.
//
// What follows the copy of PT_TLS in its struct link_map are the words
// l_tls_firstbyte_offset, l_tls_offset and l_tls_modid. l_tls_offset is the
// distance of the block from the thread pointer if each thread has it there,
// 0 or -1 if not (NO_TLS_OFFSET and FORCED_DYNAMIC_TLS_OFFSET, include/link.h).
// Then the vector has it: an array of pairs of words, of which the first words
// are a generation, and for each module its block (dtv_t, sysdeps/x86/nptl/tls.h
// and sysdeps/generic/dl-dtv.h). The pair before the vector has the number of
// modules that there is room for.
func (t thread) glibcBlock(private []uint64, module uint64) (uint64, error) {
	offset, id := private[1], private[2]
	none := t.Address(^uint64(0))
	if offset != 0 && offset != none {
		return t.pointer - offset, nil
	}
	vector, err := t.vector()
	if err != nil {
		return 0, err
	}
	entry := uint64(2 * t.Size)
	room, err := t.wordAt(t.Address(vector - entry))
	if err != nil {
		return 0, vectorError(vector, err)
	}
	if id == 0 || id > room {
		return 0, ErrNotAllocated
	}
	generation, err := t.wordAt(vector)
	if err != nil {
		return 0, vectorError(vector, err)
	}
	loaded, err := t.loadedIn(id, module)
	if err != nil {
		return 0, err
	}
	if generation < loaded {
		// What the vector has is another library's, which had the number before.
		return 0, ErrNotAllocated
	}
	block, err := t.wordAt(t.Address(vector + id*entry))
	if err != nil {
		return 0, vectorError(vector, err)
	}
	// TLS_DTV_UNALLOCATED is -1.
	if block == 0 || block == none {
		return 0, ErrNotAllocated
	}
	return block, nil
}

// maxModules is how many modules with thread-local variables a program may
// have, and maxSteps how many arrays are looked at until the right one is found.
const (
	maxModules = 1 << 16
	maxSteps   = 1 << 16
)

// loadedIn is the generation in which a module got its number. A vector of an
// older one does not know of it.
//
// The dynamic linker has a list of arrays: their length, the next one, and then
// for each number the generation and the link_map (struct dtv_slotinfo_list,
// sysdeps/generic/ldsodefs.h). A variable of its own points to the first, and
// what it points to shows which: the module itself has to be in its place.
func (t thread) loadedIn(id, module uint64) (uint64, error) {
	linker := t.main
	if t.linker != 0 {
		var err error
		if linker, err = t.Library(t.bytes, t.linker); err != nil {
			return 0, err
		}
	}
	steps := maxSteps
	for i := range linker.Headers {
		h := &linker.Headers[i]
		const maxData = 1 << 20
		if elf.ProgType(h.Type) != elf.PT_LOAD || elf.ProgFlag(h.Flags)&elf.PF_W == 0 || h.Memsz > maxData || steps == 0 {
			continue
		}
		variables, err := t.words(linker.Place(h)&^uint64(t.Size-1), int(h.Memsz)/t.Size)
		if len(variables) == 0 {
			return 0, fmt.Errorf("the dynamic linker's variables cannot be read: %w", err)
		}
		for _, candidate := range variables {
			if candidate == 0 || candidate%uint64(t.Size) != 0 {
				continue
			}
			if generation, ok := t.slot(candidate, id, module, &steps); ok {
				return generation, nil
			}
		}
	}
	return 0, errors.New("the dynamic linker's list of modules with thread-local variables was not recognised")
}

// slot looks for a module in what may be a list of arrays.
func (r reader) slot(list, id, module uint64, steps *int) (generation uint64, ok bool) {
	for *steps > 0 {
		*steps--
		head, err := r.words(list, 2)
		if err != nil || head[0] == 0 || head[0] > maxModules {
			return 0, false
		}
		length, next := head[0], head[1]
		if id < length {
			slot, err := r.words(r.Address(list+(2+2*id)*uint64(r.Size)), 2)
			if err != nil || slot[1] != module {
				return 0, false
			}
			return slot[0], true
		}
		if next == 0 {
			return 0, false
		}
		list, id = next, id-length
	}
	return 0, false
}
