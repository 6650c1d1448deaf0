package ptrace

import (
	"testing"
	"unsafe"
)

func TestRegistersHaveTheKernelsLayout(t *testing.T) {
	// Offsets of struct user_regs_struct, as offsetof gives them.
	var r Registers
	for _, c := range []struct {
		name         string
		slot         Slot
		offset, want uintptr
	}{
		{"r15", SlotR15, unsafe.Offsetof(r.R15), 0},
		{"r14", SlotR14, unsafe.Offsetof(r.R14), 8},
		{"r13", SlotR13, unsafe.Offsetof(r.R13), 16},
		{"r12", SlotR12, unsafe.Offsetof(r.R12), 24},
		{"rbp", SlotRbp, unsafe.Offsetof(r.Rbp), 32},
		{"rbx", SlotRbx, unsafe.Offsetof(r.Rbx), 40},
		{"r11", SlotR11, unsafe.Offsetof(r.R11), 48},
		{"r10", SlotR10, unsafe.Offsetof(r.R10), 56},
		{"r9", SlotR9, unsafe.Offsetof(r.R9), 64},
		{"r8", SlotR8, unsafe.Offsetof(r.R8), 72},
		{"rax", SlotRax, unsafe.Offsetof(r.Rax), 80},
		{"rcx", SlotRcx, unsafe.Offsetof(r.Rcx), 88},
		{"rdx", SlotRdx, unsafe.Offsetof(r.Rdx), 96},
		{"rsi", SlotRsi, unsafe.Offsetof(r.Rsi), 104},
		{"rdi", SlotRdi, unsafe.Offsetof(r.Rdi), 112},
		{"orig_rax", SlotOrigRax, unsafe.Offsetof(r.OrigRax), 120},
		{"rip", SlotRip, unsafe.Offsetof(r.Rip), 128},
		{"cs", SlotCs, unsafe.Offsetof(r.Cs), 136},
		{"eflags", SlotEflags, unsafe.Offsetof(r.Eflags), 144},
		{"rsp", SlotRsp, unsafe.Offsetof(r.Rsp), 152},
		{"ss", SlotSs, unsafe.Offsetof(r.Ss), 160},
		{"fs_base", SlotFsBase, unsafe.Offsetof(r.FsBase), 168},
		{"gs_base", SlotGsBase, unsafe.Offsetof(r.GsBase), 176},
		{"ds", SlotDs, unsafe.Offsetof(r.Ds), 184},
		{"es", SlotEs, unsafe.Offsetof(r.Es), 192},
		{"fs", SlotFs, unsafe.Offsetof(r.Fs), 200},
		{"gs", SlotGs, unsafe.Offsetof(r.Gs), 208},
	} {
		if c.offset != c.want || c.slot.Offset() != int(c.want) {
			t.Errorf("%s: field at %d, slot at %d, want %d", c.name, c.offset, c.slot.Offset(), c.want)
		}
		r.Set(c.slot, uint64(c.want)+1)
	}
	if size := unsafe.Sizeof(r); size != 216 {
		t.Errorf("size %d, want 216", size)
	}
	for s := range Slot(Slots) {
		if r.Get(s) != uint64(s.Offset())+1 {
			t.Errorf("slot %d has %d", s, r.Get(s))
		}
	}
	if r.PC() != 129 || r.SP() != 153 {
		t.Errorf("pc %d, sp %d", r.PC(), r.SP())
	}
	if r.SetPC(7); r.Rip != 7 {
		t.Errorf("rip %d", r.Rip)
	}
}
