package ptrace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// processor answers CPUID for the leaves that the XSAVE layout is read from.
type processor struct {
	highest    uint32
	osxsave    bool
	xcr0       uint64
	size       uint32
	components map[uint32]XSaveComponent
}

func (p processor) cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32) {
	switch {
	case leaf == 0:
		return p.highest, 0, 0, 0
	case leaf == 1 && p.osxsave:
		return 0, 0, 1 << 27, 0
	case leaf == 0xd && subleaf == 0:
		return uint32(p.xcr0), p.size, p.size, uint32(p.xcr0 >> 32)
	case leaf == 0xd:
		c := p.components[subleaf]
		return uint32(c.Size), uint32(c.Offset), 0, 0
	}
	return 0, 0, 0, 0
}

func TestXSaveLayoutOfProcessors(t *testing.T) {
	avx := XSaveComponent{576, 256}
	for _, c := range []struct {
		name       string
		processor  processor
		size       int
		xcr0       uint64
		components map[int]XSaveComponent
	}{
		{"no leaf 0xd", processor{highest: 0xb, osxsave: true}, 512, 3, nil},
		{"XSAVE off", processor{highest: 0xd, size: 832}, 512, 3, nil},
		{"XSAVE, only SSE", processor{highest: 0xd, osxsave: true, xcr0: 3, size: 576}, 576, 3, nil},
		{
			"AVX",
			processor{0xd, true, 7, 832, map[uint32]XSaveComponent{2: avx}},
			832, 7, map[int]XSaveComponent{2: avx},
		},
		{
			"AVX-512 and PKRU, Intel's places",
			processor{0x20, true, 0x2e7, 2696, map[uint32]XSaveComponent{
				2: avx, 5: {1088, 64}, 6: {1152, 512}, 7: {1664, 1024}, 9: {2688, 8},
			}},
			2696, 0x2e7,
			map[int]XSaveComponent{2: avx, 5: {1088, 64}, 6: {1152, 512}, 7: {1664, 1024}, 9: {2688, 8}},
		},
		{
			"AVX-512 and PKRU, AMD's places",
			processor{0x10, true, 0x2e7, 2440, map[uint32]XSaveComponent{
				2: avx, 5: {832, 64}, 6: {896, 512}, 7: {1408, 1024}, 9: {2432, 8},
			}},
			2440, 0x2e7,
			map[int]XSaveComponent{2: avx, 5: {832, 64}, 6: {896, 512}, 7: {1408, 1024}, 9: {2432, 8}},
		},
		{
			"a component that ends behind the size",
			processor{0x20, true, 0x60007, 832, map[uint32]XSaveComponent{
				2: avx, 17: {2752, 64}, 18: {2816, 8192},
			}},
			11008, 0x60007,
			map[int]XSaveComponent{2: avx, 17: {2752, 64}, 18: {2816, 8192}},
		},
	} {
		read := false
		layout := readXSaveLayout(c.processor.cpuid, func() uint64 {
			read = true
			return c.processor.xcr0
		})
		if layout.Size != c.size || layout.XCR0 != c.xcr0 {
			t.Errorf("%s: size %d, XCR0 %#x; want %d, %#x", c.name, layout.Size, layout.XCR0, c.size, c.xcr0)
		}
		if read && !c.processor.osxsave {
			t.Errorf("%s: XGETBV would fault", c.name)
		}
		for i, component := range layout.Components {
			want := c.components[i]
			switch i {
			case ComponentX87:
				want = XSaveComponent{0, 160}
			case ComponentSSE:
				want = XSaveComponent{160, 256}
			}
			if component != want {
				t.Errorf("%s: component %d at %v, want %v", c.name, i, component, want)
			}
		}
	}
}

func TestHas(t *testing.T) {
	layout := XSaveLayout{XCR0: 0x27}
	for _, c := range []struct {
		components []int
		want       bool
	}{
		{nil, true},
		{[]int{ComponentAVX}, true},
		{[]int{ComponentAVX, ComponentOpmask}, true},
		{[]int{ComponentOpmask, ComponentZMMHi256}, false},
		{[]int{ComponentPKRU}, false},
	} {
		if got := layout.Has(c.components...); got != c.want {
			t.Errorf("Has(%v) = %v", c.components, got)
		}
	}
}

