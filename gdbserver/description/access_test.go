package description

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"rspd/ptrace"
)

// kept is what a register keeps of value: some are narrower than gdb shows
// them, and the tag word is kept abridged.
func kept(r *Register, value []byte) []byte {
	value = bytes.Clone(value)
	switch r.Name {
	case "fctrl", "fstat", "fiseg", "foseg":
		clear(value[2:])
	case "fop":
		clear(value[2:])
		value[1] &= 7
	}
	return value
}

func randomValue(random *rand.Rand, r *Register) []byte {
	value := make([]byte, r.Size())
	fill(random, value)
	if r.Name == "mxcsr" {
		value[2] &= 2
		value[3] = 0
	}
	return value
}

// TestSetThenGet changes every register of random states and finds the change
// there and nowhere else.
func TestSetThenGet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, m := range machines() {
		d := m.description()
		for round := range 20 {
			for i := range d.Registers {
				r := &d.Registers[i]
				s := randomState(random, &m.layout)
				before := cloneState(s)
				value := randomValue(random, r)

				sets, err := d.SetRegister(r, value, s)
				if err != nil || sets != r.Set() {
					t.Fatalf("%s: %s: %v, %v", m.name, r.Name, sets, err)
				}
				if r.Name == "ftag" {
					word := binary.LittleEndian.Uint16(d.AppendRegister(nil, r, s))
					if abridgedTag(word) != abridgedTag(binary.LittleEndian.Uint16(value)) {
						t.Fatalf("%s: ftag %#x after a write of %#x", m.name, word, value)
					}
				} else if got := d.AppendRegister(nil, r, s); !bytes.Equal(got, kept(r, value)) {
					t.Fatalf("%s: %s is %x after a write of %x", m.name, r.Name, got, value)
				}

				now, then := d.AppendAll(nil, s), d.AppendAll(nil, before)
				for j := range d.Registers {
					other := &d.Registers[j]
					// The full tag word follows from the stack and its top.
					if j == i || other.Name == "ftag" && other.source.component == r.source.component {
						continue
					}
					end := other.Offset + other.Size()
					if !bytes.Equal(now[other.Offset:end], then[other.Offset:end]) {
						t.Fatalf("%s: round %d: a write to %s changed %s from %x to %x", m.name, round,
							r.Name, other.Name, then[other.Offset:end], now[other.Offset:end])
					}
				}
				if sets&General == 0 && *s.General != *before.General {
					t.Fatalf("%s: %s changed the general registers", m.name, r.Name)
				}
				if sets&XState == 0 && !bytes.Equal(s.XState, before.XState) {
					t.Fatalf("%s: %s changed the extended state", m.name, r.Name)
				}
				if sets&ShadowStack == 0 && s.ShadowStackPointer != before.ShadowStackPointer {
					t.Fatalf("%s: %s changed the shadow-stack pointer", m.name, r.Name)
				}
			}
		}
	}
}

func TestAppendAllIsEveryRegister(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, m := range machines() {
		d := m.description()
		s := randomState(random, &m.layout)
		var want []byte
		for i := range d.Registers {
			want = d.AppendRegister(want, &d.Registers[i], s)
		}
		if got := d.AppendAll([]byte("g"), s); !bytes.Equal(got[1:], want) || got[0] != 'g' {
			t.Errorf("%s: the g packet differs from the registers", m.name)
		}
	}
}

func TestSetAllChangesWhatDiffers(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, m := range machines() {
		d := m.description()
		for range 50 {
			s := randomState(random, &m.layout)
			if _, err := d.SetRegister(d.ByName("mxcsr"), []byte{0x80, 0x1f, 0, 0}, s); err != nil {
				t.Fatal(err)
			}
			before := cloneState(s)
			g := d.AppendAll(nil, s)
			sets, err := d.SetAll(g, s)
			if err != nil || sets != 0 || *s.General != *before.General || !bytes.Equal(s.XState, before.XState) {
				t.Fatalf("%s: writing what is there changed %v: %v", m.name, sets, err)
			}

			// A second state's registers, written over the first's.
			other := randomState(random, &m.layout)
			if _, err := d.SetRegister(d.ByName("mxcsr"), []byte{0xa0, 0x1f, 0, 0}, other); err != nil {
				t.Fatal(err)
			}
			want := d.AppendAll(nil, other)
			sets, err = d.SetAll(want, s)
			all := General | XState
			if m.shadowStack {
				all |= ShadowStack
			}
			if err != nil || sets != all {
				t.Fatalf("%s: changed %v, want %v: %v", m.name, sets, all, err)
			}
			if got := d.AppendAll(nil, s); !bytes.Equal(got, want) {
				for i := range d.Registers {
					r := &d.Registers[i]
					end := r.Offset + r.Size()
					if !bytes.Equal(got[r.Offset:end], want[r.Offset:end]) {
						t.Errorf("%s: %s is %x, want %x", m.name, r.Name, got[r.Offset:end], want[r.Offset:end])
					}
				}
				t.FailNow()
			}
		}
	}
}

