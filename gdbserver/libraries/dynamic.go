package libraries

import (
	"debug/elf"
	"fmt"

	"rspd/gdbserver/program"
)

// maxDynamic is how many bytes of a dynamic section are searched.
const maxDynamic = 1 << 20

// debugBase finds the value of DT_DEBUG.
func debugBase(memory *pages, vector program.Vector) (uint64, error) {
	_, base, err := debugEntry(memory, vector)
	return base, err
}

// debugEntry finds the value of DT_DEBUG and the address of that word.
func debugEntry(memory *pages, vector program.Vector) (place, base uint64, err error) {
	executable, err := vector.Executable(memory.read)
	if err != nil {
		return 0, 0, err
	}
	dynamic := executable.Dynamic()
	if dynamic == 0 {
		return 0, 0, ErrNoList
	}
	return findDebug(memory, vector.Words, dynamic)
}

// findDebug finds DT_DEBUG among the entries of a dynamic section, pairs of
// words that one with DT_NULL ends.
func findDebug(memory *pages, w program.Words, dynamic uint64) (place, base uint64, err error) {
	var buffer [2 * 8]byte
	b := buffer[:2*w.Size]
	for offset := uint64(0); offset < maxDynamic; offset += uint64(len(b)) {
		if err := memory.read(dynamic+offset, b); err != nil {
			return 0, 0, fmt.Errorf("the program's dynamic section cannot be read: %w", err)
		}
		switch elf.DynTag(w.At(b, 0)) {
		case elf.DT_NULL:
			return 0, 0, ErrNoList
		case elf.DT_DEBUG:
			return dynamic + offset + uint64(w.Size), w.At(b, 1), nil
		}
	}
	return 0, 0, fmt.Errorf("the program's dynamic section at %#x has no end within %d bytes", dynamic, maxDynamic)
}
