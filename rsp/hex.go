package rsp

import (
	"encoding/binary"
	"slices"
)

const hexDigits = "0123456789abcdef"

// hexPairs holds the two lower case digits of each byte value, the first
// digit in the low half so that a little-endian store writes them in order.
var hexPairs = func() (t [256]uint16) {
	for i := range t {
		t[i] = uint16(hexDigits[i>>4]) | uint16(hexDigits[i&15])<<8
	}
	return t
}()

const notHex = 0xff

// hexValues maps a digit of either case to its value, all else to notHex.
var hexValues = func() (t [256]byte) {
	for i := range t {
		t[i] = notHex
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i] = 10 + i
		t['A'+i] = 10 + i
	}
	return t
}()

// appendHex appends two lower case digits for each byte of data.
func appendHex[T []byte | string](dst []byte, data T) []byte {
	at := len(dst)
	dst = slices.Grow(dst, 2*len(data))[:at+2*len(data)]
	out := dst[at:]
	i := 0
	for ; i+4 <= len(data); i += 4 {
		four := uint64(hexPairs[data[i]]) | uint64(hexPairs[data[i+1]])<<16 |
			uint64(hexPairs[data[i+2]])<<32 | uint64(hexPairs[data[i+3]])<<48
		binary.LittleEndian.PutUint64(out[2*i:], four)
	}
	for ; i < len(data); i++ {
		binary.LittleEndian.PutUint16(out[2*i:], hexPairs[data[i]])
	}
	return dst
}

// appendHexNumber appends v in hex without leading zeros, "0" for zero.
func appendHexNumber(dst []byte, v uint64) []byte {
	var digits [16]byte
	i := len(digits)
	for {
		i--
		digits[i] = hexDigits[v&15]
		v >>= 4
		if v == 0 {
			return append(dst, digits[i:]...)
		}
	}
}

// appendHexByte appends the two digits of v.
func appendHexByte(dst []byte, v byte) []byte {
	return append(dst, hexDigits[v>>4], hexDigits[v&15])
}

// decodeHex appends the bytes that the pairs of digits in text stand for. It
// returns the offset of the first byte of text that is in the way, or -1. A
// missing last digit is in the way at len(text).
func decodeHex(dst, text []byte) ([]byte, int) {
	at := len(dst)
	n := len(text) / 2
	dst = slices.Grow(dst, n)[:at+n]
	out := dst[at:]
	for i := range out {
		pair := text[2*i : 2*i+2]
		high, low := hexValues[pair[0]], hexValues[pair[1]]
		if high|low == notHex {
			if high == notHex {
				return dst[:at+i], 2 * i
			}
			return dst[:at+i], 2*i + 1
		}
		out[i] = high<<4 | low
	}
	if len(text)%2 != 0 {
		if hexValues[text[len(text)-1]] == notHex {
			return dst, len(text) - 1
		}
		return dst, len(text)
	}
	return dst, -1
}
