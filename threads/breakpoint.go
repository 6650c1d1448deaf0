package threads

import (
	"errors"
	"maps"
	"slices"
)

// breakpointInstruction is int3 (Intel SDM, INT n/INTO/INT3/INT1).
const breakpointInstruction = 0xcc

// AddressSpace is memory with software breakpoints in it. A vfork child uses
// its parent's until it executes a program.
//
// The client never sees its own breakpoints: reads show the bytes below them
// and writes go below them.
type AddressSpace struct {
	memory Memory
	users  int
	// program is the name of the file that is executed in it.
	program string
	// inserted holds the breakpoints, sorted by address.
	inserted []softwareBreakpoint
	// below has what was below each breakpoint that was ever inserted, for the
	// copies of this memory that nobody has told of.
	below map[uint64]byte
	// lifted says that the bytes are back in place although the breakpoints
	// are still wanted: an untraced process runs in this memory.
	lifted bool
	// one is scratch room for the byte of a breakpoint.
	one [1]byte
}

type softwareBreakpoint struct {
	address uint64
	below   byte
	// judge decides on its hits; nil reports all of them.
	judge Judge
	// out says that the byte is back in place for one LWP that executes the
	// instruction there, alone.
	out bool
}

func newAddressSpace(memory Memory) *AddressSpace { return &AddressSpace{memory: memory, users: 1} }

// copyFor returns the space of a forked child, which begins with a copy of
// every byte, the breakpoints among them. Whether those were lifted when the
// copy was made only its memory tells: if so, they are in the child too.
func (a *AddressSpace) copyFor(memory Memory) *AddressSpace {
	child := &AddressSpace{memory: memory, users: 1, program: a.program,
		inserted: slices.Clone(a.inserted), below: maps.Clone(a.below)}
	for i := range child.inserted {
		breakpoint := &child.inserted[i]
		breakpoint.out = false
		var now [1]byte
		if n, _ := memory.Read(breakpoint.address, now[:]); n == 1 && now[0] != breakpointInstruction {
			breakpoint.below = now[0]
			child.lifted = true
		}
	}
	if child.lifted {
		child.lifted = false
		// What cannot be written is not there.
		_ = child.lift()
	}
	return child
}

// complete tells whether the memory has an int3 at each breakpoint.
func (a *AddressSpace) complete() bool {
	for _, breakpoint := range a.inserted {
		if !breakpoint.out && !a.hasInt3(breakpoint.address) {
			return false
		}
	}
	return true
}

func (a *AddressSpace) hasInt3(address uint64) bool {
	var now [1]byte
	n, _ := a.memory.Read(address, now[:])
	return n == 1 && now[0] == breakpointInstruction
}

// clean puts bytes back where there is an int3.
func (a *AddressSpace) clean(below map[uint64]byte) {
	for address, original := range below {
		if original != breakpointInstruction && a.hasInt3(address) {
			// What cannot be written is not there: it has ended since.
			_ = a.memory.Write(address, []byte{original})
		}
	}
}

func (a *AddressSpace) release() {
	if a.users--; a.users == 0 {
		// The process is gone or another's: nobody could use an answer.
		_ = a.memory.Close()
	}
}

func (a *AddressSpace) find(address uint64) (int, bool) {
	return slices.BinarySearchFunc(a.inserted, address, func(b softwareBreakpoint, address uint64) int {
		switch {
		case b.address < address:
			return -1
		case b.address > address:
			return 1
		}
		return 0
	})
}

// HasBreakpoint tells whether a software breakpoint is inserted at address.
func (a *AddressSpace) HasBreakpoint(address uint64) bool {
	_, found := a.find(address)
	return found
}

// InsertBreakpoint puts an int3 at address, all of whose hits are reported.
// Inserting one twice changes nothing, as the protocol asks ("implemented in an
// idempotent way").
func (a *AddressSpace) InsertBreakpoint(address uint64) error { return a.InsertJudged(address, nil) }

