package core

import (
	"encoding/binary"

	"rspd/gdbserver/description"
	"rspd/ptrace"
)

// float32State is struct user_i387_ia32_struct, the FSAVE image, of a program
// whose x87 state is in an XSAVE area (arch/x86/kernel/fpu/regset.c,
// convert_from_fxsr). Its upper halves are ones where the processor stores 16
// bits in a field of 32.
func float32State(xstate []byte) []byte {
	table := description.I386(ptrace.HostXSaveLayout())
	state := description.State{XState: xstate}
	field := func(name string) uint32 {
		return binary.LittleEndian.Uint32(table.AppendRegister(nil, table.ByName(name), &state))
	}
	const upper = 0xffff0000
	image := record{word: 4}
	for _, value := range []uint32{upper | field("fctrl"), upper | field("fstat"), upper | field("ftag"),
		field("fioff"), field("fiseg") | field("fop")<<16, field("fooff"), field("foseg")} {
		image.put32(value)
	}
	for _, name := range []string{"st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"} {
		image.bytes = table.AppendRegister(image.bytes, table.ByName(name), &state)
	}
	return image.bytes
}
