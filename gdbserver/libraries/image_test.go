package libraries

import (
	"debug/elf"
	"encoding/binary"
	"errors"

	"rspd/gdbserver/program"
)

var errUnmapped = errors.New("bad address")

// image is a memory of pages that were written to.
type image struct {
	program.Words
	pages map[uint64]*[pageSize]byte
	reads int
}

func newImage(word int) *image {
	return &image{Words: program.Words{Size: word}, pages: map[uint64]*[pageSize]byte{}}
}

func (m *image) Read(address uint64, buffer []byte) (int, error) {
	m.reads++
	n := 0
	for n < len(buffer) {
		p := m.pages[(address+uint64(n))&^(pageSize-1)]
		if p == nil {
			return n, errUnmapped
		}
		n += copy(buffer[n:], p[(address+uint64(n))&(pageSize-1):])
	}
	return n, nil
}

func (m *image) write(address uint64, b []byte) {
	for len(b) > 0 {
		p := m.pages[address&^(pageSize-1)]
		if p == nil {
			p = new([pageSize]byte)
			m.pages[address&^(pageSize-1)] = p
		}
		n := copy(p[address&(pageSize-1):], b)
		address, b = address+uint64(n), b[n:]
	}
}

func (m *image) unmap(address uint64) { delete(m.pages, address&^(pageSize-1)) }

func (m *image) appendWords(b []byte, values ...uint64) []byte {
	for _, v := range values {
		if m.Size == 4 {
			b = program.ByteOrder.AppendUint32(b, uint32(v))
		} else {
			b = program.ByteOrder.AppendUint64(b, v)
		}
	}
	return b
}

func (m *image) words(address uint64, values ...uint64) {
	m.write(address, m.appendWords(nil, values...))
}

func (m *image) headers(address uint64, headers ...elf.Prog64) {
	var b []byte
	for _, h := range headers {
		var err error
		if m.Size == 8 {
			b, err = binary.Append(b, program.ByteOrder, h)
		} else {
			b, err = binary.Append(b, program.ByteOrder, elf.Prog32{Type: h.Type, Off: uint32(h.Off), Vaddr: uint32(h.Vaddr)})
		}
		if err != nil {
			panic(err)
		}
	}
	m.write(address, b)
}

func (m *image) auxv(headers, count uint64) []byte {
	size := uint64(56)
	if m.Size == 4 {
		size = 32
	}
	const atPagesz = 6
	return m.appendWords(nil, atPagesz, 4096, program.AtPhdr, headers, program.AtPhent, size, program.AtPhnum, count, program.AtEntry, 0x1234, program.AtNull, 0)
}

// object is a link_map to be written. Its name goes to nameAt(address).
type object struct {
	address       uint64
	name          string
	bias, dynamic uint64
}

func nameAt(linkMap uint64) uint64 { return linkMap + 0x400 }

// namespace writes a struct r_debug_extended and its list.
func (m *image) namespace(debug uint64, version int32, next uint64, objects ...object) {
	var head, prev uint64
	for i, o := range objects {
		if i == 0 {
			head = o.address
		}
		var following uint64
		if i+1 < len(objects) {
			following = objects[i+1].address
		}
		m.write(nameAt(o.address), append([]byte(o.name), 0))
		m.words(o.address, o.bias, nameAt(o.address), o.dynamic, following, prev)
		prev = o.address
	}
	m.words(debug, 0, head, 0xb4, 0, 0x7000, next)
	m.write(debug, program.ByteOrder.AppendUint32(nil, uint32(version)))
}

// Addresses of what [pie] writes. All fit in 32 bits.
const (
	bias        = 0x56555000
	headersAt   = bias + 0x40
	dynamicAt   = bias + 0x3d90
	dynamicFile = 0x3d90
	debugAt     = 0xf7ffd118
	mainMap     = 0xf7ffe2e0
	vdsoMap     = 0xf7ffe8b0
	libcMap     = 0xf7fc0400
)

// pie is a position-independent program of two libraries in one namespace, and
// its auxiliary vector.
func pie(word int) (*image, []byte) {
	m := newImage(word)
	m.headers(headersAt,
		elf.Prog64{Type: uint32(elf.PT_PHDR), Vaddr: 0x40},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: 0},
		elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Vaddr: dynamicFile})
	m.words(dynamicAt, uint64(elf.DT_NEEDED), 1, uint64(elf.DT_DEBUG), debugAt, uint64(elf.DT_NULL), 0)
	m.namespace(debugAt, 1, 0,
		object{mainMap, "", bias, dynamicAt},
		object{vdsoMap, "linux-vdso.so.1", 0xf7fc8000, 0xf7fc8440},
		object{libcMap, "/lib/libc.so.6", 0xf7dd4000, 0xf7fa6b60})
	return m, m.auxv(headersAt, 3)
}
