// Package jumppatch keeps the jump patches of processes for a debugger: it looks
// for them (package unwind), takes what patchers tell (package unwind/hint), and
// makes the files that describe the stubs (package unwind/image).
//
// A [Set] belongs to one address space. [Set.Update] looks at the process, which
// has to be stopped; nothing else does. In a process without anonymous
// executable memory it reads the memory map and is done.
package jumppatch

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"rspd/unwind"
	"rspd/unwind/hint"
	"rspd/unwind/image"
)

// A Set is the jump patches of one address space. It is not safe for concurrent
// use.
type Set struct {
	name   string
	folder *Folder
	hints  []unwind.Hint
	// added are hints about this process, which win over all others, and
	// removed are the sites that nobody wants to know of.
	added   []unwind.Hint
	removed map[uint64]bool
	patches []*patch // in the order of sites
	images  []*File
	made    int // files so far
	// warnings are those of the last scan that aren't about one patch.
	warnings []unwind.Warning
	// tables are those of the files that were looked at, and notifiers the
	// functions that are called when one changes.
	tables    map[mapped]table
	notifiers []uint64
	// stale says that somebody knows of a change.
	stale bool
	// executable are the executable mappings of the last scan, and size that of
	// all memory then, as sizes had it.
	executable []unwind.Mapping
	size       memorySize
	sizes      *os.File
	// room says that there was memory for stubs then, and text is the program's
	// text if there was.
	room    bool
	text    writtenText
	pagemap *os.File
	// remapped says that the last suspicion was of other mappings.
	remapped bool
}

// A patch is one patch with what was derived of it.
type patch struct {
	found   unwind.Patch
	hint    *unwind.Hint // nil if it was found without
	regions []*unwind.Region
	code    [][]byte // bytes of the extents of regions, in their order
	image   *File
	// changed says that the image isn't right any more.
	changed bool
}

// A File is an ELF file that describes stubs, as a debugger loads it.
type File struct {
	Path string // absolute
	Base uint64 // what its addresses are relative to: its load address
	// extents are the addresses of its sections, in their order.
	extents []unwind.Extent
}

// NewSet makes an empty set. The name becomes a part of names of files; hints are
// what is known beforehand and wins over what is found.
func NewSet(name string, folder *Folder, hints []unwind.Hint) *Set {
	return &Set{name: name, folder: folder, hints: hints, tables: map[mapped]table{}, removed: map[uint64]bool{}}
}

// Files are those that describe the patches that there are, oldest first.
func (s *Set) Files() []*File { return s.images }

// Notifiers are the addresses of the functions that the process calls when it has
// changed a table of its patches.
func (s *Set) Notifiers() []uint64 { return s.notifiers }

// Regions are those of all patches, in the order of sites.
func (s *Set) Regions() []*unwind.Region {
	var list []*unwind.Region
	for _, p := range s.patches {
		list = append(list, p.regions...)
	}
	return list
}

// maxWarnings bounds the warnings that are told.
const maxWarnings = 200

// Warnings tell what could not be looked at or understood in the last update, or
// the beginning of that.
func (s *Set) Warnings() []unwind.Warning {
	list := slices.Clone(s.warnings[:min(len(s.warnings), maxWarnings)])
	for _, p := range s.patches {
		for _, r := range p.regions {
			if list = append(list, r.Warnings...); len(list) > maxWarnings {
				return append(list[:maxWarnings], unwind.Warning{Address: p.found.Site, Text: "from here on there are more warnings"})
			}
		}
	}
	return list
}

// At gives the instruction of a stub at an address, and its region, the first one
// if several share it; nil if it is in none.
func (s *Set) At(address uint64) (*unwind.Region, *unwind.Instruction) {
	for _, p := range s.patches {
		for _, r := range p.regions {
			if in := r.At(address); in != nil {
				return r, in
			}
		}
	}
	return nil, nil
}

// Idle tells, by one of its threads, whether a process has no memory for stubs,
// and had none before, so that an update would change nothing. Its threads may
// run meanwhile.
func (s *Set) Idle(tid int) bool {
	if s.sizes == nil || len(s.patches) > 0 || len(s.warnings) > 0 {
		return false
	}
	process, err := look(tid, nil)
	if err != nil || hasRoom(process.Mappings) {
		return false
	}
	s.executable = executables(process.Mappings)
	return true
}