// testLayout is Intel's with AVX-512 and PKRU.
func testLayout() XSaveLayout {
	layout := XSaveLayout{Size: 2696, XCR0: 0x2e7}
	layout.Components = [64]XSaveComponent{
		0: {0, 160}, 1: {160, 256}, 2: {576, 256}, 5: {1088, 64}, 6: {1152, 512}, 7: {1664, 1024}, 9: {2688, 8},
	}
	return layout
}

func TestMarkInUseInitializesOnlyTheComponent(t *testing.T) {
	layout := testLayout()
	for _, component := range []int{0, 1, 2, 5, 6, 7} {
		// Stale bytes everywhere, nothing in use, PKRU zero.
		xstate := bytes.Repeat([]byte{0xa5}, layout.Size)
		clear(xstate[512:576])
		clear(xstate[2688:])
		before := bytes.Clone(xstate)

		layout.MarkInUse(xstate, component)

		if bv := binary.LittleEndian.Uint64(xstate[512:]); bv != 1<<component {
			t.Errorf("component %d: XSTATE_BV %#x", component, bv)
		}
		place := layout.Components[component]
		for i, got := range xstate {
			want := before[i]
			switch {
			case i >= 24 && i < 28:
				want = []byte{0x80, 0x1f, 0, 0}[i-24]
			case i >= 28 && i < 32:
				// The mask is the CPU's, not a component's.
			case component == 0 && i < 2:
				want = []byte{0x7f, 0x03}[i]
			case i >= place.Offset && i < place.Offset+place.Size:
				want = 0
			case i >= 512 && i < 520:
				continue
			}
			if got != want {
				t.Fatalf("component %d: byte %d is %#x, want %#x", component, i, got, want)
			}
		}
	}
}

func TestMarkInUseKeepsWhatIsInUse(t *testing.T) {
	layout := testLayout()
	for _, component := range []int{0, 1, 2, 5, 6, 7, 9} {
		xstate := bytes.Repeat([]byte{0xa5}, layout.Size)
		binary.LittleEndian.PutUint64(xstate[512:], 0x2e7)
		before := bytes.Clone(xstate)
		layout.MarkInUse(xstate, component)
		if !bytes.Equal(xstate, before) {
			t.Errorf("component %d: the area changed", component)
		}
	}
}

func TestMarkInUseKeepsMXCSROfAVX(t *testing.T) {
	layout := testLayout()
	xstate := make([]byte, layout.Size)
	binary.LittleEndian.PutUint64(xstate[512:], 1<<ComponentAVX)
	binary.LittleEndian.PutUint32(xstate[24:], 0x1fbf)
	layout.MarkInUse(xstate, ComponentSSE)
	if got := layout.MXCSR(xstate); got != 0x1fbf {
		t.Errorf("mxcsr %#x", got)
	}
}

func TestMarkInUseKeepsPKRU(t *testing.T) {
	layout := testLayout()
	xstate := make([]byte, layout.Size)
	binary.LittleEndian.PutUint32(xstate[2688:], 0x55555554)
	layout.MarkInUse(xstate, ComponentSSE)
	if bv := binary.LittleEndian.Uint64(xstate[512:]); bv != 1<<ComponentSSE|1<<ComponentPKRU {
		t.Errorf("XSTATE_BV %#x", bv)
	}
}

func TestLegacyImageIsAllInUse(t *testing.T) {
	layout := readXSaveLayout(processor{}.cpuid, func() uint64 { panic("no XGETBV") })
	fxsave := bytes.Repeat([]byte{0xa5}, LegacySize)
	before := bytes.Clone(fxsave)
	for _, component := range []int{ComponentX87, ComponentSSE} {
		if !layout.InUse(fxsave, component) {
			t.Errorf("component %d is not in use", component)
		}
		layout.MarkInUse(fxsave, component)
	}
	if !bytes.Equal(fxsave, before) {
		t.Error("the image changed")
	}
	if got := layout.MXCSR(fxsave); got != 0xa5a5a5a5 {
		t.Errorf("mxcsr %#x", got)
	}
}

