package ptrace

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// The state components of the XSAVE area that carry registers a debugger
// shows, by their bit number in XCR0 and XSTATE_BV (Intel SDM volume 1,
// section 13.1).
const (
	ComponentX87      = 0 // x87 stack and control words
	ComponentSSE      = 1 // xmm0-15 and mxcsr
	ComponentAVX      = 2 // upper halves of ymm0-15
	ComponentOpmask   = 5 // k0-7
	ComponentZMMHi256 = 6 // upper halves of zmm0-15
	ComponentHi16ZMM  = 7 // zmm16-31, whole
	ComponentPKRU     = 9 // protection key rights
)

// Byte offsets in the XSAVE area, whose first 512 bytes are the FXSAVE image
// (Intel SDM volume 1, sections 10.5.1 and 13.4).
const (
	// LegacySize is the size in bytes of the FXSAVE image, which is all of
	// the area on a machine without XSAVE.
	LegacySize = 512

	// MXCSROffset is where the 4-byte mxcsr is.
	MXCSROffset = 24

	// MXCSRMaskOffset is where the CPU stores the 4-byte mask of the mxcsr
	// bits it has.
	MXCSRMaskOffset = 28

	// StackOffset is where st0 is; eight 10-byte registers, 16 bytes apart.
	StackOffset = 32

	// XMMOffset is where xmm0 is; sixteen registers of 16 bytes.
	XMMOffset = 160

	xstateBVOffset   = 512
	headerEnd        = 576
	legacyVectorsEnd = 416
)

// Values of registers in the initial state of their component (Intel SDM
// volume 1, section 13.6). All others are zero.
const (
	// InitialControlWord is the x87 control word after FNINIT.
	InitialControlWord = 0x037f

	// InitialMXCSR is mxcsr after reset: every exception masked.
	InitialMXCSR = 0x1f80

	// defaultMXCSRMask stands for a stored mask of zero (Intel SDM volume 1,
	// section 11.6.6).
	defaultMXCSRMask = 0xffbf
)

// XSaveLayout says where each state component is in the XSAVE area as
// PTRACE_GETREGSET with NT_X86_XSTATE gives it: the standard, not the
// compacted form, whatever the kernel itself uses
// (arch/x86/kernel/fpu/xstate.c, __copy_xstate_to_uabi_buf).
//
// A machine without XSAVE has an area of LegacySize bytes, which
// PTRACE_GETREGSET with NT_PRFPREG gives, without the header that says which
// components are in use: all are.
type XSaveLayout struct {
	// Size is the size in bytes of the whole area. NT_X86_XSTATE is written
	// back in exactly this size (arch/x86/kernel/fpu/regset.c,
	// xstateregs_set).
	Size int

	// XCR0 has a bit for each component the operating system has enabled;
	// without XSAVE, those for x87 and SSE.
	XCR0 uint64

	// Components has the place in bytes of each enabled component. X87 and
	// SSE have the FXSAVE image's: mxcsr, in the midst of the x87 bytes,
	// belongs to SSE and AVX.
	Components [64]XSaveComponent
}

// XSaveComponent is the place of one state component in the XSAVE area, in
// bytes. A component that isn't enabled has size 0.
type XSaveComponent struct {
	Offset, Size int
}

// HostXSaveLayout is this machine's layout, read from the CPU the first time
// (CPUID leaf 0xD; Intel SDM volume 1, section 13.2).
var HostXSaveLayout = sync.OnceValue(func() XSaveLayout {
	return readXSaveLayout(cpuid, xgetbv0)
})

func readXSaveLayout(
	cpuid func(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32),
	xgetbv0 func() uint64,
) XSaveLayout {
	layout := XSaveLayout{
		Size: LegacySize,
		XCR0: 1<<ComponentX87 | 1<<ComponentSSE,
	}
	layout.Components[ComponentX87] = XSaveComponent{0, XMMOffset}
	layout.Components[ComponentSSE] = XSaveComponent{XMMOffset, legacyVectorsEnd - XMMOffset}

	const (
		leafFeatures = 1
		osxsave      = 1 << 27
		leafXSave    = 0xd
	)
	if highest, _, _, _ := cpuid(0, 0); highest < leafXSave {
		return layout
	}
	if _, _, ecx, _ := cpuid(leafFeatures, 0); ecx&osxsave == 0 {
		return layout
	}

	layout.XCR0 |= xgetbv0()
	_, enabledSize, _, _ := cpuid(leafXSave, 0)
	layout.Size = max(headerEnd, int(enabledSize))
	for rest := layout.XCR0 &^ 3; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		size, offset, _, _ := cpuid(leafXSave, uint32(i))
		layout.Components[i] = XSaveComponent{int(offset), int(size)}
		layout.Size = max(layout.Size, int(offset+size))
	}
	return layout
}

