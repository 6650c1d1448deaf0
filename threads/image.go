package threads

import (
	"cmp"
	"debug/elf"
	"errors"
	"slices"
)

// breakpointInstruction is int3 (Intel SDM, INT n/INTO/INT3/INT1).
const breakpointInstruction = 0xcc

// image is one memory of the kernel's with the int3s that lie in it. Usually
// one address space is over it; there are more where processes share memory
// that are not each other's vfork children (clone(2) with CLONE_VM), and then
// an int3 stays as long as one of them wants it.
type image struct {
	memory Memory
	// spaces is how many address spaces are over it.
	spaces int
	// program is the name of the file that is executed in it.
	program string
	// machine is the machine that the program was made for, EM_NONE until
	// somebody has asked.
	machine elf.Machine
	// inserted holds the int3s, sorted by address.
	inserted []int3
	// below has what was below each int3 that was ever inserted, for the
	// copies of this memory that nobody has told of.
	below map[uint64]byte
	// lifted says that the bytes are back in place although the breakpoints
	// are still wanted: an untraced process runs in this memory.
	lifted bool
	// borrowers are the processes that were let go though they ran in it.
	borrowers []int
	// stale says that an int3 lies there that nobody wants any more.
	stale bool
	// one is scratch room for the byte of a breakpoint.
	one [1]byte
}

type int3 struct {
	address uint64
	below   byte
	// wanted is how many address spaces have a breakpoint there.
	wanted int
	// out says that the byte is back in place for one LWP that executes the
	// instruction there, alone.
	out bool
}

// copyFor returns the image of a forked child, which begins with a copy of
// every byte, the int3s among them. Whether those were lifted when the copy was
// made only its memory tells: if so, they are in the child too. Nobody wants
// them yet.
func (m *image) copyFor(memory Memory) *image {
	child := &image{memory: memory, program: m.program, machine: m.machine, inserted: slices.Clone(m.inserted), stale: len(m.inserted) > 0}
	if len(m.below) > 0 {
		child.below = make(map[uint64]byte, len(m.below))
		for address, below := range m.below {
			child.below[address] = below
		}
	}
	for i := range child.inserted {
		breakpoint := &child.inserted[i]
		breakpoint.out, breakpoint.wanted = false, 0
		if now, ok := child.byteAt(breakpoint.address); ok && now != breakpointInstruction {
			breakpoint.below = now
			child.lifted = true
		}
	}
	for address, original := range m.below {
		if !m.holds(address) && original != breakpointInstruction && child.hasInt3(address) {
			// It was removed after the copy was made.
			_ = child.put(address, original)
		}
	}
	if child.lifted {
		child.lifted = false
		// What cannot be written is not there.
		_ = child.lift()
	}
	return child
}

func (m *image) byteAt(address uint64) (byte, bool) {
	n, _ := m.memory.Read(address, m.one[:])
	return m.one[0], n == 1
}

func (m *image) hasInt3(address uint64) bool {
	now, ok := m.byteAt(address)
	return ok && now == breakpointInstruction
}

// complete tells whether the memory has all its int3s.
func (m *image) complete() bool {
	for _, breakpoint := range m.inserted {
		if !breakpoint.out && !m.hasInt3(breakpoint.address) {
			return false
		}
	}
	return true
}

// clean puts bytes back where there is an int3.
func (m *image) clean(below map[uint64]byte) {
	for address, original := range below {
		if m.hasInt3(address) && original != breakpointInstruction {
			// What cannot be written is not there: it has ended since.
			_ = m.put(address, original)
		}
	}
}

func (m *image) put(address uint64, value byte) error {
	m.one[0] = value
	return m.memory.Write(address, m.one[:])
}

func (m *image) find(address uint64) (int, bool) {
	return slices.BinarySearchFunc(m.inserted, address, func(b int3, address uint64) int { return cmp.Compare(b.address, address) })
}

// holds tells whether there is an int3 at address, whoever wants it.
func (m *image) holds(address uint64) bool {
	_, found := m.find(address)
	return found
}

// want inserts an int3, or counts one more that wants the one there.
func (m *image) want(address uint64) error {
	i, found := m.find(address)
	if found {
		m.inserted[i].wanted++
		return m.renew(address)
	}
	var below [1]byte
	if _, err := m.memory.Read(address, below[:]); err != nil {
		return err
	}
	if !m.lifted {
		if err := m.put(address, breakpointInstruction); err != nil {
			return err
		}
	}
	m.inserted = slices.Insert(m.inserted, i, int3{address: address, below: below[0], wanted: 1})
	if m.below == nil {
		m.below = map[uint64]byte{}
	}
	m.below[address] = below[0]
	return nil
}

// renew inserts an int3 again where other memory has taken the place of that
// which it was in.
func (m *image) renew(address uint64) error {
	i, found := m.find(address)
	if !found || m.lifted || m.inserted[i].out {
		return nil
	}
	now, ok := m.byteAt(address)
	if !ok || now == breakpointInstruction {
		return nil
	}
	m.inserted[i].below, m.below[address] = now, now
	return m.put(address, breakpointInstruction)
}

