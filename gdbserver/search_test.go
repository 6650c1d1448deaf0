package gdbserver

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

var errUnmapped = errors.New("bad address")

// mapping is memory from base on that gives at most most bytes at once, if most
// is not 0.
type mapping struct {
	base uint64
	data []byte
	most int
}

func (m mapping) Read(address uint64, buffer []byte) (int, error) {
	offset := address - m.base
	if offset >= uint64(len(m.data)) {
		return 0, errUnmapped
	}
	if m.most > 0 {
		buffer = buffer[:min(len(buffer), m.most)]
	}
	return copy(buffer, m.data[offset:]), nil
}

func TestSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	data := make([]byte, 3*blockSize+77)
	for i := range data {
		data[i] = byte(random.IntN(3))
	}
	pattern := []byte("needle in a haystack")
	for _, most := range []int{0, 1000, 7} {
		for _, at := range []int{0, 1, blockSize - 1, blockSize - 10, blockSize, blockSize + 19, 2*blockSize - 5, len(data) - len(pattern)} {
			m := mapping{0x10000, bytes.Clone(data), most}
			copy(m.data[at:], pattern)
			want := m.base + uint64(at)
			for _, length := range []uint64{uint64(at + len(pattern)), uint64(len(data)), 1 << 40, 1<<64 - 1} {
				if got, ok, err := search(m, m.base, length, pattern); got != want || !ok || err != nil {
					t.Errorf("at %d, in %d bytes, %d at once: %#x, %v, %v", at, length, most, got, ok, err)
				}
			}
			if got, ok, err := search(m, m.base, uint64(at+len(pattern)-1), pattern); ok || err != nil {
				t.Errorf("at %d, one byte less, %d at once: %#x, %v", at, most, got, err)
			}
			if got, ok, err := search(m, want+1, uint64(len(data)-at-1), pattern); ok || err != nil {
				t.Errorf("at %d, from the next byte on, %d at once: %#x, %v", at, most, got, err)
			}
			if got, ok, err := search(m, want+1, uint64(len(data)-at), pattern); ok || !errors.Is(err, errUnmapped) {
				t.Errorf("at %d, beyond the end, %d at once: %#x, %v", at, most, got, err)
			}
		}
	}
	// The second of two, and one that overlaps with itself.
	m := mapping{0x1000, []byte("aabaabaaab"), 0}
	for pattern, want := range map[string]uint64{"aaa": 0x1006, "aab": 0x1000, "baaa": 0x1005, "b": 0x1002} {
		if got, ok, err := search(m, 0x1000, 10, []byte(pattern)); got != want || !ok || err != nil {
			t.Errorf("%s: %#x, %v, %v", pattern, got, ok, err)
		}
	}
	// Up to the last address and not around it.
	m = mapping{1<<64 - 8, []byte("abcdefgh"), 0}
	if got, ok, err := search(m, m.base, 100, []byte("h")); got != 1<<64-1 || !ok || err != nil {
		t.Errorf("the last byte: %#x, %v, %v", got, ok, err)
	}
	if got, ok, err := search(m, m.base, 100, []byte("ha")); ok || err != nil {
		t.Errorf("around the end: %#x, %v", got, err)
	}
}

// TestChecksum compares with what is known of this CRC, which catalogues call
// CRC-32/MPEG-2.
func TestChecksum(t *testing.T) {
	for text, want := range map[string]uint32{
		"": 0xffffffff, "123456789": 0x0376e6e7, "\x00": 0x4e08bfb4,
	} {
		m := mapping{0x1000, []byte(text), 2}
		if got, err := checksum(m, m.base, uint64(len(text))); got != want || err != nil {
			t.Errorf("%q: %#x, %v, want %#x", text, got, err, want)
		}
	}
	m := mapping{1<<64 - 8, []byte("abcdefgh"), 0}
	if _, err := checksum(m, m.base, 8); err != nil {
		t.Error(err)
	}
	if got, err := checksum(m, m.base, 9); err == nil {
		t.Errorf("beyond the last address: %#x", got)
	}
	m.base = 0x1000
	if got, err := checksum(m, m.base, 9); !errors.Is(err, errUnmapped) {
		t.Errorf("beyond the end: %#x, %v", got, err)
	}
}
