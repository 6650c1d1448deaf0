package unwind

import (
	"strconv"

	"rspd/unwind/cfi"
)

// A Kind is the way in which a site leads to its stub.
type Kind string

// The kinds of patches.
const (
	Jump     Kind = "jump"     // E9: a jump to a near address
	Indirect Kind = "indirect" // FF 25: a jump through a pointer in memory
	Call     Kind = "call"     // a call, which leaves the address after it on the stack
	Hop      Kind = "hop"      // a short jump to a longer one nearby
	Absolute Kind = "absolute" // several instructions that load an address and go there
	Hinted   Kind = "hinted"   // not in the program's text; a hint tells of it
)

// A Patch is a place in a program's text that leads into anonymous executable
// memory.
type Patch struct {
	Site   uint64 // address of the first instruction that was replaced
	Length int    // bytes of original instructions that were replaced, whole ones
	Target uint64 // address of the first instruction in the anonymous memory
	Kind   Kind
	// Original are the Length bytes that were replaced. They are empty if
	// what is there isn't known.
	Original []byte
	// Hops are the addresses of jumps in the program's text, away from the
	// site, that lead from it to the stub.
	Hops []uint64
	// Moved says that the site leads to a file's code, which goes to the Target,
	// where the displaced instructions are, by itself.
	Moved bool
	// Path is the file of the mapping in which the site is.
	Path string
	// Function is the symbol of the patched function, and Offset where the
	// site is in it. Without a symbol Function is empty and Offset is the
	// site's address in the file.
	Function string
	Offset   uint64
}

// Name says where the site is, as in "write+0x14".
func (p Patch) Name() string {
	switch {
	case p.Function == "":
		return hex(p.Offset)
	case p.Offset == 0:
		return p.Function
	}
	return p.Function + "+" + hex(p.Offset)
}

// A Confidence says how sure a row is.
type Confidence uint8

// The confidences.
const (
	// Unknown means that there is no row.
	Unknown Confidence = iota
	// Assumed means that the row is right if its assumptions hold.
	Assumed
	// Certain means that the row follows from the instructions alone, or
	// from a stub whose maker is known to keep the assumptions.
	Certain
)

// String returns "unknown", "assumed" or "certain".
func (c Confidence) String() string {
	return [...]string{"unknown", "assumed", "certain"}[min(c, Certain)]
}

// An Assumption is something that a row takes for granted. They are bits.
type Assumption uint8

// The assumptions.
const (
	// HooksKeepABI: functions that a stub calls return, preserve rbx, rbp,
	// rsp and r12 to r15, and leave their caller's frame alone (System V
	// ABI, AMD64 supplement, section 3.2.1).
	HooksKeepABI Assumption = 1 << iota
	// NoAliasing: stores through pointers of unknown value don't hit what
	// was saved.
	NoAliasing
	// PrivateMemory: memory at fixed addresses, where something was saved,
	// belongs to this thread alone.
	PrivateMemory
	// OtherStack: a stack pointer that was loaded from memory belongs to
	// another stack than the site's.
	OtherStack
	// EnteredAsOriginal: displaced instructions that nothing in the stub
	// leads to are entered with the registers of the site.
	EnteredAsOriginal
	// PatcherIsRight: the row is what the patcher said.
	PatcherIsRight
)

var assumptionTexts = [...]string{
	"hooks keep the ABI",
	"stores through unknown pointers don't hit saved registers",
	"memory at fixed addresses is the thread's own",
	"a stack pointer from memory belongs to another stack",
	"the hook enters displaced instructions with the site's registers",
	"the patcher described the stub rightly",
}

// List gives the assumptions in words.
func (a Assumption) List() []string {
	var list []string
	for i, text := range assumptionTexts {
		if a&(1<<i) != 0 {
			list = append(list, text)
		}
	}
	return list
}

// An Instruction is one instruction of a stub.
type Instruction struct {
	Address uint64
	Length  int
	Row     cfi.Row // with the instruction's addresses; not set if unknown
	// Confidence tells whether there is a row and how sure it is, and
	// Assumptions what it takes for granted.
	Confidence  Confidence
	Assumptions Assumption
	// Original is the address in the program's text that corresponds to
	// the instruction: the displaced one that it is a copy of, the site for
	// what comes before those, and where the function goes on for what comes
	// after. It is 0 if stubs of several sites are entered as functions.
	Original uint64
	// Shared says that stubs of other patches have the instruction, too.
	Shared bool
}

// A Region is one stub, or a part of one, with what was found out about it.
type Region struct {
	Patch
	// Return is the address at which the patched function goes on; 0 if the
	// stub doesn't come back.
	Return uint64
	// StandsIn means that the stub's rows are the function's own, so that
	// the stub replaces it in a backtrace. Otherwise the function is the
	// caller of the stub.
	StandsIn bool
	// SwitchesStack means that rows find the site's stack from another one,
	// which may be at a higher address.
	SwitchesStack bool
	// Shape is the known patcher whose stub this is; empty if none.
	Shape Shape
	// Instructions are in the order of their addresses and don't overlap.
	Instructions []Instruction
	// HopInstructions describe those hops of the patch that the program's own call
	// frame information leaves out.
	HopInstructions []Instruction
	Warnings        []Warning
}

// Known counts the instructions that have rows.
func (r *Region) Known() int {
	n := 0
	for i := range r.Instructions {
		if r.Instructions[i].Confidence != Unknown {
			n++
		}
	}
	return n
}

// At gives the instruction that contains an address, or nil.
func (r *Region) At(address uint64) *Instruction {
	for i := range r.Instructions {
		if in := &r.Instructions[i]; in.Address <= address && address-in.Address < uint64(in.Length) {
			return in
		}
	}
	return nil
}

// maxGap is the number of bytes between instructions that still belong to one
// extent: alignment and the pointers of indirect jumps.
const maxGap = 32

// A Stretch is a range of addresses that instructions of a region take up.
type Stretch struct {
	Extent
	Shared bool // with stubs of other patches
}

// Stretches gives the ranges of addresses that the instructions take up. Small
// gaps, of data, are within.
func (r *Region) Stretches() []Stretch {
	var list []Stretch
	for i := range r.Instructions {
		in := &r.Instructions[i]
		end := in.Address + uint64(in.Length)
		if n := len(list); n > 0 && in.Address-list[n-1].End <= maxGap && in.Shared == list[n-1].Shared {
			list[n-1].End = end
		} else {
			list = append(list, Stretch{Extent{in.Address, end}, in.Shared})
		}
	}
	return list
}

// Extents gives the ranges of the stretches.
func (r *Region) Extents() []Extent {
	var list []Extent
	for _, s := range r.Stretches() {
		list = append(list, s.Extent)
	}
	return list
}

func (r *Region) warn(address uint64, text string) {
	const most = 8
	if len(r.Warnings) < most {
		r.Warnings = append(r.Warnings, Warning{address, text})
	}
}

func hex(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }
