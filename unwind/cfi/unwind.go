package cfi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrUndefined means that a frame doesn't tell a register.
var ErrUndefined = errors.New("the register's value is not known in this frame")

// A Frame is what is known of the registers at one instruction.
type Frame struct {
	Values [Registers]uint64 // indexed by Register
	Known  [Registers]bool
	Memory io.ReaderAt // the process's memory
}

func (f *Frame) register(number uint64) (uint64, error) {
	if number >= Registers {
		return 0, fmt.Errorf("register %d is none of the processor's", number)
	}
	if !f.Known[number] {
		return 0, fmt.Errorf("%v: %w", Register(number), ErrUndefined)
	}
	return f.Values[number], nil
}

func (f *Frame) load(address uint64) (uint64, error) {
	var b [8]byte
	if int64(address) < 0 {
		return 0, fmt.Errorf("reading at %#x: that is no address of a program", address)
	}
	if n, err := f.Memory.ReadAt(b[:], int64(address)); n < len(b) {
		return 0, fmt.Errorf("reading at %#x: %w", address, err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// CFAOf computes the canonical frame address of the frame that the row is of.
func (r Row) CFAOf(f *Frame) (uint64, error) {
	switch r.CFA.Kind {
	case InRegister:
		v, err := f.register(uint64(r.CFA.Register))
		return v + uint64(r.CFA.Offset), err
	case ByExpression:
		return evaluate(r.CFA.Expression, nil, f)
	}
	return 0, errors.New("the row defines no CFA")
}

// Unwind gives the frame of the caller: its rsp is the CFA and its rip the
// return address, unless the row says otherwise. Registers that can't be told
// are not known in it; an error means that there is no CFA.
func (r Row) Unwind(f *Frame) (*Frame, error) {
	cfa, err := r.CFAOf(f)
	if err != nil {
		return nil, err
	}
	caller := &Frame{Memory: f.Memory}
	for i := range r.Rules {
		register := Register(i)
		v, err := r.value(register, cfa, f)
		if err == nil {
			caller.Values[register], caller.Known[register] = v, true
		}
	}
	return caller, nil
}

func (r Row) value(register Register, cfa uint64, f *Frame) (uint64, error) {
	rule := r.Rules[register]
	switch rule.Kind {
	case Unspecified:
		if register == RSP {
			return cfa, nil
		}
		for _, saved := range CalleeSaved {
			if saved == register {
				return f.register(uint64(register))
			}
		}
	case SameValue:
		return f.register(uint64(register))
	case SavedAt:
		return f.load(cfa + uint64(rule.Offset))
	case CFAPlus:
		return cfa + uint64(rule.Offset), nil
	case InRegister:
		v, err := f.register(uint64(rule.Register))
		return v + uint64(rule.Offset), err
	case SavedAtExpression:
		address, err := evaluate(rule.Expression, []uint64{cfa}, f)
		if err != nil {
			return 0, err
		}
		return f.load(address)
	case ByExpression:
		return evaluate(rule.Expression, []uint64{cfa}, f)
	}
	return 0, ErrUndefined
}
