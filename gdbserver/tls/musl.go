package tls

import "rspd/gdbserver/program"

// isMusl tells musl's struct dso from glibc's struct link_map by what follows
// the public part: the address, number and size of the program headers (with
// l_real, the map's own address, glibc has another there).
func (l linkMap) isMusl(library program.Image) bool {
	const table, count, size = 5, 6, 7
	want := uint64(library.HeaderSize())
	// The number is an int, with padding behind it on machines of 64 bits.
	return l.words[table] == library.Table && l.words[size] == want &&
		uint64(uint32(l.words[count])) == uint64(len(library.Headers))
}

// muslBlock finds a thread's block of a library's variables as musl does. What
// follows the copy of PT_TLS are the offset and the module's number. The vector
// is an array of words: how many modules it has and for each its block (struct
// pthread of src/internal/pthread_impl.h). Where modules are added later,
// threads get their blocks at once, so that those that have none have not come
// so far.
func (t thread) muslBlock(private []uint64) (uint64, error) {
	id := private[1]
	vector, err := t.vector()
	if err != nil {
		return 0, err
	}
	count, err := t.wordAt(vector)
	if err != nil {
		return 0, vectorError(vector, err)
	}
	if id == 0 || id > count || count > maxModules {
		return 0, ErrNotAllocated
	}
	block, err := t.wordAt(t.Address(vector + id*uint64(t.Size)))
	if err != nil {
		return 0, vectorError(vector, err)
	}
	if block == 0 {
		return 0, ErrNotAllocated
	}
	return block, nil
}