// InsertJudged is InsertBreakpoint with a judge of its hits, which replaces the
// one that the breakpoint had. A fork inherits it.
func (a *AddressSpace) InsertJudged(address uint64, judge Judge) error {
	i, found := a.find(address)
	if found {
		a.inserted[i].judge = judge
		return nil
	}
	var below [1]byte
	if _, err := a.memory.Read(address, below[:]); err != nil {
		return err
	}
	if !a.lifted {
		if err := a.memory.Write(address, []byte{breakpointInstruction}); err != nil {
			return err
		}
	}
	a.inserted = slices.Insert(a.inserted, i, softwareBreakpoint{address: address, below: below[0], judge: judge})
	if a.below == nil {
		a.below = map[uint64]byte{}
	}
	a.below[address] = below[0]
	return nil
}

// RemoveBreakpoint puts the byte back. Where there is no breakpoint there is
// nothing to do. It is forgotten even when the memory is no longer there.
func (a *AddressSpace) RemoveBreakpoint(address uint64) error {
	i, found := a.find(address)
	if !found {
		return nil
	}
	removed := a.inserted[i]
	a.inserted = slices.Delete(a.inserted, i, i+1)
	if a.lifted || removed.out {
		return nil
	}
	return a.memory.Write(address, []byte{removed.below})
}

// takeOut puts the byte of one breakpoint back in place, for an LWP that is to
// execute the instruction there while no other runs in this memory.
func (a *AddressSpace) takeOut(address uint64) {
	i, found := a.find(address)
	if !found || a.inserted[i].out {
		return
	}
	a.inserted[i].out = true
	if !a.lifted {
		a.one[0] = a.inserted[i].below
		// Memory that cannot be written any more has no instruction to execute
		// either: the step will tell.
		_ = a.memory.Write(address, a.one[:])
	}
}

// putBack undoes takeOut.
func (a *AddressSpace) putBack(address uint64) {
	i, found := a.find(address)
	if !found || !a.inserted[i].out {
		return
	}
	if !a.lifted {
		a.one[0] = breakpointInstruction
		// As in takeOut: the instruction may have unmapped itself, or ended
		// the process.
		_ = a.memory.Write(address, a.one[:])
	}
	a.inserted[i].out = false
}

// lift takes every breakpoint out of the memory, but remembers it.
func (a *AddressSpace) lift() error {
	if a.lifted {
		return nil
	}
	a.lifted = true
	var failures []error
	for _, breakpoint := range a.inserted {
		if !breakpoint.out {
			failures = append(failures, a.memory.Write(breakpoint.address, []byte{breakpoint.below}))
		}
	}
	return errors.Join(failures...)
}

// restore undoes lift.
func (a *AddressSpace) restore() error {
	if !a.lifted {
		return nil
	}
	var failures []error
	for i := range a.inserted {
		breakpoint := &a.inserted[i]
		if breakpoint.out {
			continue
		}
		var below [1]byte
		if _, err := a.memory.Read(breakpoint.address, below[:]); err != nil {
			failures = append(failures, err)
			continue
		}
		breakpoint.below = below[0]
		failures = append(failures, a.memory.Write(breakpoint.address, []byte{breakpointInstruction}))
	}
	a.lifted = false
	return errors.Join(failures...)
}

// Read is [Memory.Read] with the bytes below the breakpoints.
func (a *AddressSpace) Read(address uint64, buffer []byte) (int, error) {
	n, err := a.memory.Read(address, buffer)
	if len(a.inserted) == 0 || a.lifted || n == 0 {
		return n, err
	}
	for i, _ := a.find(address); i < len(a.inserted); i++ {
		offset := a.inserted[i].address - address
		if offset >= uint64(n) {
			break
		}
		if !a.inserted[i].out {
			buffer[offset] = a.inserted[i].below
		}
	}
	return n, err
}

// Write is [Memory.Write] below the breakpoints, which stay in place.
func (a *AddressSpace) Write(address uint64, data []byte) error {
	first, _ := a.find(address)
	end := first
	for end < len(a.inserted) && a.inserted[end].address-address < uint64(len(data)) {
		end++
	}
	if first == end || a.lifted {
		return a.memory.Write(address, data)
	}
	covered := slices.Clone(data)
	for _, breakpoint := range a.inserted[first:end] {
		if !breakpoint.out {
			covered[breakpoint.address-address] = breakpointInstruction
		}
	}
	if err := a.memory.Write(address, covered); err != nil {
		return err
	}
	for i := first; i < end; i++ {
		a.inserted[i].below = data[a.inserted[i].address-address]
	}
	return nil
}
