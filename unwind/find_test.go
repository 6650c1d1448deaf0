package unwind_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"rspd/unwind"
)

// Addresses of the made-up process.
const (
	textAddress = 0x400000
	stubAddress = 0x7f0000000000
)

// program makes an ELF file of nothing but text, which begins a page into the
// file.
func program(text []byte) []byte {
	const page = 4096
	var b bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	binary.Write(&b, binary.LittleEndian, header)
	binary.Write(&b, binary.LittleEndian, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: page, Vaddr: textAddress,
		Filesz: uint64(len(text)), Memsz: uint64(len(text)), Align: page,
	})
	return append(append(b.Bytes(), make([]byte, page-b.Len())...), text...)
}

// memory is made of parts at addresses.
type memory map[uint64][]byte

func (m memory) ReadAt(b []byte, at int64) (int, error) {
	for start, part := range m {
		if offset := uint64(at) - start; uint64(at) >= start && offset < uint64(len(part)) {
			n := copy(b, part[offset:])
			if n < len(b) {
				return n, io.EOF
			}
			return n, nil
		}
	}
	return 0, errors.New("not mapped")
}

// process makes a process of a text, as changed, and of stubs.
func process(original, text, stubs []byte) *unwind.Process {
	file := program(original)
	return &unwind.Process{
		Memory: memory{textAddress: text, stubAddress: stubs},
		Mappings: []unwind.Mapping{
			{Start: textAddress, End: textAddress + uint64(len(text)), Offset: 4096, Executable: true, Path: "/bin/program"},
			{Start: stubAddress, End: stubAddress + uint64(len(stubs)), Executable: true},
		},
		Open: func(unwind.Mapping) (io.ReaderAt, error) { return bytes.NewReader(file), nil },
	}
}

