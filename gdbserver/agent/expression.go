// Package agent evaluates GDB's agent expressions: bytecode that a debugger
// sends to be run where the program is, for conditions and commands of
// breakpoints (GDB manual, appendix "The GDB Agent Expression Mechanism").
//
// [Compile] looks at all of an expression before any of it runs: what cannot be
// evaluated is refused with a sentence. A [Machine] then runs it against a
// [Target], which is all that it knows of the program. Whatever the bytes are,
// it ends after a bounded number of steps with a value or an error.
//
// Values are 64 bits wide, and signed operations take them for two's
// complement. Tracing operations and trace state variables are refused, since
// they belong to tracepoints, and so are the floating-point operations, which
// the manual lists without a meaning.
package agent

import (
	"errors"
	"fmt"
	"slices"
)

// Expression is one that was found sound. It may be evaluated any number of
// times, also by several machines.
type Expression struct {
	instructions []instruction
}

// instruction is an operation with what belongs to it.
type instruction struct {
	operation operation
	// operand is the number that follows the operation; that of a jump is the
	// index of the instruction to go on with, that of printf the number of
	// values.
	operand uint64
	// format is printf's.
	format *format
	// offset is where it stood.
	offset int
}

// Compile takes in the bytes of an expression and keeps nothing of them. The
// error says in a sentence what is wrong with them: an operation that does not
// exist or cannot be evaluated, an operand that is cut off, a jump to where no
// instruction begins, a way past the end, a format that printf does not know.
// Whether the stack is high enough shows only when it runs.
func Compile(code []byte) (*Expression, error) {
	if len(code) == 0 {
		return nil, errors.New("the agent expression is empty")
	}
	// owner has for each byte the offset of the instruction that it is part
	// of, plus one.
	owner := make([]int, len(code))
	var found []instruction
	for ways := []int{0}; len(ways) > 0; {
		offset := ways[len(ways)-1]
		ways = ways[:len(ways)-1]
		if offset >= len(code) {
			return nil, fmt.Errorf("the agent expression goes on at offset %d, past its end", offset)
		}
		if owner[offset] == offset+1 {
			continue
		}
		instruction, size, err := decode(code, offset)
		if err != nil {
			return nil, err
		}
		for i := offset; i < offset+size; i++ {
			if owner[i] != 0 {
				return nil, fmt.Errorf("in the agent expression the instructions at offsets %d and %d overlap",
					min(offset, owner[i]-1), max(offset, owner[i]-1))
			}
			owner[i] = offset + 1
		}
		found = append(found, instruction)
		switch instruction.operation {
		case opEnd:
		case opGoto:
			ways = append(ways, int(instruction.operand))
		case opIfGoto:
			ways = append(ways, offset+size, int(instruction.operand))
		default:
			ways = append(ways, offset+size)
		}
	}
	slices.SortFunc(found, func(a, b instruction) int { return a.offset - b.offset })
	for i := range found {
		if jump := &found[i]; jump.operation == opGoto || jump.operation == opIfGoto {
			target, _ := slices.BinarySearchFunc(found, int(jump.operand), func(a instruction, offset int) int {
				return a.offset - offset
			})
			jump.operand = uint64(target)
		}
	}
	return &Expression{found}, nil
}

// decode reads the instruction at an offset and tells how long it is.
func decode(code []byte, offset int) (instruction, int, error) {
	fail := func(format string, arguments ...any) (instruction, int, error) {
		return instruction{}, 0, fmt.Errorf("at offset %d of the agent expression: %s", offset, fmt.Sprintf(format, arguments...))
	}
	found := instruction{operation: operation(code[offset]), offset: offset}
	if found.operation >= operationsListed || operations[found.operation].name == "" {
		return fail("there is no operation 0x%02x", code[offset])
	}
	known := &operations[found.operation]
	switch known.support {
	case tracing:
		return fail("%s is for tracepoints, which this server does not have", known.name)
	case floating:
		return fail("%s is for floating-point values, which agent expressions do not have yet", known.name)
	}
	rest := code[offset+1:]
	if len(rest) < known.operand {
		return fail("the operand of %s is cut off", known.name)
	}
	for _, b := range rest[:known.operand] {
		found.operand = found.operand<<8 | uint64(b)
	}
	rest = rest[known.operand:]
	if found.operation != opPrintf {
		return found, 1 + known.operand, nil
	}
	const lengthBytes = 2
	if len(rest) < lengthBytes {
		return fail("the format of printf is cut off")
	}
	length := int(rest[0])<<8 | int(rest[1])
	rest = rest[lengthBytes:]
	if len(rest) < length {
		return fail("the format of printf is cut off")
	}
	if length == 0 || rest[length-1] != 0 {
		return fail("the format of printf does not end in a zero byte")
	}
	var err error
	if found.format, err = parseFormat(rest[:length-1]); err != nil {
		return fail("printf: %v", err)
	}
	if wanted := found.format.arguments; wanted != int(found.operand) {
		return fail("printf has %d values for a format that takes %d", found.operand, wanted)
	}
	return found, 1 + known.operand + lengthBytes + length, nil
}