// Update looks for the patches of a process, all of whose threads have to be
// stopped, by one of its threads. It reports whether Files has changed.
func (s *Set) Update(tid int, memory Memory) (changed bool, err error) {
	process, err := look(tid, memory)
	if err != nil {
		return false, fmt.Errorf("jump patches can't be looked for: %w", err)
	}
	s.watch(tid)
	return s.update(process)
}

func (s *Set) update(process *snapshot) (bool, error) {
	defer process.close()
	s.warnings, s.notifiers, s.stale = nil, nil, false
	s.executable = executables(process.Mappings)
	if s.room = hasRoom(process.Mappings); !s.room {
		return s.become(nil, process)
	}
	hints := append(slices.Clone(s.added), s.hints...)
	for _, t := range process.tables(s.tables) {
		if t.changed != 0 {
			s.notifiers = append(s.notifiers, t.changed)
		}
		told, warnings, err := hint.ReadTable(process.Memory, t.descriptor)
		if err != nil {
			warnings = append(warnings, unwind.Warning{Address: t.descriptor, Text: err.Error()})
		}
		s.warnings = append(s.warnings, warnings...)
		hints = append(hints, told...)
	}
	process.useWritten()
	s.text.take(process)
	found, warnings := unwind.Find(&process.Process)
	s.warnings = append(s.warnings, warnings...)
	return s.become(s.derive(process, hints, found), process)
}

// derive gives the patches that there are now; those that are known and are as
// they were are the same.
func (s *Set) derive(process *snapshot, hints []unwind.Hint, found []unwind.Patch) []*patch {
	var list []*patch
	hinted := map[uint64]bool{}
	for i := range hints {
		h := &hints[i]
		if hinted[h.Site] || s.removed[h.Site] {
			continue // the first one counts: a person's, a file's, a table's
		}
		known := s.find(h.Site)
		if known != nil && known.hint != nil && equalHints(known.hint, h) && known.unchanged(process) {
			list = append(list, known)
			hinted[h.Site] = true
			continue
		}
		regions, warnings := unwind.Follow(&process.Process, *h)
		s.warnings = append(s.warnings, warnings...)
		if len(regions) > 0 {
			hinted[h.Site] = true
			list = append(list, newPatch(regions, h, process))
		}
	}
	for _, f := range found {
		if hinted[f.Site] || s.removed[f.Site] {
			continue
		}
		known := s.find(f.Site)
		if known != nil && known.hint == nil && known.found.Target == f.Target && known.unchanged(process) {
			list = append(list, known)
			continue
		}
		if regions := unwind.Derive(&process.Process, f); len(regions) > 0 {
			list = append(list, newPatch(regions, nil, process))
		}
	}
	slices.SortStableFunc(list, func(a, b *patch) int { return cmp.Compare(a.found.Site, b.found.Site) })
	settle(process, list)
	return list
}

// settle makes rows right that several patches share. A patch whose rows are others
// then is described anew.
func settle(process *snapshot, list []*patch) {
	var regions []*unwind.Region
	of := map[*unwind.Region]*patch{}
	for _, p := range list {
		for _, r := range p.regions {
			regions = append(regions, r)
			of[r] = p
		}
	}
	for _, r := range unwind.Settle(&process.Process, regions) {
		of[r].changed = true
		of[r].code = of[r].read(process) // in other stretches
	}
}

func equalHints(a, b *unwind.Hint) bool {
	return a.Site == b.Site && a.Length == b.Length && a.Entry == b.Entry && a.Stub == b.Stub && a.Return == b.Return &&
		slices.Equal(a.Rows, b.Rows)
}

func newPatch(regions []*unwind.Region, h *unwind.Hint, process *snapshot) *patch {
	p := &patch{found: regions[0].Patch, hint: h, regions: regions}
	p.code = p.read(process)
	return p
}

// read gives the bytes of the stub as they are now.
func (p *patch) read(process *snapshot) [][]byte {
	var code [][]byte
	for _, r := range p.regions {
		for _, e := range r.Extents() {
			b := make([]byte, e.End-e.Start)
			n, _ := process.Memory.ReadAt(b, int64(e.Start)) // what isn't there is not as it was
			code = append(code, b[:n])
		}
	}
	return code
}

