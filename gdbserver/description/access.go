package description

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"rspd/ptrace"
)

// sourceKind tells how a register's value comes from a register set.
type sourceKind uint8

const (
	// generalSlot is the low-order bytes of a slot of ptrace.Registers.
	generalSlot sourceKind = iota

	// xsaveBytes is the register's bytes at an offset of the XSAVE area.
	xsaveBytes

	// xsaveMXCSR is mxcsr, whose initial state depends on two components.
	xsaveMXCSR

	// x87Field is an unsigned integer of 1 to 4 bytes in the x87 part of
	// the area, shown as a register of 4 bytes.
	x87Field

	// x87Tag is the tag word.
	x87Tag

	// shadowStackPointer is State.ShadowStackPointer.
	shadowStackPointer

	// xsaveHalves is the bytes of two other registers of the XSAVE area.
	xsaveHalves
)

// source is where a register's bytes live.
type source struct {
	kind sourceKind

	// component is the bit in XSTATE_BV, for the kinds in the XSAVE area.
	component uint8

	// slot, and whether a write extends the register's sign to the whole of
	// it rather than zeros, are a generalSlot's.
	slot   ptrace.Slot
	signed bool

	// offset is in bytes, in the XSAVE area.
	offset int

	// size in bytes and mask, with initial value, are an x87Field's.
	size    int
	mask    uint32
	initial uint32

	// halves are those of xsaveHalves, the lower first.
	halves *[2]Register
}

func (s *source) set() Sets {
	switch s.kind {
	case generalSlot:
		return General
	case shadowStackPointer:
		return ShadowStack
	default:
		return XState
	}
}

// AppendRegister appends the register's value to dst in the target's byte
// order, r.Size() bytes; zeros if its register set is unavailable.
func (d *Description) AppendRegister(dst []byte, r *Register, s *State) []byte {
	if d.Available(s)&r.Set() == 0 {
		return appendZeros(dst, r.Size())
	}
	return d.appendAvailable(dst, r, s)
}

// AppendAll appends the data of a g packet, d.Size bytes. Registers of an
// unavailable set are zeros; Unavailable tells where they are.
func (d *Description) AppendAll(dst []byte, s *State) []byte {
	available := d.Available(s)
	for i := range d.Registers {
		r := &d.Registers[i]
		switch {
		case r.Within != "":
		case available&r.Set() == 0:
			dst = appendZeros(dst, r.Size())
		default:
			dst = d.appendAvailable(dst, r, s)
		}
	}
	return dst
}

func (d *Description) appendAvailable(dst []byte, r *Register, s *State) []byte {
	src := &r.source
	switch src.kind {
	case generalSlot:
		value := s.General.Get(src.slot)
		if r.Bits == 64 {
			return binary.LittleEndian.AppendUint64(dst, value)
		}
		return binary.LittleEndian.AppendUint32(dst, uint32(value))
	case shadowStackPointer:
		return binary.LittleEndian.AppendUint64(dst, s.ShadowStackPointer)
	case xsaveMXCSR:
		return binary.LittleEndian.AppendUint32(dst, d.layout.MXCSR(s.XState))
	case xsaveHalves:
		return d.appendAvailable(d.appendAvailable(dst, &src.halves[0], s), &src.halves[1], s)
	}

	inUse := d.layout.InUse(s.XState, int(src.component))
	switch src.kind {
	case x87Field:
		value := src.initial
		if inUse {
			value = src.load(s.XState)
		}
		return appendInteger(dst, value, r.Size())
	case x87Tag:
		value := uint16(emptyTags)
		if inUse {
			value = tagWord(s.XState)
		}
		return appendInteger(dst, uint32(value), r.Size())
	default:
		if !inUse {
			return appendZeros(dst, r.Size())
		}
		return append(dst, s.XState[src.offset:src.offset+r.Size()]...)
	}
}

// SetRegister changes a register in the state to value, r.Size() bytes in the
// target's byte order, and returns the register sets that the caller has to
// write back to the thread. A failure changes nothing.
//
// A register that gdb shows wider than it is, such as the 16-bit x87 control
// word, takes the bits it has; the others are ignored, as GNU gdbserver does.
func (d *Description) SetRegister(r *Register, value []byte, s *State) (Sets, error) {
	if len(value) != r.Size() {
		return 0, fmt.Errorf("register %s has %d bytes, not %d", r.Name, r.Size(), len(value))
	}
	if d.Available(s)&r.Set() == 0 {
		return 0, fmt.Errorf("register %s is not available in this thread", r.Name)
	}
	if err := d.check(r, value, s); err != nil {
		return 0, err
	}
	d.store(r, value, s)
	return r.Set(), nil
}

