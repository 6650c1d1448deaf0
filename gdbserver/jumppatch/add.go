package jumppatch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rspd/unwind"
)

// Add takes a person's hint about this process, which counts more than all
// others, from the next update on. One about the same site is replaced.
func (s *Set) Add(h unwind.Hint) {
	s.dropAdded(h.Site)
	delete(s.removed, h.Site)
	s.added = append(s.added, h)
	s.stale = true
}

// Added tells, after an update, whether a hint was taken; the error says why not,
// and the hint is forgotten then.
func (s *Set) Added(h unwind.Hint) error {
	if p := s.find(h.Site); p != nil && p.hint != nil && equalHints(p.hint, &h) {
		return nil
	}
	s.dropAdded(h.Site)
	s.stale = true
	if !s.room {
		return fmt.Errorf("the patch at %#x is not added: the process has no anonymous executable memory, where its stub could be", h.Site)
	}
	for _, w := range s.warnings {
		if w.Address == h.Site {
			return fmt.Errorf("the patch at %#x is not added: %s", h.Site, strings.TrimPrefix(w.Text, "the hint is ignored: "))
		}
	}
	return fmt.Errorf("the patch at %#x is not added: nothing of its stub can be described", h.Site)
}

// Remove takes a hint back that was added. Where there is none it has the patch
// at a site left out, from the next update on, however it is known. It tells
// whether there is such a patch.
func (s *Set) Remove(site uint64) bool {
	known := s.find(site) != nil
	if !s.dropAdded(site) {
		if !known {
			return false
		}
		s.removed[site] = true
	}
	s.stale = true
	return true
}

func (s *Set) dropAdded(site uint64) bool {
	before := len(s.added)
	s.added = slices.DeleteFunc(s.added, func(h unwind.Hint) bool { return h.Site == site })
	return len(s.added) < before
}

// Inherit takes over what people have said of the process whose memory this is a
// copy of.
func (s *Set) Inherit(parent *Set) {
	s.added, s.removed = slices.Clone(parent.added), maps.Clone(parent.removed)
}
