package threads

import (
	"errors"
	"testing"
)

// DR7 fields: Ln is bit 2n, R/Wn bits 16+4n, LENn bits 18+4n (Intel SDM volume
// 3, section "Debug Control Register (DR7)"). R/W 0 execute, 1 write, 3 both;
// LEN 0 one byte, 1 two, 3 four, 2 eight.
func field(register int, rw, length uint64) uint64 {
	return 1<<(2*register) | rw<<(16+4*register) | length<<(18+4*register)
}

func TestHardwareControl(t *testing.T) {
	type request struct {
		kind            HardwareKind
		address, length uint64
	}
	for _, test := range []struct {
		name      string
		requests  []request
		control   uint64
		addresses [4]uint64
	}{
		{"nothing", nil, 0, [4]uint64{}},
		{"execute, of any length", []request{{HardwareExecute, 0x1003, 4}}, field(0, 0, 0), [4]uint64{0x1003}},
		{"write 1", []request{{HardwareWrite, 0x1001, 1}}, field(0, 1, 0), [4]uint64{0x1001}},
		{"write 2", []request{{HardwareWrite, 0x1002, 2}}, field(0, 1, 1), [4]uint64{0x1002}},
		{"write 4", []request{{HardwareWrite, 0x1004, 4}}, field(0, 1, 3), [4]uint64{0x1004}},
		{"write 8", []request{{HardwareWrite, 0x1008, 8}}, field(0, 1, 2), [4]uint64{0x1008}},
		{"read is both", []request{{HardwareRead, 0x1000, 4}}, field(0, 3, 3), [4]uint64{0x1000}},
		{"access", []request{{HardwareAccess, 0x1000, 8}}, field(0, 3, 2), [4]uint64{0x1000}},
		{"misaligned 4", []request{{HardwareWrite, 0x1001, 4}},
			field(0, 1, 0) | field(1, 1, 1) | field(2, 1, 0), [4]uint64{0x1001, 0x1002, 0x1004}},
		{"misaligned 8", []request{{HardwareWrite, 0x1004, 8}},
			field(0, 1, 3) | field(1, 1, 3), [4]uint64{0x1004, 0x1008}},
		{"misaligned 8 by one", []request{{HardwareWrite, 0x1001, 8}},
			field(0, 1, 0) | field(1, 1, 1) | field(2, 1, 3) | field(3, 1, 0),
			[4]uint64{0x1001, 0x1002, 0x1004, 0x1008}},
		{"three bytes", []request{{HardwareWrite, 0x1000, 3}}, field(0, 1, 1) | field(1, 1, 0), [4]uint64{0x1000, 0x1002}},
		{"32 bytes", []request{{HardwareAccess, 0x1000, 32}},
			field(0, 3, 2) | field(1, 3, 2) | field(2, 3, 2) | field(3, 3, 2),
			[4]uint64{0x1000, 0x1008, 0x1010, 0x1018}},
		{"twice the same", []request{{HardwareWrite, 0x1000, 4}, {HardwareWrite, 0x1000, 4}}, field(0, 1, 3), [4]uint64{0x1000}},
		{"read and access share", []request{{HardwareRead, 0x1000, 4}, {HardwareAccess, 0x1000, 4}}, field(0, 3, 3), [4]uint64{0x1000}},
		{"write does not share", []request{{HardwareWrite, 0x1000, 4}, {HardwareAccess, 0x1000, 4}},
			field(0, 1, 3) | field(1, 3, 3), [4]uint64{0x1000, 0x1000}},
		{"a part is shared", []request{{HardwareWrite, 0x1000, 4}, {HardwareWrite, 0x1000, 6}},
			field(0, 1, 3) | field(1, 1, 1), [4]uint64{0x1000, 0x1004}},
		{"the last bytes there are", []request{{HardwareWrite, ^uint64(0) - 7, 8}}, field(0, 1, 2), [4]uint64{^uint64(0) - 7}},
	} {
		var points HardwarePoints
		for _, r := range test.requests {
			if err := points.insert(r.kind, r.address, r.length, nil); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		if got := points.control(); got != test.control {
			t.Errorf("%s: DR7 is %#x, want %#x", test.name, got, test.control)
		}
		for i, slot := range points.slots {
			if slot.address != test.addresses[i] {
				t.Errorf("%s: DR%d is %#x, want %#x", test.name, i, slot.address, test.addresses[i])
			}
		}
		if points.used() != (len(test.requests) > 0) {
			t.Errorf("%s: used is %v", test.name, points.used())
		}
		for _, r := range test.requests {
			points.remove(r.kind, r.address, r.length)
		}
		if points.used() || points.slots != [4]debugSlot{} || points.control() != 0 {
			t.Errorf("%s: removed, there is %+v", test.name, points)
		}
	}
}

// TestHardwareRefusals holds that a refused request changes nothing.
func TestHardwareRefusals(t *testing.T) {
	var points HardwarePoints
	for i := range uint64(3) {
		if err := points.insert(HardwareWrite, 0x1000+8*i, 8, nil); err != nil {
			t.Fatal(err)
		}
	}
	slots, version := points.slots, points.version
	for _, test := range []struct {
		name            string
		kind            HardwareKind
		address, length uint64
		full            bool
	}{
		{"two registers and one is left", HardwareWrite, 0x2004, 8, true},
		{"no bytes", HardwareWrite, 0x2000, 0, false},
		{"too many bytes", HardwareAccess, 0x2000, 33, false},
		{"a length that is no length", HardwareWrite, 0x2000, ^uint64(0), false},
		{"beyond the last byte", HardwareWrite, ^uint64(0) - 3, 8, false},
	} {
		err := points.insert(test.kind, test.address, test.length, nil)
		if err == nil || errors.Is(err, ErrDebugRegistersFull) != test.full {
			t.Errorf("%s: %v", test.name, err)
		}
		if points.slots != slots || points.version != version || len(points.points) != 3 {
			t.Errorf("%s: it changed what is there: %+v", test.name, points)
		}
	}
	if err := points.insert(HardwareExecute, 0x3000, 1, nil); err != nil {
		t.Errorf("the last register: %v", err)
	}
	if err := points.insert(HardwareExecute, 0x3001, 1, nil); !errors.Is(err, ErrDebugRegistersFull) {
		t.Errorf("a fifth: %v", err)
	}
	points.remove(HardwareWrite, 0x1008, 4) // another length: not there
	if points.slots[1] != slots[1] {
		t.Error("removing what is not there took something away")
	}
	points.remove(HardwareWrite, 0x1008, 8)
	if err := points.insert(HardwareExecute, 0x3001, 1, nil); err != nil || points.slots[1].address != 0x3001 {
		t.Errorf("the register given back is not used again: %v, %+v", err, points.slots)
	}
}

// TestHardwareShares holds that a shared register stays as long as one uses it.
func TestHardwareShares(t *testing.T) {
	var points HardwarePoints
	for _, length := range []uint64{4, 6} {
		if err := points.insert(HardwareWrite, 0x1000, length, nil); err != nil {
			t.Fatal(err)
		}
	}
	points.remove(HardwareWrite, 0x1000, 4)
	if want := field(0, 1, 3) | field(1, 1, 1); points.control() != want {
		t.Errorf("DR7 is %#x, want %#x", points.control(), want)
	}
	points.remove(HardwareWrite, 0x1000, 6)
	if points.control() != 0 {
		t.Errorf("DR7 is %#x", points.control())
	}
}

func TestHardwareCovers(t *testing.T) {
	var points HardwarePoints
	for _, request := range []hardwarePoint{{kind: HardwareWrite, address: 0x1004, length: 8}, {kind: HardwareAccess, address: 0x1008, length: 4}} {
		if err := points.insert(request.kind, request.address, request.length, nil); err != nil {
			t.Fatal(err)
		}
	}
	for register, want := range [4][2]bool{{true, false}, {true, false}, {false, true}, {false, false}} {
		for i := range points.points {
			if got := points.covers(&points.points[i], register); got != want[i] {
				t.Errorf("register %d belongs to request %d: %v", register, i, got)
			}
		}
	}
}
