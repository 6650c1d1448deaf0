package threads

import (
	"cmp"
	"slices"
)

// AddressSpace is the memory of a process with the client's breakpoints. A
// vfork child uses its parent's until it executes a program, as the client
// expects; any other process has one of its own, also where it shares its
// memory with its creator.
//
// The client never sees its own breakpoints: reads show the bytes below them
// and writes go below them.
type AddressSpace struct {
	image *image
	users int
	// wanted holds the breakpoints, sorted by address.
	wanted []softwareBreakpoint
	// internal holds those of the server itself, sorted by address.
	internal []internalBreakpoint
}

type softwareBreakpoint struct {
	address uint64
	// judge decides on its hits.
	judge Judge
}

// An internalBreakpoint is one that the client knows nothing of.
type internalBreakpoint struct {
	address uint64
	hit     func(lwp *LWP)
}

func newAddressSpace(memory Memory) *AddressSpace {
	return &AddressSpace{image: &image{memory: memory, spaces: 1}, users: 1}
}

// over returns a space with the same breakpoints over an image that has their
// int3s already.
func (a *AddressSpace) over(m *image) *AddressSpace {
	m.spaces++
	for _, breakpoint := range a.wanted {
		if i, found := m.find(breakpoint.address); found {
			m.inserted[i].wanted++
		}
	}
	for _, breakpoint := range a.internal {
		if i, found := m.find(breakpoint.address); found {
			m.inserted[i].wanted++
		}
	}
	return &AddressSpace{image: m, users: 1, wanted: slices.Clone(a.wanted), internal: slices.Clone(a.internal)}
}

// copyFor returns the space of a child that has a copy of the memory.
func (a *AddressSpace) copyFor(memory Memory) *AddressSpace {
	child := a.over(a.image.copyFor(memory))
	// The creator's memory may hold the int3s of others.
	child.image.sweep()
	return child
}

func (a *AddressSpace) release() {
	if a.users--; a.users > 0 {
		return
	}
	for _, breakpoint := range a.wanted {
		a.image.disown(breakpoint.address)
	}
	for _, breakpoint := range a.internal {
		a.image.disown(breakpoint.address)
	}
	a.wanted, a.internal = nil, nil
	if a.image.spaces--; a.image.spaces == 0 {
		// The process is gone or another's: nobody could use an answer.
		_ = a.image.memory.Close()
	}
}

func (a *AddressSpace) find(address uint64) (int, bool) {
	return slices.BinarySearchFunc(a.wanted, address, func(b softwareBreakpoint, address uint64) int { return cmp.Compare(b.address, address) })
}

func (a *AddressSpace) findInternal(address uint64) (int, bool) {
	return slices.BinarySearchFunc(a.internal, address, func(b internalBreakpoint, address uint64) int { return cmp.Compare(b.address, address) })
}

// wants tells whether the client or the server has a software breakpoint at
// address.
func (a *AddressSpace) wants(address uint64) bool {
	_, internal := a.findInternal(address)
	return internal || a.HasBreakpoint(address)
}

// HasBreakpoint tells whether the client has a software breakpoint at
// address.
func (a *AddressSpace) HasBreakpoint(address uint64) bool {
	_, found := a.find(address)
	return found
}

// InsertBreakpoint puts an int3 at address, all of whose hits are reported.
// Inserting one twice changes nothing, as the protocol asks ("implemented in an
// idempotent way"), unless other memory has been mapped there since: clients do
// not remove the breakpoints of a library that was unloaded.
func (a *AddressSpace) InsertBreakpoint(address uint64) error {
	return a.InsertJudged(address, Judge{})
}

// InsertJudged is InsertBreakpoint with a judge of its hits, which replaces the
// one that the breakpoint had. A fork inherits it.
func (a *AddressSpace) InsertJudged(address uint64, judge Judge) error {
	i, found := a.find(address)
	if found {
		a.wanted[i].judge = judge
		return a.image.renew(address)
	}
	if err := a.image.want(address); err != nil {
		return err
	}
	a.wanted = slices.Insert(a.wanted, i, softwareBreakpoint{address: address, judge: judge})
	return nil
}

// RemoveBreakpoint puts the byte back, unless a process that shares the memory
// has a breakpoint there too. Where there is no breakpoint there is nothing to
// do. It is forgotten even when the memory is no longer there.
func (a *AddressSpace) RemoveBreakpoint(address uint64) error {
	i, found := a.find(address)
	if !found {
		return nil
	}
	a.wanted = slices.Delete(a.wanted, i, i+1)
	return a.image.drop(address)
}

// InsertInternal puts an int3 of the server's own at address, beside what the
// client has there. Its hits are told to nobody but the function, which may do
// what a [Judge] may, and the LWP goes on. A fork inherits it. Inserting it
// again replaces the function.
func (a *AddressSpace) InsertInternal(address uint64, hit func(lwp *LWP)) error {
	i, found := a.findInternal(address)
	if found {
		a.internal[i].hit = hit
		return a.image.renew(address)
	}
	if err := a.image.want(address); err != nil {
		return err
	}
	a.internal = slices.Insert(a.internal, i, internalBreakpoint{address, hit})
	return nil
}

// RemoveInternal undoes InsertInternal.
func (a *AddressSpace) RemoveInternal(address uint64) error {
	i, found := a.findInternal(address)
	if !found {
		return nil
	}
	a.internal = slices.Delete(a.internal, i, i+1)
	return a.image.drop(address)
}

// removeAll takes out all breakpoints, also the server's own.
func (a *AddressSpace) removeAll() {
	a.removeAllBut(func(Judge) bool { return false })
}

// removeAllBut is RemoveBreakpoint for those whose judges are not to stay, and for
// the server's own.
func (a *AddressSpace) removeAllBut(stays func(Judge) bool) {
	a.wanted = slices.DeleteFunc(a.wanted, func(breakpoint softwareBreakpoint) bool {
		if stays(breakpoint.judge) {
			return false
		}
		// What cannot be written is not there.
		_ = a.image.drop(breakpoint.address)
		return true
	})
	for _, breakpoint := range a.internal {
		_ = a.image.drop(breakpoint.address)
	}
	a.internal = nil
}

// Read is [Memory.Read] with the bytes below the breakpoints.
func (a *AddressSpace) Read(address uint64, buffer []byte) (int, error) {
	return a.image.read(address, buffer)
}

// Write is [Memory.Write] below the breakpoints, which stay in place.
func (a *AddressSpace) Write(address uint64, data []byte) error {
	return a.image.write(address, data)
}
