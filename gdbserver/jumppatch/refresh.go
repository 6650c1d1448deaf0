package jumppatch

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"sort"

	"rspd/unwind"
)

// Suspect tells whether something may have changed since the last update: it is
// known that it has, or the pc of a stopped thread is in memory that wasn't
// executable then. ran says that the program ran and didn't just make a step. Then
// the size of its memory is a sign, too, because who adds stubs maps memory for
// them or makes data code, and memory that has room for stubs is always suspect. Most often nothing
// is, and one read of a file of /proc is the cost, or none.
func (s *Set) Suspect(pc uint64, ran bool) bool {
	s.remapped = !executable(s.executable, pc) || ran && s.grown()
	return s.stale || s.remapped || ran && s.room
}

// Invalidate says that something has changed.
func (s *Set) Invalidate() { s.stale = true }

// Changed looks into a suspicion: somebody knows of a change, the executable
// mappings are others than in the last update, or, where there is room for stubs,
// the program's text is. Threads may run meanwhile.
func (s *Set) Changed(tid int, memory Memory) (bool, error) {
	if s.stale {
		return true, nil
	}
	if s.remapped {
		process, err := look(tid, memory)
		if err != nil {
			return false, fmt.Errorf("jump patches can't be looked for: %w", err)
		}
		if !slices.Equal(executables(process.Mappings), s.executable) {
			return true, nil
		}
	}
	if !s.room || s.pagemap == nil {
		return false, nil
	}
	process := &snapshot{Process: unwind.Process{Memory: reader{memory}, Mappings: s.executable},
		directory: fmt.Sprintf("/proc/%d", tid), pagemap: s.pagemap}
	defer process.close()
	return s.text.changes(process), nil
}

// executables are the executable ones.
func executables(mappings []unwind.Mapping) []unwind.Mapping {
	return slices.DeleteFunc(slices.Clone(mappings), func(m unwind.Mapping) bool { return !m.Executable })
}

// executable tells whether an address is in one of the mappings, which are in
// the order of addresses.
func executable(mappings []unwind.Mapping, address uint64) bool {
	i := sort.Search(len(mappings), func(i int) bool { return mappings[i].End > address })
	return i < len(mappings) && mappings[i].Start <= address
}

// watch opens the files that grown and Changed read.
func (s *Set) watch(tid int) {
	if s.sizes == nil {
		// Without them only the pc tells.
		s.sizes, _ = os.Open(fmt.Sprintf("/proc/%d/statm", tid))
		s.pagemap, _ = os.Open(fmt.Sprintf("/proc/%d/pagemap", tid))
	}
	s.grown()
}

// grown tells whether the memory has another size than when it was last asked
// for, or less of it is data: so it is when pages that were written are made
// executable instead. More data is what any program has now and then.
func (s *Set) grown() bool {
	if s.sizes == nil {
		return false
	}
	var line [128]byte
	n, _ := s.sizes.ReadAt(line[:], 0) // nothing can be read of what has ended
	was := s.size
	s.size = parseSize(line[:n])
	return s.size.all != was.all || s.size.data < was.data
}

// memorySize is how many pages a program has, and how many of them are data and
// stacks.
type memorySize struct{ all, data uint64 }

// parseSize reads a line of /proc/PID/statm (proc(5)), of which these are the
// first and the sixth number.
func parseSize(line []byte) memorySize {
	var fields [6]uint64
	field := 0
	for _, c := range line {
		if c == ' ' {
			if field++; field == len(fields) {
				break
			}
			continue
		}
		fields[field] = fields[field]*10 + uint64(c-'0')
	}
	return memorySize{fields[0], fields[5]}
}

// writtenText has the pages of a program's text that were written to, by their
// addresses, as hashes of what was there without the client's breakpoints.
type writtenText struct {
	pages map[uint64]uint64
	seed  maphash.Seed
	// large says that the text, or what was written of it, is too much to be
	// looked at at every stop.
	large bool
}

// The limits of what is looked at at a stop, which takes some tenths of a
// millisecond.
const (
	maxWritten = 512     // pages whose hashes are taken
	maxText    = 1 << 15 // pages that the kernel is asked about
)

// each gives the written pages of a process's text until the function says that
// it has seen enough.
func (s *snapshot) each(see func(m unwind.Mapping, address uint64, page []byte) bool) {
	var page [pageSize]byte
	for _, m := range s.Mappings {
		if !m.Executable || m.Anonymous() || m.Path == "[vsyscall]" {
			continue
		}
		for _, extent := range s.written(m) {
			for at := extent.Start; at < extent.End; at += pageSize {
				n, _ := s.Memory.ReadAt(page[:], int64(at)) // what has ended is shorter
				if !see(m, at, page[:n]) {
					return
				}
			}
		}
	}
}

// take notes what there is.
func (t *writtenText) take(process *snapshot) {
	*t = writtenText{pages: map[uint64]uint64{}, seed: maphash.MakeSeed()}
	if process.pagemap == nil {
		return
	}
	text := uint64(0)
	for _, m := range process.Mappings {
		if m.Executable && !m.Anonymous() {
			text += (m.End - m.Start) / pageSize
		}
	}
	if t.large = text > maxText; t.large {
		return
	}
	process.each(func(_ unwind.Mapping, address uint64, page []byte) bool {
		t.pages[address] = maphash.Bytes(t.seed, page)
		t.large = len(t.pages) > maxWritten
		return !t.large
	})
}

// changes tells whether the text is not as it was taken. A page that is written to
// for the first time and is as in its file has a breakpoint of the client's.
func (t *writtenText) changes(process *snapshot) bool {
	if t.large {
		return false
	}
	changed := false
	process.each(func(m unwind.Mapping, address uint64, page []byte) bool {
		hash := maphash.Bytes(t.seed, page)
		was, known := t.pages[address]
		changed = known && was != hash || !known && !process.original(m, address, page)
		if !known && !changed {
			t.pages[address] = hash
		}
		return !changed && len(t.pages) <= maxWritten
	})
	return changed
}

// original tells whether a page is that of the file.
func (s *snapshot) original(m unwind.Mapping, address uint64, page []byte) bool {
	file, err := s.open(m)
	if err != nil {
		return false
	}
	var content [pageSize]byte
	n, err := file.ReadAt(content[:], int64(m.Offset+address-m.Start))
	if err != nil && err != io.EOF {
		return false
	}
	// What is behind the file's end is 0 in the last page.
	clear(content[n:])
	return bytes.Equal(content[:len(page)], page)
}
