package threads

import (
	"bytes"
	"testing"

	"rspd/ptrace"
)

// fakeMemory is a stretch of bytes at an address; failing is what cannot be
// written though it can be read.
type fakeMemory struct {
	base    uint64
	bytes   []byte
	failing bool
	closed  int
}

func (m *fakeMemory) Read(address uint64, buffer []byte) (int, error) {
	offset := address - m.base
	if offset >= uint64(len(m.bytes)) {
		return 0, &ptrace.MemoryError{Address: address}
	}
	return copy(buffer, m.bytes[offset:]), nil
}

func (m *fakeMemory) Write(address uint64, data []byte) error {
	offset := address - m.base
	if m.failing || offset >= uint64(len(m.bytes)) || uint64(len(data)) > uint64(len(m.bytes))-offset {
		return &ptrace.MemoryError{Write: true, Address: address}
	}
	copy(m.bytes[offset:], data)
	return nil
}

func (m *fakeMemory) Close() error { m.closed++; return nil }

// at16 is a memory of 16 bytes, 0 to 15, that begins at an address.
func at16(base uint64) *fakeMemory {
	memory := &fakeMemory{base: base}
	for i := range byte(16) {
		memory.bytes = append(memory.bytes, i)
	}
	return memory
}

func insertAll(t *testing.T, space *AddressSpace, addresses ...uint64) {
	t.Helper()
	for _, address := range addresses {
		if err := space.InsertBreakpoint(address); err != nil {
			t.Fatal(err)
		}
	}
}

// lastPage is where the memory ends at the last address there is.
const lastPage = ^uint64(0) - 15

func TestBreakpointsAreHidden(t *testing.T) {
	for _, base := range []uint64{0, 0x1000, lastPage} {
		memory := at16(base)
		original := bytes.Clone(memory.bytes)
		space := newAddressSpace(memory)
		insertAll(t, space, base+15, base+3, base, base+4, base+3)
		want := bytes.Clone(original)
		for _, i := range []int{0, 3, 4, 15} {
			want[i] = breakpointInstruction
		}
		if !bytes.Equal(memory.bytes, want) {
			t.Errorf("at %#x: the memory is % x, want % x", base, memory.bytes, want)
		}
		for first := range 16 {
			for length := 1; length <= 20; length++ {
				buffer := make([]byte, length)
				n, err := space.Read(base+uint64(first), buffer)
				if end := min(16, first+length); err != nil || n != end-first || !bytes.Equal(buffer[:n], original[first:end]) {
					t.Errorf("at %#x: %d bytes from %d read as % x (%d, %v)", base, length, first, buffer, n, err)
				}
			}
		}
		for _, i := range []uint64{3, 0, 15, 4, 7} {
			if err := space.RemoveBreakpoint(base + i); err != nil {
				t.Errorf("at %#x: removing %d: %v", base, i, err)
			}
		}
		if !bytes.Equal(memory.bytes, original) {
			t.Errorf("at %#x: % x is left", base, memory.bytes)
		}
	}
}

func TestWritesGoBelowBreakpoints(t *testing.T) {
	for _, base := range []uint64{0, 0x1000, lastPage} {
		for first := range 16 {
			for length := 0; first+length <= 16; length++ {
				memory := at16(base)
				want := bytes.Clone(memory.bytes)
				space := newAddressSpace(memory)
				insertAll(t, space, base, base+5, base+6, base+15)
				data := bytes.Repeat([]byte{0xaa}, length)
				if err := space.Write(base+uint64(first), data); err != nil {
					t.Fatal(err)
				}
				copy(want[first:], data)
				got := make([]byte, 16)
				if _, err := space.Read(base, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%#x+%d: % x is read, want % x (%v)", base, first, got, want, err)
				}
				for _, i := range []int{0, 5, 6, 15} {
					if memory.bytes[i] != breakpointInstruction {
						t.Errorf("%#x+%d: the breakpoint at %d is gone", base, first, i)
					}
				}
				if err := space.image.lift(); err != nil || !bytes.Equal(memory.bytes, want) {
					t.Errorf("%#x+%d: % x is below, want % x (%v)", base, first, memory.bytes, want, err)
				}
			}
		}
	}
}

