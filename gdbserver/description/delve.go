package description

import (
	"fmt"
	"slices"
)

// ForDelve is the description as Delve has it: ForLLDB's registers, but each
// vector register whole, as zmmN, ymmN or xmmN by what the machine has. Delve
// shows the bytes of any of them as XMMN.
func (d *Description) ForDelve() *Description {
	lldb := d.ForLLDB()
	a := lldb.architecture
	a.features = slices.Clone(a.features)
	upper := map[string]bool{}
	for i := range a.features {
		registers := slices.Clone(a.features[i].registers)
		for j := range registers {
			registers[j] = lldb.whole(registers[j], upper)
		}
		a.features[i].registers = registers
	}
	for i := range a.features {
		a.features[i].registers = slices.DeleteFunc(a.features[i].registers, func(r Register) bool { return upper[r.Name] })
	}
	delve := build(a)
	delve.XML = delve.documentForLLDB()
	return delve
}

// whole joins an xmm register with its upper parts, whose names it notes, and
// leaves any other register as it is.
func (d *Description) whole(r Register, upper map[string]bool) Register {
	var index int
	if n, _ := fmt.Sscanf(r.Name, "xmm%d", &index); n != 1 {
		return r
	}
	for _, name := range []string{"ymm", "zmm"} {
		half := d.ByName(fmt.Sprintf("%s%dh", name, index))
		if half == nil {
			break
		}
		upper[half.Name] = true
		r = Register{Name: fmt.Sprintf("%s%d", name, index), Type: r.Type, Bits: r.Bits + half.Bits,
			source: source{kind: xsaveHalves, component: half.source.component, halves: &[2]Register{r, *half}}}
	}
	return r
}
