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
		line = strings.TrimSuffix(line, "\n")
		// start-end perms offset device inode, and after blanks the name.
		addresses, rest, _ := strings.Cut(line, " ")
		permissions, rest, _ := strings.Cut(rest, " ")
		start, end, found := strings.Cut(addresses, "-")
		if !found || len(permissions) < 3 {
			return nil, fmt.Errorf("a line of /proc/PID/maps is not understood: %q", line)
		}
		mapping := Mapping{Read: permissions[0] == 'r', Write: permissions[1] == 'w', Execute: permissions[2] == 'x'}
		var err error
		if mapping.Start, err = strconv.ParseUint(start, 16, 64); err == nil {
			mapping.End, err = strconv.ParseUint(end, 16, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("a line of /proc/PID/maps is not understood: %q", line)
		}
		for range 3 {
			_, rest, _ = strings.Cut(rest, " ")
		}
		mapping.Name = strings.TrimLeft(rest, " ")
		mappings = append(mappings, mapping)
	}
	return mappings, nil
}
