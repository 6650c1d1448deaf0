package unwind_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rspd/unwind"
	"rspd/unwind/cfi"
	"rspd/unwind/image"
)

// site makes a process in which a jump at the start of the text leads to a
// stub.
func site(stub []byte) (*unwind.Process, unwind.Patch) {
	original := bytes.Repeat([]byte{0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff}, 16)
	text := bytes.Clone(original)
	copy(text, join([]byte{0xff, 0x25, 2, 0, 0, 0, 0x90, 0x90}, le64(stubAddress)))
	p := process(original, text, stub)
	return p, unwind.Patch{Site: textAddress, Length: 16, Target: stubAddress, Kind: unwind.Indirect}
}

// join puts code together.
func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// back is a jump to the end of the patch of site.
var back = join([]byte{0xff, 0x25, 0, 0, 0, 0}, le64(textAddress+16))

// jumpPad is what gdb's server writes for a fast tracepoint, which collects at
// one address and uses a lock at another.
func jumpPad() []byte {
	const tracepoint, lock, collect = 0x7f1111111110, 0x7f2222222220, 0x401000
	return join(
		[]byte{0x54, 0x55, 0x57, 0x56, 0x52, 0x51, 0x53, 0x50},
		[]byte{0x41, 0x57, 0x41, 0x56, 0x41, 0x55, 0x41, 0x54, 0x41, 0x53, 0x41, 0x52, 0x41, 0x51, 0x41, 0x50},
		[]byte{0x9c},
		[]byte{0x48, 0xbf}, le64(textAddress), []byte{0x57},
		[]byte{0x48, 0x83, 0xec, 0x18}, []byte{0x48, 0xb8}, le64(tracepoint),
		[]byte{0x48, 0x89, 0x04, 0x24}, []byte{0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0}, []byte{0x48, 0x89, 0x44, 0x24, 0x08},
		[]byte{0x48, 0xbe}, le64(lock), []byte{0x48, 0x89, 0xe1},
		[]byte{0x31, 0xc0, 0xf0, 0x48, 0x0f, 0xb1, 0x0e, 0x48, 0x85, 0xc0, 0x75, 0xf4},
		[]byte{0x48, 0x89, 0xe6, 0x48, 0x83, 0xc6, 0x18}, []byte{0x48, 0xbf}, le64(tracepoint),
		[]byte{0x48, 0xb8}, le64(collect), []byte{0xff, 0xd0},
		[]byte{0x31, 0xc0, 0x48, 0xa3}, le64(lock),
		[]byte{0x48, 0x83, 0xc4, 0x18, 0x48, 0x83, 0xc4, 0x08, 0x9d},
		[]byte{0x41, 0x58, 0x41, 0x59, 0x41, 0x5a, 0x41, 0x5b, 0x41, 0x5c, 0x41, 0x5d, 0x41, 0x5e, 0x41, 0x5f},
		[]byte{0x58, 0x5b, 0x59, 0x5a, 0x5e, 0x5f, 0x5d, 0x5c},
		back,
	)
}

// rrJump is rr's stub that jumps to its hook; with trap, the variant for a
// system call that traps.
func rrJump(trap bool) []byte {
	b := rrStub(0)[:64+7] // up to the push of the stack pointer
	b = b[:bytes.Index(b, []byte{0xff, 0x15})]
	b = append(b, 0x50)
	if trap {
		b = append(b, 0xb8, 1, 0, 0, 0)
	}
	b = append(b, 0xc7, 0x04, 0x24)
	b = binary.LittleEndian.AppendUint32(b, textAddress+16)
	b = append(b, 0xc7, 0x44, 0x24, 0x04, 0, 0, 0, 0, 0xff, 0x25, 0, 0, 0, 0)
	return append(b, le64(0x70000000)...)
}

