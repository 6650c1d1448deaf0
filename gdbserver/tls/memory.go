package tls

import (
	"errors"

	"rspd/gdbserver/program"
)

// reader reads a program's memory.
type reader struct {
	memory Memory
	program.Words
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
	b := make([]byte, count*r.Size)
	n, err := r.memory.Read(address, b)
	if n < r.Size {
		if err == nil {
			err = errShort
		}
		return nil, err
	}
	words := make([]uint64, n/r.Size)
	for i := range words {
		words[i] = r.At(b, i)
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
