package description

import (
	"encoding/binary"
	"strings"
	"testing"

	"rspd/ptrace"
)

// TestI386Layout holds where gdb's i386 port has always had its registers: the
// numbers of the core, by which stabs and agent expressions name them too, and
// their places in a g packet (gdb, features/i386/32bit-core.xml).
func TestI386Layout(t *testing.T) {
	d := I386(machines()[6].layout)
	names := strings.Fields("eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs " +
		"st0 st1 st2 st3 st4 st5 st6 st7 fctrl fstat ftag fiseg fioff foseg fooff fop " +
		"xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 mxcsr orig_eax " +
		"ymm0h ymm1h ymm2h ymm3h ymm4h ymm5h ymm6h ymm7h k0 k1 k2 k3 k4 k5 k6 k7 " +
		"zmm0h zmm1h zmm2h zmm3h zmm4h zmm5h zmm6h zmm7h pkru")
	if len(d.Registers) != len(names) {
		t.Fatalf("%d registers, want %d", len(d.Registers), len(names))
	}
	for i, name := range names {
		if d.Registers[i].Name != name {
			t.Errorf("register %d is %s, want %s", i, d.Registers[i].Name, name)
		}
	}
	for name, offset := range map[string]int{
		"eax": 0, "esp": 16, "eip": 32, "gs": 60, "st0": 64, "fctrl": 144, "xmm0": 176, "mxcsr": 304,
		"orig_eax": 308, "ymm0h": 312, "k0": 440, "zmm0h": 504, "pkru": 760,
	} {
		if got := d.ByName(name).Offset; got != offset {
			t.Errorf("%s is at %d, want %d", name, got, offset)
		}
	}

	s := &State{General: &ptrace.Registers{}}
	for slot := range ptrace.Slot(ptrace.Slots) {
		s.General.Set(slot, 0xdeadbeef00000000|uint64(slot))
	}
	g := d.AppendAll(nil, s)
	for i, slot := range []ptrace.Slot{
		ptrace.SlotRax, ptrace.SlotRcx, ptrace.SlotRdx, ptrace.SlotRbx, ptrace.SlotRsp, ptrace.SlotRbp, ptrace.SlotRsi,
		ptrace.SlotRdi, ptrace.SlotRip, ptrace.SlotEflags, ptrace.SlotCs, ptrace.SlotSs, ptrace.SlotDs, ptrace.SlotEs,
		ptrace.SlotFs, ptrace.SlotGs,
	} {
		if got := binary.LittleEndian.Uint32(g[4*i:]); got != uint32(slot) {
			t.Errorf("the g packet has slot %d as %s, want %d", got, names[i], slot)
		}
	}
}
