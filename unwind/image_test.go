package unwind_test

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"strings"
	"testing"

	"rspd/unwind"
	"rspd/unwind/cfi"
	"rspd/unwind/image"
)

// checkImage compares an image with the regions that it was made of, as other
// readers see it.
func checkImage(t *testing.T, made *image.Image, regions []*unwind.Region) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(made.Content))
	if err != nil {
		t.Fatal(err)
	}
	section := f.Section(".eh_frame")
	if section == nil || f.Type != elf.ET_DYN || made.Base%4096 != 0 || f.Section(".text") == nil {
		t.Fatalf("this is no image: %+v, %+v", f.FileHeader, f.Sections)
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := cfi.NewTable(data, section.Addr, cfi.EHFrame)
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for _, r := range regions {
		for _, in := range r.Instructions {
			if seen[in.Address] || r.Known() == 0 {
				continue
			}
			seen[in.Address] = true
			row, err := table.Row(in.Address - made.Base)
			if in.Confidence == unwind.Unknown {
				if !errors.Is(err, cfi.ErrNotCovered) {
					t.Errorf("%#x has no row, but the image has %v", in.Address, row)
				}
				continue
			}
			want := in.Row
			if rule := &want.Rules[cfi.RIP]; rule.Kind == cfi.SavedAt {
				*rule = cfi.Rule{Kind: cfi.SavedAtExpression, Expression: cfi.OfCFA(rule.Offset)}
			}
			if want.CFA.Kind == cfi.InRegister && want.CFA.Offset < 0 {
				want.CFA = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.RegisterPlus(want.CFA.Register, want.CFA.Offset)}
			}
			if err != nil || row.CFA != want.CFA || row.Rules[cfi.RIP] != want.Rules[cfi.RIP] || row.Rules[cfi.RSP] != want.Rules[cfi.RSP] {
				t.Errorf("at %#x the image has %v, %v, not %v", in.Address, row, err, want)
			}
			named := false
			for _, s := range symbols {
				named = named || s.Value <= in.Address-made.Base && in.Address-made.Base < s.Value+s.Size
			}
			if !named {
				t.Errorf("%#x has no name", in.Address)
			}
		}
	}
}

func TestImage(t *testing.T) {
	p := manyPatches(1<<20, 20)
	regions, _ := deriveAll(p)
	made, err := image.Write(regions, p.Memory)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, made, regions)
	f, err := elf.NewFile(bytes.NewReader(made.Content))
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	start := made.Base + f.Section(".text").Addr
	want := make([]byte, len(text))
	if _, err := p.Memory.ReadAt(want, int64(start)); err != nil || !bytes.Equal(text, want) {
		t.Errorf("the text isn't that of memory (%v)", err)
	}
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for reader := d.Reader(); ; {
		entry, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if entry == nil {
			break
		}
		if entry.Tag == dwarf.TagSubprogram {
			name := entry.Val(dwarf.AttrName).(string)
			if !strings.HasPrefix(name, "0x") || !strings.HasSuffix(name, image.Suffix) {
				t.Errorf("a stub is called %s", name)
			}
			names++
		}
		if entry.Tag == dwarf.TagCompileUnit {
			ranges, err := d.Ranges(entry)
			if err != nil || len(ranges) != 1 || ranges[0][0] != f.Section(".text").Addr {
				t.Errorf("the ranges are %v, %v", ranges, err)
			}
		}
	}
	if names != 20 {
		t.Errorf("%d stubs are named", names)
	}
	symbols, _ := f.Symbols()
	if len(symbols) != 20 || symbols[0].Name != "__morestack" {
		t.Errorf("the symbols are %v", symbols)
	}
}

// Each symbol has one entry, or none: with data in the code, an instruction of which
// nothing is known, and code that another stub shares.
func TestImageEntries(t *testing.T) {
	row := cfi.Row{CFA: cfi.Rule{Kind: cfi.InRegister, Register: cfi.RSP, Offset: 8}}
	row.Rules[cfi.RIP] = cfi.Rule{Kind: cfi.SavedAt, Offset: -8}
	in := func(at uint64, length int, confidence unwind.Confidence, shared bool) unwind.Instruction {
		return unwind.Instruction{Address: stubAddress + at, Length: length, Row: row, Confidence: confidence, Shared: shared}
	}
	first := &unwind.Region{Patch: unwind.Patch{Function: "first"}, Instructions: []unwind.Instruction{
		in(0, 6, unwind.Certain, false), in(14, 2, unwind.Assumed, false), // a pointer between
		in(16, 1, unwind.Unknown, false), in(17, 1, unwind.Certain, false), in(18, 4, unwind.Certain, true),
	}}
	second := &unwind.Region{Patch: unwind.Patch{Function: "second"}, Instructions: []unwind.Instruction{
		in(18, 4, unwind.Certain, true), in(24, 4, unwind.Certain, false),
	}}
	regions := []*unwind.Region{first, second}
	made, err := image.Write(regions, memory{stubAddress: make([]byte, 64)})
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, made, regions)
	f, err := elf.NewFile(bytes.NewReader(made.Content))
	if err != nil {
		t.Fatal(err)
	}
	section := f.Section(".eh_frame")
	data, _ := section.Data()
	table, err := cfi.NewTable(data, section.Addr, cfi.EHFrame)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]uint64{}
	symbols, _ := f.Symbols()
	for _, s := range symbols {
		start, end, err := table.Range(s.Value)
		if err == nil && (start != s.Value || end != s.Value+s.Size) {
			t.Errorf("%s from %#x, %d bytes, has an entry from %#x to %#x", s.Name, s.Value, s.Size, start, end)
		}
		name := strings.TrimSuffix(s.Name, image.Suffix)
		got[name] = append(got[name], s.Value)
	}
	if len(symbols) != 5 || len(got["first"]) != 3 || len(got["shared"]) != 1 || len(got["second"]) != 1 {
		t.Errorf("the symbols are %v", got)
	}
}

// Stubs far apart have sections of their own.
func TestImageOfDistantStubs(t *testing.T) {
	var regions []*unwind.Region
	m := memory{}
	for _, at := range []uint64{0x7f0000001230, 0x10000, 0x7f0000001300, 0x555500000ff0} {
		m[at&^0xfff] = make([]byte, 0x2000)
		r := &unwind.Region{Patch: unwind.Patch{Site: 0x401000, Function: "f"}, Return: 0x401005}
		row := cfi.Row{Start: at, End: at + 5, CFA: cfi.Rule{Kind: cfi.InRegister, Register: cfi.RSP, Offset: -8}}
		r.Instructions = []unwind.Instruction{{Address: at, Length: 5, Row: row, Confidence: unwind.Certain}}
		regions = append(regions, r)
	}
	made, err := image.Write(regions, m)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, made, regions)
	if made.Base != 0x10000 || len(made.Extents) != 3 {
		t.Errorf("the base is %#x, the extents are %x", made.Base, made.Extents)
	}
}

func TestImageOfNothing(t *testing.T) {
	if _, err := image.Write(nil, memory{}); !errors.Is(err, image.ErrEmpty) {
		t.Error(err)
	}
	p, patch := site([]byte{0x06})
	if _, err := image.Write(unwind.Derive(p, patch), p.Memory); !errors.Is(err, image.ErrEmpty) {
		t.Error(err)
	}
	p, patch = site(back)
	if _, err := image.Write(unwind.Derive(p, patch), memory{}); err == nil {
		t.Error("stubs that can't be read are no error")
	}
}