// uncover puts the byte below an int3 back, unless the int3 is not there: the
// memory has been replaced by other.
func (m *image) uncover(breakpoint int3) error {
	if now, ok := m.byteAt(breakpoint.address); ok && now != breakpointInstruction {
		return nil
	}
	return m.put(breakpoint.address, breakpoint.below)
}

// drop takes an int3 out when nobody else wants it. It is forgotten even when
// the memory is no longer there.
func (m *image) drop(address uint64) error {
	i, found := m.find(address)
	if !found {
		return nil
	}
	if m.inserted[i].wanted--; m.inserted[i].wanted > 0 {
		return nil
	}
	removed := m.inserted[i]
	m.inserted = slices.Delete(m.inserted, i, i+1)
	if m.lifted || removed.out {
		return nil
	}
	return m.uncover(removed)
}

// disown is drop while others may be running in the memory: one of them may
// have executed the int3 already, so that it stays until sweep.
func (m *image) disown(address uint64) {
	if i, found := m.find(address); found {
		m.inserted[i].wanted--
		m.stale = m.stale || m.inserted[i].wanted == 0
	}
}

// sweep takes out what nobody wants. No LWP may be running in the memory.
func (m *image) sweep() {
	if !m.stale {
		return
	}
	m.stale = false
	m.inserted = slices.DeleteFunc(m.inserted, func(breakpoint int3) bool {
		if breakpoint.wanted == 0 && !m.lifted && !breakpoint.out {
			// What cannot be written is not there.
			_ = m.uncover(breakpoint)
		}
		return breakpoint.wanted == 0
	})
}

// takeOut puts the byte of one int3 back in place, for an LWP that is to
// execute the instruction there while no other runs in this memory.
func (m *image) takeOut(address uint64) {
	i, found := m.find(address)
	if !found || m.inserted[i].out {
		return
	}
	m.inserted[i].out = true
	if !m.lifted {
		// Memory that cannot be written any more has no instruction to execute
		// either: the step will tell.
		_ = m.put(address, m.inserted[i].below)
	}
}

// putBack undoes takeOut.
func (m *image) putBack(address uint64) {
	i, found := m.find(address)
	if !found || !m.inserted[i].out {
		return
	}
	if !m.lifted {
		// As in takeOut: the instruction may have unmapped itself, or ended
		// the process.
		_ = m.put(address, breakpointInstruction)
	}
	m.inserted[i].out = false
}

// lift takes every int3 out of the memory, but remembers it.
func (m *image) lift() error {
	if m.lifted {
		return nil
	}
	m.lifted = true
	var failures []error
	for _, breakpoint := range m.inserted {
		if !breakpoint.out {
			failures = append(failures, m.uncover(breakpoint))
		}
	}
	return errors.Join(failures...)
}

// restore undoes lift.
func (m *image) restore() error {
	if !m.lifted {
		return nil
	}
	var failures []error
	for i := range m.inserted {
		breakpoint := &m.inserted[i]
		if breakpoint.out {
			continue
		}
		var below [1]byte
		if _, err := m.memory.Read(breakpoint.address, below[:]); err != nil {
			failures = append(failures, err)
			continue
		}
		breakpoint.below = below[0]
		failures = append(failures, m.put(breakpoint.address, breakpointInstruction))
	}
	m.lifted, m.borrowers = false, nil
	return errors.Join(failures...)
}

// read is [Memory.Read] with the bytes below the int3s.
func (m *image) read(address uint64, buffer []byte) (int, error) {
	n, err := m.memory.Read(address, buffer)
	if len(m.inserted) == 0 || m.lifted || n == 0 {
		return n, err
	}
	for i, _ := m.find(address); i < len(m.inserted); i++ {
		offset := m.inserted[i].address - address
		if offset >= uint64(n) {
			break
		}
		// It is not there while it is out, or since other memory is mapped.
		if buffer[offset] == breakpointInstruction {
			buffer[offset] = m.inserted[i].below
		}
	}
	return n, err
}

// write is [Memory.Write] below the int3s, which stay in place.
func (m *image) write(address uint64, data []byte) error {
	first, _ := m.find(address)
	end := first
	for end < len(m.inserted) && m.inserted[end].address-address < uint64(len(data)) {
		end++
	}
	if first == end || m.lifted {
		return m.memory.Write(address, data)
	}
	covered := slices.Clone(data)
	for _, breakpoint := range m.inserted[first:end] {
		if !breakpoint.out {
			covered[breakpoint.address-address] = breakpointInstruction
		}
	}
	if err := m.memory.Write(address, covered); err != nil {
		return err
	}
	for i := first; i < end; i++ {
		m.inserted[i].below = data[m.inserted[i].address-address]
	}
	return nil
}
