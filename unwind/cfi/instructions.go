package cfi

import (
	"errors"
	"fmt"
)

// The call frame instructions (DWARF 5, section 7.24; the GNU ones: Linux
// Standard Base, "DWARF Extensions").
const (
	opAdvance           = 0x40
	opOffset            = 0x80
	opRestore           = 0xc0
	opNop               = 0x00
	opSetLoc            = 0x01
	opAdvance1          = 0x02
	opAdvance2          = 0x03
	opAdvance4          = 0x04
	opOffsetExtended    = 0x05
	opRestoreExtended   = 0x06
	opUndefined         = 0x07
	opSameValue         = 0x08
	opRegister          = 0x09
	opRememberState     = 0x0a
	opRestoreState      = 0x0b
	opDefCFA            = 0x0c
	opDefCFARegister    = 0x0d
	opDefCFAOffset      = 0x0e
	opDefCFAExpression  = 0x0f
	opExpression        = 0x10
	opOffsetExtendedSF  = 0x11
	opDefCFASF          = 0x12
	opDefCFAOffsetSF    = 0x13
	opValOffset         = 0x14
	opValOffsetSF       = 0x15
	opValExpression     = 0x16
	opGNUWindowSave     = 0x2d
	opGNUArgsSize       = 0x2e
	opGNUNegativeOffset = 0x2f
)

// A machine executes call frame instructions up to an address.
type machine struct {
	table   *Table
	common  *common
	row     Row
	initial Row
	stack   []Row
}

// run executes until an instruction moves beyond the address, and gives where
// the row ends.
func (m *machine) run(r reader, location, address uint64) (end uint64, err error) {
	for n := 0; len(r.data) > 0; n++ {
		if n == maxInstructions {
			return 0, errors.New("the call frame instructions of one entry are too many")
		}
		op := r.uint(1)
		operand := op & 0x3f
		next := location
		switch op & 0xc0 {
		case opAdvance:
			next += operand * m.common.codeFactor
		case opOffset:
			m.set(operand, Rule{Kind: SavedAt, Offset: m.scaled(r.uleb())})
		case opRestore:
			m.restore(operand)
		default:
			if next, err = m.extended(op, &r, location); err != nil {
				return 0, err
			}
		}
		if r.err != nil {
			return 0, r.err
		}
		if next > address {
			return next, nil
		}
		if next != location {
			m.row.Start = next
		}
		location = next
	}
	return ^uint64(0), nil
}

func (m *machine) extended(op uint64, r *reader, location uint64) (uint64, error) {
	switch op {
	case opNop:
	case opSetLoc:
		return r.pointer(m.common.encoding, m.table.section), nil
	case opAdvance1:
		return location + r.uint(1)*m.common.codeFactor, nil
	case opAdvance2:
		return location + r.uint(2)*m.common.codeFactor, nil
	case opAdvance4:
		return location + r.uint(4)*m.common.codeFactor, nil
	case opOffsetExtended:
		register := r.uleb()
		m.set(register, Rule{Kind: SavedAt, Offset: m.scaled(r.uleb())})
	case opOffsetExtendedSF:
		register := r.uleb()
		m.set(register, Rule{Kind: SavedAt, Offset: r.sleb() * m.common.dataFactor})
	case opGNUNegativeOffset:
		register := r.uleb()
		m.set(register, Rule{Kind: SavedAt, Offset: -m.scaled(r.uleb())})
	case opRestoreExtended:
		m.restore(r.uleb())
	case opUndefined:
		m.set(r.uleb(), Rule{Kind: Undefined})
	case opSameValue:
		m.set(r.uleb(), Rule{Kind: SameValue})
	case opRegister:
		register := r.uleb()
		other := r.uleb()
		if other >= Registers {
			m.set(register, Rule{Kind: Undefined})
		} else {
			m.set(register, Rule{Kind: InRegister, Register: Register(other)})
		}
	case opRememberState:
		if len(m.stack) == maxDepth {
			return 0, errors.New("call frame instructions remember too many states")
		}
		m.stack = append(m.stack, m.row)
	case opRestoreState:
		if len(m.stack) == 0 {
			return 0, errors.New("call frame instructions restore a state that none remembered")
		}
		start := m.row.Start
		m.row = m.stack[len(m.stack)-1]
		m.row.Start = start
		m.stack = m.stack[:len(m.stack)-1]
	case opDefCFA:
		register := r.uleb()
		return location, m.setCFA(register, int64(r.uleb()))
	case opDefCFASF:
		register := r.uleb()
		return location, m.setCFA(register, r.sleb()*m.common.dataFactor)
	case opDefCFARegister:
		return location, m.setCFA(r.uleb(), m.row.CFA.Offset)
	case opDefCFAOffset:
		return location, m.setCFA(uint64(m.row.CFA.Register), int64(r.uleb()))
	case opDefCFAOffsetSF:
		return location, m.setCFA(uint64(m.row.CFA.Register), r.sleb()*m.common.dataFactor)
	case opDefCFAExpression:
		m.row.CFA = Rule{Kind: ByExpression, Expression: r.block()}
	case opExpression:
		register := r.uleb()
		m.set(register, Rule{Kind: SavedAtExpression, Expression: r.block()})
	case opValExpression:
		register := r.uleb()
		m.set(register, Rule{Kind: ByExpression, Expression: r.block()})
	case opValOffset:
		register := r.uleb()
		m.set(register, Rule{Kind: CFAPlus, Offset: m.scaled(r.uleb())})
	case opValOffsetSF:
		register := r.uleb()
		m.set(register, Rule{Kind: CFAPlus, Offset: r.sleb() * m.common.dataFactor})
	case opGNUArgsSize:
		r.uleb()
	case opGNUWindowSave:
	default:
		return 0, fmt.Errorf("the call frame instruction %#x is unknown", op)
	}
	return location, nil
}

func (m *machine) scaled(v uint64) int64 { return int64(v) * m.common.dataFactor }

func (m *machine) set(register uint64, rule Rule) {
	if register == m.common.returnColumn {
		register = uint64(RIP)
	}
	if register < Registers {
		m.row.Rules[register] = rule
	}
}

func (m *machine) restore(register uint64) {
	if register < Registers {
		m.row.Rules[register] = m.initial.Rules[register]
	}
}

func (m *machine) setCFA(register uint64, offset int64) error {
	if register >= Registers {
		return fmt.Errorf("the CFA is relative to register %d, which is none of the processor's", register)
	}
	m.row.CFA = Rule{Kind: InRegister, Register: Register(register), Offset: offset}
	return nil
}