func le32(v int) []byte    { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func TestFind(t *testing.T) {
	// mov $1,%eax; mov $2,%eax; ...
	original := func() []byte {
		var text []byte
		for i := range 400 {
			text = append(append(text, 0xb8), le32(i)...)
		}
		return text
	}
	near := func(op byte, at, to int) []byte { return append([]byte{op}, le32(to-(at+5))...) }
	// For near jumps the stubs are in reach.
	const reach = 0x10000
	for _, test := range []struct {
		name  string
		patch map[int][]byte // by offset in the text
		want  []unwind.Patch
	}{
		{name: "nothing"},
		{
			name:  "a jump",
			patch: map[int][]byte{10: near(0xe9, 10, reach)},
			want:  []unwind.Patch{{Site: 10, Length: 5, Target: reach, Kind: unwind.Jump}},
		},
		{
			name:  "a call across original instructions",
			patch: map[int][]byte{10: append([]byte{0x90, 0x90}, near(0xe8, 12, reach+8)...)},
			want:  []unwind.Patch{{Site: 10, Length: 10, Target: reach + 8, Kind: unwind.Absolute}},
		},
		{
			name:  "a call",
			patch: map[int][]byte{15: near(0xe8, 15, reach+8)},
			want:  []unwind.Patch{{Site: 15, Length: 5, Target: reach + 8, Kind: unwind.Call}},
		},
		{
			name:  "a pointer after the jump",
			patch: map[int][]byte{20: append([]byte{0xff, 0x25, 0, 0, 0, 0}, le64(textAddress+reach+4)...)},
			want:  []unwind.Patch{{Site: 20, Length: 15, Target: reach + 4, Kind: unwind.Indirect}},
		},
		{
			name:  "a pointer elsewhere",
			patch: map[int][]byte{20: append([]byte{0xff, 0x25}, le32(300-26)...), 300: le64(textAddress + reach + 4)},
			want:  []unwind.Patch{{Site: 20, Length: 10, Target: reach + 4, Kind: unwind.Indirect}},
		},
		{
			name:  "a register",
			patch: map[int][]byte{25: append(append([]byte{0x49, 0xbb}, le64(textAddress+reach)...), 0x41, 0xff, 0xe3)},
			want:  []unwind.Patch{{Site: 25, Length: 15, Target: reach, Kind: unwind.Absolute}},
		},
		{
			name: "push and return",
			patch: map[int][]byte{25: append(append(append([]byte{0x68}, le32(textAddress+reach)...),
				0xc7, 0x44, 0x24, 0x04, 0, 0, 0, 0), 0xc3)},
			want: []unwind.Patch{{Site: 25, Length: 15, Target: reach, Kind: unwind.Absolute}},
		},
		{
			name:  "a hop forward",
			patch: map[int][]byte{30: {0xeb, 100 - 32}, 100: near(0xe9, 100, reach)},
			want:  []unwind.Patch{{Site: 30, Length: 5, Target: reach, Kind: unwind.Hop, Hops: []uint64{100}}},
		},
		{
			name:  "a hop back",
			patch: map[int][]byte{100: {0xeb, 0x100 - 72}, 30: near(0xe9, 30, reach)},
			want:  []unwind.Patch{{Site: 100, Length: 5, Target: reach, Kind: unwind.Hop, Hops: []uint64{30}}},
		},
		{
			name:  "a call of a jump",
			patch: map[int][]byte{30: near(0xe8, 30, 100), 100: near(0xe9, 100, reach)},
			want:  []unwind.Patch{{Site: 30, Length: 5, Target: reach, Kind: unwind.Call, Hops: []uint64{100}}},
		},
		{
			name:  "two next to one another",
			patch: map[int][]byte{10: near(0xe9, 10, reach), 15: near(0xe9, 15, reach+16)},
			want: []unwind.Patch{
				{Site: 10, Length: 5, Target: reach, Kind: unwind.Jump},
				{Site: 15, Length: 5, Target: reach + 16, Kind: unwind.Jump},
			},
		},
		{
			name:  "a jump within the file",
			patch: map[int][]byte{10: near(0xe9, 10, 50)},
		},
		{
			name:  "a hop in circles",
			patch: map[int][]byte{10: {0xeb, 0xfe}, 30: {0xeb, 0x00, 0xeb, 0xfc}},
		},
		{
			name:  "a jump to nowhere",
			patch: map[int][]byte{10: near(0xe9, 10, reach<<8)},
		},
		{
			name:  "a breakpoint",
			patch: map[int][]byte{10: {0xcc}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := original()
			for at, patch := range test.patch {
				copy(text[at:], patch)
			}
			p := process(original(), text, make([]byte, 64))
			// Move the stubs into the reach of near jumps.
			p.Memory = memory{textAddress: text, textAddress + reach: make([]byte, 64)}
			p.Mappings[1].Start, p.Mappings[1].End = textAddress+reach, textAddress+reach+64
			got, warnings := unwind.Find(p)
			if len(warnings) > 0 {
				t.Error(warnings)
			}
			if len(got) != len(test.want) {
				t.Fatalf("%d patches were found: %+v", len(got), got)
			}
			for i, want := range test.want {
				g := got[i]
				if g.Site != want.Site+textAddress || g.Length != want.Length || g.Target != want.Target+textAddress ||
					g.Kind != want.Kind || len(g.Hops) != len(want.Hops) {
					t.Errorf("found %+v, want %+v", g, want)
				}
				if !bytes.Equal(g.Original, original()[want.Site:int(want.Site)+want.Length]) {
					t.Errorf("the original bytes are % x", g.Original)
				}
			}
		})
	}
}

// A jump that replaces a jump differs in its distance only.
func TestFindJumpInPlaceOfJump(t *testing.T) {
	original := append(bytes.Repeat([]byte{0x90}, 100), 0xe9, 0x10, 0, 0, 0)
	original = append(original, bytes.Repeat([]byte{0x90}, 100)...)
	text := bytes.Clone(original)
	copy(text[101:], le32(0x10000-105))
	p := process(original, text, nil)
	p.Memory = memory{textAddress: text, textAddress + 0x10000: make([]byte, 64)}
	p.Mappings[1].Start, p.Mappings[1].End = textAddress+0x10000, textAddress+0x10040
	got, warnings := unwind.Find(p)
	if len(got) != 1 || got[0].Site != textAddress+100 || got[0].Length != 5 || len(warnings) > 0 {
		t.Errorf("found %+v, %v", got, warnings)
	}
}

// So do those of a register's address and an instruction that was there.
func TestFindLoadInPlaceOfLoad(t *testing.T) {
	original := append(bytes.Repeat([]byte{0x90}, 100), 0x49, 0xba, 1, 0, 0, 0, 0, 0, 0, 0, 0x4d, 0x01, 0xd2) // movabs $1,%r10; add %r10,%r10
	original = append(original, bytes.Repeat([]byte{0x90}, 100)...)
	text := bytes.Clone(original)
	copy(text[102:], append(le64(stubAddress), 0x41, 0xff, 0xe2)) // jmp *%r10
	got, warnings := unwind.Find(process(original, text, make([]byte, 64)))
	if len(got) != 1 || got[0].Site != textAddress+100 || got[0].Length != 13 || got[0].Kind != unwind.Absolute || len(warnings) > 0 {
		t.Errorf("found %+v, %v", got, warnings)
	}
}

// Instructions that were moved to where only another file's code leads are found by
// the jump back, whose prefix is a part of it.
func TestFindMoved(t *testing.T) {
	const library, reach, hop, site = 0x500000, textAddress + 0x10000, textAddress + 300, textAddress + 10
	moved := []byte{0x55, 0x53, 0x48, 0x83, 0xec, 0x08} // push %rbp; push %rbx; sub $8,%rsp
	original := bytes.Repeat([]byte{0x90}, 400)
	copy(original[10:], moved)
	text := bytes.Clone(original)
	copy(text[10:], append([]byte{0xe8}, le32(hop-(site+5))...))
	copy(text[300:], append([]byte{0x3e, 0xff, 0x25, 1, 0, 0, 0, 0xcc}, le64(library)...)) // notrack jmp *1(%rip)
	for _, test := range []struct {
		name  string
		stub  []byte
		found bool
	}{
		{"moved", append(append(bytes.Clone(moved), 0x3e, 0xff, 0x25, 0, 0, 0, 0), le64(site+6)...), true},
		{"without the prefix", append(append(bytes.Clone(moved), 0xff, 0x25, 0, 0, 0, 0), le64(site+6)...), true},
		{"others", append([]byte{0x55, 0x55, 0x48, 0x83, 0xec, 0x08, 0x3e, 0xff, 0x25, 0, 0, 0, 0}, le64(site+6)...), false},
		{"to elsewhere", append(append(bytes.Clone(moved), 0x3e, 0xff, 0x25, 0, 0, 0, 0), le64(site+7)...), false},
	} {
		p := process(original, text, nil)
		p.Memory = memory{textAddress: text, reach: test.stub, library: make([]byte, 64)}
		p.Mappings[1].Start, p.Mappings[1].End = reach, reach+uint64(len(test.stub))
		p.Mappings = append(p.Mappings, unwind.Mapping{Start: library, End: library + 4096, Executable: true, Path: "[vsyscall]"})
		got, _ := unwind.Find(p)
		if !test.found {
			if len(got) > 0 {
				t.Errorf("%s: found %+v", test.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Site != site || got[0].Length != 6 || got[0].Target != reach || got[0].Kind != unwind.Call || !got[0].Moved ||
			!slices.Equal(got[0].Hops, []uint64{hop}) {
			t.Errorf("%s: found %+v", test.name, got)
			continue
		}
		regions := unwind.Derive(p, got[0])
		if len(regions) != 1 || regions[0].Known() != 4 || regions[0].Return != site+6 {
			t.Fatalf("%s: %+v", test.name, regions)
		}
		for _, in := range regions[0].Instructions {
			if in.Confidence != unwind.Assumed || in.Assumptions&unwind.EnteredAsOriginal == 0 {
				t.Errorf("%s: %+v", test.name, in)
			}
		}
		// The jump that is called has the row of any call.
		if hops := regions[0].HopInstructions; len(hops) != 1 || !strings.HasPrefix(hops[0].Row.String(), "CFA=rsp+8 ") || !strings.HasSuffix(hops[0].Row.String(), "rip=[CFA-8]") {
			t.Errorf("%s: the jump in between: %+v", test.name, hops)
		}
	}
}

// A hook in a file, be it that of the site, calls the displaced instructions, whose
// copies need not have the form of the originals, and which jump back in any way.
func TestFindMovedForms(t *testing.T) {
	const hook, reach, site = textAddress + 300, textAddress + 0x10000, textAddress + 10
	to := func(op byte, at, to uint64) []byte { return append([]byte{op}, le32(int(int64(to-at)-5))...) }
	pointer := func(op byte, to uint64) []byte { return append([]byte{0xff, op, 0, 0, 0, 0}, le64(to)...) }
	frame := []byte{0x55, 0x48, 0x89, 0xe5} // push %rbp; mov %rsp,%rbp
	// cmp $3,%rdi; jg site+100
	branch := append([]byte{0x48, 0x83, 0xff, 0x03, 0x0f, 0x8f}, le32(100-10)...)
	const afterCall, afterBranch = site + 9, site + 10
	call := join(frame, to(0xe8, site+4, hook+50))
	for _, test := range []struct {
		name      string
		displaced []byte
		patch     []byte
		stub      []byte
		length    int
		known     int // instructions; 0 if it isn't to be found
	}{
		{"a near jump", call, to(0xe9, site, hook), join(frame, to(0xe8, reach+4, hook+50), to(0xe9, reach+9, afterCall)), 9, 4},
		{
			"a pushed address", call, join([]byte{0x68}, le32(hook), []byte{0xc3}),
			join(frame, to(0xe8, reach+4, hook+50), []byte{0x68}, le32(afterCall), []byte{0xc7, 0x44, 0x24, 0x04, 0, 0, 0, 0, 0xc3}), 9, 6,
		},
		{
			"a register", call, join([]byte{0x49, 0xba}, le64(hook), []byte{0x41, 0x52, 0xc3}), // movabs; push; ret
			join(frame, to(0xe8, reach+4, hook+50), bytes.Repeat([]byte{0x66, 0x90}, 2), []byte{0x48, 0xb8}, le64(site+13), []byte{0xff, 0xe0}), 13, 7,
		},
		{
			"an exchange", call, to(0xe9, site, hook),
			join(frame, to(0xe8, reach+4, hook+50), []byte{0x50, 0x48, 0xb8}, le64(afterCall), []byte{0x48, 0x87, 0x04, 0x24, 0xc3}), 9, 7,
		},
		{
			"a call through a pointer", call, to(0xe9, site, hook),
			join(frame, []byte{0xff, 0x15, 2, 0, 0, 0, 0xeb, 8}, le64(hook+50), pointer(0x25, afterCall)), 9, 5,
		},
		{
			"a branch to a jump", branch, to(0xe9, site, hook),
			join(branch[:4], []byte{0x0f, 0x8f}, le32(14), pointer(0x25, afterBranch), pointer(0x25, site+100)), 10, 4,
		},
		{
			"the opposite branch", branch, to(0xe9, site, hook),
			join(branch[:4], []byte{0x7e, 14}, pointer(0x25, site+100), pointer(0x25, afterBranch)), 10, 4,
		},
		{
			"the opposite branch to elsewhere", branch, to(0xe9, site, hook),
			join(branch[:4], []byte{0x7e, 14}, pointer(0x25, site+101), pointer(0x25, afterBranch)), 10, 0,
		},
		{
			"the same branch around the jump", branch, to(0xe9, site, hook),
			join(branch[:4], []byte{0x7f, 14}, pointer(0x25, site+100), pointer(0x25, afterBranch)), 10, 0,
		},
		{
			"another call", call, to(0xe9, site, hook),
			join(frame, []byte{0xff, 0x15, 2, 0, 0, 0, 0xeb, 8}, le64(hook+51), pointer(0x25, afterCall)), 9, 0,
		},
		{
			// The patcher moved more than its jump needs.
			"further back", call, join(to(0xe9, site, hook), bytes.Repeat([]byte{0x90}, 8)),
			join(frame, to(0xe8, reach+4, hook+50), bytes.Repeat([]byte{0x66, 0x90}, 2), to(0xe9, reach+13, site+13)), 13, 6,
		},
		{"not far enough back", call, to(0xe9, site, hook), join(frame, to(0xe8, reach+4, hook+50), to(0xe9, reach+9, site+4)), 9, 0},
		{"into the site", call, to(0xe9, site, site+2), join(frame, to(0xe8, reach+4, hook+50), to(0xe9, reach+9, afterCall)), 9, 0},
	} {
		original := bytes.Repeat([]byte{0x66, 0x90}, 200)
		copy(original[10:], join(test.displaced, bytes.Repeat([]byte{0x66, 0x90}, 20)))
		text := bytes.Clone(original)
		copy(text[10:], test.patch)
		p := process(original, text, nil)
		p.Memory = memory{textAddress: text, reach: test.stub}
		p.Mappings[1].Start, p.Mappings[1].End = reach, reach+uint64(len(test.stub))
		got, _ := unwind.Find(p)
		if test.known == 0 {
			if len(got) > 0 {
				t.Errorf("%s: found %+v", test.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Site != site || got[0].Length != test.length || len(got[0].Original) != test.length ||
			got[0].Target != reach || !got[0].Moved || len(got[0].Hops) > 0 {
			t.Errorf("%s: found %+v", test.name, got)
			continue
		}
		if regions := unwind.Derive(p, got[0]); len(regions) != 1 || regions[0].Known() != test.known || regions[0].Return != site+uint64(test.length) {
			t.Errorf("%s: %d instructions are known: %+v", test.name, regions[0].Known(), regions)
		}
	}
}

func TestFindWarns(t *testing.T) {
	text := make([]byte, 8<<20)
	other := bytes.Clone(text)
	for i := range other {
		other[i] = 0xe9
	}
	for _, test := range []struct {
		name   string
		change func(*unwind.Process)
		want   string
	}{
		{"a file that is gone", func(p *unwind.Process) {
			p.Open = func(unwind.Mapping) (io.ReaderAt, error) { return nil, errors.New("no such file") }
		}, "no such file"},
		{"a file that is no program", func(p *unwind.Process) {
			p.Open = func(unwind.Mapping) (io.ReaderAt, error) { return strings.NewReader("text"), nil }
		}, "can't be looked for"},
		{"another file", func(p *unwind.Process) {
			file := program(other)
			p.Open = func(unwind.Mapping) (io.ReaderAt, error) { return bytes.NewReader(file), nil }
		}, "another one"},
		{"memory that can't be read", func(p *unwind.Process) { p.Memory = memory{} }, "reading memory"},
	} {
		p := process(text, bytes.Clone(text), make([]byte, 64))
		test.change(p)
		patches, warnings := unwind.Find(p)
		if len(patches) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0].Text, test.want) {
			t.Errorf("%s: %v, %v", test.name, patches, warnings)
		}
	}
}

// What is said to be unchanged isn't read.
func TestFindReadsWhatWasWritten(t *testing.T) {
	text := make([]byte, 1<<20)
	p := process(text, text, make([]byte, 64))
	p.Memory = memory{}
	asked := 0
	p.Written = func(unwind.Mapping) []unwind.Extent { asked++; return nil }
	if patches, warnings := unwind.Find(p); len(patches)+len(warnings) > 0 || asked != 1 {
		t.Error(patches, warnings, asked)
	}
}

// manyPatches makes a text of a size with patches, each to a stub of its own,
// with rr's bytes.
func manyPatches(size, count int) *unwind.Process {
	original := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(original); i += 8 {
		binary.LittleEndian.PutUint64(original[i:], random.Uint64())
	}
	text := bytes.Clone(original)
	site := []byte{0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff}
	var stubs []byte
	start := textAddress + uint64(size) + 0x100000
	for i := range count {
		at := (size / count * i) &^ 15
		copy(original[at:], site)
		stub := start + uint64(len(stubs))
		jump := append([]byte{0xe9}, le32(int(stub)-(textAddress+at+5))...)
		copy(text[at:], append(jump, 0x90, 0x90, 0x90))
		stubs = append(stubs, rrStub(textAddress+uint64(at)+8)...)
	}
	p := process(original, text, nil)
	p.Memory = memory{textAddress: text, start: stubs}
	p.Mappings[1].Start, p.Mappings[1].End = start, start+uint64(len(stubs))
	return p
}

// rrStub gives a stub that calls a hook as rr's do and goes on at an address.
func rrStub(back uint64) []byte {
	stub := []byte{
		0x48, 0x89, 0x24, 0x25, 0x10, 0x10, 0x00, 0x70,
		0xbc, 0x1e, 0x10, 0x00, 0x70,
		0x66, 0x9c,
		0x48, 0x8b, 0x24, 0x25, 0x10, 0x10, 0x00, 0x70,
		0xff, 0x04, 0x25, 0x18, 0x10, 0x00, 0x70,
		0x83, 0x3c, 0x25, 0x18, 0x10, 0x00, 0x70, 0x01,
		0x75, 0x0a,
		0x48, 0x8b, 0x24, 0x25, 0x00, 0x10, 0x00, 0x70,
		0xeb, 0x07,
		0x48, 0x81, 0xec, 0x00, 0x01, 0x00, 0x00,
		0xff, 0x34, 0x25, 0x10, 0x10, 0x00, 0x70,
		0xff, 0x15, 0x1d, 0x00, 0x00, 0x00,
		0x5c,
		0x0f, 0x05,
		0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff,
	}
	stub = append(stub, bytes.Repeat([]byte{0x90}, 14)...)
	stub = append(stub, 0xff, 0x25, 0x08, 0x00, 0x00, 0x00)
	stub = append(stub, le64(0x70000000)...)
	return append(stub, le64(back)...)
}

func TestFindAndDeriveMany(t *testing.T) {
	const count = 200
	p := manyPatches(1<<20, count)
	regions, warnings := deriveAll(p)
	if len(warnings) > 0 || len(regions) != count {
		t.Fatalf("%d regions, %v", len(regions), warnings)
	}
	for _, r := range regions {
		if r.Shape != unwind.RRCall || r.StandsIn || r.Return != r.Site+8 || r.Known() != len(r.Instructions) || r.Known() != 30 {
			t.Fatalf("%+v", summarize([]*unwind.Region{r}))
		}
		for _, in := range r.Instructions {
			if in.Confidence != unwind.Certain {
				t.Fatalf("%+v", summarize([]*unwind.Region{r}))
			}
		}
	}
}

// The cost of a program with 300 MB of text and 1,000 patches.
func BenchmarkFind(b *testing.B) {
	p := manyPatches(300<<20, 1000)
	b.ResetTimer()
	for range b.N {
		fresh := &unwind.Process{Memory: p.Memory, Mappings: p.Mappings, Open: p.Open}
		if patches, warnings := unwind.Find(fresh); len(patches) != 1000 || len(warnings) > 0 {
			b.Fatal(len(patches), warnings)
		}
	}
}

// The cost of deriving what 1,000 stubs are.
func BenchmarkDerive(b *testing.B) {
	p := manyPatches(16<<20, 1000)
	patches, _ := unwind.Find(p)
	b.ResetTimer()
	for range b.N {
		known := 0
		p := &unwind.Process{Memory: p.Memory, Mappings: p.Mappings, Open: p.Open}
		for _, patch := range patches {
			for _, r := range unwind.Derive(p, patch) {
				known += r.Known()
			}
		}
		if known != 30*1000 {
			b.Fatal(known)
		}
	}
}

// The same as BenchmarkFind by way of the kernel: text that is mapped from a
// file, read through /proc/PID/mem.
func BenchmarkFindMapped(b *testing.B) {
	made := manyPatches(300<<20, 1000)
	original, err := made.Open(made.Mappings[0])
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "program")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, io.NewSectionReader(original, 0, 300<<20+4096)); err != nil {
		b.Fatal(err)
	}
	text, err := unix.Mmap(int(f.Fd()), 4096, 300<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Munmap(text)
	patches, _ := unwind.Find(made)
	for _, patch := range patches {
		jump := make([]byte, patch.Length)
		made.Memory.ReadAt(jump, int64(patch.Site))
		copy(text[patch.Site-textAddress:], jump)
	}
	own, err := os.Open("/proc/self/mem")
	if err != nil {
		b.Fatal(err)
	}
	defer own.Close()
	// The process is the made-up one with its text at another address.
	moved := uint64(uintptr(unsafe.Pointer(&text[0]))) - textAddress
	p := unwind.Process{Memory: own, Open: func(unwind.Mapping) (io.ReaderAt, error) { return f, nil }}
	for _, m := range made.Mappings[:1] {
		m.Start, m.End = m.Start+moved, m.End+moved
		p.Mappings = append(p.Mappings, m)
	}
	stubs := made.Mappings[1]
	p.Mappings = append(p.Mappings, unwind.Mapping{Start: stubs.Start + moved, End: stubs.End + moved, Executable: true})
	b.SetBytes(300 << 20)
	b.ResetTimer()
	for range b.N {
		fresh := unwind.Process{Memory: p.Memory, Mappings: p.Mappings, Open: p.Open}
		if found, warnings := unwind.Find(&fresh); len(found) != 1000 || len(warnings) > 0 {
			b.Fatal(len(found), warnings)
		}
	}
}
