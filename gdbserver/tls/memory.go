package tls

import (
	"encoding/binary"
	"errors"
)

// byteOrder is that of the program, which runs on the server's machine.
var byteOrder = binary.NativeEndian

// layout is what depends on the size of a program's words.
type layout struct{ word int } // bytes, 4 or 8

// at is the i-th word in b.
func (l layout) at(b []byte, i int) uint64 {
	if l.word == 4 {
		return uint64(byteOrder.Uint32(b[4*i:]))
	}
	return byteOrder.Uint64(b[8*i:])
}

// address is what is left of a sum when it is an address of the program.
func (l layout) address(sum uint64) uint64 {
	if l.word == 4 {
		return uint64(uint32(sum))
	}
	return sum
}

// reader reads a program's memory.
type reader struct {
	memory Memory
	layout
}

// bytes fills buffer or fails.
func (r reader) bytes(address uint64, buffer []byte) error {
	n, err := r.memory.Read(address, buffer)
	if n < len(buffer) {
		if err == nil {
			err = errShort
		}
		return err
	}
	return nil
}

var errShort = errors.New("the memory ends before")

// words reads up to count words, as many as there are. The error says why there
// are none.
func (r reader) words(address uint64, count int) ([]uint64, error) {
	b := make([]byte, count*r.word)
	n, err := r.memory.Read(address, b)
	if n < r.word {
		if err == nil {
			err = errShort
		}
		return nil, err
	}
	words := make([]uint64, n/r.word)
	for i := range words {
		words[i] = r.at(b, i)
	}
	if len(words) < count {
		return words, errShort
	}
	return words, nil
}

// wordAt reads one word.
func (r reader) wordAt(address uint64) (uint64, error) {
	words, err := r.words(address, 1)
	if err != nil {
		return 0, err
	}
	return words[0], nil
}
