package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Target is the stopped thread that an expression is evaluated for.
type Target interface {
	// Register returns the value of a register of at most 64 bits, extended
	// with zeros. The number is that of the target description.
	Register(number int) (uint64, error)
	// ReadMemory fills buffer from address on or fails.
	ReadMemory(address uint64, buffer []byte) error
	// Print takes what printf writes; it keeps nothing of it.
	Print(text []byte) error
}

// What bounds an evaluation.
const (
	// stackSize is how many values the stack holds; gdb's own expressions
	// need a few.
	stackSize = 256
	// maxSteps is after how many instructions an expression counts as
	// endless.
	maxSteps = 1 << 16
)

// The errors of evaluations, which come with the offset of the instruction.
var (
	ErrDivisionByZero = errors.New("division by zero")
	ErrStackOverflow  = errors.New("the stack is full")
	ErrStackUnderflow = errors.New("the stack has too few values")
	ErrEndless        = fmt.Errorf("it did not end after %d steps", maxSteps)
)

// Machine is room for evaluations, one at a time. Its zero value is ready.
type Machine struct {
	stack  [stackSize]uint64
	memory [8]byte
	output []byte
}

// Evaluate runs an expression and returns the value on top of the stack.
func (m *Machine) Evaluate(expression *Expression, target Target) (uint64, error) {
	height, at, err := m.run(expression, target)
	if err == nil && height == 0 {
		err = ErrStackUnderflow
	}
	if err != nil {
		return 0, fmt.Errorf("agent expression, offset %d: %w", expression.instructions[at].offset, err)
	}
	return m.stack[height-1], nil
}

// Run runs an expression for what it does; it need not leave a value.
func (m *Machine) Run(expression *Expression, target Target) error {
	if _, at, err := m.run(expression, target); err != nil {
		return fmt.Errorf("agent expression, offset %d: %w", expression.instructions[at].offset, err)
	}
	return nil
}

// run returns how high the stack is in the end, and which instruction was the
// last.
func (m *Machine) run(expression *Expression, target Target) (height, at int, err error) {
	stack := &m.stack
	for range maxSteps {
		current := &expression.instructions[at]
		known := &operations[current.operation]
		if height < known.pops {
			return 0, at, ErrStackUnderflow
		}
		if height-known.pops+known.pushes > stackSize {
			return 0, at, ErrStackOverflow
		}
		next := at + 1
		// With one value on the stack top is its index, with two below is
		// that of the one under it.
		top, below := height-1, height-2
		switch current.operation {
		case opAdd:
			stack[below] += stack[top]
		case opSub:
			stack[below] -= stack[top]
		case opMul:
			stack[below] *= stack[top]
		case opDivSigned, opDivUnsigned, opRemSigned, opRemUnsigned:
			if stack[top] == 0 {
				return 0, at, ErrDivisionByZero
			}
			stack[below] = divide(current.operation, stack[below], stack[top])
		case opLsh:
			stack[below] <<= stack[top]
		case opRshSigned:
			stack[below] = uint64(int64(stack[below]) >> stack[top])
		case opRshUnsigned:
			stack[below] >>= stack[top]
		case opLogNot:
			stack[top] = truth(stack[top] == 0)
		case opBitAnd:
			stack[below] &= stack[top]
		case opBitOr:
			stack[below] |= stack[top]
		case opBitXor:
			stack[below] ^= stack[top]
		case opBitNot:
			stack[top] = ^stack[top]
		case opEqual:
			stack[below] = truth(stack[below] == stack[top])
		case opLessSigned:
			stack[below] = truth(int64(stack[below]) < int64(stack[top]))
		case opLessUnsigned:
			stack[below] = truth(stack[below] < stack[top])
		case opExt:
			if current.operand < 64 {
				unused := 64 - current.operand
				stack[top] = uint64(int64(stack[top]<<unused) >> unused)
			}
		case opZeroExt:
			if current.operand < 64 {
				stack[top] &= 1<<current.operand - 1
			}
		case opRef8, opRef16, opRef32, opRef64:
			if stack[top], err = m.fetch(current.operation, stack[top], target); err != nil {
				return 0, at, err
			}
		case opConst8, opConst16, opConst32, opConst64:
			stack[height] = current.operand
		case opReg:
			if stack[height], err = target.Register(int(current.operand)); err != nil {
				return 0, at, err
			}
		case opDup:
			stack[height] = stack[top]
		case opPop:
		case opSwap:
			stack[top], stack[below] = stack[below], stack[top]
		case opRot:
			third := height - 3
			stack[third], stack[below], stack[top] = stack[top], stack[third], stack[below]
		case opPick:
			if current.operand >= uint64(height) {
				return 0, at, ErrStackUnderflow
			}
			stack[height] = stack[height-1-int(current.operand)]
		case opIfGoto:
			if stack[top] != 0 {
				next = int(current.operand)
			}
		case opGoto:
			next = int(current.operand)
		case opPrintf:
			// The function and the channel, on top, choose among ways to
			// print where there are several.
			values := height - known.pops
			if values < int(current.operand) {
				return 0, at, ErrStackUnderflow
			}
			first := values - int(current.operand)
			m.output, err = current.format.append(m.output[:0], stack[first:values], target)
			if err == nil {
				err = target.Print(m.output)
			}
			if err != nil {
				return 0, at, err
			}
			height = first + known.pops
		case opEnd:
			return height, at, nil
		}
		height += known.pushes - known.pops
		at = next
	}
	return 0, at, ErrEndless
}

func truth(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// divide is for a divisor that is not zero. The lowest signed number divided by
// -1 is itself.
func divide(operation operation, dividend, divisor uint64) uint64 {
	switch operation {
	case opDivSigned:
		return uint64(int64(dividend) / int64(divisor))
	case opDivUnsigned:
		return dividend / divisor
	case opRemSigned:
		return uint64(int64(dividend) % int64(divisor))
	}
	return dividend % divisor
}

// fetch reads a number in the target's byte order.
func (m *Machine) fetch(operation operation, address uint64, target Target) (uint64, error) {
	size := 1 << (operation - opRef8)
	m.memory = [8]byte{}
	if err := target.ReadMemory(address, m.memory[:size]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(m.memory[:]), nil
}
