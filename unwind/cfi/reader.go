package cfi

import (
	"encoding/binary"
	"errors"
)

var errTruncated = errors.New("the call frame information ends within a value")

// reader takes values from the front of a section. After the first value that
// isn't all there it gives zeros and remembers the error.
type reader struct {
	data []byte
	at   uint64 // the offset of data in the section
	err  error
}

func (r *reader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.data)) {
		if r.err == nil {
			r.err = errTruncated
		}
		r.data = nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	r.at += n
	return b
}

func (r *reader) uint(size uint64) uint64 {
	b := r.bytes(size)
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// int gives a signed number of size bytes.
func (r *reader) int(size uint64) int64 {
	v := r.uint(size)
	shift := 64 - 8*size
	return int64(v<<shift) >> shift
}

func (r *reader) uleb() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		b := r.uint(1)
		if r.err != nil {
			return 0
		}
		if shift < 64 {
			v |= b & 0x7f << shift
		}
		if b&0x80 == 0 {
			return v
		}
	}
}

func (r *reader) sleb() int64 {
	var v int64
	for shift := 0; ; {
		b := r.uint(1)
		if r.err != nil {
			return 0
		}
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		shift += 7
		if b&0x80 == 0 {
			if shift < 64 && b&0x40 != 0 {
				v |= -1 << shift
			}
			return v
		}
	}
}

func (r *reader) text() string {
	for i, b := range r.data {
		if b == 0 {
			s := string(r.data[:i])
			r.bytes(uint64(i) + 1)
			return s
		}
	}
	r.bytes(uint64(len(r.data)) + 1)
	return ""
}

// block gives what a length in LEB128 counts.
func (r *reader) block() string { return string(r.bytes(r.uleb())) }

// The encodings of pointers (Linux Standard Base, "DWARF Exception Header
// Encoding").
const (
	encodingAbsolute  = 0x00
	encodingULEB      = 0x01
	encodingUint16    = 0x02
	encodingUint32    = 0x03
	encodingUint64    = 0x04
	encodingSLEB      = 0x09
	encodingInt16     = 0x0a
	encodingInt32     = 0x0b
	encodingInt64     = 0x0c
	encodingPCRel     = 0x10
	encodingIndirect  = 0x80
	encodingOmit      = 0xff
	encodingFormat    = 0x0f
	encodingRelation  = 0x70
	unsupportedFormat = "a pointer has an unknown encoding"
)

// pointer gives a pointer as encoded; section is the address of the section.
func (r *reader) pointer(encoding uint8, section uint64) uint64 {
	if encoding == encodingOmit {
		return 0
	}
	at := section + r.at
	var v uint64
	switch encoding & encodingFormat {
	case encodingAbsolute, encodingUint64, encodingInt64:
		v = r.uint(8)
	case encodingULEB:
		v = r.uleb()
	case encodingUint16:
		v = r.uint(2)
	case encodingUint32:
		v = r.uint(4)
	case encodingSLEB:
		v = uint64(r.sleb())
	case encodingInt16:
		v = uint64(r.int(2))
	case encodingInt32:
		v = uint64(r.int(4))
	default:
		r.fail(unsupportedFormat)
	}
	switch encoding & encodingRelation {
	case 0:
	case encodingPCRel:
		v += at
	default:
		r.fail(unsupportedFormat)
	}
	if encoding&encodingIndirect != 0 {
		r.fail(unsupportedFormat)
	}
	return v
}

func (r *reader) fail(text string) {
	if r.err == nil {
		r.err = errors.New(text)
	}
	r.data = nil
}