// What is known of every instruction of a stub: how sure it is, and how it
// begins.
func TestDerive(t *testing.T) {
	const certain, assumed, unknown = unwind.Certain, unwind.Assumed, unwind.Unknown
	hook := join([]byte{0x48, 0xb8}, le64(0x401000), []byte{0xff, 0xd0}) // movabs $hook,%rax; call *%rax
	type line struct {
		confidence unwind.Confidence
		row        string
	}
	for _, test := range []struct {
		name  string
		stub  []byte
		want  []line
		warns string
	}{
		{
			name: "a register on the stack",
			// push %rbx; xor %ebx,%ebx; pop %rbx
			stub: join([]byte{0x53, 0x31, 0xdb, 0x5b}, back),
			want: []line{
				{certain, "CFA=rsp+0 rbx=same"}, {certain, "CFA=rsp+8 rbx=same"}, {certain, "CFA=rsp+8 rbx=[CFA-8]"}, {certain, "CFA=rsp+0 rbx=same"},
			},
		},
		{
			name: "a hook",
			// push %rbx; mov %rsp,%rbx; and $-16,%rsp; hook; mov %rbx,%rsp; pop %rbx
			stub: join([]byte{0x53, 0x48, 0x89, 0xe3, 0x48, 0x83, 0xe4, 0xf0}, hook, []byte{0x48, 0x89, 0xdc, 0x5b}, back),
			want: []line{
				{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+8"}, {certain, "CFA=rsp+8 rbx=[CFA-8]"}, {certain, "CFA=rbx+8 rbx=[CFA-8]"},
				{certain, "CFA=rbx+8 rbx=[CFA-8]"}, {assumed, "CFA=rbx+8 rbx=[CFA-8]"}, {assumed, "CFA=rsp+8 rbx=[CFA-8]"}, {assumed, "CFA=rsp+0 rbx=same"},
			},
		},
		{
			name: "a register that is lost",
			stub: join([]byte{0x31, 0xdb}, back), // xor %ebx,%ebx
			want: []line{{certain, "CFA=rsp+0 rbx=same"}, {certain, "CFA=rsp+0 rbx=undefined"}},
		},
		{
			name: "a stack pointer that is lost",
			// mov (%rdi),%rsp
			stub:  join([]byte{0x48, 0x8b, 0x27}, back),
			want:  []line{{certain, "CFA=rsp+0"}, {unknown, ""}},
			warns: "can't be told",
		},
		{
			name: "a store through a pointer",
			// push %rbx; mov %rax,(%rdi); pop %rbx
			stub: join([]byte{0x53, 0x48, 0x89, 0x07, 0x5b}, back),
			want: []line{{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+8"}, {certain, "CFA=rsp+8 rbx=same"}, {assumed, "CFA=rsp+0 rbx=same"}},
		},
		{
			name: "what is below the red zone",
			// mov %rbx,-0x100(%rsp); xor %ebx,%ebx; nop
			stub: join([]byte{0x48, 0x89, 0x9c, 0x24, 0x00, 0xff, 0xff, 0xff, 0x31, 0xdb, 0x90}, back),
			want: []line{{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+0 rbx=same"}, {certain, "CFA=rsp+0 rbx=undefined"}, {certain, "CFA=rsp+0 rbx=undefined"}},
		},
		{
			name: "what is in the red zone",
			// mov %rbx,-0x8(%rsp); xor %ebx,%ebx; nop
			stub: join([]byte{0x48, 0x89, 0x5c, 0x24, 0xf8, 0x31, 0xdb, 0x90}, back),
			want: []line{{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+0 rbx=same"}, {certain, "CFA=rsp+0 rbx=[CFA-8]"}, {certain, "CFA=rsp+0 rbx=[CFA-8]"}},
		},
		{
			name: "what was saved after the stack was aligned, and left",
			// push %rbx; mov %rsp,%rbx; and $-32,%rsp; push %rbp; mov %rbx,%rsp; pop %rbx; xor %ebp,%ebp; nop
			stub: join([]byte{0x53, 0x48, 0x89, 0xe3, 0x48, 0x83, 0xe4, 0xe0, 0x55, 0x48, 0x89, 0xdc, 0x5b, 0x31, 0xed, 0x90}, back),
			want: []line{
				{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+8"}, {certain, "CFA=rsp+8"}, {certain, "CFA=rbx+8"}, {certain, "CFA=rbx+8 rbp=same"},
				{certain, "CFA=rsp+8 rbx=[CFA-8]"}, {certain, "CFA=rsp+0"}, {certain, "CFA=rsp+0 rbp=undefined"}, {certain, "CFA=rsp+0 rbp=undefined"},
			},
		},
		{
			name: "a slot that is half overwritten",
			// push %rbx; movl $0,4(%rsp); xor %ebx,%ebx; lea 8(%rsp),%rsp
			stub: join([]byte{0x53, 0xc7, 0x44, 0x24, 0x04, 0, 0, 0, 0, 0x31, 0xdb, 0x48, 0x8d, 0x64, 0x24, 0x08}, back),
			want: []line{
				{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+8"}, {certain, "CFA=rsp+8 rbx=same"}, {certain, "CFA=rsp+8 rbx=undefined"}, {certain, "CFA=rsp+0 rbx=undefined"},
			},
		},
		{
			name: "a loop that moves the stack",
			// push %rax; dec %rcx; jnz -6; nop
			stub:  join([]byte{0x50, 0x48, 0xff, 0xc9, 0x75, 0xfa, 0x90}, back),
			want:  []line{{unknown, ""}, {unknown, ""}, {unknown, ""}, {unknown, ""}, {unknown, ""}},
			warns: "can't be told",
		},
		{
			name: "code that ends", // push %rbx; movabs without its number
			stub: []byte{0x53, 0x48, 0xb8, 1, 2},
			want: []line{{unknown, ""}}, warns: "can't be followed",
		},
		{
			name: "bytes that are no instruction",
			stub: join([]byte{0x06}, back), warns: "can't be followed",
		},
		{
			name: "a jump to itself",
			stub: []byte{0xeb, 0xfe},
			want: []line{{unknown, ""}}, warns: "doesn't come back",
		},
		{
			name: "a jump into an instruction",
			// test; jz into the number of: movabs $0x9090909090c3,%rax
			stub: join([]byte{0x85, 0xc0, 0x74, 0x03, 0x48, 0xb8, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, back),
			want: []line{
				{certain, "CFA=rsp+0"}, {certain, "CFA=rsp+0"}, {certain, "CFA=rsp+0"}, {certain, "CFA=rsp+0"},
			}, warns: "overlap",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, patch := site(test.stub)
			r := unwind.Derive(p, patch)[0]
			if n := len(r.Instructions); n != len(test.want) && n != len(test.want)+1 {
				t.Errorf("there are %d instructions: %+v", n, summarize([]*unwind.Region{r}))
			}
			for i, want := range test.want[:min(len(test.want), len(r.Instructions))] {
				in := r.Instructions[i]
				if in.Confidence != want.confidence {
					t.Errorf("%#x is %v, not %v: %v", in.Address, in.Confidence, want.confidence, in.Assumptions.List())
				}
				if in.Confidence == unknown {
					continue
				}
				row := in.Row.String()
				for _, word := range strings.Fields(want.row) {
					if !slices.Contains(strings.Fields(row), word) {
						t.Errorf("%#x: %s, without %s", in.Address, row, word)
					}
				}
			}
			var warnings []string
			for _, w := range r.Warnings {
				warnings = append(warnings, w.Text)
			}
			if text := strings.Join(warnings, "; "); test.warns == "" && text != "" || !strings.Contains(text, test.warns) {
				t.Errorf("the warnings are %q", text)
			}
		})
	}
}

func TestShapes(t *testing.T) {
	for _, test := range []struct {
		name   string
		stub   []byte
		shape  unwind.Shape
		unsure int // instructions without a certain row
	}{
		{"rr's, which calls", rrStub(textAddress + 16), unwind.RRCall, 0},
		{"rr's, which jumps", rrJump(false), unwind.RRJump, 0},
		{"rr's, which traps", rrJump(true), unwind.RRJump, 0},
		{"a jump pad", jumpPad(), unwind.GDBTracepoint, 0},
	} {
		p, patch := site(test.stub)
		r := unwind.Derive(p, patch)[0]
		unsure := 0
		for _, in := range r.Instructions {
			if in.Confidence != unwind.Certain {
				unsure++
			}
		}
		if r.Shape != test.shape || r.Return != textAddress+16 || r.StandsIn || unsure != test.unsure || len(r.Warnings) > 0 || len(r.Instructions) < 10 {
			t.Errorf("%s: %+v", test.name, summarize([]*unwind.Region{r}))
		}
		if made, err := image.Write([]*unwind.Region{r}, p.Memory); err != nil || made.Base != stubAddress {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	p, patch := site(join([]byte{0x48, 0x89, 0x24, 0x25}, back))
	if r := unwind.Derive(p, patch)[0]; r.Shape != "" {
		t.Errorf("a stub of another kind is %q", r.Shape)
	}
}

// Stubs in memory of other kinds are none.
func TestDeriveWarns(t *testing.T) {
	for _, target := range []uint64{0, textAddress + 64, stubAddress + 0x10000, 1 << 63, math.MaxUint64} {
		p, patch := site(back)
		patch.Target = target
		regions := unwind.Derive(p, patch)
		if len(regions) != 1 || regions[0].Known() != 0 || len(regions[0].Warnings) == 0 {
			t.Errorf("a stub at %#x gives %+v", target, summarize(regions))
		}
	}
	p, patch := site(back)
	patch.Site = 0x10
	if r := unwind.Derive(p, patch)[0]; r.Known() != 0 || len(r.Warnings) == 0 {
		t.Errorf("a site that isn't mapped gives %+v", summarize([]*unwind.Region{r}))
	}
}

func TestFollow(t *testing.T) {
	stub := join([]byte{0x53, 0x48, 0x89, 0xe3}, []byte{0x48, 0x8b, 0x27}, []byte{0x90}, back)
	rows := []cfi.Row{{Start: stubAddress + 7, End: stubAddress + 8, CFA: cfi.Rule{Kind: cfi.InRegister, Register: cfi.RBX, Offset: 8}}}
	rows[0].Rules[cfi.RBX] = cfi.Rule{Kind: cfi.SavedAt, Offset: -8}
	all := unwind.Extent{Start: stubAddress, End: stubAddress + uint64(len(stub))}
	t.Run("the site alone", func(t *testing.T) {
		p, patch := site(stub)
		regions, warnings := unwind.Follow(p, unwind.Hint{Site: textAddress})
		if len(warnings) > 0 || len(regions) != 1 {
			t.Fatal(regions, warnings)
		}
		if r := regions[0]; r.Target != stubAddress || r.Length != patch.Length || r.Return != textAddress+16 || r.Known() != 5 {
			t.Errorf("%+v", summarize(regions))
		}
	})
	t.Run("with rows", func(t *testing.T) {
		p, _ := site(stub)
		regions, warnings := unwind.Follow(p, unwind.Hint{Site: textAddress, Stub: all, Rows: rows, Return: textAddress + 8})
		if len(warnings) > 0 || len(regions) != 1 {
			t.Fatal(regions, warnings)
		}
		in := regions[0].At(stubAddress + 7)
		if in == nil || in.Row.CFA != rows[0].CFA || in.Row.Rules[cfi.RBX] != rows[0].Rules[cfi.RBX] ||
			in.Row.Rules[cfi.R12].Kind != cfi.SameValue || in.Assumptions != unwind.PatcherIsRight || regions[0].Return != textAddress+8 {
			t.Errorf("%+v", summarize(regions))
		}
		want := cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Constant(textAddress + 8)}
		for _, in := range regions[0].Instructions {
			if in.Confidence != unwind.Unknown && in.Row.Rules[cfi.RIP] != want {
				t.Errorf("%#x returns to %v", in.Address, in.Row)
			}
		}
	})
	t.Run("a stub that the site doesn't lead to", func(t *testing.T) {
		p, _ := site(stub)
		regions, warnings := unwind.Follow(p, unwind.Hint{Site: textAddress + 64, Length: 8, Entry: stubAddress})
		if len(warnings) > 0 || regions[0].Kind != unwind.Hinted || regions[0].Site != textAddress+64 || len(regions[0].Original) != 8 {
			t.Errorf("%+v, %v", summarize(regions), warnings)
		}
	})
	for _, test := range []struct {
		name string
		hint unwind.Hint
		want string
	}{
		{"no site", unwind.Hint{}, "unmapped"},
		{"a site in nowhere", unwind.Hint{Site: math.MaxUint64}, "unmapped"},
		{"no stub", unwind.Hint{Site: textAddress + 64}, "names none"},
		{"an entry in the text", unwind.Hint{Site: textAddress, Entry: textAddress + 64}, "/bin/program"},
		{"a stub beyond its memory", unwind.Hint{Site: textAddress, Stub: unwind.Extent{Start: stubAddress, End: stubAddress + 0x1000}}, "isn't all"},
		{"a stub that is upside down", unwind.Hint{Site: textAddress, Stub: unwind.Extent{Start: 2, End: 1}}, "from 0x2 to 0x1"},
		{"a return to nowhere", unwind.Hint{Site: textAddress, Return: 1 << 63}, "return address"},
		{"a negative length", unwind.Hint{Site: textAddress, Length: -1}, "-1 bytes"},
		{"a row elsewhere", unwind.Hint{Site: textAddress, Stub: all, Rows: []cfi.Row{{Start: 1, End: 2}}}, "outside of the stub"},
		{"an endless row", unwind.Hint{Site: textAddress, Stub: all, Rows: []cfi.Row{{Start: stubAddress, End: math.MaxUint64}}}, "a row is"},
		{"rows that overlap", unwind.Hint{Site: textAddress, Stub: all, Rows: []cfi.Row{rows[0], rows[0]}}, "overlaps"},
	} {
		p, _ := site(stub)
		regions, warnings := unwind.Follow(p, test.hint)
		if len(regions) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0].Text, test.want) {
			t.Errorf("%s: %+v, %v", test.name, summarize(regions), warnings)
		}
	}
}

func TestAt(t *testing.T) {
	p, want := site(back)
	got, ok := unwind.At(p, textAddress)
	if !ok || got.Target != want.Target || got.Kind != want.Kind {
		t.Errorf("found %+v", got)
	}
	for _, address := range []uint64{textAddress + 32, 0, math.MaxUint64} {
		if got, ok := unwind.At(p, address); ok {
			t.Errorf("at %#x is %+v", address, got)
		}
	}
}

// Code of any kind ends the work soon.
func TestDeriveEnds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	// Jumps and branches in all directions, among what moves the stack.
	pieces := [][]byte{{0x74}, {0x75}, {0xeb}, {0x50}, {0x58}, {0x48, 0x83, 0xec}, {0xff, 0x34, 0x24}, {0x5c}, {0xe8}, {0xc3}, {0x48, 0x83, 0xe4}, {0x48, 0x89, 0x44, 0x24}, {0x48, 0x8b, 0x64, 0x24}}
	for range 30 {
		var stub []byte
		for len(stub) < 3000 {
			stub = append(stub, pieces[random.IntN(len(pieces))]...)
			stub = append(stub, byte(random.IntN(256)))
		}
		p, patch := site(stub)
		unwind.Derive(p, patch)
	}
}

func FuzzDerive(f *testing.F) {
	f.Add(back, uint8(0))
	f.Add(rrStub(textAddress+16), uint8(0))
	f.Add(rrJump(true), uint8(0))
	f.Add(jumpPad(), uint8(0))
	f.Add([]byte{0x50, 0x48, 0xff, 0xc9, 0x75, 0xfa, 0x90, 0xc3}, uint8(1))
	f.Fuzz(func(t *testing.T, stub []byte, entry uint8) {
		if len(stub) == 0 || len(stub) > 4096 {
			return
		}
		p, patch := site(stub)
		patch.Target += uint64(entry)
		regions := unwind.Derive(p, patch)
		for _, r := range regions {
			end := uint64(0)
			for _, in := range r.Instructions {
				if in.Address < end || in.Length <= 0 {
					t.Fatalf("instructions overlap: %+v", summarize(regions))
				}
				end = in.Address + uint64(in.Length)
				if in.Confidence != unwind.Unknown && (in.Row.Start != in.Address || in.Row.End != end) {
					t.Fatalf("the row of %#x is of another place: %+v", in.Address, in.Row)
				}
				if (in.Confidence == unwind.Certain) != (in.Assumptions == 0) && in.Confidence != unwind.Unknown {
					t.Fatalf("%#x is %v in spite of %v", in.Address, in.Confidence, in.Assumptions.List())
				}
			}
		}
		made, err := image.Write(regions, p.Memory)
		if err != nil {
			return
		}
		checkImage(t, made, regions)
	})
}

func FuzzFind(f *testing.F) {
	f.Add([]byte{0xe9, 0, 0, 0, 0}, []byte{0xc3})
	f.Add(join([]byte{0xff, 0x25, 0, 0, 0, 0}, le64(stubAddress)), back)
	f.Add(join([]byte{0x49, 0xbb}, le64(stubAddress), []byte{0x41, 0xff, 0xe3}), back)
	f.Fuzz(func(t *testing.T, text, stubs []byte) {
		if len(text) > 4096 || len(stubs) > 4096 {
			return
		}
		p := process(make([]byte, len(text)), text, stubs)
		patches, _ := unwind.Find(p)
		for _, patch := range patches {
			if patch.Target < stubAddress || patch.Target >= stubAddress+uint64(len(stubs)) || patch.Length <= 0 {
				t.Fatalf("%+v", patch)
			}
			unwind.Derive(p, patch)
		}
	})
}

var _ io.ReaderAt = memory{}

// Code that two stubs share has rows for both or none. The stubs' sites are in
// functions of which nothing is known, so that stubs have frames of their own.
func TestSettle(t *testing.T) {
	near := func(op byte, at, to int) []byte { return append([]byte{op}, le32(to-(at+5))...) }
	const reach = 0x10000
	returnTo := func(at uint64) []byte { // push %rax; movabs $at,%rax; xchg %rax,(%rsp)
		return join([]byte{0x50, 0x48, 0xb8}, le64(at), []byte{0x48, 0x87, 0x04, 0x24})
	}
	for _, test := range []struct {
		name     string
		op       byte
		first    []byte // the stubs, at reach and reach+64
		second   []byte
		common   []byte // at reach+128
		known    bool   // CFA=rsp+16 and rip=[CFA-8] at the second instruction there
		disjoint bool
	}{
		{
			name: "pushed", op: 0xe9, first: returnTo(textAddress + 15), second: returnTo(textAddress + 45),
			common: []byte{0x55, 0x90, 0x5d, 0xc3}, known: true,
		},
		{
			name: "pushed at another place", op: 0xe9, first: returnTo(textAddress + 15),
			second: join([]byte{0x48, 0x8d, 0x64, 0x24, 0xf8}, returnTo(textAddress+45)), common: []byte{0x55, 0x90, 0x5d, 0xc3},
		},
		{
			name: "nowhere", op: 0xe9, first: []byte{0x53, 0x5b}, second: []byte{0x53, 0x5b}, // to the first site's end in any case
			common: join([]byte{0x55, 0x90, 0x5d}, near(0xe9, reach+128+3, 15)),
		},
		{
			name: "called", op: 0xe8, common: []byte{0x55, 0x90, 0x5d, 0xc3},
			known: true,
		},
		{
			name: "disjoint", op: 0xe9, first: near(0xe9, reach, 15), second: near(0xe9, reach+64, 45), disjoint: true,
		},
	} {
		original := bytes.Repeat([]byte{0xb8, 1, 0, 0, 0}, 100)
		text, stubs := bytes.Clone(original), make([]byte, 256)
		put := func(at int, code []byte) { copy(stubs[at:], code) }
		if !test.disjoint {
			put(0, join(test.first, near(0xe9, reach+len(test.first), reach+128)))
			put(64, join(test.second, near(0xe9, reach+64+len(test.second), reach+128)))
		} else {
			put(0, test.first)
			put(64, test.second)
		}
		put(128, test.common)
		entries := []int{reach, reach + 64}
		if test.op == 0xe8 {
			entries = []int{reach + 128, reach + 128}
		}
		copy(text[10:], near(test.op, 10, entries[0]))
		copy(text[40:], near(test.op, 40, entries[1]))
		p := process(original, text, nil)
		p.Memory = memory{textAddress: text, textAddress + reach: stubs}
		p.Mappings[1].Start, p.Mappings[1].End = textAddress+reach, textAddress+reach+256
		patches, _ := unwind.Find(p)
		if len(patches) != 2 {
			t.Fatalf("%s: found %+v", test.name, patches)
		}
		var regions []*unwind.Region
		for _, patch := range patches {
			regions = append(regions, unwind.Derive(p, patch)...)
		}
		changed := unwind.Settle(p, regions)
		if again := unwind.Settle(p, regions); len(again) > 0 {
			t.Errorf("%s: %d regions are settled again", test.name, len(again))
		}
		if want := map[bool]int{true: 0, false: 2}[test.disjoint || test.op == 0xe8]; len(changed) != want {
			t.Errorf("%s: the rows of %d regions changed, want %d", test.name, len(changed), want)
		}
		if test.disjoint {
			continue
		}
		for _, r := range regions {
			in := r.At(textAddress + reach + 129)
			if in == nil || !in.Shared || test.known != (in.Confidence != unwind.Unknown) {
				t.Fatalf("%s: %+v", test.name, in)
			}
			row := in.Row.String()
			if test.known && (!strings.HasPrefix(row, "CFA=rsp+16 ") || !strings.HasSuffix(row, " rip=[CFA-8]")) {
				t.Errorf("%s: %s", test.name, row)
			}
			if test.op == 0xe9 && r.At(r.Target).Shared {
				t.Errorf("%s: the stub's own first instruction is shared", test.name)
			}
		}
		if first := regions[0]; test.op == 0xe9 && first.At(first.Target).Confidence == unwind.Unknown {
			t.Errorf("%s: nothing is known of the first stub: %v", test.name, first.Warnings)
		}
		if !test.known && !slices.ContainsFunc(regions[0].Warnings, func(w unwind.Warning) bool { return strings.Contains(w.Text, "share") }) {
			t.Errorf("%s: warnings %v", test.name, regions[0].Warnings)
		}
	}
}
