package cfi

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The operations of DWARF expressions (DWARF 5, section 7.7.1).
const (
	opAddr       = 0x03
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst1s    = 0x09
	opConst2u    = 0x0a
	opConst2s    = 0x0b
	opConst4u    = 0x0c
	opConst4s    = 0x0d
	opConst8u    = 0x0e
	opConst8s    = 0x0f
	opConstU     = 0x10
	opConstS     = 0x11
	opDup        = 0x12
	opDrop       = 0x13
	opOver       = 0x14
	opPick       = 0x15
	opSwap       = 0x16
	opRot        = 0x17
	opAbs        = 0x19
	opAnd        = 0x1a
	opMinus      = 0x1c
	opMul        = 0x1e
	opNeg        = 0x1f
	opNot        = 0x20
	opOr         = 0x21
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opShra       = 0x26
	opXor        = 0x27
	opBra        = 0x28
	opEq         = 0x29
	opGe         = 0x2a
	opGt         = 0x2b
	opLe         = 0x2c
	opLt         = 0x2d
	opNe         = 0x2e
	opSkip       = 0x2f
	opLit0       = 0x30
	opBreg0      = 0x70
	opExprNop    = 0x96
)

// RegisterPlus is the expression of a register's value plus an offset.
func RegisterPlus(register Register, offset int64) string {
	return string(AppendSLEB128([]byte{opBreg0 + byte(register)}, offset))
}

// Constant is the expression of a number, which nothing relocates.
func Constant(v uint64) string {
	return string(binary.LittleEndian.AppendUint64([]byte{opConst8u}, v))
}

// Load is the expression of the 8 bytes in memory where address says, plus an
// offset.
func Load(address string, offset int64) string {
	return Plus(address+string([]byte{opDeref}), offset)
}

// OfCFA is the expression of the CFA plus an offset, for a rule of a register:
// evaluating one begins with the CFA.
func OfCFA(offset int64) string { return Plus("", offset) }

// Plus is an expression plus an offset.
func Plus(expression string, offset int64) string {
	if offset == 0 && expression != "" {
		return expression
	}
	b := AppendSLEB128([]byte{opConstS}, offset)
	return expression + string(append(b, opPlus))
}

// AsRegisterPlus gives the register and the offset if that is all that an
// expression computes.
func AsRegisterPlus(expression string) (register Register, offset int64, ok bool) {
	if len(expression) < 2 || expression[0] < opBreg0 || expression[0] >= opBreg0+Registers {
		return 0, 0, false
	}
	r := reader{data: []byte(expression[1:])}
	offset = r.sleb()
	return Register(expression[0] - opBreg0), offset, r.err == nil && len(r.data) == 0
}

const (
	maxOperations = 1000
	maxOperands   = 64
)

var errOperands = errors.New("a DWARF expression lacks operands")

// evaluate computes an expression with an initial operand, if any.
func evaluate(expression string, initial []uint64, f *Frame) (uint64, error) {
	data := []byte(expression)
	stack := append(make([]uint64, 0, 8), initial...)
	r := reader{data: data}
	pop := func() uint64 {
		if len(stack) == 0 {
			r.err = errOperands
			return 0
		}
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v
	}
	truth := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	for n := 0; len(r.data) > 0; n++ {
		if n == maxOperations || len(stack) > maxOperands {
			return 0, errors.New("a DWARF expression takes too many operations")
		}
		op := byte(r.uint(1))
		var v uint64
		switch {
		case op >= opLit0 && op < opLit0+32:
			v = uint64(op - opLit0)
		case op >= opBreg0 && op < opBreg0+32:
			offset := r.sleb()
			value, err := f.register(uint64(op - opBreg0))
			if err != nil {
				return 0, err
			}
			v = value + uint64(offset)
		default:
			switch op {
			case opAddr, opConst8u, opConst8s:
				v = r.uint(8)
			case opConst1u:
				v = r.uint(1)
			case opConst1s:
				v = uint64(r.int(1))
			case opConst2u:
				v = r.uint(2)
			case opConst2s:
				v = uint64(r.int(2))
			case opConst4u:
				v = r.uint(4)
			case opConst4s:
				v = uint64(r.int(4))
			case opConstU:
				v = r.uleb()
			case opConstS:
				v = uint64(r.sleb())
			case opDeref:
				address := pop()
				if r.err != nil {
					return 0, r.err
				}
				value, err := f.load(address)
				if err != nil {
					return 0, err
				}
				v = value
			case opDup, opOver, opPick:
				depth := uint64(0)
				if op == opOver {
					depth = 1
				} else if op == opPick {
					depth = r.uint(1)
				}
				if depth >= uint64(len(stack)) {
					return 0, errOperands
				}
				v = stack[uint64(len(stack))-1-depth]
			case opDrop:
				pop()
				continue
			case opSwap:
				a, b := pop(), pop()
				stack = append(stack, a)
				v = b
			case opRot:
				a, b, c := pop(), pop(), pop()
				stack = append(stack, a, c)
				v = b
			case opAbs:
				v = pop()
				if int64(v) < 0 {
					v = -v
				}
			case opNeg:
				v = -pop()
			case opNot:
				v = ^pop()
			case opPlusUconst:
				v = pop() + r.uleb()
			case opSkip, opBra:
				distance := r.int(2)
				if r.err != nil {
					return 0, r.err
				}
				if op == opBra && pop() == 0 {
					continue
				}
				target := int64(r.at) + distance
				if target < 0 || target > int64(len(data)) {
					return 0, errors.New("a DWARF expression branches out of itself")
				}
				r.data, r.at = data[target:], uint64(target)
				continue
			case opExprNop:
				continue
			default:
				b, a := pop(), pop()
				switch op {
				case opAnd:
					v = a & b
				case opMinus:
					v = a - b
				case opMul:
					v = a * b
				case opOr:
					v = a | b
				case opPlus:
					v = a + b
				case opShl:
					v = a << b
				case opShr:
					v = a >> b
				case opShra:
					v = uint64(int64(a) >> b)
				case opXor:
					v = a ^ b
				case opEq:
					v = truth(a == b)
				case opGe:
					v = truth(int64(a) >= int64(b))
				case opGt:
					v = truth(int64(a) > int64(b))
				case opLe:
					v = truth(int64(a) <= int64(b))
				case opLt:
					v = truth(int64(a) < int64(b))
				case opNe:
					v = truth(a != b)
				default:
					return 0, fmt.Errorf("the operation %#x of DWARF expressions is unknown", op)
				}
			}
		}
		if r.err != nil {
			return 0, r.err
		}
		stack = append(stack, v)
	}
	v := pop()
	return v, r.err
}
