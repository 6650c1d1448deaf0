// Package libraries finds the shared libraries that a dynamic linker has
// loaded into a program and writes them as the document that gdb reads with
// qXfer:libraries-svr4:read.
//
// The dynamic linker keeps, for debuggers, a struct r_debug with a list of
// struct link_map, one for each loaded object, and leaves the address of the
// former in the DT_DEBUG entry of the program's dynamic section (System V ABI,
// "Dynamic Section"; <link.h>). The way there is
//
//	auxiliary vector -> program headers -> PT_DYNAMIC -> DT_DEBUG -> r_debug -> link_map
//
// and everything after the auxiliary vector is the memory of the program, which
// may hold anything. No content of it makes a walk endless: what a walk reads
// has a limit in number and in bytes, and an entry met twice ends it.
//
// The package makes no system call and knows no protocol beyond its document.
// Words have the server's byte order, and the size that the program has: the
// auxiliary vector tells a program of 64 bits from one of 32.
package libraries

import (
	"errors"
	"fmt"
	"math"

	"rspd/gdbserver/program"
)

// The limits of one walk. glibc has 16 namespaces (DL_NNS), and the largest
// programs known have some thousands of libraries.
const (
	maxNamespaces = 256
	maxLinkMaps   = 1 << 15
	maxNameBytes  = 4 << 20
)

// maxName is the longest l_name that is read, in bytes without the NUL that
// ends it: PATH_MAX - 1, for no longer name can be opened (path_resolution(7)).
const maxName = 4095

// A Library is one struct link_map.
type Library struct {
	// Name is l_name, a file name, as the bytes that the program has.
	Name string
	// LinkMap is the address of the struct link_map.
	LinkMap uint64
	// Bias is l_addr: an address in memory less the same address in the file.
	Bias uint64
	// Dynamic is l_ld: the address of the library's dynamic section.
	Dynamic uint64
	// Namespace is the address of the struct r_debug of the namespace (see
	// dlmopen(3)) that the library is in, or what the annex had for lmid.
	Namespace uint64
}

// A List is what one walk has found.
type List struct {
	// MainLinkMap is the address of the main program's struct link_map, 0 if
	// the walk has not met it.
	MainLinkMap uint64
	// Libraries are in the dynamic linker's order, one namespace after the
	// other. The main program is not among them, nor what has no name.
	Libraries []Library
	// WithoutNamespaces leaves lmid out of the document, for clients that know
	// the attributes only that gdb has had from the beginning.
	WithoutNamespaces bool
	// Problem is the first thing because of which the list may lack libraries,
	// nil if it is whole: a struct or a name that cannot be read, links that
	// contradict each other, too many of them. A program that runs, or that
	// stopped while it changed the list, can have any of these for a moment.
	Problem error
}

// ErrNoList says that a program has no DT_DEBUG from which to find a list: it
// is linked statically, or it is a dynamic linker that was run by name.
//
// The reply to gdb should be an error then, and not an empty list. gdb takes
// the error for a reason to look for the symbol _r_debug, and that way finds
// what a static program has loaded with dlopen(3), and what a dynamic linker
// run by name has loaded.
var ErrNoList = errors.New("the program has no DT_DEBUG entry that leads to a list of its libraries")

// Document is [Read] and then [List.Document]. A list with a [List.Problem] is
// given as far as it goes, as GNU gdbserver does.
func Document(memory Memory, auxv []byte, annex string) ([]byte, error) {
	list, err := Read(memory, auxv, annex)
	if err != nil {
		return nil, err
	}
	return list.Document(), nil
}

// Read walks a program's list of libraries. auxv is the program's auxiliary
// vector, as /proc/PID/auxv has it since the last execve(2).
//
// annex is the annex of the packet: "" for all libraries of all namespaces, or
// arguments as in "start=7ffff7fc0400;prev=7ffff7ffe8b0;lmid=7ffff7ffe118" to
// have those of one namespace from one on (GDB manual, "General Query
// Packets", qXfer libraries-svr4 read). Arguments with other names are ignored.
//
// A program whose dynamic linker has not come so far as to make the list has
// an empty one. The error is [ErrNoList], or says what in auxv or annex makes
// no sense, or why the program headers or the dynamic section cannot be read.
func Read(memory Memory, auxv []byte, annex string) (List, error) {
	from, err := parseAnnex(annex)
	if err != nil {
		return List{}, err
	}
	vector, err := program.ParseVector(auxv)
	if err != nil {
		return List{}, err
	}
	w := walk{words: vector.Words, memory: pages{memory: memory}, visited: make(map[uint64]struct{})}
	if from.start != 0 {
		w.libraries(from.start, from.prev, from.lmid)
		return w.list, nil
	}
	base, err := debugBase(&w.memory, vector)
	if err != nil {
		return List{}, err
	}
	w.namespaces(base)
	return w.list, nil
}

// DebugBase finds the address of the struct r_debug of a program's first
// namespace. It is 0 while the dynamic linker has not come so far as to set it
// up. Errors are those of [Read].
func DebugBase(memory Memory, auxv []byte) (uint64, error) {
	vector, err := program.ParseVector(auxv)
	if err != nil {
		return 0, err
	}
	return debugBase(&pages{memory: memory}, vector)
}