func TestInUse(t *testing.T) {
	layout := testLayout()
	xstate := make([]byte, layout.Size)
	binary.LittleEndian.PutUint32(xstate[24:], 0xdead)
	for component, want := range map[int]bool{0: false, 1: false, 2: false, 7: false, 9: true} {
		if got := layout.InUse(xstate, component); got != want {
			t.Errorf("component %d: %v", component, got)
		}
	}
	if got := layout.MXCSR(xstate); got != InitialMXCSR {
		t.Errorf("mxcsr %#x with neither SSE nor AVX in use", got)
	}
	for _, component := range []int{ComponentSSE, ComponentAVX} {
		binary.LittleEndian.PutUint64(xstate[512:], 1<<component)
		if got := layout.MXCSR(xstate); got != 0xdead {
			t.Errorf("mxcsr %#x with component %d in use", got, component)
		}
	}
}

func TestMXCSRMask(t *testing.T) {
	layout := testLayout()
	xstate := make([]byte, layout.Size)
	if got := layout.MXCSRMask(xstate); got != 0xffbf {
		t.Errorf("%#x for a stored mask of zero", got)
	}
	binary.LittleEndian.PutUint32(xstate[28:], 0x2ffff)
	if got := layout.MXCSRMask(xstate); got != 0x2ffff {
		t.Errorf("%#x", got)
	}
}

// end kills and reaps a stopped program.
func end(t *testing.T, tracer *Tracer, pid int) {
	if err := tracer.Kill(pid); err != nil {
		t.Error(err)
		return
	}
	for {
		event, err := tracer.Wait(pid)
		if err != nil {
			t.Error(err)
			return
		}
		if event.Ended() {
			return
		}
		if err := tracer.Continue(pid, 0); err != nil && !errors.Is(err, ErrGone) {
			t.Error(err)
			return
		}
	}
}

func TestHostXSaveLayoutIsTheKernels(t *testing.T) {
	layout := HostXSaveLayout()
	if layout.Size == LegacySize {
		t.Skip("this machine has no XSAVE")
	}
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/true")
		defer end(t, tracer, pid)
		xstate := make([]byte, layout.Size+64)
		n, err := tracer.XState(pid, xstate)
		if err != nil || n != layout.Size {
			t.Errorf("%d bytes, want %d: %v", n, layout.Size, err)
			return
		}
		// The kernel stores the components it has enabled where software may
		// store what it likes (arch/x86/include/asm/user.h, struct
		// user_xstateregs).
		if xcr0 := binary.LittleEndian.Uint64(xstate[464:]); xcr0 != layout.XCR0 {
			t.Errorf("XCR0 %#x, want %#x", layout.XCR0, xcr0)
		}
	})
}

// TestKernelKeepsPKRUOfAMarkedArea holds the reason why MarkInUse looks after
// PKRU: the kernel resets it if its bit isn't in the area that is written.
func TestKernelKeepsPKRUOfAMarkedArea(t *testing.T) {
	layout := HostXSaveLayout()
	if !layout.Has(ComponentPKRU, ComponentAVX) {
		t.Skip("this machine has no protection keys")
	}
	pkru := layout.Components[ComponentPKRU].Offset
	avx := layout.Components[ComponentAVX].Offset
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/true")
		defer end(t, tracer, pid)
		xstate := make([]byte, layout.Size)
		read := func() uint32 {
			clear(xstate)
			if _, err := tracer.XState(pid, xstate); err != nil {
				t.Error(err)
			}
			return binary.LittleEndian.Uint32(xstate[pkru:])
		}
		write := func() {
			if err := tracer.SetXState(pid, xstate); err != nil {
				t.Error(err)
			}
		}

		const keys = 0x55555554
		read()
		binary.LittleEndian.PutUint32(xstate[pkru:], keys)
		layout.MarkInUse(xstate, ComponentPKRU)
		write()
		if got := read(); got != keys {
			t.Errorf("PKRU %#x, want %#x", got, keys)
		}

		bv := binary.LittleEndian.Uint64(xstate[512:])
		binary.LittleEndian.PutUint64(xstate[512:], bv&^(1<<ComponentPKRU))
		layout.MarkInUse(xstate, ComponentAVX)
		xstate[avx] = 0x77
		write()
		if got := read(); got != keys || xstate[avx] != 0x77 {
			t.Errorf("PKRU %#x, want %#x; ymm0h %#x, want 0x77", got, keys, xstate[avx])
		}
	})
}
