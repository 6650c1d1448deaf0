package rsp

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// escapeByte precedes an escaped byte of binary data, which follows with its
// bit 5 inverted ("Overview", Binary Data).
const (
	escapeByte = '}'
	escapeFlip = 0x20
)

// mustEscape marks the bytes that may not stand in a packet as they are. '*'
// is among them because a receiver that expands run-length encoding would
// take it for a repeat.
var mustEscape = [256]bool{'#': true, '$': true, '}': true, '*': true}

// AppendEscaped appends data to dst as the protocol's binary data: '#', '$',
// '}' and '*' become '}' and the byte with bit 5 inverted.
func AppendEscaped(dst, data []byte) []byte {
	dst = slices.Grow(dst, len(data))
	from, i := 0, 0
	for i < len(data) {
		if i+8 <= len(data) && !anyEscape(binary.LittleEndian.Uint64(data[i:])) {
			i += 8
			continue
		}
		for end := min(i+8, len(data)); i < end; i++ {
			if mustEscape[data[i]] {
				dst = append(dst, data[from:i]...)
				dst = append(dst, escapeByte, data[i]^escapeFlip)
				from = i + 1
			}
		}
	}
	return append(dst, data[from:]...)
}

// anyEscape reports whether one of the eight bytes must be escaped.
func anyEscape(w uint64) bool {
	a, b := w^'#'*lowBytes, w^'$'*lowBytes
	c, d := w^'}'*lowBytes, w^'*'*lowBytes
	return ((a-lowBytes)&^a|(b-lowBytes)&^b|(c-lowBytes)&^c|(d-lowBytes)&^d)&highBits != 0
}

// AppendUnescaped appends to dst what the binary data in src stands for. It
// reports false if src ends in a '}' that escapes nothing.
func AppendUnescaped(dst, src []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(src, escapeByte)
		if i < 0 {
			return append(dst, src...), true
		}
		dst = append(dst, src[:i]...)
		if i+1 == len(src) {
			return dst, false
		}
		dst = append(dst, src[i+1]^escapeFlip)
		src = src[i+2:]
	}
}

// EscapedPrefix returns how many of the first bytes of data fit into limit
// bytes of a payload once they are escaped: for the m and l replies of qXfer
// and the attachments of vFile, which may be shorter than was asked for.
func EscapedPrefix(data []byte, limit int) int {
	if 2*len(data) <= limit {
		return len(data)
	}
	for i, c := range data {
		limit--
		if mustEscape[c] {
			limit--
		}
		if limit < 0 {
			return i
		}
	}
	return len(data)
}

func hasEscapes(data []byte) bool { return bytes.IndexByte(data, escapeByte) >= 0 }
