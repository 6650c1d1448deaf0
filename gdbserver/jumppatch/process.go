package jumppatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"rspd/unwind"
)

// Memory is a process's memory without the client's breakpoints. Read gives how
// many bytes it read; with fewer than asked for the error says why.
type Memory interface {
	Read(address uint64, buffer []byte) (int, error)
}

// reader is Memory as an io.ReaderAt.
type reader struct{ Memory }

func (r reader) ReadAt(buffer []byte, address int64) (int, error) {
	n, err := r.Read(uint64(address), buffer)
	if err == nil && n < len(buffer) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// A snapshot is what is looked at in one scan: one moment of a stopped process.
type snapshot struct {
	unwind.Process
	directory string // /proc/TID
	pagemap   *os.File
	files     []*os.File
}

// look reads the memory map of a thread's process, which has to be stopped.
func look(tid int, memory Memory) (*snapshot, error) {
	s := &snapshot{directory: fmt.Sprintf("/proc/%d", tid)}
	text, err := os.ReadFile(s.directory + "/maps")
	if err != nil {
		return nil, err
	}
	mappings, err := parseMaps(string(text))
	if err != nil {
		return nil, err
	}
	s.Process = unwind.Process{Memory: reader{memory}, Mappings: mappings, Open: s.open}
	return s, nil
}

func (s *snapshot) close() {
	for _, file := range s.files {
		// They were only read.
		_ = file.Close()
	}
	s.files = nil
}

// open gives the file of a mapping. Its link in map_files leads to it whatever
// its name has become, but only the privileged may follow it
// (fs/proc/base.c, proc_map_files_get_link); others open it by the name that it
// has in the process's root directory.
func (s *snapshot) open(m unwind.Mapping) (io.ReaderAt, error) {
	if m.Path == "[vdso]" {
		return ownVDSO()
	}
	file, err := os.Open(fmt.Sprintf("%s/map_files/%x-%x", s.directory, m.Start, m.End))
	if err != nil && strings.HasPrefix(m.Path, "/") {
		if strings.HasSuffix(m.Path, " (deleted)") {
			return nil, errors.New("the file was deleted or replaced")
		}
		file, err = os.Open(s.directory + "/root" + m.Path)
	}
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, file)
	return file, nil
}

// ownVDSO gives the vDSO of this process, which is the same in all of 64 bits.
func ownVDSO() (io.ReaderAt, error) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	mappings, err := parseMaps(string(text))
	if err != nil {
		return nil, err
	}
	for _, m := range mappings {
		if m.Path != "[vdso]" {
			continue
		}
		memory, err := os.Open("/proc/self/mem")
		if err != nil {
			return nil, err
		}
		defer memory.Close()
		content := make([]byte, m.End-m.Start)
		if _, err := memory.ReadAt(content, int64(m.Start)); err != nil {
			return nil, err
		}
		return strings.NewReader(string(content)), nil
	}
	return nil, errors.New("this server has no vDSO to compare with")
}

// The bits of an entry of /proc/PID/pagemap (the kernel's
// Documentation/admin-guide/mm/pagemap.rst). Everybody who may trace the process
// sees them; only page frame numbers are for the privileged.
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageOfFile  = 1 << 61
)

const pageSize = 4096

// useWritten has the comparison leave out the pages that still are those of the
// file: a private mapping's page that was written to is an anonymous one. It
// reports whether the kernel tells.
func (s *snapshot) useWritten() bool {
	file, err := os.Open(s.directory + "/pagemap")
	if err != nil {
		return false
	}
	var probe [8]byte
	if _, err := file.ReadAt(probe[:], int64(s.Mappings[0].Start/pageSize*8)); err != nil {
		_ = file.Close()
		return false
	}
	s.files = append(s.files, file)
	s.pagemap = file
	s.Written = s.written
	return true
}

func (s *snapshot) written(m unwind.Mapping) []unwind.Extent {
	if m.Path == "[vdso]" {
		// The kernel's own pages, which are no file's.
		return []unwind.Extent{{Start: m.Start, End: m.End}}
	}
	entries := make([]byte, (m.End-m.Start)/pageSize*8)
	n, err := s.pagemap.ReadAt(entries, int64(m.Start/pageSize*8))
	if err != nil {
		return []unwind.Extent{{Start: m.Start, End: m.End}}
	}
	var extents []unwind.Extent
	for i := 0; i+8 <= n; i += 8 {
		entry := binary.NativeEndian.Uint64(entries[i:])
		if entry&pageSwapped == 0 && (entry&pagePresent == 0 || entry&pageOfFile != 0) {
			continue
		}
		start := m.Start + uint64(i/8)*pageSize
		if last := len(extents) - 1; last >= 0 && extents[last].End == start {
			extents[last].End += pageSize
		} else {
			extents = append(extents, unwind.Extent{Start: start, End: start + pageSize})
		}
	}
	return extents
}