func TestSetAllMarksOnlyChangedComponents(t *testing.T) {
	m := machines()[6]
	d := AMD64(m.layout, false)
	s := &State{General: &ptrace.Registers{}, XState: make([]byte, m.layout.Size)}
	g := d.AppendAll(nil, s)
	g[d.ByName("ymm3h").Offset] = 1
	sets, err := d.SetAll(g, s)
	if err != nil || sets != XState {
		t.Errorf("%v, %v", sets, err)
	}
	if inUse := binary.LittleEndian.Uint64(s.XState[512:]); inUse != 1<<ptrace.ComponentAVX {
		t.Errorf("XSTATE_BV %#x", inUse)
	}
	if got := d.AppendAll(nil, s); !bytes.Equal(got, g) {
		t.Error("the registers differ from those written")
	}
}

func TestSetAllLeavesUnavailableRegisters(t *testing.T) {
	m := machines()[7]
	d := AMD64(m.layout, true)
	s := &State{General: &ptrace.Registers{}, ShadowStackPointer: 5}
	g := bytes.Repeat([]byte{0xff}, d.Size)
	sets, err := d.SetAll(g, s)
	if err != nil || sets != General || s.General.Rax != 1<<64-1 || s.ShadowStackPointer != 5 {
		t.Errorf("%v, %v, %+v", sets, err, s)
	}
}

func TestInitialState(t *testing.T) {
	m := machines()[6]
	d := AMD64(m.layout, false)
	// Stale bytes, no component in use.
	s := &State{XState: bytes.Repeat([]byte{0x5a}, m.layout.Size)}
	clear(s.XState[512:576])
	for i := range d.Registers {
		r := &d.Registers[i]
		if r.Set() != XState {
			continue
		}
		want := make([]byte, r.Size())
		switch r.Name {
		case "fctrl":
			copy(want, []byte{0x7f, 0x03})
		case "ftag":
			copy(want, []byte{0xff, 0xff})
		case "mxcsr":
			copy(want, []byte{0x80, 0x1f})
		case "pkru":
			copy(want, "ZZZZ")
		}
		if got := d.AppendRegister(nil, r, s); !bytes.Equal(got, want) {
			t.Errorf("%s is %x, want %x", r.Name, got, want)
		}
	}
}

// TestNarrowRegistersKeepTheRestOfTheirField writes ones over zeros and looks
// at the bytes around.
func TestNarrowRegistersKeepTheRestOfTheirField(t *testing.T) {
	d := AMD64(xsaveLayout(512, nil), false)
	ones := []byte{0xff, 0xff, 0xff, 0xff}
	for name, bits := range map[string]struct{ offset, size int }{
		"fctrl": {0, 2}, "fstat": {2, 2}, "fioff": {8, 4}, "fiseg": {12, 2}, "fooff": {16, 4}, "foseg": {20, 2},
	} {
		s := &State{XState: make([]byte, 512)}
		if _, err := d.SetRegister(d.ByName(name), ones, s); err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 512)
		copy(want[bits.offset:bits.offset+bits.size], ones)
		if !bytes.Equal(s.XState, want) {
			t.Errorf("%s: the image starts %x", name, s.XState[:32])
		}
	}
	s := &State{General: &ptrace.Registers{Gs: 0x1111111122222222}, XState: make([]byte, 512)}
	s.XState[7] = 0xa8
	if _, err := d.SetRegister(d.ByName("fop"), []byte{0xff, 0, 0xff, 0xff}, s); err != nil {
		t.Fatal(err)
	}
	if s.XState[6] != 0xff || s.XState[7] != 0xa8 {
		t.Errorf("fop's field is %x", s.XState[6:8])
	}
	if _, err := d.SetRegister(d.ByName("gs"), []byte{0x2b, 0, 0, 0}, s); err != nil {
		t.Fatal(err)
	}
	if s.General.Gs != 0x2b {
		t.Errorf("gs' slot is %#x", s.General.Gs)
	}
}

