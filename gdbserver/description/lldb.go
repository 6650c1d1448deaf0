package description

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"rspd/ptrace"
)

// Role is what LLDB is told of a register beyond what gdb is (LLVM's
// lldb/docs/resources/lldbgdbremote.md, qRegisterInfo; the same names are
// attributes of reg elements in a target description).
type Role struct {
	// Alternate is another name of the register, or empty.
	Alternate string
	// Generic is its part in the calling convention, or empty.
	Generic string
	// DWARF is its number in debug information and in .eh_frame, which on x86
	// Linux are the same (System V ABI, AMD64 figure 3.36 and i386 table 2.14),
	// or -1.
	DWARF int
	// Encoding and Format are how a person wants to see it.
	Encoding, Format string
	// Set is the name of the group that it is shown in.
	Set string
}

// The register sets that LLDB shows.
const (
	generalSet = "General Purpose Registers"
	floatSet   = "Floating Point Registers"
	vectorSet  = "Advanced Vector Extensions"
)

type abiRole struct {
	generic string
	dwarf   int
}

var amd64Roles = map[string]abiRole{
	"rax": {"", 0}, "rdx": {"arg3", 1}, "rcx": {"arg4", 2}, "rbx": {"", 3}, "rsi": {"arg2", 4}, "rdi": {"arg1", 5},
	"rbp": {"fp", 6}, "rsp": {"sp", 7}, "r8": {"arg5", 8}, "r9": {"arg6", 9}, "r10": {"", 10}, "r11": {"", 11},
	"r12": {"", 12}, "r13": {"", 13}, "r14": {"", 14}, "r15": {"", 15}, "rip": {"pc", 16}, "eflags": {"flags", 49},
	"es": {"", 50}, "cs": {"", 51}, "ss": {"", 52}, "ds": {"", 53}, "fs": {"", 54}, "gs": {"", 55},
	"fs_base": {"", 58}, "gs_base": {"", 59}, "mxcsr": {"", 64}, "fctrl": {"", 65}, "fstat": {"", 66},
}

var i386Roles = map[string]abiRole{
	"eax": {"", 0}, "ecx": {"", 1}, "edx": {"", 2}, "ebx": {"", 3}, "esp": {"sp", 4}, "ebp": {"fp", 5}, "esi": {"", 6},
	"edi": {"", 7}, "eip": {"pc", 8}, "eflags": {"flags", 9}, "fctrl": {"", 37}, "fstat": {"", 38}, "mxcsr": {"", 39},
	"es": {"", 40}, "cs": {"", 41}, "ss": {"", 42}, "ds": {"", 43}, "fs": {"", 44}, "gs": {"", 45},
}

// Role returns what LLDB is told of a register of d.
func (d *Description) Role(r *Register) Role {
	amd64 := d.architecture.machine() == elf.EM_X86_64
	role := Role{DWARF: -1, Encoding: "uint", Format: "hex", Set: generalSet}
	var index int
	numbered := func(prefix string) bool {
		n, err := fmt.Sscanf(r.Name, prefix+"%d", &index)
		return n == 1 && err == nil && r.Name == fmt.Sprintf("%s%d", prefix, index)
	}
	switch {
	case numbered("st") && amd64:
		role.DWARF = 33 + index
	case numbered("st"):
		role.DWARF = 11 + index
	case numbered("xmm") && amd64 && index < 16:
		role.DWARF = 17 + index
	case numbered("xmm") && amd64:
		role.DWARF = 67 + index - 16
	case numbered("xmm"):
		role.DWARF = 21 + index
	case numbered("k") && amd64:
		role.DWARF = 118 + index
	default:
		roles := i386Roles
		if amd64 {
			roles = amd64Roles
		}
		if known, found := roles[r.Name]; found {
			role.DWARF, role.Generic = known.dwarf, known.generic
		}
	}
	switch role.Generic {
	case "pc", "sp", "fp", "flags":
		role.Alternate = role.Generic
	case "":
	default:
		role.Alternate = role.Generic
	}
	if r.source.kind != generalSlot && r.source.kind != shadowStackPointer {
		role.Set = floatSet
		if r.source.component >= ptrace.ComponentAVX {
			role.Set = vectorSet
		}
	}
	if r.Bits > 64 {
		role.Encoding, role.Format = "vector", "vector-uint8"
	}
	return role
}

func (a architecture) machine() elf.Machine {
	if a.name == "i386" {
		return elf.EM_386
	}
	return elf.EM_X86_64
}

// ForLLDB is the description as LLDB has it: the same table and numbers, with
// the x87 registers as wide as they are, the two pointers of the x87 state whole
// besides the parts that gdb knows, those vector registers whole that lldb does
// not join itself, and LLDB's attributes in the document.
// Expedited are all general registers, which lldb reads at every stop.
func (d *Description) ForLLDB() *Description {
	a := d.inLLDBDialect()
	joinVectors(a.features, keptForLLDB)
	lldb := build(a)
	lldb.XML = lldb.documentForLLDB()
	return lldb
}

// inLLDBDialect is what all clients of LLDB's dialect have in common.
func (d *Description) inLLDBDialect() architecture {
	a := d.architecture
	a.features = slices.Clone(a.features)
	for i := range a.features {
		registers := slices.Clone(a.features[i].registers)
		for j := range registers {
			switch r := &registers[j]; r.Name {
			case "fctrl", "fstat", "ftag", "fop":
				r.Bits = 16
			}
		}
		a.features[i].registers = registers
	}
	pointer := func(name string, offset int) Register {
		return Register{Name: name, Type: "data_ptr", Bits: 64,
			source: source{kind: xsaveBytes, component: ptrace.ComponentX87, offset: offset}}
	}
	const instructionPointer, operandPointer = 8, 16 // of the FXSAVE image
	a.features = append(a.features, feature{"org.llvm.lldb.x87", nil, []Register{
		pointer("fip", instructionPointer), pointer("fdp", operandPointer),
	}})
	a.expedited = nil
	for _, f := range a.features {
		for _, r := range f.registers {
			if r.source.kind == generalSlot {
				a.expedited = append(a.expedited, r.Name)
			}
		}
	}
	return a
}

func (d *Description) documentForLLDB() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<target version=\"1.0\">\n")
	name := "x86_64"
	if d.architecture.machine() == elf.EM_386 {
		name = "i386"
	}
	fmt.Fprintf(&b, "  <architecture>%s</architecture>\n  <feature>\n", name)
	for i := range d.Registers {
		r := &d.Registers[i]
		role := d.Role(r)
		fmt.Fprintf(&b, "    <reg name=%q bitsize=\"%d\" regnum=\"%d\" offset=\"%d\" encoding=%q format=%q group=%q",
			r.Name, r.Bits, r.Number, r.Offset, role.Encoding, role.Format, role.Set)
		if role.Alternate != "" {
			fmt.Fprintf(&b, " altname=%q", role.Alternate)
		}
		if role.DWARF >= 0 {
			fmt.Fprintf(&b, " ehframe_regnum=\"%d\" dwarf_regnum=\"%[1]d\"", role.DWARF)
		}
		if role.Generic != "" {
			fmt.Fprintf(&b, " generic=%q", role.Generic)
		}
		b.WriteString("/>\n")
	}
	b.WriteString("  </feature>\n</target>\n")
	return b.String()
}
