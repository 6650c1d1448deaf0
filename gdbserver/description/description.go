package description

import (
	"iter"
	"slices"

	"rspd/ptrace"
)

// Register is one line of the table: a register as the debugger sees it.
type Register struct {
	// Name, Type and Group are the attributes of the same names in the
	// target description. Group may be empty: gdb then chooses by type.
	Name, Type, Group string

	// Feature is the target description's feature that the register is in.
	Feature string

	// Number is the register's number in the p, P and stop-reply packets,
	// and its index in Description.Registers.
	Number int

	// Bits is its size in bits, always a multiple of 8.
	Bits int

	// Offset is where its bytes start in the g and G packets' data.
	Offset int

	// Within is the name of the register of which it is a part, from byte Start
	// on, or empty: a part has no bytes of its own in the g packet's data.
	Within string
	Start  int

	source source
}

// Size is the register's size in bytes.
func (r *Register) Size() int { return r.Bits / 8 }

// Set is the register set that the register's bytes are in: the one to read
// before, and to write back after, an access to it.
func (r *Register) Set() Sets { return r.source.set() }

// Sets is a set of the kernel's register sets.
type Sets uint8

// The register sets.
const (
	// General is what PTRACE_GETREGS gives: struct user_regs_struct.
	General Sets = 1 << iota

	// XState is the XSAVE area, or the FXSAVE image on a machine without
	// XSAVE (NT_X86_XSTATE, NT_PRFPREG).
	XState

	// ShadowStack is the shadow-stack pointer (NT_X86_SHSTK).
	ShadowStack
)

// State carries the register sets of one stopped thread. A caller fills in
// those it needs, which Register.Set tells; a set left out is unavailable and
// its registers have no value.
type State struct {
	// General is nil if unavailable.
	General *ptrace.Registers

	// XState is the area in the layout that the description was made for,
	// or nil if unavailable. One shorter than the layout's size counts as
	// unavailable.
	XState []byte

	// ShadowStackPointer is valid if ShadowStackActive: a thread that has not
	// enabled its shadow stack has no such register.
	ShadowStackPointer uint64
	ShadowStackActive  bool
}

// Description is the table of an architecture's registers and what is
// computed from it.
type Description struct {
	// Registers has each register at the index that is its number.
	Registers []Register

	// XML is target.xml.
	XML string

	// Size is the size in bytes of the g and G packets' data, before hex.
	Size int

	// Expedited are the numbers of the registers that a stop reply carries,
	// in that order.
	Expedited []int

	names        map[string]int
	architecture architecture
	layout       ptrace.XSaveLayout
}

// architecture is all that a builder has to say.
type architecture struct {
	name, osabi string
	features    []feature
	expedited   []string
	layout      ptrace.XSaveLayout
}

// feature is a part of a target description that gdb knows by name.
type feature struct {
	name      string
	types     []typeDefinition
	registers []Register
}

func build(a architecture) *Description {
	d := &Description{names: map[string]int{}, architecture: a, layout: a.layout}
	for _, f := range a.features {
		for _, r := range f.registers {
			r.Feature = f.name
			r.Number = len(d.Registers)
			if r.Within == "" {
				r.Offset = d.Size
				d.Size += r.Size()
			}
			d.names[r.Name] = r.Number
			d.Registers = append(d.Registers, r)
		}
	}
	for i := range d.Registers {
		if r := &d.Registers[i]; r.Within != "" {
			r.Offset = d.ByName(r.Within).Offset + r.Start
		}
	}
	for _, name := range a.expedited {
		d.Expedited = append(d.Expedited, d.names[name])
	}
	d.XML = document(a, d.Registers)
	return d
}

// plainFeatures have the registers that gdb expects of Linux programs on x86
// before it has read a target description (gdb, amd64-linux-tdep.c and
// i386-linux-tdep.c, the descriptions that their init functions fall back on).
var plainFeatures = []string{
	"org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse", "org.gnu.gdb.i386.linux", "org.gnu.gdb.i386.segments",
}

// Plain is what a debugger is told that cannot read the registers from a target
// description: those that it knows by heart, under the numbers that they have in
// d too, and a document of the architecture alone.
func (d *Description) Plain() *Description {
	a := d.architecture
	a.features = nil
	xml := document(a, nil)
	for _, f := range d.architecture.features {
		if slices.Contains(plainFeatures, f.name) {
			a.features = append(a.features, f)
		}
	}
	plain := build(a)
	plain.XML = xml
	return plain
}

// ByNumber returns the register of that number, or nil.
func (d *Description) ByNumber(number int) *Register {
	if number < 0 || number >= len(d.Registers) {
		return nil
	}
	return &d.Registers[number]
}

// ByName returns the register of that name, or nil.
func (d *Description) ByName(name string) *Register {
	number, ok := d.names[name]
	if !ok {
		return nil
	}
	return &d.Registers[number]
}

// Available returns the register sets that the state has.
func (d *Description) Available(s *State) Sets {
	var sets Sets
	if s.General != nil {
		sets |= General
	}
	if len(s.XState) >= d.layout.Size {
		sets |= XState
	}
	if s.ShadowStackActive {
		sets |= ShadowStack
	}
	return sets
}

// Unavailable yields the runs of bytes in the g packet's data, as offset and
// size, that have no value in the state. The wire shows each as "xx".
func (d *Description) Unavailable(s *State) iter.Seq2[int, int] {
	return func(yield func(offset, size int) bool) {
		available := d.Available(s)
		offset, size := 0, 0
		for i := range d.Registers {
			r := &d.Registers[i]
			if available&r.Set() != 0 || r.Within != "" {
				continue
			}
			if offset+size != r.Offset {
				if size > 0 && !yield(offset, size) {
					return
				}
				offset, size = r.Offset, 0
			}
			size += r.Size()
		}
		if size > 0 {
			yield(offset, size)
		}
	}
}
