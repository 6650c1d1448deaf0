package rsp

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Run-length encoding ("Overview"): a byte, '*', and a character that says
// how often the byte is repeated after its first time, plus 29. The
// character is printable and neither '#' nor '$', so that there are 3 to 97
// repeats, but neither 6 nor 7.
const (
	runMark    = '*'
	runBias    = 29
	minRepeats = 3
	maxRepeats = 97
)

const (
	lowBytes  = 0x0101010101010101
	highBits  = 0x8080808080808080
	evenBytes = 0x00ff00ff00ff00ff
	sumLanes  = 0x0001000100010001
)

// AppendRunLength appends src to dst with runs of more than three equal
// bytes encoded, and returns also the sum of the bytes it appended. Bytes of
// src that are '*' are appended as they are: a payload has them only where
// they are part of an encoding already.
func AppendRunLength(dst, src []byte) ([]byte, byte) {
	at := len(dst)
	// Eight bytes are stored at a time, whatever part of them counts.
	dst = slices.Grow(dst, len(src)+8)
	out := dst[at : at+len(src)+8]
	n := 0
	var sum uint64
	i := 0
	for i+minRepeats+8 <= len(src) {
		// A byte of same is zero where a run of four begins.
		w := binary.LittleEndian.Uint64(src[i:])
		same := (w ^ binary.LittleEndian.Uint64(src[i+1:])) |
			(w ^ binary.LittleEndian.Uint64(src[i+2:])) |
			(w ^ binary.LittleEndian.Uint64(src[i+3:]))
		binary.LittleEndian.PutUint64(out[n:], w)
		zero := (same - lowBytes) &^ same & highBits
		if zero == 0 {
			sum += sumBytes(w)
			n += 8
			i += 8
			continue
		}
		lead := bits.TrailingZeros64(zero) / 8
		if lead > 0 {
			sum += sumBytes(w << (64 - 8*lead))
			n += lead
			i += lead
		}
		length := runAt(src[i:])
		n += putRun(out[n:], src[i], length, &sum)
		i += length
	}
	for i < len(src) {
		length := runAt(src[i:])
		n += putRun(out[n:], src[i], length, &sum)
		i += length
	}
	return dst[:at+n], byte(sum)
}

// sumBytes returns the sum of the bytes of w.
func sumBytes(w uint64) uint64 {
	return ((w&evenBytes + w>>8&evenBytes) * sumLanes) >> 48
}

// runAt returns how many bytes at the start of src equal the first, but not
// more than one encoding takes.
func runAt(src []byte) int {
	limit := min(len(src), maxRepeats+1)
	all := uint64(src[0]) * lowBytes
	n := 1
	for n+8 <= limit {
		if d := binary.LittleEndian.Uint64(src[n:]) ^ all; d != 0 {
			return n + bits.TrailingZeros64(d)/8
		}
		n += 8
	}
	for n < limit && src[n] == src[0] {
		n++
	}
	return n
}

// putRun writes length times c, encoded where that is shorter, and returns
// how many bytes it wrote.
func putRun(out []byte, c byte, length int, sum *uint64) int {
	n := 0
	for length > 0 {
		repeats := length - 1
		if repeats < minRepeats || c == runMark {
			out[n] = c
			*sum += uint64(c)
			n++
			length--
			continue
		}
		if repeats == '#'-runBias || repeats == '$'-runBias {
			repeats = '#' - runBias - 1
		}
		count := byte(repeats + runBias)
		out[n], out[n+1], out[n+2] = c, runMark, count
		*sum += uint64(c) + runMark + uint64(count)
		n += 3
		length -= repeats + 1
	}
	return n
}

// Checksum returns the sum of the bytes of data modulo 256, which a frame
// carries after '#' ("Overview").
func Checksum(data []byte) byte {
	var sum uint64
	for ; len(data) >= 8; data = data[8:] {
		sum += sumBytes(binary.LittleEndian.Uint64(data))
	}
	for _, c := range data {
		sum += uint64(c)
	}
	return byte(sum)
}

// AppendExpanded appends to dst what the run-length encoding in src stands
// for. It reports false if a '*' has nothing to repeat or no valid count.
func AppendExpanded(dst, src []byte) ([]byte, bool) {
	start := len(dst)
	for {
		i := bytes.IndexByte(src, runMark)
		if i < 0 {
			return append(dst, src...), true
		}
		dst = append(dst, src[:i]...)
		if len(dst) == start || i+1 >= len(src) {
			return dst, false
		}
		count := int(src[i+1]) - runBias
		if count < minRepeats || count > maxRepeats {
			return dst, false
		}
		last := dst[len(dst)-1]
		dst = slices.Grow(dst, count)
		for range count {
			dst = append(dst, last)
		}
		src = src[i+2:]
	}
}
