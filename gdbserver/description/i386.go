package description

import "rspd/ptrace"

// I386 describes the registers of a 32-bit program that runs on a 64-bit
// kernel, on a machine whose XSAVE area has the given layout. The order of
// features and registers is GNU gdbserver's, and so are the numbers.
//
// A general register is the low half of the 64-bit register's slot. The
// features are those of [AMD64] but for .segments: gdb has no such feature for
// i386, where a segment's base comes with its selector. Of the vector registers
// there are the eight that 32-bit code can name. There is no shadow-stack
// pointer, for Linux gives 32-bit programs no shadow stack
// (Documentation/arch/x86/shstk.rst).
func I386(layout ptrace.XSaveLayout) *Description {
	features := []feature{
		{"org.gnu.gdb.i386.core", []typeDefinition{eflagsType}, i386Core()},
		{"org.gnu.gdb.i386.sse", append(vec128Types(), mxcsrType), sse(8)},
		{"org.gnu.gdb.i386.linux", nil, []Register{
			signed(general("orig_eax", "int", 32, ptrace.SlotOrigRax)),
		}},
	}
	if layout.Has(ptrace.ComponentAVX) {
		features = append(features, feature{"org.gnu.gdb.i386.avx", nil, avx(&layout, 8)})
	}
	if layout.Has(ptrace.ComponentOpmask, ptrace.ComponentZMMHi256, ptrace.ComponentHi16ZMM) {
		features = append(features, feature{
			"org.gnu.gdb.i386.avx512",
			[]typeDefinition{zmmHalfType},
			append(opmasks(&layout), zmmHalves(&layout, 8)...),
		})
	}
	if layout.Has(ptrace.ComponentPKRU) {
		features = append(features, pkeys(&layout))
	}
	return build(architecture{
		name:      "i386",
		osabi:     "GNU/Linux",
		features:  features,
		expedited: []string{"ebp", "esp", "eip"},
		layout:    layout,
	})
}

// signed is a general register whose value the kernel compares as a signed
// 64-bit number: eax when it decides whether a system call that was
// interrupted is to be made again (arch/x86/kernel/signal.c,
// arch_do_signal_or_restart), which a debugger that puts registers back must
// not keep from happening, and orig_eax, where -1 says that there is none.
func signed(r Register) Register {
	r.source.signed = true
	return r
}

func i386Core() []Register {
	registers := []Register{
		signed(general("eax", "int32", 32, ptrace.SlotRax)),
		general("ecx", "int32", 32, ptrace.SlotRcx),
		general("edx", "int32", 32, ptrace.SlotRdx),
		general("ebx", "int32", 32, ptrace.SlotRbx),
		general("esp", "data_ptr", 32, ptrace.SlotRsp),
		general("ebp", "data_ptr", 32, ptrace.SlotRbp),
		general("esi", "int32", 32, ptrace.SlotRsi),
		general("edi", "int32", 32, ptrace.SlotRdi),
		general("eip", "code_ptr", 32, ptrace.SlotRip),
	}
	return append(append(registers, flagsAndSelectors()...), x87Registers()...)
}