// DebugEntry finds the address of the word of a program's dynamic section in
// which the dynamic linker leaves the address of the struct r_debug. Errors are
// those of [Read].
func DebugEntry(memory Memory, auxv []byte) (uint64, error) {
	vector, err := program.ParseVector(auxv)
	if err != nil {
		return 0, err
	}
	place, _, err := debugEntry(&pages{memory: memory}, vector)
	return place, err
}

// walk follows the lists and holds what was found so far.
type walk struct {
	words   program.Words
	memory  pages
	list    List
	visited map[uint64]struct{} // addresses of struct link_map
	names   int                 // bytes of names
}

func (w *walk) problem(format string, arguments ...any) {
	if w.list.Problem == nil {
		w.list.Problem = fmt.Errorf(format, arguments...)
	}
}

// namespaces walks the lists of all namespaces. From version 2 on a struct
// r_debug is followed by r_next, the address of the next namespace's (glibc
// 2.35, struct r_debug_extended).
func (w *walk) namespaces(base uint64) {
	seen := make(map[uint64]struct{})
	for debug := base; debug != 0; {
		if _, again := seen[debug]; again {
			w.problem("the list of namespaces comes back to the r_debug at %#x", debug)
			return
		}
		if len(seen) == maxNamespaces {
			w.problem("there are more than %d namespaces", maxNamespaces)
			return
		}
		seen[debug] = struct{}{}

		version, head, err := w.readDebug(debug)
		if err != nil {
			w.problem("the r_debug at %#x cannot be read: %w", debug, err)
			return
		}
		if version < 0 {
			w.problem("the r_debug at %#x has the version %d", debug, version)
		}
		if version < 1 {
			return
		}
		if debug == base {
			w.main(head, debug)
		} else {
			w.libraries(head, 0, debug)
		}
		if version < 2 {
			return
		}
		next, err := w.readNext(debug)
		if err != nil {
			w.problem("the r_next of the r_debug at %#x cannot be read: %w", debug, err)
			return
		}
		debug = next
	}
}

// main walks the list of the first namespace. Its first entry is the main
// program.
func (w *walk) main(head, namespace uint64) {
	if head == 0 {
		return
	}
	w.list.MainLinkMap = head
	w.visited[head] = struct{}{}
	executable, err := w.readLinkMap(head)
	if err != nil {
		w.problem("the main program's link_map at %#x cannot be read: %w", head, err)
		return
	}
	w.libraries(executable.next, head, namespace)
}

// libraries walks the list of one namespace from the link_map at address on,
// whose l_prev has to be prev.
func (w *walk) libraries(address, prev, namespace uint64) {
	for address != 0 {
		if _, again := w.visited[address]; again {
			w.problem("the list of libraries comes back to the link_map at %#x", address)
			return
		}
		if len(w.visited) == maxLinkMaps {
			w.problem("there are more than %d libraries", maxLinkMaps)
			return
		}
		w.visited[address] = struct{}{}

		m, err := w.readLinkMap(address)
		if err != nil {
			w.problem("the link_map at %#x cannot be read: %w", address, err)
			return
		}
		if m.prev != prev {
			w.problem("the link_map at %#x says that it comes after the one at %#x, but comes after the one at %#x", address, m.prev, prev)
			return
		}
		name, err := w.memory.text(m.name, maxName)
		if err != nil {
			w.problem("the name of the link_map at %#x cannot be read: %w", address, err)
		}
		if w.names += len(name); w.names > maxNameBytes {
			w.problem("the names of the libraries have more than %d bytes", maxNameBytes)
			return
		}
		if name != "" {
			w.list.Libraries = append(w.list.Libraries, Library{
				Name: name, LinkMap: address, Bias: m.bias, Dynamic: m.dynamic, Namespace: namespace,
			})
		}
		prev, address = address, m.next
	}
}

// linkMap is the public part of struct link_map of <link.h>.
type linkMap struct{ bias, name, dynamic, next, prev uint64 }

func (w *walk) readLinkMap(address uint64) (linkMap, error) {
	var buffer [5 * 8]byte
	b := buffer[:5*w.words.Size]
	if err := w.memory.read(address, b); err != nil {
		return linkMap{}, err
	}
	words := w.words
	return linkMap{bias: words.At(b, 0), name: words.At(b, 1), dynamic: words.At(b, 2), next: words.At(b, 3), prev: words.At(b, 4)}, nil
}

// readDebug reads r_version and r_map of a struct r_debug. r_version is an int
// and r_map a pointer, which makes them two words.
func (w *walk) readDebug(address uint64) (version int32, head uint64, err error) {
	var buffer [2 * 8]byte
	b := buffer[:2*w.words.Size]
	if err := w.memory.read(address, b); err != nil {
		return 0, 0, err
	}
	return int32(program.ByteOrder.Uint32(b)), w.words.At(b, 1), nil
}

// readNext reads r_next, the word after the five of a struct r_debug: r_version,
// r_map, r_brk, r_state and r_ldbase.
func (w *walk) readNext(debug uint64) (uint64, error) {
	var buffer [8]byte
	b := buffer[:w.words.Size]
	offset := uint64(5 * w.words.Size)
	if debug > math.MaxUint64-offset {
		return 0, errors.New("it would lie beyond the last address")
	}
	if err := w.memory.read(debug+offset, b); err != nil {
		return 0, err
	}
	return w.words.At(b, 0), nil
}
