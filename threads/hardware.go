package threads

import (
	"errors"
	"fmt"
	"slices"
)

// HardwareKind is what a debug register looks out for.
type HardwareKind uint8

// The kinds that the protocol knows, packets Z1 to Z4.
const (
	HardwareExecute HardwareKind = iota
	HardwareWrite
	HardwareRead
	HardwareAccess
)

func (k HardwareKind) String() string {
	return [...]string{"hardware breakpoint", "watchpoint", "read watchpoint", "access watchpoint"}[k&3]
}

// ErrDebugRegistersFull says that the processor has no debug register left.
var ErrDebugRegistersFull = errors.New("all four debug registers of the processor are in use")

// debugSlot is one address register, with how many requests share it.
type debugSlot struct {
	users   int
	kind    HardwareKind
	address uint64
	length  int
}

// hardwarePoint is what the client asked for; it may take several slots.
type hardwarePoint struct {
	kind    HardwareKind
	address uint64
	length  uint64
	// value is what the memory held when a read watchpoint was last looked at.
	value []byte
	// judge decides on the hits of a breakpoint.
	judge Judge
}

// HardwarePoints is the debug registers that one process is to have: the same
// in each of its LWPs. It only decides; the values are written elsewhere.
type HardwarePoints struct {
	slots   [4]debugSlot
	points  []hardwarePoint
	version uint64
}

// piece is an aligned part of a watched region that one register can hold.
type piece struct {
	address uint64
	length  int
}

// pieces cuts a region into what debug registers take: 1, 2, 4 or 8 bytes,
// aligned to their size (Intel SDM volume 3, "Debug Address Registers").
func pieces(kind HardwareKind, address, length uint64) ([]piece, error) {
	if kind == HardwareExecute {
		return []piece{{address, 1}}, nil
	}
	if length == 0 {
		return nil, errors.New("a watchpoint of no bytes watches nothing")
	}
	if length > 8*4 {
		return nil, fmt.Errorf("a watchpoint of %d bytes does not fit in the debug registers: 32 are the most", length)
	}
	if address+length-1 < address {
		return nil, fmt.Errorf("a watchpoint of %d bytes at 0x%x goes beyond the last address", length, address)
	}
	var parts []piece
	for length > 0 {
		size := uint64(8)
		for address%size != 0 || size > length {
			size /= 2
		}
		parts = append(parts, piece{address, int(size)})
		address += size
		length -= size
	}
	return parts, nil
}

// registerKind is the kind that the processor has: it knows no watching of
// reads alone.
func registerKind(kind HardwareKind) HardwareKind {
	if kind == HardwareRead {
		return HardwareAccess
	}
	return kind
}

func (h *HardwarePoints) find(kind HardwareKind, address, length uint64) int {
	for i, point := range h.points {
		if point.kind == kind && point.address == address && (kind == HardwareExecute || point.length == length) {
			return i
		}
	}
	return -1
}

// insert takes debug registers for a region. A region that is there already
// changes nothing. The error is ErrDebugRegistersFull or names a bad length;
// then nothing changed.
func (h *HardwarePoints) insert(kind HardwareKind, address, length uint64, value []byte) error {
	if h.find(kind, address, length) >= 0 {
		return nil
	}
	parts, err := pieces(kind, address, length)
	if err != nil {
		return err
	}
	slots := h.slots
	for _, part := range parts {
		slot := slotFor(&slots, registerKind(kind), part)
		if slot == nil {
			return ErrDebugRegistersFull
		}
		*slot = debugSlot{slot.users + 1, registerKind(kind), part.address, part.length}
	}
	h.slots = slots
	h.points = append(h.points, hardwarePoint{kind: kind, address: address, length: length, value: value})
	h.version++
	return nil
}

// setJudge has a judge decide on the hits of a point that is there.
func (h *HardwarePoints) setJudge(kind HardwareKind, address, length uint64, judge Judge) {
	if i := h.find(kind, address, length); i >= 0 {
		h.points[i].judge = judge
	}
}

// slotFor finds the register that holds a piece already, or a free one.
func slotFor(slots *[4]debugSlot, kind HardwareKind, part piece) *debugSlot {
	var free *debugSlot
	for i := range slots {
		slot := &slots[i]
		switch {
		case slot.users == 0 && free == nil:
			free = slot
		case slot.users > 0 && slot.kind == kind && slot.address == part.address && slot.length == part.length:
			return slot
		}
	}
	return free
}

// remove gives registers back; a region that is not there changes nothing.
func (h *HardwarePoints) remove(kind HardwareKind, address, length uint64) {
	i := h.find(kind, address, length)
	if i < 0 {
		return
	}
	// The length was accepted when the point was inserted.
	parts, _ := pieces(kind, address, h.points[i].length)
	for _, part := range parts {
		for s := range h.slots {
			slot := &h.slots[s]
			if slot.users > 0 && slot.kind == registerKind(kind) && slot.address == part.address && slot.length == part.length {
				if slot.users--; slot.users == 0 {
					*slot = debugSlot{}
				}
				break
			}
		}
	}
	h.points = append(h.points[:i:i], h.points[i+1:]...)
	h.version++
}

// removeAllBut removes the points whose judges are not to stay.
func (h *HardwarePoints) removeAllBut(stays func(Judge) bool) {
	for _, point := range slices.Clone(h.points) {
		if !stays(point.judge) {
			h.remove(point.kind, point.address, point.length)
		}
	}
}

// used tells whether any debug register is taken.
func (h *HardwarePoints) used() bool { return len(h.points) > 0 }

// control computes DR7: an enable bit (Ln) and four bits of kind and length
// for each register (Intel SDM volume 3, "Debug Control Register (DR7)").
func (h *HardwarePoints) control() uint64 {
	kinds := [...]uint64{HardwareExecute: 0, HardwareWrite: 1, HardwareAccess: 3}
	lengths := [...]uint64{1: 0, 2: 1, 4: 3, 8: 2}
	var control uint64
	for i, slot := range h.slots {
		if slot.users > 0 {
			control |= 1<<(2*i) | (kinds[slot.kind]|lengths[slot.length]<<2)<<(16+4*i)
		}
	}
	return control
}

// covers tells whether a register holds a part of what the client asked for.
func (h *HardwarePoints) covers(point *hardwarePoint, register int) bool {
	slot := h.slots[register]
	if slot.users == 0 || slot.kind != registerKind(point.kind) {
		return false
	}
	length := point.length
	if point.kind == HardwareExecute {
		length = 1
	}
	return slot.address-point.address < length
}
