package description

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rspd/ptrace"
)

// machine is a kind of machine and of program that a description is made for.
type machine struct {
	name        string
	layout      ptrace.XSaveLayout
	shadowStack bool

	// What the description must come to.
	registers, size int

	// program32 says that the program is one of 32 bits.
	program32 bool
}

func (m *machine) description() *Description {
	if m.program32 {
		return I386(m.layout)
	}
	return AMD64(m.layout, m.shadowStack)
}

// expedited are the numbers of the frame pointer, the stack pointer and the
// program counter, as GNU gdbserver sends them.
func (m *machine) expedited() []int {
	if m.program32 {
		return []int{5, 4, 8}
	}
	return []int{6, 7, 16}
}

func xsaveLayout(size int, components map[int]ptrace.XSaveComponent) ptrace.XSaveLayout {
	layout := ptrace.XSaveLayout{Size: size, XCR0: 3}
	layout.Components[0] = ptrace.XSaveComponent{Offset: 0, Size: 160}
	layout.Components[1] = ptrace.XSaveComponent{Offset: 160, Size: 256}
	for i, c := range components {
		layout.XCR0 |= 1 << i
		layout.Components[i] = c
	}
	return layout
}

// machines has every combination of features once.
func machines() []machine {
	avx := ptrace.XSaveComponent{Offset: 576, Size: 256}
	pkru := ptrace.XSaveComponent{Offset: 2688, Size: 8}
	avx512 := map[int]ptrace.XSaveComponent{
		2: avx, 5: {Offset: 1088, Size: 64}, 6: {Offset: 1152, Size: 512}, 7: {Offset: 1664, Size: 1024},
	}
	intel := map[int]ptrace.XSaveComponent{9: pkru, 3: {Offset: 960, Size: 64}, 4: {Offset: 1024, Size: 64}}
	for i, c := range avx512 {
		intel[i] = c
	}
	amd := map[int]ptrace.XSaveComponent{
		2: avx, 5: {Offset: 832, Size: 64}, 6: {Offset: 896, Size: 512}, 7: {Offset: 1408, Size: 1024},
		9: {Offset: 2432, Size: 8},
	}
	return []machine{
		{"no XSAVE", xsaveLayout(512, nil), false, 60, 560, false},
		{"SSE", xsaveLayout(576, nil), false, 60, 560, false},
		{"AVX", xsaveLayout(832, map[int]ptrace.XSaveComponent{2: avx}), false, 76, 816, false},
		{"AVX and PKRU", xsaveLayout(2696, map[int]ptrace.XSaveComponent{2: avx, 9: pkru}), false, 77, 820, false},
		{"AVX and shadow stack", xsaveLayout(832, map[int]ptrace.XSaveComponent{2: avx}), true, 77, 824, false},
		{"AVX-512", xsaveLayout(2688, avx512), false, 148, 2416, false},
		{"AVX-512, MPX and PKRU", xsaveLayout(2696, intel), false, 149, 2420, false},
		{"everything, AMD", xsaveLayout(2440, amd), true, 150, 2428, false},
		{"this machine", ptrace.HostXSaveLayout(), false, 0, 0, false},
		{"i386, no XSAVE", xsaveLayout(512, nil), false, 42, 312, true},
		{"i386, SSE", xsaveLayout(576, nil), false, 42, 312, true},
		{"i386, AVX", xsaveLayout(832, map[int]ptrace.XSaveComponent{2: avx}), false, 50, 440, true},
		{"i386, AVX and PKRU", xsaveLayout(2696, map[int]ptrace.XSaveComponent{2: avx, 9: pkru}), false, 51, 444, true},
		{"i386, AVX-512", xsaveLayout(2688, avx512), false, 66, 760, true},
		{"i386, AVX-512, MPX and PKRU", xsaveLayout(2696, intel), false, 67, 764, true},
		{"i386, everything, AMD", xsaveLayout(2440, amd), false, 67, 764, true},
		{"i386, this machine", ptrace.HostXSaveLayout(), false, 0, 0, true},
	}
}

// randomState has random bytes everywhere, with any set of components in use.
func randomState(random *rand.Rand, layout *ptrace.XSaveLayout) *State {
	s := &State{
		General:            &ptrace.Registers{},
		XState:             make([]byte, layout.Size),
		ShadowStackPointer: random.Uint64(),
		ShadowStackActive:  true,
	}
	for slot := range ptrace.Slot(ptrace.Slots) {
		s.General.Set(slot, random.Uint64())
	}
	fill(random, s.XState)
	if layout.Size > ptrace.LegacySize {
		clear(s.XState[512:576])
		inUse := random.Uint64() & layout.XCR0
		for i := range 8 {
			s.XState[512+i] = byte(inUse >> (8 * i))
		}
	}
	copy(s.XState[ptrace.MXCSRMaskOffset:], []byte{0xff, 0xff, 0x02, 0x00})
	return s
}

