package cfi

import (
	"fmt"
	"strings"
)

// A RuleKind is a way to find a caller's register (DWARF 5, section 6.4.1).
type RuleKind uint8

// The kinds of rules.
const (
	// Unspecified means that the table says nothing; the ABI then has
	// callee-saved registers unchanged and the others lost.
	Unspecified RuleKind = iota
	// Undefined means that the value is lost.
	Undefined
	// SameValue means that the register still has it.
	SameValue
	// SavedAt means that it is in memory at the CFA plus Offset.
	SavedAt
	// CFAPlus means that it is the CFA plus Offset.
	CFAPlus
	// InRegister means that it is Register plus Offset; DWARF has an offset
	// only for the CFA itself.
	InRegister
	// SavedAtExpression means that it is in memory where Expression says.
	SavedAtExpression
	// ByExpression means that Expression computes it.
	ByExpression
)

// A Rule says where a caller's register, or the CFA, is. Rules can be compared
// with ==.
type Rule struct {
	Kind       RuleKind
	Register   Register
	Offset     int64  // bytes
	Expression string // a DWARF expression
}

// A Row says where the caller's registers are while the program is at one of
// the instructions from Start up to, but not including, End. Rows can be
// compared with ==.
type Row struct {
	Start, End uint64
	// CFA is the canonical frame address: the stack pointer in the caller
	// once the call has returned. Its kind is InRegister or ByExpression.
	CFA Rule
	// Rules are indexed by Register. RIP's is that of the return address.
	Rules [Registers]Rule
	// Signal marks the frame of a signal handler's trampoline: its return
	// address is an instruction that was interrupted, not one after a call.
	Signal bool
}

// Same reports whether two rows have the same rules, wherever they apply.
func (r Row) Same(o Row) bool {
	return r.CFA == o.CFA && r.Rules == o.Rules && r.Signal == o.Signal
}

// String returns the rules in short, as in "CFA=rsp+16 rbx=[CFA-24] rip=[CFA-8]".
func (r Row) String() string {
	var b strings.Builder
	b.WriteString("CFA=" + r.CFA.text())
	for i, rule := range r.Rules {
		if rule.Kind != Unspecified {
			fmt.Fprintf(&b, " %v=%s", Register(i), rule.text())
		}
	}
	return b.String()
}

func (r Rule) text() string {
	switch r.Kind {
	case Undefined:
		return "undefined"
	case SameValue:
		return "same"
	case SavedAt:
		return fmt.Sprintf("[CFA%+d]", r.Offset)
	case CFAPlus:
		return fmt.Sprintf("CFA%+d", r.Offset)
	case InRegister:
		return fmt.Sprintf("%v%+d", r.Register, r.Offset)
	case SavedAtExpression:
		return fmt.Sprintf("[{% x}]", r.Expression)
	case ByExpression:
		return fmt.Sprintf("{% x}", r.Expression)
	}
	return "?"
}
