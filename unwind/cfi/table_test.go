package cfi

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sections gives the frame information of an ELF file.
func sections(t testing.TB, path string) *Table {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	section := f.Section(".eh_frame")
	if section == nil {
		t.Fatalf("%s has no .eh_frame", path)
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable(data, section.Addr, EHFrame)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// library gives the path of the C library, as a program of this machine
// would load it.
func library(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/lib/x86_64-linux-gnu/libc.so.6")
	more, _ := filepath.Glob("/lib64/libc.so.6")
	if found = append(found, more...); len(found) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no glibc at the usual places")
		}
		t.Skip("there is no glibc at the usual places")
	}
	return found[0]
}

// Every row of the C library is what readelf says.
func TestRowsAreThoseOfReadelf(t *testing.T) {
	path := library(t)
	table := sections(t, path)
	if _, err := exec.LookPath("readelf"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// Where the library's debugging symbols are installed readelf would go there
	// and fail.
	out, err := exec.Command("readelf", "-W", "--debug-dump=no-follow-links,frames-interp", path).Output()
	if err != nil {
		t.Fatal("readelf: ", err)
	}
	var columns []string
	compared := 0
	lines := bufio.NewScanner(bytes.NewReader(out))
	inEntry := false
	for lines.Scan() {
		line := strings.Replace(lines.Text(), "LOC", "LOC ", 1)
		words := strings.Fields(line)
		switch {
		case strings.Contains(line, " CIE "):
			inEntry = false
		case strings.Contains(line, " FDE "):
			inEntry = true
		case len(words) > 1 && words[0] == "LOC":
			columns = words[1:]
		case inEntry && len(words) > 1 && len(words[0]) == 16:
			address, err := strconv.ParseUint(words[0], 16, 64)
			if err != nil {
				continue
			}
			row, err := table.Row(address)
			if err != nil {
				t.Fatalf("%#x: %v", address, err)
			}
			// A later row at the same address hides this one.
			for i, word := range cells(words[1:]) {
				if got := cell(row, columns[i]); got != word {
					t.Errorf("%#x %s: %s, want %s (%v)", address, columns[i], got, word, row)
				}
			}
			compared++
		}
	}
	if compared < 1000 {
		t.Fatalf("compared %d rows only", compared)
	}
	t.Logf("compared %d rows", compared)
}

// cells joins what readelf writes as two words: a register as a number and a
// name, "r1 (rdx)", where the value is in it.
func cells(words []string) []string {
	var joined []string
	for _, word := range words {
		if name, found := strings.CutPrefix(word, "("); found && len(joined) > 0 {
			joined[len(joined)-1] = strings.TrimSuffix(name, ")") + "+0"
			continue
		}
		joined = append(joined, word)
	}
	return joined
}

// cell writes a rule as readelf does.
func cell(row Row, column string) string {
	if column == "CFA" {
		if row.CFA.Kind == InRegister {
			return fmt.Sprintf("%v%+d", row.CFA.Register, row.CFA.Offset)
		}
		return "exp"
	}
	for i := range row.Rules {
		name := Register(i).String()
		if name == column || name == "rip" && column == "ra" {
			switch rule := row.Rules[i]; rule.Kind {
			case SavedAt:
				return fmt.Sprintf("c%+d", rule.Offset)
			case Unspecified, Undefined:
				return "u"
			case SameValue:
				return "s"
			case SavedAtExpression:
				return "exp"
			case ByExpression:
				return "vexp"
			default:
				return rule.text()
			}
		}
	}
	return column + "?"
}

// wrap makes an .eh_frame of one entry for the rows.
func wrap(rows []Row) []byte {
	common := []byte{0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0}
	var b []byte
	record := func(body []byte) {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
		b = append(b, body...)
	}
	record(common)
	start, end := rows[0].Start, rows[len(rows)-1].End
	entry := binary.LittleEndian.AppendUint32(nil, uint32(len(b)+4))
	entry = binary.LittleEndian.AppendUint64(entry, start)
	entry = binary.LittleEndian.AppendUint64(entry, end-start)
	entry = append(entry, 0)
	record(append(entry, Program(rows)...))
	return b
}

func TestProgramGivesTheRowsBack(t *testing.T) {
	rows := []Row{
		{Start: 0x1000, End: 0x1004, CFA: Rule{Kind: InRegister, Register: RSP, Offset: 8}},
		{Start: 0x1004, End: 0x1005, CFA: Rule{Kind: InRegister, Register: RSP, Offset: 8}},
		{Start: 0x1005, End: 0x1100, CFA: Rule{Kind: InRegister, Register: RBP, Offset: 16}},
		{Start: 0x1100, End: 0x1101, CFA: Rule{Kind: ByExpression, Expression: Load(Constant(0x70001010), 0)}},
		{Start: 0x1101, End: 0x1110, CFA: Rule{Kind: ByExpression, Expression: Load(RegisterPlus(RBX, -300), 24)}},
	}
	rows[0].Rules[RIP] = Rule{Kind: SavedAt, Offset: -8}
	rows[1].Rules[RIP] = Rule{Kind: SavedAt, Offset: -8}
	rows[2].Rules[RIP] = Rule{Kind: ByExpression, Expression: Constant(0x401234)}
	rows[2].Rules[RBX] = Rule{Kind: SavedAt, Offset: 128}
	rows[2].Rules[R15] = Rule{Kind: SavedAtExpression, Expression: RegisterPlus(RSP, 63)}
	rows[3].Rules[RBX] = Rule{Kind: SameValue}
	rows[3].Rules[R15] = Rule{Kind: Undefined}
	rows[3].Rules[R12] = Rule{Kind: InRegister, Register: RAX}
	rows[3].Rules[R13] = Rule{Kind: CFAPlus, Offset: -64}
	table, err := NewTable(wrap(rows), 0, EHFrame)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range rows {
		got, err := table.Row(want.End - 1)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Same(want) {
			t.Errorf("at %#x: %v, want %v", want.Start, got, want)
		}
	}
	for _, outside := range []uint64{0xfff, 0x1110} {
		if _, err := table.Row(outside); !errors.Is(err, ErrNotCovered) {
			t.Errorf("at %#x: %v, want %v", outside, err, ErrNotCovered)
		}
	}
}

type memory map[uint64]uint64

func (m memory) ReadAt(b []byte, at int64) (int, error) {
	v, ok := m[uint64(at)]
	if !ok {
		return 0, errors.New("not mapped")
	}
	binary.LittleEndian.PutUint64(b, v)
	return 8, nil
}

func TestUnwind(t *testing.T) {
	row := Row{CFA: Rule{Kind: ByExpression, Expression: Load(RegisterPlus(RSP, 8), 16)}}
	row.Rules[RIP] = Rule{Kind: SavedAt, Offset: -8}
	row.Rules[RBX] = Rule{Kind: SavedAtExpression, Expression: OfCFA(-24)}
	row.Rules[R12] = Rule{Kind: ByExpression, Expression: RegisterPlus(RAX, 5)}
	row.Rules[R13] = Rule{Kind: Undefined}
	row.Rules[R14] = Rule{Kind: SavedAt, Offset: -1000}
	f := &Frame{Memory: memory{0x1008: 0x2000, 0x2008: 0x401000, 0x1ff8: 77}}
	f.Values[RSP], f.Known[RSP] = 0x1000, true
	f.Values[RAX], f.Known[RAX] = 1, true
	f.Values[RBP], f.Known[RBP] = 9, true
	f.Values[R13], f.Known[R13] = 9, true
	caller, err := row.Unwind(f)
	if err != nil {
		t.Fatal(err)
	}
	want := map[Register]uint64{RSP: 0x2010, RIP: 0x401000, RBX: 77, R12: 6, RBP: 9}
	for i := range caller.Values {
		register := Register(i)
		v, known := want[register]
		if caller.Known[register] != known || known && caller.Values[register] != v {
			t.Errorf("%v is %#x (known: %v), want %#x (%v)", register, caller.Values[register], caller.Known[register], v, known)
		}
	}
	row.CFA = Rule{Kind: InRegister, Register: R8}
	if _, err := row.Unwind(f); !errors.Is(err, ErrUndefined) {
		t.Errorf("without its register the CFA is %v", err)
	}
}

func TestExpressions(t *testing.T) {
	f := &Frame{Memory: memory{}}
	for _, test := range []struct {
		expression string
		want       uint64
		fails      bool
	}{
		{expression: "\x35\x33\x1c", want: 2},
		{expression: "\x31\x32\x17\x33", fails: false, want: 3},
		{expression: "\x31\x32\x33\x17\x1c", want: ^uint64(0)},
		{expression: "\x09\xff\x19", want: 1},
		{expression: "\x34\x12\x22", want: 8},
		{expression: "\x31\x28\x01\x00\x35\x36", want: 6},
		{expression: "\x2f\xfd\xff", fails: true},
		{expression: "\x22", fails: true},
		{expression: "\x06", fails: true},
		{expression: "\x0e\x01", fails: true},
		{expression: "\xff", fails: true},
		{expression: "\x30\x06", fails: true},
		{expression: "", fails: true},
	} {
		initial := []uint64(nil)
		if strings.HasPrefix(test.expression, "\x31\x32\x17") {
			initial = []uint64{5}
		}
		got, err := evaluate(test.expression, initial, f)
		if (err != nil) != test.fails || !test.fails && got != test.want {
			t.Errorf("% x is %d, %v; want %d", test.expression, got, err, test.want)
		}
	}
}

func TestMalformedTables(t *testing.T) {
	good := wrap([]Row{{Start: 0x1000, End: 0x1010, CFA: Rule{Kind: InRegister, Register: RSP, Offset: 8}}})
	if _, err := NewTable(good, 0, EHFrame); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(good); n++ {
		table, err := NewTable(good[:n], 0, EHFrame)
		if len(table.entries) > 0 {
			t.Errorf("of the first %d bytes came an entry", n)
		}
		if err == nil && n != 17 { // where the common information ends
			t.Errorf("the first %d bytes are no error", n)
		}
	}
	for name, program := range map[string][]byte{
		"an unknown instruction":     {0x3f},
		"a state nobody remembered":  {opRestoreState},
		"states without end":         bytes.Repeat([]byte{opRememberState}, maxDepth+1),
		"a register that is none":    {opDefCFA, 99, 8},
		"an operand that is missing": {opDefCFA, 7},
		"a block that is too long":   {opDefCFAExpression, 0xff, 0xff, 0x03},
	} {
		data := wrap([]Row{{Start: 0x1000, End: 0x1010, CFA: Rule{Kind: InRegister, Register: RSP, Offset: 8}}})
		data = append(data[:len(data)-3], program...)
		binary.LittleEndian.PutUint32(data[17:], uint32(len(data)-21))
		table, err := NewTable(data, 0, EHFrame)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if row, err := table.Row(0x1008); err == nil {
			t.Errorf("%s gives %v", name, row)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add(wrap([]Row{{Start: 0x1000, End: 0x1010, CFA: Rule{Kind: InRegister, Register: RSP, Offset: 8}}}), uint64(0), false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint64(0), true)
	f.Fuzz(func(t *testing.T, data []byte, section uint64, debug bool) {
		format := EHFrame
		if debug {
			format = DebugFrame
		}
		table, _ := NewTable(data, section, format)
		frame := &Frame{Memory: memory{}}
		for _, e := range table.entries {
			row, err := table.Row(e.start)
			if err != nil {
				continue
			}
			if row.Start > e.start || row.End <= e.start {
				t.Fatalf("the row of %#x is that of %#x to %#x", e.start, row.Start, row.End)
			}
			row.Unwind(frame)
		}
	})
}
