package rsp

// ReadMemory is m or x ("Packets", m, x): send Length bytes from Address.
// The answer is Hex for m and BinaryMemory for x.
type ReadMemory struct {
	// Address is where to read, Length how many bytes. Length may be 0, and
	// may be more than fits a reply.
	Address, Length uint64
	// Binary says that it was x.
	Binary bool
}

// Packet returns PacketReadMemory or PacketReadMemoryBinary.
func (r *ReadMemory) Packet() PacketName {
	if r.Binary {
		return PacketReadMemoryBinary
	}
	return PacketReadMemory
}

// WriteMemory is M or X ("Packets", M, X): write Data at Address. X with no
// data is how a client asks whether X is understood.
type WriteMemory struct {
	// Address is where to write.
	Address uint64
	// Data is what to write, decoded; its length is the one the packet
	// gave.
	Data []byte
	// Binary says that it was X.
	Binary bool
}

// Packet returns PacketWriteMemory or PacketWriteMemoryBinary.
func (r *WriteMemory) Packet() PacketName {
	if r.Binary {
		return PacketWriteMemoryBinary
	}
	return PacketWriteMemory
}

func (p *Parser) parseReadMemory(s *scanner, name PacketName) Request {
	s.name = name
	r := &p.readMemory
	r.Binary = name == PacketReadMemoryBinary
	r.Address = s.number()
	s.expect(',')
	r.Length = s.number()
	s.end()
	return r
}

func (p *Parser) parseWriteMemory(s *scanner) Request {
	s.name = PacketWriteMemory
	r := &p.writeMemory
	r.Binary = false
	r.Address = s.number()
	s.expect(',')
	length := s.number()
	s.expect(':')
	r.Data = p.hexData(s, s.rest())
	s.sameLength(length, len(r.Data))
	return r
}

func (p *Parser) parseWriteMemoryBinary(s *scanner) Request {
	s.name = PacketWriteMemoryBinary
	r := &p.writeMemory
	r.Binary = true
	r.Address = s.number()
	s.expect(',')
	length := s.number()
	s.expect(':')
	r.Data = p.binaryData(s)
	s.sameLength(length, len(r.Data))
	return r
}

func (s *scanner) sameLength(said uint64, is int) {
	if said != uint64(is) {
		s.fail("the data is not as long as the packet says")
	}
}

// hexData decodes hex text, which was just taken, into the scratch buffer.
func (p *Parser) hexData(s *scanner, text []byte) []byte {
	p.scratch = s.hexTo(p.scratch[:0], text)
	return p.scratch
}

// binaryData takes all that is left as binary data. What needs no
// unescaping stays where it is.
func (p *Parser) binaryData(s *scanner) []byte {
	raw := s.rest()
	if !hasEscapes(raw) {
		return raw
	}
	var ok bool
	p.scratch, ok = AppendUnescaped(p.scratch[:0], raw)
	if !ok {
		s.fail("binary data ends within an escape")
	}
	return p.scratch
}

// Hex is a reply of bytes as hex digits, lower case: memory, registers in
// target byte order, and every other reply that the manual writes XX.
type Hex []byte

// AppendTo appends the digits.
func (h Hex) AppendTo(dst []byte) []byte { return appendHex(dst, []byte(h)) }

// BinaryMemory is the reply to x: 'b' and the bytes as binary data.
type BinaryMemory []byte

// AppendTo appends the reply.
//
// LLDB's x has no 'b' before the data: its reply is [Binary].
func (m BinaryMemory) AppendTo(dst []byte) []byte {
	return AppendEscaped(append(dst, 'b'), []byte(m))
}
