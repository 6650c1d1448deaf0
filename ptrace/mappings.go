package ptrace

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Mapping is one line of /proc/PID/maps (proc(5)).
type Mapping struct {
	// Start and End are its addresses; End is the first one behind it.
	Start, End uint64
	// Read, Write and Execute are its permissions.
	Read, Write, Execute bool
	// Shared says that what is written reaches others who have it mapped.
	Shared bool
	// Offset is where it begins in the file, in bytes, and Inode the file's
	// number, 0 where there is none.
	Offset, Inode uint64
	// Name is a file's, or one in brackets, or empty.
	Name string
}

// Mappings lists what is mapped in a process, in the order of addresses.
func Mappings(pid int) ([]Mapping, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, goneIfAbsent("list the memory of", pid, err)
	}
	return parseMappings(string(text))
}

func parseMappings(text string) ([]Mapping, error) {
	mappings := make([]Mapping, 0, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		mapping, err := parseMapping(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		mappings = append(mappings, mapping)
	}
	return mappings, nil
}

// parseMapping reads "start-end perms offset device inode", after which come
// blanks and the name.
func parseMapping(line string) (Mapping, error) {
	addresses, rest, _ := strings.Cut(line, " ")
	permissions, rest, _ := strings.Cut(rest, " ")
	offset, rest, _ := strings.Cut(rest, " ")
	_, rest, _ = strings.Cut(rest, " ")
	inode, rest, _ := strings.Cut(rest, " ")
	start, end, found := strings.Cut(addresses, "-")
	if !found || len(permissions) < 4 {
		return Mapping{}, fmt.Errorf("a line of /proc/PID/maps is not understood: %q", line)
	}
	mapping := Mapping{Read: permissions[0] == 'r', Write: permissions[1] == 'w', Execute: permissions[2] == 'x',
		Shared: permissions[3] == 's', Name: strings.TrimLeft(rest, " ")}
	const hexadecimal, decimal = 16, 10
	for _, field := range []struct {
		text   string
		base   int
		number *uint64
	}{{start, hexadecimal, &mapping.Start}, {end, hexadecimal, &mapping.End}, {offset, hexadecimal, &mapping.Offset}, {inode, decimal, &mapping.Inode}} {
		var err error
		if *field.number, err = strconv.ParseUint(field.text, field.base, 64); err != nil {
			return Mapping{}, fmt.Errorf("a line of /proc/PID/maps is not understood: %q", line)
		}
	}
	return mapping, nil
}

// MemoryArea is a mapping with what /proc/PID/smaps says of it besides.
type MemoryArea struct {
	Mapping
	// Anonymous says that some pages of it are the process's own, which for a
	// private mapping of a file are those that were written to.
	Anonymous bool
	// Flags are the two-letter names of the kernel's flags (VmFlags), among
	// them io for memory of a device, dd for MADV_DONTDUMP, ht for huge pages.
	Flags []string
}

// MemoryAreas is Mappings with more of each. The kernel walks through all pages
// for it.
func MemoryAreas(pid int) ([]MemoryArea, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return nil, goneIfAbsent("list the memory of", pid, err)
	}
	return parseMemoryAreas(string(text))
}

func parseMemoryAreas(text string) ([]MemoryArea, error) {
	var areas []MemoryArea
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		key, value, _ := strings.Cut(line, " ")
		if !strings.HasSuffix(key, ":") {
			mapping, err := parseMapping(line)
			if err != nil {
				return nil, err
			}
			areas = append(areas, MemoryArea{Mapping: mapping})
			continue
		}
		if len(areas) == 0 {
			return nil, fmt.Errorf("/proc/PID/smaps does not begin with a mapping: %q", line)
		}
		area := &areas[len(areas)-1]
		switch key {
		case "Anonymous:":
			area.Anonymous = strings.TrimLeft(value, " ") != "0 kB"
		case "VmFlags:":
			area.Flags = strings.Fields(value)
		}
	}
	return areas, nil
}
