package cfi

import "encoding/binary"

// DataFactor is the data alignment factor that Program writes for: offsets are
// stored as multiples of it. The code alignment factor is 1.
const DataFactor = -8

// AppendULEB128 appends a number in the DWARF's unsigned variable-length form.
func AppendULEB128(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendSLEB128 appends a number in the DWARF's signed variable-length form.
func AppendSLEB128(b []byte, v int64) []byte {
	for v >= 0x40 || v < -0x40 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// Program gives the call frame instructions of rows, which are in the order of
// their addresses and leave no gaps, for an entry that begins where the first
// row does. They don't depend on what the common information says first.
func Program(rows []Row) []byte {
	var b []byte
	for i, row := range rows {
		if i > 0 {
			if row.Same(rows[i-1]) {
				continue
			}
			b = append(b, opAdvance4)
			b = binary.LittleEndian.AppendUint32(b, uint32(row.Start-at(rows, i)))
		}
		b = appendCFA(b, row.CFA)
		for register, rule := range row.Rules {
			if i > 0 && rule == rows[i-1].Rules[register] {
				continue
			}
			b = appendRule(b, Register(register), rule, i > 0)
		}
	}
	return b
}

// at gives the location that the instructions before row i have reached.
func at(rows []Row, i int) uint64 {
	for i--; i > 0 && rows[i].Same(rows[i-1]); {
		i--
	}
	return rows[i].Start
}

func appendCFA(b []byte, rule Rule) []byte {
	switch {
	case rule.Kind == InRegister && rule.Offset >= 0:
		b = AppendULEB128(append(b, opDefCFA), uint64(rule.Register))
		return AppendULEB128(b, uint64(rule.Offset))
	case rule.Kind == InRegister:
		// An expression, because a negative offset would have to be a
		// multiple of the factor.
		return appendBlock(append(b, opDefCFAExpression), RegisterPlus(rule.Register, rule.Offset))
	}
	return appendBlock(append(b, opDefCFAExpression), rule.Expression)
}

func appendRule(b []byte, register Register, rule Rule, changed bool) []byte {
	operation := func(op byte) []byte { return AppendULEB128(append(b, op), uint64(register)) }
	switch rule.Kind {
	case Unspecified:
		if changed {
			return operation(opRestoreExtended)
		}
		return b
	case Undefined:
		return operation(opUndefined)
	case SameValue:
		return operation(opSameValue)
	case SavedAt:
		if rule.Offset%DataFactor != 0 {
			return appendBlock(operation(opExpression), OfCFA(rule.Offset))
		}
		return AppendSLEB128(operation(opOffsetExtendedSF), rule.Offset/DataFactor)
	case CFAPlus:
		if rule.Offset%DataFactor != 0 {
			return appendBlock(operation(opValExpression), OfCFA(rule.Offset))
		}
		return AppendSLEB128(operation(opValOffsetSF), rule.Offset/DataFactor)
	case InRegister:
		if rule.Offset != 0 {
			return appendBlock(operation(opValExpression), RegisterPlus(rule.Register, rule.Offset))
		}
		return AppendULEB128(operation(opRegister), uint64(rule.Register))
	case SavedAtExpression:
		return appendBlock(operation(opExpression), rule.Expression)
	}
	return appendBlock(operation(opValExpression), rule.Expression)
}

func appendBlock(b []byte, expression string) []byte {
	b = AppendULEB128(b, uint64(len(expression)))
	return append(b, expression...)
}
