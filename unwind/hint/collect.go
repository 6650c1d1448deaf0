package hint

import (
	"errors"
	"fmt"
	"slices"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// maxAddress is where the lower half of the canonical addresses ends, with
// five levels of page tables.
const maxAddress = 1 << 56

// A collector takes the hints that make sense.
type collector struct {
	hints    []unwind.Hint
	warnings []unwind.Warning
	rows     int
}

// maxWarnings bounds the warnings about one source.
const maxWarnings = 100

func (c *collector) warn(at uint64, format string, args ...any) {
	if len(c.warnings) < maxWarnings {
		c.warnings = append(c.warnings, unwind.Warning{Address: at, Text: fmt.Sprintf(format, args...)})
	}
}

func (c *collector) add(h unwind.Hint, err error) {
	if err == nil {
		err = check(&h)
	}
	if c.rows += len(h.Rows); err == nil && c.rows > maxAll {
		err = errors.New("there are too many rows")
	}
	if err != nil {
		c.warn(h.Site, "the hint about this site is left out: %v", err)
		return
	}
	c.hints = append(c.hints, h)
}

// check sorts the rows of a hint and gives what contradicts itself. What
// contradicts the process is for unwind.Follow to find.
func check(h *unwind.Hint) error {
	for _, a := range []struct {
		name  string
		value uint64
	}{
		{"site", h.Site}, {"entry", h.Entry}, {"stub", h.Stub.Start}, {"end of the stub", h.Stub.End}, {"return address", h.Return},
	} {
		if a.value >= maxAddress {
			return fmt.Errorf("its %s, %#x, is no address of a program", a.name, a.value)
		}
	}
	switch {
	case h.Site == 0:
		return errors.New("it has no site")
	case h.Stub.End < h.Stub.Start:
		return fmt.Errorf("its stub ends at %#x, before its start at %#x", h.Stub.End, h.Stub.Start)
	case h.Site >= h.Stub.Start && h.Site < h.Stub.End:
		return errors.New("its site is in its stub")
	case len(h.Rows) > 0 && h.Stub.Start == h.Stub.End:
		return errors.New("it has rows, but doesn't say where the stub is")
	}
	slices.SortStableFunc(h.Rows, func(a, b cfi.Row) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	for i, r := range h.Rows {
		switch {
		case r.End <= r.Start || r.Start < h.Stub.Start || r.End > h.Stub.End:
			return fmt.Errorf("its row from %#x to %#x isn't within the stub", r.Start, r.End)
		case i > 0 && r.Start < h.Rows[i-1].End:
			return fmt.Errorf("its row from %#x overlaps another", r.Start)
		}
	}
	return nil
}

// finish gives the hints, in the order of their sites, without those whose site
// or stub another one has.
func (c *collector) finish() []unwind.Hint {
	// Of two with the same site the later one counts.
	bySite := map[uint64]int{}
	for i, h := range c.hints {
		if _, ok := bySite[h.Site]; ok {
			c.warn(h.Site, "there are several hints about this site; the last one counts")
		}
		bySite[h.Site] = i
	}
	list := make([]unwind.Hint, 0, len(bySite))
	for i, h := range c.hints {
		if bySite[h.Site] == i {
			list = append(list, h)
		}
	}
	slices.SortStableFunc(list, func(a, b unwind.Hint) int {
		if a.Stub.Start < b.Stub.Start || a.Stub.Start == b.Stub.Start && a.Site < b.Site {
			return -1
		}
		return 1
	})
	end := uint64(0)
	list = slices.DeleteFunc(list, func(h unwind.Hint) bool {
		if h.Stub.Start < end && h.Stub.End > h.Stub.Start {
			c.warn(h.Site, "the hint about this site is left out: its stub at %#x overlaps another one", h.Stub.Start)
			return true
		}
		end = max(end, h.Stub.End)
		return false
	})
	slices.SortFunc(list, func(a, b unwind.Hint) int {
		if a.Site < b.Site {
			return -1
		}
		return 1
	})
	return list
}
