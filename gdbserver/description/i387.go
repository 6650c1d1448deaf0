package description

import (
	"encoding/binary"

	"rspd/ptrace"
)

// gdb has eight x87 registers besides the stack, each of 4 bytes, made of
// narrower fields of the FXSAVE image (Intel SDM volume 1, table 10-2). fiseg
// and foseg are the image's selectors in 32-bit form; in the 64-bit form that
// the kernel saves, they are bits 32-47 of the instruction and the operand
// pointer, as GNU gdbserver shows them too.
var x87Controls = []Register{
	x87("fctrl", source{offset: 0, size: 2, mask: 0xffff, initial: ptrace.InitialControlWord}),
	x87("fstat", source{offset: 2, size: 2, mask: 0xffff}),
	{Name: "ftag", Type: "int", Group: "float", Bits: 32, source: source{kind: x87Tag}},
	x87("fiseg", source{offset: 12, size: 2, mask: 0xffff}),
	x87("fioff", source{offset: 8, size: 4, mask: 0xffffffff}),
	x87("foseg", source{offset: 20, size: 2, mask: 0xffff}),
	x87("fooff", source{offset: 16, size: 4, mask: 0xffffffff}),
	x87("fop", source{offset: 6, size: 2, mask: 0x7ff}),
}

func x87(name string, s source) Register {
	s.kind = x87Field
	s.component = ptrace.ComponentX87
	return Register{Name: name, Type: "int", Group: "float", Bits: 32, source: s}
}

func (s *source) load(xstate []byte) uint32 {
	if s.size == 2 {
		return uint32(binary.LittleEndian.Uint16(xstate[s.offset:])) & s.mask
	}
	return binary.LittleEndian.Uint32(xstate[s.offset:]) & s.mask
}

// store keeps the bits of the field that the register doesn't have.
func (s *source) store(xstate []byte, value uint32) {
	if s.size == 2 {
		field := xstate[s.offset:]
		kept := binary.LittleEndian.Uint16(field) &^ uint16(s.mask)
		binary.LittleEndian.PutUint16(field, kept|uint16(value&s.mask))
		return
	}
	binary.LittleEndian.PutUint32(xstate[s.offset:], value)
}

// The values of one register's 2-bit field in the x87 tag word (Intel SDM
// volume 1, section 8.1.7).
const (
	tagValid   = 0
	tagZero    = 1
	tagSpecial = 2
	tagEmpty   = 3

	emptyTags = 0xffff

	statusOffset = 2
	tagOffset    = 4
)

// tagWord expands the abridged tags of an FXSAVE image, a bit per physical
// register that is set if the register isn't empty, to the 16-bit tag word
// that gdb expects: what the abridged form leaves out follows from the
// register's value (Intel SDM volume 1, section 10.5.1.1). The image has the
// registers in stack order, from the status word's top (bits 11-13) on.
func tagWord(fxsave []byte) uint16 {
	top := int(binary.LittleEndian.Uint16(fxsave[statusOffset:])>>11) & 7
	var word uint16
	for physical := range 8 {
		tag := uint16(tagEmpty)
		if fxsave[tagOffset]>>physical&1 != 0 {
			st := (physical - top) & 7
			tag = tagOf(fxsave[ptrace.StackOffset+16*st:])
		}
		word |= tag << (2 * physical)
	}
	return word
}

// tagOf classifies an 80-bit value: 64 bits of significand, whose highest is
// the integer bit, then 15 of exponent and the sign.
func tagOf(value []byte) uint16 {
	significand := binary.LittleEndian.Uint64(value)
	exponent := binary.LittleEndian.Uint16(value[8:]) & 0x7fff
	switch {
	case exponent == 0 && significand == 0:
		return tagZero
	case exponent != 0 && exponent != 0x7fff && significand>>63 != 0:
		return tagValid
	default:
		return tagSpecial
	}
}

// abridgedTag is the FXSAVE image's form of a tag word.
func abridgedTag(word uint16) uint8 {
	var tags uint8
	for physical := range 8 {
		if word>>(2*physical)&3 != tagEmpty {
			tags |= 1 << physical
		}
	}
	return tags
}