func TestLiftAndRestore(t *testing.T) {
	memory := at16(0)
	original := bytes.Clone(memory.bytes)
	space := newAddressSpace(memory)
	insertAll(t, space, 2, 9)
	for range 2 { // a second time changes nothing
		if err := space.image.lift(); err != nil || !bytes.Equal(memory.bytes, original) {
			t.Errorf("lifted: % x (%v)", memory.bytes, err)
		}
	}
	if !space.HasBreakpoint(2) || !space.HasBreakpoint(9) {
		t.Error("lifted breakpoints are forgotten")
	}
	insertAll(t, space, 4)
	if err := space.RemoveBreakpoint(9); err != nil {
		t.Error(err)
	}
	if err := space.Write(2, []byte{0x77}); err != nil {
		t.Error(err)
	}
	memory.bytes[4] = 0x88 // the program itself
	original[2], original[4] = 0x77, 0x88
	if !bytes.Equal(memory.bytes, original) {
		t.Errorf("what lies in lifted memory changes to % x", memory.bytes)
	}
	for range 2 {
		if err := space.image.restore(); err != nil {
			t.Error(err)
		}
	}
	if memory.bytes[2] != breakpointInstruction || memory.bytes[4] != breakpointInstruction || memory.bytes[9] != 9 {
		t.Errorf("restored: % x", memory.bytes)
	}
	got := make([]byte, 16)
	if _, err := space.Read(0, got); err != nil || !bytes.Equal(got, original) {
		t.Errorf("restored, % x is read (%v)", got, err)
	}
}

func TestCopyForChild(t *testing.T) {
	for _, lifted := range []bool{false, true} {
		memory := at16(0)
		original := bytes.Clone(memory.bytes)
		parent := newAddressSpace(memory)
		parent.image.program = "program"
		insertAll(t, parent, 1, 8)
		if lifted {
			if err := parent.image.lift(); err != nil {
				t.Fatal(err)
			}
		}
		copied := &fakeMemory{bytes: bytes.Clone(memory.bytes)}
		// The parent's memory may have changed in between.
		if lifted {
			if err := parent.image.restore(); err != nil {
				t.Fatal(err)
			}
		}
		child := parent.copyFor(copied)
		if child.image.lifted != lifted || child.image.program != "program" {
			t.Errorf("lifted %v: the copy is lifted %v, runs %q", lifted, child.image.lifted, child.image.program)
		}
		if err := child.image.restore(); err != nil {
			t.Error(err)
		}
		insertAll(t, child, 3)
		if parent.HasBreakpoint(3) || !child.HasBreakpoint(8) || memory.bytes[3] != 3 {
			t.Errorf("lifted %v: parent and child are not separate", lifted)
		}
		if err := child.image.lift(); err != nil || !bytes.Equal(copied.bytes, original) {
			t.Errorf("lifted %v: % x is below (%v)", lifted, copied.bytes, err)
		}
		if memory.bytes[1] != breakpointInstruction {
			t.Errorf("lifted %v: lifting the child's changed the parent's", lifted)
		}
	}
}

// TestFailedWritesChangeNothing holds what the table believes against memory
// that refuses.
func TestFailedWritesChangeNothing(t *testing.T) {
	memory := at16(0x1000)
	space := newAddressSpace(memory)
	insertAll(t, space, 0x1004)
	before := bytes.Clone(memory.bytes)
	for _, address := range []uint64{0, 0xfff, 0x1010, ^uint64(0)} {
		if err := space.InsertBreakpoint(address); err == nil || space.HasBreakpoint(address) {
			t.Errorf("a breakpoint where there is no memory, %#x: %v", address, err)
		}
		if err := space.Write(address, []byte{1}); err == nil {
			t.Errorf("%#x is written", address)
		}
	}
	if err := space.Write(0x100e, []byte{1, 2, 3}); err == nil {
		t.Error("a write past the end succeeds")
	}
	memory.failing = true
	if err := space.InsertBreakpoint(0x1002); err == nil || space.HasBreakpoint(0x1002) {
		t.Errorf("a breakpoint in memory that refuses: %v", err)
	}
	if err := space.Write(0x1003, []byte{0xa, 0xb, 0xc}); err == nil {
		t.Error("a refused write succeeds")
	}
	if !bytes.Equal(memory.bytes, before) {
		t.Errorf("the memory changed to % x", memory.bytes)
	}
	got := make([]byte, 1)
	if _, err := space.Read(0x1004, got); err != nil || got[0] != 4 {
		t.Errorf("below the breakpoint is %#x after a refused write (%v)", got[0], err)
	}
	if err := space.RemoveBreakpoint(0x1004); err == nil || space.HasBreakpoint(0x1004) {
		t.Errorf("a breakpoint that cannot be taken out: %v", err)
	}
}