// Has says whether the operating system has enabled all the components.
func (l *XSaveLayout) Has(components ...int) bool {
	for _, c := range components {
		if l.XCR0>>c&1 == 0 {
			return false
		}
	}
	return true
}

// InUse says whether a component of an area of this layout holds its own
// bytes. If not, it is in its initial state and its bytes mean nothing: the
// x87 control word is InitialControlWord, mxcsr (when neither SSE nor AVX is
// in use) InitialMXCSR, and the rest zero.
//
// The kernel writes the initial values into the area it gives to a tracer
// since Linux 4.8; before that they could be stale (arch/x86/kernel/fpu, the
// callers of fpstate_sanitize_xstate). PKRU is the exception: its bytes come
// from the thread and not from the area in which the bit is, which may be out
// of date (xstate.c, __copy_xstate_to_uabi_buf). So InUse is always true for
// PKRU.
func (l *XSaveLayout) InUse(xstate []byte, component int) bool {
	if l.Size == LegacySize || component == ComponentPKRU {
		return true
	}
	return binary.LittleEndian.Uint64(xstate[xstateBVOffset:])>>component&1 != 0
}

// MarkInUse prepares an area of this layout for a write to a register of the
// component: if the component is in its initial state its bytes are made to
// say so, and its bit in XSTATE_BV is set, without which the kernel ignores
// the bytes.
//
// It sets the bit of PKRU too if its bytes aren't zero, because the kernel
// gives the thread a PKRU of zero, no protection at all, when an area
// without that bit is written back (xstate.c, copy_uabi_to_xstate). One case
// remains: between an exec and the program's first instruction Linux 6.18
// gives a PKRU of zero instead of the default it is about to load, and an
// area written back then does set it to zero.
//
// A write to mxcsr marks ComponentSSE: with only AVX in use, the compacted
// form that the kernel restores from would reset mxcsr (Intel SDM volume 1,
// section 13.8.2).
func (l *XSaveLayout) MarkInUse(xstate []byte, component int) {
	if l.Size == LegacySize {
		return
	}
	inUse := binary.LittleEndian.Uint64(xstate[xstateBVOffset:])
	if inUse>>component&1 == 0 && component != ComponentPKRU {
		l.initialize(xstate, inUse, component)
	}
	inUse |= 1 << component
	if l.Has(ComponentPKRU) {
		pkru := l.Components[ComponentPKRU].Offset
		if binary.LittleEndian.Uint32(xstate[pkru:]) != 0 {
			inUse |= 1 << ComponentPKRU
		}
	}
	binary.LittleEndian.PutUint64(xstate[xstateBVOffset:], inUse)
}

func (l *XSaveLayout) initialize(xstate []byte, inUse uint64, component int) {
	if inUse&(1<<ComponentSSE|1<<ComponentAVX) == 0 {
		binary.LittleEndian.PutUint32(xstate[MXCSROffset:], InitialMXCSR)
	}
	if component == ComponentX87 {
		clear(xstate[:MXCSROffset])
		clear(xstate[StackOffset:XMMOffset])
		binary.LittleEndian.PutUint16(xstate, InitialControlWord)
		return
	}
	place := l.Components[component]
	clear(xstate[place.Offset : place.Offset+place.Size])
}

// MXCSR returns the mxcsr of an area of this layout.
func (l *XSaveLayout) MXCSR(xstate []byte) uint32 {
	if !l.InUse(xstate, ComponentSSE) && !l.InUse(xstate, ComponentAVX) {
		return InitialMXCSR
	}
	return binary.LittleEndian.Uint32(xstate[MXCSROffset:])
}

// MXCSRMask returns the bits that mxcsr has on this CPU, as the area tells.
// The kernel refuses an area whose mxcsr has any other (EINVAL; xstate.c,
// copy_uabi_to_xstate).
func (l *XSaveLayout) MXCSRMask(xstate []byte) uint32 {
	if mask := binary.LittleEndian.Uint32(xstate[MXCSRMaskOffset:]); mask != 0 {
		return mask
	}
	return defaultMXCSRMask
}
