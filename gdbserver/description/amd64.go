package description

import (
	"fmt"

	"rspd/ptrace"
)

// AMD64 describes the registers of a 64-bit program on a machine whose XSAVE
// area has the given layout, with the shadow-stack pointer if the kernel
// offers one. The order of features and registers is GNU gdbserver's, and so
// are the numbers.
//
// Features: org.gnu.gdb.i386.core and .sse always; .linux (orig_rax) and
// .segments (fs_base, gs_base), which gdb 13 wants apart; .avx, .avx512 and
// .pkeys by the components that the operating system has enabled; .pl3_ssp,
// which gdb knows since version 17, and older ones show as a plain register.
//
// The MPX bound registers are left out even where XCR0 has them: Linux gave
// up MPX in version 5.6 and gdb in version 15, no program can use them any
// more, and they would make every g packet 80 bytes longer.
func AMD64(layout ptrace.XSaveLayout, shadowStack bool) *Description {
	features := []feature{
		{"org.gnu.gdb.i386.core", []typeDefinition{eflagsType}, amd64Core()},
		{"org.gnu.gdb.i386.sse", append(vec128Types(), mxcsrType), sse(16)},
		{"org.gnu.gdb.i386.linux", nil, []Register{
			general("orig_rax", "int", 64, ptrace.SlotOrigRax),
		}},
		{"org.gnu.gdb.i386.segments", nil, []Register{
			general("fs_base", "int", 64, ptrace.SlotFsBase),
			general("gs_base", "int", 64, ptrace.SlotGsBase),
		}},
	}
	if layout.Has(ptrace.ComponentAVX) {
		features = append(features, feature{"org.gnu.gdb.i386.avx", nil, avx(&layout, 16)})
	}
	if layout.Has(ptrace.ComponentOpmask, ptrace.ComponentZMMHi256, ptrace.ComponentHi16ZMM) {
		features = append(features, feature{
			"org.gnu.gdb.i386.avx512",
			append(vec128Types(), zmmHalfType),
			amd64AVX512(&layout),
		})
	}
	if layout.Has(ptrace.ComponentPKRU) {
		features = append(features, pkeys(&layout))
	}
	if shadowStack {
		features = append(features, feature{"org.gnu.gdb.i386.pl3_ssp", nil, []Register{
			{Name: "pl3_ssp", Type: "data_ptr", Bits: 64, source: source{kind: shadowStackPointer}},
		}})
	}
	return build(architecture{
		name:      "i386:x86-64",
		osabi:     "GNU/Linux",
		features:  features,
		expedited: []string{"rbp", "rsp", "rip"},
		layout:    layout,
	})
}

func amd64Core() []Register {
	registers := []Register{
		general("rax", "int64", 64, ptrace.SlotRax),
		general("rbx", "int64", 64, ptrace.SlotRbx),
		general("rcx", "int64", 64, ptrace.SlotRcx),
		general("rdx", "int64", 64, ptrace.SlotRdx),
		general("rsi", "int64", 64, ptrace.SlotRsi),
		general("rdi", "int64", 64, ptrace.SlotRdi),
		general("rbp", "data_ptr", 64, ptrace.SlotRbp),
		general("rsp", "data_ptr", 64, ptrace.SlotRsp),
		general("r8", "int64", 64, ptrace.SlotR8),
		general("r9", "int64", 64, ptrace.SlotR9),
		general("r10", "int64", 64, ptrace.SlotR10),
		general("r11", "int64", 64, ptrace.SlotR11),
		general("r12", "int64", 64, ptrace.SlotR12),
		general("r13", "int64", 64, ptrace.SlotR13),
		general("r14", "int64", 64, ptrace.SlotR14),
		general("r15", "int64", 64, ptrace.SlotR15),
		general("rip", "code_ptr", 64, ptrace.SlotRip),
	}
	return append(append(registers, flagsAndSelectors()...), x87Registers()...)
}

// amd64AVX512 has, for the registers that AVX-512 adds, the parts apart that
// the XSAVE area has together: 64 bytes for each of zmm16-31.
func amd64AVX512(layout *ptrace.XSaveLayout) []Register {
	var registers []Register
	for i := range 16 {
		registers = append(registers,
			xsave(fmt.Sprintf("xmm%d", 16+i), "vec128", 128, layout, ptrace.ComponentHi16ZMM, 64*i))
	}
	for i := range 16 {
		registers = append(registers,
			xsave(fmt.Sprintf("ymm%dh", 16+i), "uint128", 128, layout, ptrace.ComponentHi16ZMM, 64*i+16))
	}
	registers = append(registers, opmasks(layout)...)
	registers = append(registers, zmmHalves(layout, 16)...)
	for i := range 16 {
		registers = append(registers,
			xsave(fmt.Sprintf("zmm%dh", 16+i), "v2ui128", 256, layout, ptrace.ComponentHi16ZMM, 64*i+32))
	}
	return registers
}