func TestAddressSpaceIsClosedOnce(t *testing.T) {
	memory := at16(0)
	space := newAddressSpace(memory)
	space.users++
	space.release()
	if memory.closed != 0 {
		t.Error("closed while it is shared")
	}
	space.release()
	if memory.closed != 1 {
		t.Errorf("closed %d times", memory.closed)
	}
}

func TestTakeOutAndPutBack(t *testing.T) {
	memory := at16(0)
	original := bytes.Clone(memory.bytes)
	space := newAddressSpace(memory)
	insertAll(t, space, 2, 3, 9)
	space.image.takeOut(3)
	space.image.takeOut(5) // where there is none
	check := func(when string, want ...int) {
		t.Helper()
		expected := bytes.Clone(original)
		for _, i := range want {
			expected[i] = breakpointInstruction
		}
		if !bytes.Equal(memory.bytes, expected) {
			t.Errorf("%s: the memory is % x, want % x", when, memory.bytes, expected)
		}
		got := make([]byte, 16)
		if _, err := space.Read(0, got); err != nil || !bytes.Equal(got, original) {
			t.Errorf("%s: % x is read, want % x (%v)", when, got, original, err)
		}
	}
	check("taken out", 2, 9)
	if !space.HasBreakpoint(3) || !space.image.complete() {
		t.Error("what was taken out is forgotten or missed")
	}
	// A write meanwhile goes below it.
	original[2], original[3] = 0x77, 0x78
	if err := space.Write(2, []byte{0x77, 0x78}); err != nil {
		t.Error(err)
	}
	check("written to", 2, 9)
	if err := space.image.lift(); err != nil {
		t.Error(err)
	}
	check("lifted")
	if err := space.image.restore(); err != nil {
		t.Error(err)
	}
	check("restored", 2, 9)
	space.image.putBack(3)
	check("put back", 2, 3, 9)

	space.image.takeOut(3)
	child := space.copyFor(&fakeMemory{bytes: bytes.Clone(memory.bytes)})
	if err := child.image.restore(); err != nil {
		t.Error(err)
	}
	if !child.image.complete() || child.image.inserted[1].out {
		t.Error("a child begins with a breakpoint that its parent steps over")
	}
	if err := space.RemoveBreakpoint(3); err != nil {
		t.Error(err)
	}
	space.image.putBack(3)
	check("removed while it was out", 2, 9)

	space.image.takeOut(2)
	if err := space.image.lift(); err != nil {
		t.Error(err)
	}
	space.image.putBack(2)
	check("put back into memory that is lifted")
}

// TestReplacedMemory has other memory mapped where a breakpoint was inserted, as
// when a library is closed and another one takes its place: nothing of the old
// bytes shows or comes back, and inserting again means the new memory.
func TestReplacedMemory(t *testing.T) {
	replaced := func() (*AddressSpace, *fakeMemory) {
		memory := at16(0x1000)
		space := newAddressSpace(memory)
		insertAll(t, space, 0x1004)
		for i := range memory.bytes {
			memory.bytes[i] = byte(0x40 + i)
		}
		return space, memory
	}
	unchanged := func(what string, memory *fakeMemory) {
		t.Helper()
		if memory.bytes[4] != 0x44 {
			t.Errorf("after %s the new memory has %#x at the address, want 0x44", what, memory.bytes[4])
		}
	}
	space, memory := replaced()
	var buffer [1]byte
	if _, err := space.Read(0x1004, buffer[:]); err != nil || buffer[0] != 0x44 {
		t.Errorf("read %#x, %v; want what is there now, 0x44", buffer[0], err)
	}
	if err := space.RemoveBreakpoint(0x1004); err != nil {
		t.Error(err)
	}
	unchanged("removing", memory)

	space, memory = replaced()
	if err := space.image.lift(); err != nil {
		t.Error(err)
	}
	unchanged("lifting", memory)

	space, memory = replaced()
	insertAll(t, space, 0x1004)
	if memory.bytes[4] != breakpointInstruction {
		t.Errorf("inserted again, there is %#x, want an int3", memory.bytes[4])
	}
	if _, err := space.Read(0x1004, buffer[:]); err != nil || buffer[0] != 0x44 {
		t.Errorf("read %#x, %v; want 0x44", buffer[0], err)
	}
	child := at16(0x1000)
	child.bytes[4] = breakpointInstruction
	newAddressSpace(child).image.clean(space.image.below)
	if child.bytes[4] != 0x44 {
		t.Errorf("a copy is cleaned with %#x, want 0x44", child.bytes[4])
	}
	if err := space.RemoveBreakpoint(0x1004); err != nil {
		t.Error(err)
	}
	unchanged("inserting and removing", memory)
}