func fill(random *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(random.Uint32())
	}
}

func cloneState(s *State) *State {
	c := *s
	general := *s.General
	c.General = &general
	c.XState = slices.Clone(s.XState)
	return &c
}

func TestTable(t *testing.T) {
	for _, m := range machines() {
		d := m.description()
		if m.size != 0 && (len(d.Registers) != m.registers || d.Size != m.size) {
			t.Errorf("%s: %d registers in %d bytes, want %d in %d", m.name, len(d.Registers), d.Size, m.registers, m.size)
		}
		if !slices.Equal(d.Expedited, m.expedited()) {
			t.Errorf("%s: expedited %v", m.name, d.Expedited)
		}
		offset := 0
		for i := range d.Registers {
			r := &d.Registers[i]
			if r.Number != i || r.Offset != offset || r.Bits%8 != 0 || r.Size() > maxRegisterSize {
				t.Errorf("%s: %+v at index %d, offset %d", m.name, r, i, offset)
			}
			offset += r.Size()
			if d.ByNumber(i) != r || d.ByName(r.Name) != r {
				t.Errorf("%s: %s isn't found", m.name, r.Name)
			}
			if r.source.kind == xsaveBytes && r.source.offset+r.Size() > m.layout.Size {
				t.Errorf("%s: %s ends behind the area", m.name, r.Name)
			}
		}
		if offset != d.Size {
			t.Errorf("%s: the registers have %d bytes, not %d", m.name, offset, d.Size)
		}
	}
}

func TestLookupOfWhatIsNot(t *testing.T) {
	d := AMD64(xsaveLayout(576, nil), false)
	for _, number := range []int{-1, len(d.Registers), 1 << 40} {
		if r := d.ByNumber(number); r != nil {
			t.Errorf("%d: %v", number, r)
		}
	}
	for _, name := range []string{"", "pkru", "ymm0h", "pl3_ssp"} {
		if r := d.ByName(name); r != nil {
			t.Errorf("%q: %v", name, r)
		}
	}
}

func TestRegisterSets(t *testing.T) {
	d := AMD64(machines()[7].layout, true)
	for name, want := range map[string]Sets{
		"rax": General, "gs": General, "orig_rax": General, "gs_base": General,
		"st7": XState, "ftag": XState, "fop": XState, "mxcsr": XState, "zmm31h": XState, "pkru": XState,
		"pl3_ssp": ShadowStack,
	} {
		if got := d.ByName(name).Set(); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestUnavailable(t *testing.T) {
	m := machines()[7]
	d := AMD64(m.layout, true)
	type run struct{ offset, size int }
	general := &ptrace.Registers{}
	xstate := make([]byte, m.layout.Size)
	for _, c := range []struct {
		name  string
		state State
		want  []run
	}{
		{"all", State{General: general, XState: xstate, ShadowStackActive: true}, nil},
		{"no shadow stack", State{General: general, XState: xstate}, []run{{2420, 8}}},
		{"no extended state", State{General: general, ShadowStackActive: true}, []run{{164, 372}, {560, 1860}}},
		{"short extended state", State{General: general, XState: xstate[1:]}, []run{{164, 372}, {560, 1868}}},
		{"only extended state", State{XState: xstate}, []run{{0, 164}, {536, 24}, {2420, 8}}},
		{"nothing", State{}, []run{{0, 2428}}},
	} {
		var got []run
		for offset, size := range d.Unavailable(&c.state) {
			got = append(got, run{offset, size})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		for range d.Unavailable(&c.state) {
			break
		}
		if g := d.AppendAll(nil, &c.state); len(g) != d.Size {
			t.Errorf("%s: %d bytes", c.name, len(g))
		}
	}
}

// TestPlain has the registers of 64-bit and of 32-bit programs that gdb knows
// without being told: 560 and 312 bytes of them (gdb, "maintenance print
// remote-registers" without a target description).
func TestPlain(t *testing.T) {
	for _, m := range machines() {
		full := m.description()
		d := full.Plain()
		size, last := 560, "gs_base"
		if m.program32 {
			size, last = 312, "orig_eax"
		}
		if d.Size != size || d.Registers[len(d.Registers)-1].Name != last {
			t.Errorf("%s: %d bytes up to %s", m.name, d.Size, d.Registers[len(d.Registers)-1].Name)
		}
		if !slices.Equal(d.Registers, full.Registers[:len(d.Registers)]) || !slices.Equal(d.Expedited, full.Expedited) {
			t.Errorf("%s: other registers than in the whole description", m.name)
		}
		if strings.Contains(d.XML, "feature") || !strings.HasPrefix(full.XML, strings.TrimSuffix(d.XML, "</target>\n")) {
			t.Errorf("%s: %s", m.name, d.XML)
		}
	}
}
