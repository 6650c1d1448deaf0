package jumppatch

import (
	"fmt"
	"strconv"
	"strings"

	"rspd/unwind"
)

// parseMaps reads the text of /proc/PID/maps (proc(5)). Names are as the kernel
// writes them, except that a newline, which it writes as \012, is one again.
func parseMaps(text string) ([]unwind.Mapping, error) {
	var mappings []unwind.Mapping
	for line := range strings.Lines(text) {
		m, err := parseMapping(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		mappings = append(mappings, m)
	}
	return mappings, nil
}

// parseMapping reads "start-end permissions offset device inode path", in which
// one space is between fields, and several before the path, which may have some
// itself.
func parseMapping(line string) (unwind.Mapping, error) {
	fields := strings.SplitN(line, " ", 6)
	var m unwind.Mapping
	if len(fields) < 5 {
		return m, fmt.Errorf("%q is no line of a memory map", line)
	}
	start, end, _ := strings.Cut(fields[0], "-")
	for _, number := range []struct {
		to   *uint64
		text string
	}{{&m.Start, start}, {&m.End, end}, {&m.Offset, fields[2]}} {
		var err error
		if *number.to, err = strconv.ParseUint(number.text, 16, 64); err != nil {
			return m, fmt.Errorf("%q is no line of a memory map", line)
		}
	}
	m.Executable = strings.Contains(fields[1], "x")
	if len(fields) == 6 {
		m.Path = strings.ReplaceAll(strings.TrimLeft(fields[5], " "), `\012`, "\n")
	}
	return m, nil
}

// hasRoom tells whether there is anonymous executable memory, where stubs are.
func hasRoom(mappings []unwind.Mapping) bool {
	for _, m := range mappings {
		if m.Executable && m.Anonymous() {
			return true
		}
	}
	return false
}
