package libraries

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"rspd/gdbserver/program"
)

// Memory is the memory of a program.
type Memory interface {
	// Read fills buffer from address on, as far as memory can be read without
	// a gap, and tells how many bytes it has filled. The error says why they
	// are fewer than asked for. All reads are of whole pages of 4096 bytes.
	Read(address uint64, buffer []byte) (int, error)
}

// pageSize is the unit of reads. Mappings end where pages do, so that a page can
// be read or not, but never in part.
const pageSize = program.PageSize

// pages reads memory by the page and keeps some of them. The structs of a
// dynamic linker and the names in them lie close together: most programs'
// lists are in fewer than ten pages.
type pages struct {
	memory Memory
	kept   [8]page
	oldest int
}

type page struct {
	address uint64
	length  int // bytes that could be read, 0 for a page that is not in use
	content [pageSize]byte
}

// window is what can be read from address on without leaving its page, at
// least one byte. It holds until the next call.
func (p *pages) window(address uint64) ([]byte, error) {
	base, offset := address&^(pageSize-1), int(address&(pageSize-1))
	for i := range p.kept {
		if k := &p.kept[i]; k.address == base && offset < k.length {
			return k.content[offset:k.length], nil
		}
	}
	k := &p.kept[p.oldest]
	p.oldest = (p.oldest + 1) % len(p.kept)
	k.address = base
	var err error
	k.length, err = p.memory.Read(base, k.content[:])
	if offset < k.length {
		return k.content[offset:k.length], nil
	}
	if err == nil {
		err = errors.New("there is no memory")
	}
	return nil, fmt.Errorf("at %#x: %w", address, err)
}

// read fills buffer or fails.
func (p *pages) read(address uint64, buffer []byte) error {
	for {
		window, err := p.window(address)
		if err != nil {
			return err
		}
		n := copy(buffer, window)
		buffer = buffer[n:]
		if len(buffer) == 0 {
			return nil
		}
		if address > math.MaxUint64-uint64(n) {
			return fmt.Errorf("at %#x: the memory would go on beyond the last address", address)
		}
		address += uint64(n)
	}
}

// text reads a string that a NUL ends, of at most limit bytes without the NUL.
// Of a longer one it gives that many.
func (p *pages) text(address uint64, limit int) (string, error) {
	var text []byte
	for {
		window, err := p.window(address)
		if err != nil {
			return "", err
		}
		rest := min(len(window), limit-len(text))
		end := bytes.IndexByte(window[:rest], 0)
		if end >= 0 {
			return string(append(text, window[:end]...)), nil
		}
		if text = append(text, window[:rest]...); len(text) == limit {
			return string(text), nil
		}
		if address > math.MaxUint64-uint64(rest) {
			return "", fmt.Errorf("at %#x: the name would go on beyond the last address", address)
		}
		address += uint64(rest)
	}
}
