package jumppatch

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sort"

	"rspd/unwind"
)

// Refresh is Update where something may have changed since the last one, which
// the pc of the stopped thread tells if it is in memory that wasn't executable
// then. ran says that the program ran and didn't just make a step: the size of
// its memory is a sign then, too, because who adds stubs maps memory for them.
// Most often neither tells, and one read of a file of /proc is the cost, or none.
func (s *Set) Refresh(tid int, memory Memory, pc uint64, ran bool) (changed bool, err error) {
	if executable(s.executable, pc) && (!ran || !s.grown()) {
		return false, nil
	}
	process, err := look(tid, memory)
	if err != nil {
		return false, fmt.Errorf("jump patches can't be looked for: %w", err)
	}
	if slices.Equal(executables(process.Mappings), s.executable) {
		return false, nil
	}
	return s.update(process)
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

// watch opens the file that grown reads.
func (s *Set) watch(tid int) {
	if s.sizes == nil {
		// Without it only the pc tells.
		s.sizes, _ = os.Open(fmt.Sprintf("/proc/%d/statm", tid))
	}
	s.grown()
}

// grown tells whether the memory has another size than when it was last asked
// for: the first number of /proc/PID/statm (proc(5)), which no other one of the
// line is needed to tell.
func (s *Set) grown() bool {
	if s.sizes == nil {
		return false
	}
	var line [24]byte
	n, _ := s.sizes.ReadAt(line[:], 0) // nothing can be read of what has ended
	if i := bytes.IndexByte(line[:n], ' '); i >= 0 {
		clear(line[i:])
	}
	was := s.size
	s.size = line
	return s.size != was
}
