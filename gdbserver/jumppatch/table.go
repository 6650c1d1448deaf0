package jumppatch

import (
	"bytes"
	"debug/elf"
	"io"

	"rspd/unwind"
	"rspd/unwind/hint"
)

// mapped is a file at an address.
type mapped struct {
	path  string
	start uint64
}

// tables gives the addresses of the tables that the files of a process export
// (package hint).
func (s *snapshot) tables(known map[mapped]uint64) []uint64 {
	var list []uint64
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
		if at != 0 {
			list = append(list, at)
		}
	}
	return list
}

// tableIn gives the address of the table of the file that a mapping shows, 0 if
// it has none.
func (s *snapshot) tableIn(m unwind.Mapping) (uint64, error) {
	file, err := s.open(m)
	if err != nil {
		return 0, err
	}
	value, err := symbol(file, hint.DescriptorSymbol)
	if err != nil || value == 0 {
		return 0, err
	}
	module, err := unwind.NewModule(file)
	if err != nil {
		return 0, err
	}
	inFile, ok := module.Address(m.Offset)
	if !ok {
		return 0, nil
	}
	return m.Start - inFile + value, nil
}

// symbol gives the value of a file's symbol, 0 if it has none of the name.
func symbol(file io.ReaderAt, name string) (uint64, error) {
	f, err := elf.NewFile(file)
	if err != nil {
		return 0, err
	}
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
				return s.Value, nil
			}
		}
	}
	return 0, nil
}