func (p *patch) unchanged(process *snapshot) bool {
	return slices.EqualFunc(p.code, p.read(process), bytes.Equal)
}

func (s *Set) find(site uint64) *patch {
	i := sort.Search(len(s.patches), func(i int) bool { return s.patches[i].found.Site >= site })
	if i < len(s.patches) && s.patches[i].found.Site == site {
		return s.patches[i]
	}
	return nil
}

// become takes over the patches that there are. A file that describes one that
// is gone goes, and what else it described gets into the new one.
func (s *Set) become(patches []*patch, process *snapshot) (bool, error) {
	remaining := map[*patch]bool{}
	for _, p := range patches {
		remaining[p] = true
	}
	stale := map[*File]bool{}
	for _, p := range s.patches {
		if p.image != nil && (!remaining[p] || p.changed) {
			stale[p.image] = true
		}
	}
	for _, p := range patches {
		p.changed = false
	}
	s.patches = patches
	var made *image.Image
	var failures []error
	for {
		var regions []*unwind.Region
		for _, p := range patches {
			if (p.image == nil || stale[p.image]) && p.known() {
				regions = append(regions, p.regions...)
			}
		}
		if made = nil; len(regions) == 0 {
			break
		}
		var err error
		if made, err = image.Write(regions, process.Memory); err != nil {
			failures = append(failures, fmt.Errorf("the file that describes the jump patches can't be made: %w", err))
			break
		}
		// A debugger that finds two files at an address takes either one.
		more := false
		for _, f := range s.images {
			if !stale[f] && overlap(f.extents, made.Extents) {
				stale[f], more = true, true
			}
		}
		if !more {
			break
		}
	}
	changed := len(stale) > 0
	s.images = slices.DeleteFunc(s.images, func(f *File) bool {
		if stale[f] {
			failures = append(failures, os.Remove(f.Path))
		}
		return stale[f]
	})
	var file *File
	if made != nil {
		s.made++
		path, err := s.folder.write(fmt.Sprintf("%s.%d", s.name, s.made), made.Content)
		if failures = append(failures, err); err == nil {
			file = &File{Path: path, Base: made.Base, extents: made.Extents}
			s.images = append(s.images, file)
			changed = true
		}
	}
	for _, p := range patches {
		if p.image == nil || stale[p.image] {
			if p.image = nil; p.known() {
				p.image = file
			}
		}
	}
	return changed, errors.Join(failures...)
}

// known tells whether there is something to describe.
func (p *patch) known() bool {
	return slices.ContainsFunc(p.regions, func(r *unwind.Region) bool { return r.Known() > 0 })
}

// overlap tells whether two lists of extents, which are in the order of addresses,
// have some in common.
func overlap(a, b []unwind.Extent) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].End <= b[0].Start:
			a = a[1:]
		case b[0].End <= a[0].Start:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

// Clear removes the files.
func (s *Set) Clear() error {
	var failures []error
	for _, f := range s.images {
		failures = append(failures, os.Remove(f.Path))
	}
	s.images, s.patches = nil, nil
	if s.sizes != nil {
		failures = append(failures, s.sizes.Close())
		s.sizes = nil
	}
	if s.pagemap != nil {
		failures = append(failures, s.pagemap.Close())
		s.pagemap = nil
	}
	return errors.Join(failures...)
}

// A Folder is where the files are: one of its own in the system's folder for
// temporary files, which is made when it is first needed and which only this
// user may enter. Debuggers on this machine open the files by name, and gdb does
// so through the server too. The zero value is ready.
type Folder struct{ path string }

func (f *Folder) write(name string, content []byte) (string, error) {
	if f.path == "" {
		path, err := os.MkdirTemp("", "rspd-jump-patches-")
		if err != nil {
			return "", fmt.Errorf("there is no place for files that describe jump patches: %w", err)
		}
		f.path = path
	}
	path := filepath.Join(f.path, name)
	return path, os.WriteFile(path, content, 0o600)
}

// Remove removes the folder with what is in it.
func (f *Folder) Remove() error {
	if f.path == "" {
		return nil
	}
	path := f.path
	f.path = ""
	return os.RemoveAll(path)
}
