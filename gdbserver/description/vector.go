package description

import "fmt"

// joinVectors makes whole registers of the upper halves that gdb has of vector
// registers: ymmN in the place of ymmNh and zmmN in that of zmmNh, but for the
// halves that are to be kept. The other registers of the same number become parts
// of the widest.
func joinVectors(features []feature, keep func(half string) bool) {
	widest, present := map[int]Register{}, map[string]bool{}
	starts := map[string]int{}
	for _, f := range features {
		for i := range f.registers {
			r := &f.registers[i]
			number, half := vectorNumber(r.Name)
			if number < 0 {
				continue
			}
			whole := *r
			if half {
				lower := widest[number]
				whole = Register{Name: r.Name[:len(r.Name)-1], Type: r.Type, Bits: lower.Bits + r.Bits,
					source: source{kind: xsaveHalves, component: r.source.component, halves: &[2]Register{lower, *r}}}
				if keep(r.Name) {
					starts[r.Name] = lower.Size()
				} else {
					*r = whole
				}
			}
			widest[number], present[r.Name] = whole, true
		}
	}
	for _, f := range features {
		for i := range f.registers {
			r := &f.registers[i]
			number, _ := vectorNumber(r.Name)
			if whole := widest[number]; number >= 0 && whole.Name != r.Name && present[whole.Name] {
				r.Within, r.Start = whole.Name, starts[r.Name]
			}
		}
	}
}

// vectorNumber is the N of xmmN, ymmN, zmmN, ymmNh and zmmNh, and whether it is of
// the latter two; -1 for another name.
func vectorNumber(name string) (number int, half bool) {
	for _, form := range []string{"xmm%d", "ymm%dh", "zmm%dh", "ymm%d", "zmm%d"} {
		if n, _ := fmt.Sscanf(name, form, &number); n == 1 && fmt.Sprintf(form, number) == name {
			return number, form[len(form)-1] == 'h'
		}
	}
	return -1, false
}

// keptForLLDB are the halves of ymm0 to ymm15: lldb joins them itself, and with
// them it finds the parts of general registers, eax and others, which it takes for
// there if a register is that it would make itself (LLVM,
// ABIX86::AugmentRegisterInfo).
func keptForLLDB(half string) bool {
	number, _ := vectorNumber(half)
	return half[0] == 'y' && number < 16
}

func noneKept(string) bool { return false }