func TestRefusedWritesChangeNothing(t *testing.T) {
	m := machines()[7]
	d := AMD64(m.layout, true)
	random := rand.New(rand.NewPCG(7, 8))
	full := randomState(random, &m.layout)
	without := *full
	without.General, without.XState, without.ShadowStackActive = nil, nil, false
	for _, c := range []struct {
		register, want string
		value          []byte
		state          *State
	}{
		{"rax", "register rax has 8 bytes, not 0", nil, full},
		{"rax", "register rax has 8 bytes, not 4", make([]byte, 4), full},
		{"st0", "register st0 has 10 bytes, not 16", make([]byte, 16), full},
		{"rax", "register rax is not available in this thread", make([]byte, 8), &without},
		{"pl3_ssp", "register pl3_ssp is not available in this thread", make([]byte, 8), &without},
		{"zmm0h", "register zmm0h is not available in this thread", make([]byte, 32), &without},
		{"mxcsr", "mxcsr has no bits 0x40000000 on this CPU", []byte{0x80, 0x1f, 0, 0x40}, full},
	} {
		s := c.state
		if s == full {
			s = cloneState(full)
		}
		sets, err := d.SetRegister(d.ByName(c.register), c.value, s)
		if err == nil || err.Error() != c.want || sets != 0 {
			t.Errorf("%s: %v, %v; want %q", c.register, sets, err, c.want)
		}
		if c.state == full && (*s.General != *full.General || !bytes.Equal(s.XState, full.XState)) {
			t.Errorf("%s: the state changed", c.register)
		}
	}

	s := cloneState(full)
	g := bytes.Repeat([]byte{0xff}, d.Size)
	for _, data := range [][]byte{nil, g[1:], append(g, 0), g} {
		sets, err := d.SetAll(data, s)
		if err == nil || sets != 0 || *s.General != *full.General || !bytes.Equal(s.XState, full.XState) {
			t.Errorf("%d bytes: %v, %v", len(data), sets, err)
		}
	}
}

func TestAccessDoesNotAllocate(t *testing.T) {
	m := machines()[7]
	d := AMD64(m.layout, true)
	s := randomState(rand.New(rand.NewPCG(9, 10)), &m.layout)
	if _, err := d.SetRegister(d.ByName("mxcsr"), []byte{0x80, 0x1f, 0, 0}, s); err != nil {
		t.Fatal(err)
	}
	g := d.AppendAll(nil, s)
	buffer := make([]byte, 0, d.Size)
	for name, access := range map[string]func(){
		"AppendAll": func() { d.AppendAll(buffer, s) },
		"AppendRegister": func() {
			for i := range d.Registers {
				d.AppendRegister(buffer, &d.Registers[i], s)
			}
		},
		"SetRegister": func() {
			for i := range d.Registers {
				r := &d.Registers[i]
				if _, err := d.SetRegister(r, g[r.Offset:r.Offset+r.Size()], s); err != nil {
					t.Fatal(err)
				}
			}
		},
		"SetAll": func() {
			if _, err := d.SetAll(g, s); err != nil {
				t.Fatal(err)
			}
		},
		"Unavailable": func() {
			for offset, size := range d.Unavailable(s) {
				t.Fatal(offset, size)
			}
		},
	} {
		if n := testing.AllocsPerRun(10, access); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkAppendAll(b *testing.B) {
	m := machines()[6]
	d := AMD64(m.layout, false)
	s := randomState(rand.New(rand.NewPCG(11, 12)), &m.layout)
	buffer := make([]byte, 0, d.Size)
	for b.Loop() {
		d.AppendAll(buffer, s)
	}
}

// TestExtension writes the registers of a 32-bit program, which are the low
// halves of the kernel's: a negative eax stays one when the kernel takes all 64
// bits of it for the result of a system call, and no address becomes negative.
func TestExtension(t *testing.T) {
	d := I386(xsaveLayout(576, nil))
	value := []byte{0x00, 0xfe, 0xff, 0xff}
	for name, want := range map[string]struct {
		slot  ptrace.Slot
		value uint64
	}{
		"eax":      {ptrace.SlotRax, 0xfffffffffffffe00},
		"orig_eax": {ptrace.SlotOrigRax, 0xfffffffffffffe00},
		"eip":      {ptrace.SlotRip, 0xfffffe00},
		"esp":      {ptrace.SlotRsp, 0xfffffe00},
		"ebp":      {ptrace.SlotRbp, 0xfffffe00},
		"edx":      {ptrace.SlotRdx, 0xfffffe00},
	} {
		s := &State{General: &ptrace.Registers{}}
		s.General.Set(want.slot, 0x1111111122222222)
		if _, err := d.SetRegister(d.ByName(name), value, s); err != nil {
			t.Fatal(err)
		}
		if got := s.General.Get(want.slot); got != want.value {
			t.Errorf("%s: the slot is %#x, want %#x", name, got, want.value)
		}
		if got := d.AppendRegister(nil, d.ByName(name), s); !bytes.Equal(got, value) {
			t.Errorf("%s is %x, want %x", name, got, value)
		}
	}
}
