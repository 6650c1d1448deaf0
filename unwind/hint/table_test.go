package hint

import (
	"bufio"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// memory is what is at an address.
type memory struct {
	start uint64
	bytes []byte
}

func (m memory) ReadAt(b []byte, at int64) (int, error) {
	offset := uint64(at) - m.start
	if uint64(at) < m.start || offset >= uint64(len(m.bytes)) {
		return 0, errors.New("not mapped")
	}
	n := copy(b, m.bytes[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func words(list ...uint64) []byte {
	var b []byte
	for _, w := range list {
		b = little.AppendUint64(b, w)
	}
	return b
}

// place writes a struct jump_patch_place.
func place(kind, register uint64, plus int32, offset int64) []byte {
	return words(kind|register<<8|uint64(uint32(plus))<<32, uint64(offset))
}

const (
	tableAt = 0x10000
	stubAt  = 0x7f0000000000
)

// table writes a descriptor and entries, each of ten words, one after the other.
func table(entries ...[]uint64) memory {
	b := words(Version, 0, tableAt+descriptorSize)
	for _, e := range entries {
		b = append(b, words(e...)...)
	}
	return memory{tableAt, b}
}

// entryAt gives the address of an entry of a table.
func entryAt(i int) uint64 { return tableAt + descriptorSize + uint64(i)*entrySize }

func TestReadTable(t *testing.T) {
	rows := entryAt(2)
	m := table(
		[]uint64{entryAt(1), 0, 0x401000, 8, stubAt, 0x80, stubAt + 0x10, 0x401008, rows, 2},
		[]uint64{0, entryAt(0), 0x402000, 0, 0, 0, 0, 0, 0, 0},
	)
	same := place(placeSame, 0, 0, 0)
	m.bytes = append(m.bytes, words(0x20, 0x30)...)
	for _, p := range [][]byte{
		place(placeMemory, uint64(cfi.RSP), 16, 8), place(placeCFA, 0, 0, -24), same, place(placeLost, 0, 0, 0),
		place(placeRegister, uint64(cfi.RAX), 0, 4), place(placeAbsolute, 0, -8, 0x70001010), same,
	} {
		m.bytes = append(m.bytes, p...)
	}
	m.bytes = append(m.bytes, words(0x10, 0x20)...)
	m.bytes = append(m.bytes, place(placeRegister, uint64(cfi.RBP), 0, 128)...)
	for range 6 {
		m.bytes = append(m.bytes, same...)
	}
	hints, warnings, err := ReadTable(m, tableAt)
	if err != nil || len(warnings) > 0 || len(hints) != 2 {
		t.Fatal(hints, warnings, err)
	}
	h := hints[0]
	if h.Site != 0x401000 || h.Length != 8 || h.Entry != stubAt+0x10 || h.Return != 0x401008 ||
		h.Stub != (unwind.Extent{Start: stubAt, End: stubAt + 0x80}) || len(h.Rows) != 2 {
		t.Fatalf("the hint is %+v", h)
	}
	if row := h.Rows[0]; row.Start != stubAt+0x10 || row.CFA != (cfi.Rule{Kind: cfi.InRegister, Register: cfi.RBP, Offset: 128}) {
		t.Errorf("the first row is %+v", row)
	}
	want := cfi.Row{Start: stubAt + 0x20, End: stubAt + 0x30, CFA: cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(cfi.RegisterPlus(cfi.RSP, 8), 16)}}
	want.Rules[cfi.RBX] = cfi.Rule{Kind: cfi.SavedAt, Offset: -24}
	want.Rules[cfi.RBP] = cfi.Rule{Kind: cfi.SameValue}
	want.Rules[cfi.R12] = cfi.Rule{Kind: cfi.Undefined}
	want.Rules[cfi.R13] = cfi.Rule{Kind: cfi.InRegister, Register: cfi.RAX, Offset: 4}
	want.Rules[cfi.R14] = cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(cfi.Constant(0x70001010), -8)}
	want.Rules[cfi.R15] = cfi.Rule{Kind: cfi.SameValue}
	if h.Rows[1] != want {
		t.Errorf("the second row is %v, want %v", h.Rows[1], want)
	}
	if hints[1].Site != 0x402000 || hints[1].Return != 0 {
		t.Errorf("the other hint is %+v", hints[1])
	}
}

func TestReadTableWarns(t *testing.T) {
	const site = 0x401000
	for _, test := range []struct {
		name string
		m    memory
		left int
		want string
	}{
		{"a loop", table([]uint64{entryAt(1), 0, site, 0, 0, 0, 0, 0, 0, 0}, []uint64{entryAt(0), 0, site + 8, 0, 0, 0, 0, 0, 0, 0}), 2, "loop"},
		{"an entry that follows itself", table([]uint64{entryAt(0), 0, site, 0, 0, 0, 0, 0, 0, 0}), 1, "loop"},
		{"a pointer to nowhere", table([]uint64{0x900000, 0, site, 0, 0, 0, 0, 0, 0, 0}), 1, "ends here"},
		{"a pointer that isn't canonical", table([]uint64{math.MaxUint64 - 7, 0, site, 0, 0, 0, 0, 0, 0, 0}), 1, "ends here"},
		{"a pointer that isn't aligned", table([]uint64{entryAt(0) + 1, 0, site, 0, 0, 0, 0, 0, 0, 0}), 1, "ends here"},
		{"no room for the entry", table([]uint64{0, 0, site}), 0, "ends here"},
		{"countless rows", table([]uint64{0, 0, site, 0, stubAt, 8, 0, 0, tableAt, math.MaxUint64}), 0, "rows"},
		{"rows nowhere", table([]uint64{0, 0, site, 0, stubAt, 8, 0, 0, 0x900000, 1}), 0, "rows can't be read"},
		{"a huge stub", table([]uint64{0, 0, site, 0, stubAt, math.MaxUint64, 0, 0, 0, 0}), 0, "stub would have"},
		{"a huge length", table([]uint64{0, 0, site, math.MaxUint64, 0, 0, 0, 0, 0, 0}), 0, "replaced"},
		{"a site that isn't canonical", table([]uint64{0, 0, 1 << 63, 0, 0, 0, 0, 0, 0, 0}), 0, "no address of a program"},
		{"stubs that overlap", table([]uint64{entryAt(1), 0, site, 0, stubAt, 16, 0, 0, 0, 0}, []uint64{0, 0, site + 8, 0, stubAt + 8, 16, 0, 0, 0, 0}), 1, "overlaps another"},
	} {
		hints, warnings, err := ReadTable(test.m, tableAt)
		if err != nil || len(hints) != test.left || len(warnings) != 1 || !strings.Contains(warnings[0].Text, test.want) {
			t.Errorf("%s: %v, %v, %v", test.name, hints, warnings, err)
		}
	}
	if _, _, err := ReadTable(memory{}, tableAt); err == nil {
		t.Error("a descriptor that can't be read is no error")
	}
	other := table()
	other.bytes[0] = 9
	if _, _, err := ReadTable(other, tableAt); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("of another version: %v", err)
	}
}

// Long tables end.
func TestReadTableEnds(t *testing.T) {
	var entries [][]uint64
	for i := range maxPatches + 10 {
		entries = append(entries, []uint64{entryAt(i + 1), 0, 0x401000 + uint64(i), 0, 0, 0, 0, 0, 0, 0})
	}
	hints, warnings, err := ReadTable(table(entries...), tableAt)
	if err != nil || len(hints) != maxPatches || len(warnings) != 1 {
		t.Error(len(hints), warnings, err)
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add(table([]uint64{entryAt(0), 0, 0x401000, 8, stubAt, 0x80, stubAt + 0x10, 0x401008, tableAt, 1}).bytes)
	f.Fuzz(func(t *testing.T, b []byte) {
		hints, _, err := ReadTable(memory{tableAt, b}, tableAt)
		if err != nil && hints != nil {
			t.Error("hints in spite of", err)
		}
		for _, h := range hints {
			if h.Site == 0 || h.Site >= maxAddress || h.Stub.End < h.Stub.Start {
				t.Errorf("a hint is %+v", h)
			}
		}
	})
}

const helperVariable = "HINT_TEST_PROGRAM"

// In the role of a helper the test reads the table of a process that gdb has
// stopped, and writes what it finds.
func TestMain(m *testing.M) {
	program := os.Getenv(helperVariable)
	if program == "" {
		os.Exit(m.Run())
	}
	if err := helper(program, os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func helper(program, pid string) error {
	f, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return err
	}
	values := map[string]uint64{}
	for _, s := range symbols {
		values[s.Name] = s.Value
	}
	maps, err := os.Open("/proc/" + pid + "/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	mem, err := os.Open("/proc/" + pid + "/mem")
	if err != nil {
		return err
	}
	defer mem.Close()
	p := &unwind.Process{Memory: mem, Open: func(m unwind.Mapping) (io.ReaderAt, error) { return os.Open(m.Path) }}
	base := uint64(0)
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var m unwind.Mapping
		var permissions, device, inode string
		fmt.Sscanf(lines.Text(), "%x-%x %s %x %s %s %s", &m.Start, &m.End, &permissions, &m.Offset, &device, &inode, &m.Path)
		m.Executable = strings.Contains(permissions, "x")
		if m.Path == program && base == 0 {
			base = m.Start
		}
		p.Mappings = append(p.Mappings, m)
	}
	hints, warnings, err := ReadTable(mem, base+values[DescriptorSymbol])
	if err != nil {
		return err
	}
	var known, stated int
	for _, h := range hints {
		regions, more := unwind.Follow(p, h)
		warnings = append(warnings, more...)
		for _, r := range regions {
			known += r.Known()
			for _, in := range r.Instructions {
				if in.Assumptions == unwind.PatcherIsRight {
					stated++
				}
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode([]any{
		len(hints), hints[0].Site - base - values["work"], hints[0].Length, len(hints[0].Rows), known, stated, len(warnings),
	})
}

// The example in C is read as it is.
func TestExample(t *testing.T) {
	program := filepath.Join(t.TempDir(), "example")
	for _, tool := range []string{"gcc", "gdb"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	if out, err := exec.Command("gcc", "-Wall", "-Wextra", "-Werror", "-g", "-o", program, "c/example.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	if out, err := exec.Command(program).Output(); err != nil || string(out) != "counted 3 of 3\n" {
		t.Fatalf("the example says %q, %v", out, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result := filepath.Join(t.TempDir(), "result")
	gdb := exec.CommandContext(ctx, "gdb", "-nx", "--batch", "-ex", "set startup-with-shell off", "-ex", "set debuginfod enabled off",
		"-ex", "break "+ChangedSymbol, "-ex", "run", "-ex",
		fmt.Sprintf("python import subprocess; subprocess.run([%q, str(gdb.selected_inferior().pid)], stdout=open(%q, 'w'), env={%q: %q}, check=True)",
			self, result, helperVariable, program), "-ex", "kill", program)
	out, err := gdb.CombinedOutput()
	if err != nil {
		t.Fatalf("gdb: %v\n%s", err, out)
	}
	got, err := os.ReadFile(result)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "[1,0,5,3,4,4,0]\n"; string(got) != want {
		t.Errorf("the helper says %s, want %s\n%s", got, want, out)
	}
}
