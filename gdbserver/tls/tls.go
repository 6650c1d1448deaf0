// Package tls finds where a thread has a thread-local variable of a program or
// a library, from the memory of the program alone: no libthread_db, no symbols.
//
// The executable's variables lie at a distance from the thread pointer that is
// fixed when it is linked (Ulrich Drepper, "ELF Handling For Thread-Local
// Storage", variant II, which x86 has). So they are found in programs of any C
// library, static ones too.
//
// For a library the client gives the address of its struct link_map, and what
// the C library keeps behind the public part of that tells the rest. Its layout
// changes from version to version, but it always has a copy of what the
// library's PT_TLS header says, by which the place is recognised: the numbers
// that are wanted follow it, in glibc since version 2.4 (include/link.h) and in
// musl since 1.1.15 (ldso/dynlink.c).
//
// The package makes no system call and knows no protocol. Words have the
// server's byte order, and the size that the program has.
package tls

import (
	"errors"
	"fmt"

	"rspd/gdbserver/program"
)

// Memory is the memory of a program.
type Memory interface {
	// Read fills buffer from address on, as far as memory can be read without
	// a gap, and tells how many bytes it has filled. The error says why there
	// are none.
	Read(address uint64, buffer []byte) (int, error)
}

var (
	// ErrNoThreadPointer says that a thread has no thread pointer: the C
	// library has not come so far, or there is none.
	ErrNoThreadPointer = errors.New("the thread has no thread-local storage yet: its thread pointer is not set")
	// ErrNoVariables says that a module has no PT_TLS header.
	ErrNoVariables = errors.New("the module has no thread-local variables")
	// ErrNotAllocated says that the variables of a library that was loaded
	// with dlopen(3) have no place in a thread that has not used one of them:
	// glibc makes room when the first is used.
	ErrNotAllocated = errors.New("the thread has not used the library's thread-local variables yet, so that they have no address")
)

// Address is where a thread has the variable that is offset bytes into the
// thread-local variables of a module.
//
// auxv is the program's auxiliary vector as /proc/PID/auxv has it, which also
// tells a program of 64 bits from one of 32. pointer is the thread pointer:
// fs_base in 64-bit code, the base of %gs in 32-bit code. module is the address
// of the struct link_map of a library or of the program, or 0 for the program,
// as gdb says it of one that is linked statically.
//
// The error is one of this package, or says what cannot be read or what makes
// no sense.
func Address(memory Memory, auxv []byte, pointer, module, offset uint64) (uint64, error) {
	executed, err := program.ParseVector(auxv)
	if err != nil {
		return 0, err
	}
	if pointer == 0 {
		return 0, ErrNoThreadPointer
	}
	r := reader{memory, executed.Words}
	main, err := executed.Executable(r.bytes)
	if err != nil {
		return 0, err
	}
	var link linkMap
	if module != 0 {
		if link, err = r.linkMap(module); err != nil {
			return 0, err
		}
	}
	if module == 0 || link.dynamic == main.Dynamic() {
		segment, err := tlsOf(main)
		if err != nil {
			return 0, err
		}
		return r.Address(pointer - segment.distance() + offset), nil
	}
	library, err := r.Library(r.bytes, link.bias)
	if err != nil {
		return 0, err
	}
	segment, err := tlsOf(library)
	if err != nil {
		return 0, err
	}
	private, err := link.after(segment)
	if err != nil {
		return 0, err
	}
	t := thread{reader: r, pointer: pointer, linker: executed.Linker, main: main}
	var block uint64
	if link.isMusl(library) {
		block, err = t.muslBlock(private)
	} else {
		block, err = t.glibcBlock(private, module)
	}
	if err != nil {
		return 0, err
	}
	return r.Address(block + offset), nil
}

// thread is whose variables are looked for.
type thread struct {
	reader
	pointer uint64
	// linker is where the dynamic linker is, 0 if it is in main.
	linker uint64
	main   program.Image
}

// vector is the address of the thread's vector of modules, which is in the word
// after the one at the thread pointer.
func (t thread) vector() (uint64, error) {
	vector, err := t.wordAt(t.Address(t.pointer + uint64(t.Size)))
	if err != nil {
		return 0, fmt.Errorf("the thread's vector of thread-local storage cannot be found: %w", err)
	}
	return vector, nil
}

// vectorError says that it could not be read.
func vectorError(vector uint64, err error) error {
	return fmt.Errorf("the thread's vector of thread-local storage at %#x cannot be read: %w", vector, err)
}

// linkMap is a struct link_map: words of which the public ones come first
// (<link.h>).
type linkMap struct {
	bias, dynamic uint64
	words         []uint64
}

// maxLinkMap is how many bytes of one are looked at. That of glibc 2.36 has
// 1160 and musl's struct dso 440.
const maxLinkMap = 2048

func (r reader) linkMap(address uint64) (linkMap, error) {
	words, err := r.words(address, maxLinkMap/r.Size)
	if len(words) < 8 {
		return linkMap{}, fmt.Errorf("the link_map at %#x cannot be read: %w", address, err)
	}
	return linkMap{bias: words[0], dynamic: words[2], words: words}, nil
}

// after finds the copy of a PT_TLS header, which is moved to where the library
// is, and returns the words that follow it.
func (l linkMap) after(segment segment) ([]uint64, error) {
	const public = 5
	copied := []uint64{segment.address, segment.Filesz, segment.Memsz, segment.Align}
	const wanted = 3
next:
	for i := public; i+len(copied)+wanted <= len(l.words); i++ {
		for j, word := range copied {
			if l.words[i+j] != word {
				continue next
			}
		}
		return l.words[i+len(copied):], nil
	}
	return nil, errors.New("the C library's record of the module's thread-local variables was not recognised")
}
