package description

import (
	"fmt"

	"rspd/ptrace"
)

// What the descriptions of 64-bit and 32-bit x86 programs share.

func general(name, typeName string, bits int, slot ptrace.Slot) Register {
	return Register{Name: name, Type: typeName, Bits: bits, source: source{kind: generalSlot, slot: slot}}
}

// flagsAndSelectors are the general registers that both have alike.
func flagsAndSelectors() []Register {
	return []Register{
		general("eflags", "i386_eflags", 32, ptrace.SlotEflags),
		general("cs", "int32", 32, ptrace.SlotCs),
		general("ss", "int32", 32, ptrace.SlotSs),
		general("ds", "int32", 32, ptrace.SlotDs),
		general("es", "int32", 32, ptrace.SlotEs),
		general("fs", "int32", 32, ptrace.SlotFs),
		general("gs", "int32", 32, ptrace.SlotGs),
	}
}

// xsave is a register at an offset in bytes from its component's start.
func xsave(name, typeName string, bits int, layout *ptrace.XSaveLayout, component, offset int) Register {
	return Register{Name: name, Type: typeName, Bits: bits, source: source{
		kind:      xsaveBytes,
		component: uint8(component),
		offset:    layout.Components[component].Offset + offset,
	}}
}

func x87Registers() []Register {
	var registers []Register
	for i := range 8 {
		registers = append(registers, Register{
			Name: fmt.Sprintf("st%d", i),
			Type: "i387_ext",
			Bits: 80,
			source: source{
				kind:      xsaveBytes,
				component: ptrace.ComponentX87,
				offset:    ptrace.StackOffset + 16*i,
			},
		})
	}
	return append(registers, x87Controls...)
}

func sse(count int) []Register {
	var registers []Register
	for i := range count {
		registers = append(registers, Register{
			Name: fmt.Sprintf("xmm%d", i),
			Type: "vec128",
			Bits: 128,
			source: source{
				kind:      xsaveBytes,
				component: ptrace.ComponentSSE,
				offset:    ptrace.XMMOffset + 16*i,
			},
		})
	}
	return append(registers, Register{
		Name:  "mxcsr",
		Type:  "i386_mxcsr",
		Group: "vector",
		Bits:  32,
		source: source{
			kind:      xsaveMXCSR,
			component: ptrace.ComponentSSE,
			offset:    ptrace.MXCSROffset,
		},
	})
}

func avx(layout *ptrace.XSaveLayout, count int) []Register {
	var registers []Register
	for i := range count {
		registers = append(registers,
			xsave(fmt.Sprintf("ymm%dh", i), "uint128", 128, layout, ptrace.ComponentAVX, 16*i))
	}
	return registers
}

// opmasks are the mask registers of AVX-512.
func opmasks(layout *ptrace.XSaveLayout) []Register {
	var registers []Register
	for i := range 8 {
		registers = append(registers,
			xsave(fmt.Sprintf("k%d", i), "uint64", 64, layout, ptrace.ComponentOpmask, 8*i))
	}
	return registers
}

// zmmHalves are the upper halves of the first zmm registers.
func zmmHalves(layout *ptrace.XSaveLayout, count int) []Register {
	var registers []Register
	for i := range count {
		registers = append(registers,
			xsave(fmt.Sprintf("zmm%dh", i), "v2ui128", 256, layout, ptrace.ComponentZMMHi256, 32*i))
	}
	return registers
}

func pkeys(layout *ptrace.XSaveLayout) feature {
	return feature{"org.gnu.gdb.i386.pkeys", nil, []Register{
		xsave("pkru", "uint32", 32, layout, ptrace.ComponentPKRU, 0),
	}}
}

// zmmHalfType is the type of the upper half of a zmm register.
var zmmHalfType = vectorType{"v2ui128", "uint128", 2}

// vec128Types are the types of an xmm register. A feature can use only types
// that it defines itself or that gdb predefines.
func vec128Types() []typeDefinition {
	return []typeDefinition{
		vectorType{"v8bf16", "bfloat16", 8},
		vectorType{"v8h", "ieee_half", 8},
		vectorType{"v4f", "ieee_single", 4},
		vectorType{"v2d", "ieee_double", 2},
		vectorType{"v16i8", "int8", 16},
		vectorType{"v8i16", "int16", 8},
		vectorType{"v4i32", "int32", 4},
		vectorType{"v2i64", "int64", 2},
		unionType{"vec128", []unionField{
			{"v8_bfloat16", "v8bf16"},
			{"v8_half", "v8h"},
			{"v4_float", "v4f"},
			{"v2_double", "v2d"},
			{"v16_int8", "v16i8"},
			{"v8_int16", "v8i16"},
			{"v4_int32", "v4i32"},
			{"v2_int64", "v2i64"},
			{"uint128", "uint128"},
		}},
	}
}

// eflagsType names the bits of eflags (Intel SDM volume 1, section 3.4.3).
var eflagsType = flagsType{"i386_eflags", 4, []flagBit{
	{"CF", 0}, {"", 1}, {"PF", 2}, {"AF", 4}, {"ZF", 6}, {"SF", 7}, {"TF", 8},
	{"IF", 9}, {"DF", 10}, {"OF", 11}, {"NT", 14}, {"RF", 16}, {"VM", 17},
	{"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21},
}}

// mxcsrType names the bits of mxcsr (Intel SDM volume 1, section 10.2.3).
var mxcsrType = flagsType{"i386_mxcsr", 4, []flagBit{
	{"IE", 0}, {"DE", 1}, {"ZE", 2}, {"OE", 3}, {"UE", 4}, {"PE", 5}, {"DAZ", 6},
	{"IM", 7}, {"DM", 8}, {"ZM", 9}, {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15},
}}
