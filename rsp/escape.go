package rsp

import (
	"bytes"
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
func AppendEscaped[T []byte | string](dst []byte, data T) []byte {
	dst = slices.Grow(dst, len(data))
	from := 0
	for i := 0; i < len(data); i++ {
		if mustEscape[data[i]] {
			dst = append(dst, data[from:i]...)
			dst = append(dst, escapeByte, data[i]^escapeFlip)
			from = i + 1
		}
	}
	return append(dst, data[from:]...)
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

// escapedPrefix returns how many bytes of data fit into limit bytes once
// they are escaped.
func escapedPrefix[T []byte | string](data T, limit int) int {
	for i := 0; i < len(data); i++ {
		limit--
		if mustEscape[data[i]] {
			limit--
		}
		if limit < 0 {
			return i
		}
	}
	return len(data)
}

// EscapedPrefix returns how many of the first bytes of data fit into limit
// bytes of a payload once they are escaped: for the m and l replies of qXfer
// and the attachments of vFile, which may be shorter than was asked for.
func EscapedPrefix(data []byte, limit int) int {
	if 2*len(data) <= limit {
		return len(data)
	}
	return escapedPrefix(data, limit)
}

func hasEscapes(data []byte) bool { return bytes.IndexByte(data, escapeByte) >= 0 }
