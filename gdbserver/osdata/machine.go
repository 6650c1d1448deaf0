package osdata

import "strings"

var moduleColumns = []string{"name", "size", "num uses", "dependencies", "status", "address"}

// modules reads /proc/modules: the fields of its lines are the columns.
func (r *reader) modules(d *document) error {
	lines, err := r.lines("modules")
	if err != nil {
		return err
	}
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) >= len(moduleColumns) {
			fields[5] = strings.TrimPrefix(fields[5], "0x")
			// Who may not see addresses is given zeros (kptr_restrict).
			if fields[5] = strings.TrimLeft(fields[5], "0"); fields[5] == "" {
				fields[5] = "0"
			}
			d.item(moduleColumns, fields...)
		}
	}
	return nil
}

// cpus reads /proc/cpuinfo: each processor is a paragraph of "name : value",
// and the names are the columns.
func (r *reader) cpus(d *document) error {
	lines, err := r.lines("cpuinfo")
	if err != nil {
		return err
	}
	var names, values []string
	finish := func() {
		if len(names) > 0 {
			d.item(names, values...)
		}
		names, values = names[:0], values[:0]
	}
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); name == "processor" {
			finish()
		}
		if found {
			names, values = append(names, name), append(values, strings.TrimSpace(value))
		}
	}
	finish()
	return nil
}
