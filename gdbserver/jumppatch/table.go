package jumppatch

import (
	"bytes"
	"debug/elf"

	"rspd/unwind"
	"rspd/unwind/hint"
)

// mapped is a file at an address.
type mapped struct {
	path  string
	start uint64
}

// A table is where a file has its table of patches (package hint), as addresses
// in the process: its head, and the function that is called when it changes, 0
// if there is none.
type table struct{ descriptor, changed uint64 }

// tables gives the tables that the files of a process export.
func (s *snapshot) tables(known map[mapped]table) []table {
	var list []table
	seen := map[string]bool{}
	for _, m := range s.Mappings {
		if !m.Executable || m.Anonymous() || m.Path == "[vdso]" || m.Path == "[vsyscall]" || seen[m.Path] {
			continue
		}
		seen[m.Path] = true
		at, ok := known[mapped{m.Path, m.Start}]
		if !ok {
			// Who can't be read has none.
			at, _ = s.tableIn(m)
			known[mapped{m.Path, m.Start}] = at
		}
		if at.descriptor != 0 {
			list = append(list, at)
		}
	}
	return list
}

// tableIn gives the table of the file that a mapping shows; there is none if it
// has no descriptor.
func (s *snapshot) tableIn(m unwind.Mapping) (table, error) {
	file, err := s.open(m)
	if err != nil {
		return table{}, err
	}
	f, err := elf.NewFile(file)
	if err != nil {
		return table{}, err
	}
	descriptor := symbol(f, hint.DescriptorSymbol)
	if descriptor == 0 {
		return table{}, nil
	}
	module, err := unwind.NewModule(file)
	if err != nil {
		return table{}, err
	}
	inFile, ok := module.Address(m.Offset)
	if !ok {
		return table{}, nil
	}
	t := table{descriptor: m.Start - inFile + descriptor}
	if changed := symbol(f, hint.ChangedSymbol); changed != 0 {
		t.changed = m.Start - inFile + changed
	}
	return t, nil
}

// symbol gives the value of a file's symbol, 0 if it has none of the name.
func symbol(f *elf.File, name string) uint64 {
	for _, kind := range []struct {
		names string
		read  func() ([]elf.Symbol, error)
	}{{".dynstr", f.DynamicSymbols}, {".strtab", f.Symbols}} {
		section := f.Section(kind.names)
		if section == nil {
			continue
		}
		// The names are searched first: to read all symbols takes longer.
		names, err := section.Data()
		if err != nil || !bytes.Contains(names, []byte("\x00"+name+"\x00")) {
			continue
		}
		symbols, err := kind.read()
		if err != nil {
			continue
		}
		for _, s := range symbols {
			if s.Name == name && s.Section != elf.SHN_UNDEF {
				return s.Value
			}
		}
	}
	return 0
}