// SetAll changes the registers whose values in g, the data of a G packet,
// differ from those in the state, and returns the register sets that the
// caller has to write back to the thread. Bytes of unavailable registers are
// ignored, since a debugger that read them as "xx" has to send something. A
// failure changes nothing.
func (d *Description) SetAll(g []byte, s *State) (Sets, error) {
	if len(g) != d.Size {
		return 0, fmt.Errorf("the registers have %d bytes, not %d", d.Size, len(g))
	}
	available := d.Available(s)
	for i := range d.Registers {
		r := &d.Registers[i]
		if available&r.Set() == 0 || r.Within != "" {
			continue
		}
		if err := d.check(r, g[r.Offset:r.Offset+r.Size()], s); err != nil {
			return 0, err
		}
	}
	var changed Sets
	for i := range d.Registers {
		r := &d.Registers[i]
		if available&r.Set() == 0 || r.Within != "" {
			continue
		}
		value := g[r.Offset : r.Offset+r.Size()]
		if !d.holds(r, value, s) {
			d.store(r, value, s)
			changed |= r.Set()
		}
	}
	return changed, nil
}

// check finds the values that the kernel would refuse together with the
// whole register set.
func (d *Description) check(r *Register, value []byte, s *State) error {
	if r.source.kind != xsaveMXCSR {
		return nil
	}
	mask := d.layout.MXCSRMask(s.XState)
	if reserved := binary.LittleEndian.Uint32(value) &^ mask; reserved != 0 {
		return fmt.Errorf("mxcsr has no bits %#x on this CPU", reserved)
	}
	return nil
}

// holds says whether a store of value would change nothing.
func (d *Description) holds(r *Register, value []byte, s *State) bool {
	src := &r.source
	switch src.kind {
	case x87Tag:
		// The expanded form depends on registers that the same packet may
		// change, so the stored form is compared.
		present := uint8(0)
		if d.layout.InUse(s.XState, ptrace.ComponentX87) {
			present = s.XState[tagOffset]
		}
		return present == abridgedTag(binary.LittleEndian.Uint16(value))
	case x87Field:
		var buf [4]byte
		present := d.appendAvailable(buf[:0], r, s)
		return (integer(present)^integer(value))&src.mask == 0
	default:
		var buf [maxRegisterSize]byte
		return bytes.Equal(d.appendAvailable(buf[:0], r, s), value)
	}
}

func (d *Description) store(r *Register, value []byte, s *State) {
	src := &r.source
	switch src.kind {
	case generalSlot:
		if r.Bits == 64 {
			s.General.Set(src.slot, binary.LittleEndian.Uint64(value))
			return
		}
		low := binary.LittleEndian.Uint32(value)
		if src.signed {
			s.General.Set(src.slot, uint64(int32(low)))
		} else {
			s.General.Set(src.slot, uint64(low))
		}
		return
	case shadowStackPointer:
		s.ShadowStackPointer = binary.LittleEndian.Uint64(value)
		return
	case xsaveHalves:
		for i := range src.halves {
			half := &src.halves[i]
			// One that stays as it is need not come into use.
			if !d.holds(half, value[:half.Size()], s) {
				d.store(half, value[:half.Size()], s)
			}
			value = value[half.Size():]
		}
		return
	}

	if src.component != ptrace.ComponentPKRU {
		d.layout.MarkInUse(s.XState, int(src.component))
	}
	switch src.kind {
	case x87Field:
		src.store(s.XState, integer(value))
	case x87Tag:
		s.XState[tagOffset] = abridgedTag(binary.LittleEndian.Uint16(value))
	default:
		copy(s.XState[src.offset:], value)
	}
	if src.component == ptrace.ComponentPKRU {
		d.layout.MarkInUse(s.XState, ptrace.ComponentPKRU)
	}
}

// appendInteger appends an integer of 2 or 4 bytes.
func appendInteger(dst []byte, value uint32, size int) []byte {
	if size == 2 {
		return binary.LittleEndian.AppendUint16(dst, uint16(value))
	}
	return binary.LittleEndian.AppendUint32(dst, value)
}

func integer(b []byte) uint32 {
	if len(b) == 2 {
		return uint32(binary.LittleEndian.Uint16(b))
	}
	return binary.LittleEndian.Uint32(b)
}

// maxRegisterSize is the size in bytes of the widest register, a whole zmm.
const maxRegisterSize = 64

var zeros [maxRegisterSize]byte

func appendZeros(dst []byte, n int) []byte { return append(dst, zeros[:n]...) }
