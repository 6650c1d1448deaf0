package rsp

// SearchMemory is qSearch:memory: find bytes in memory ("General Query
// Packets", qSearch:memory). The answer is Found.
type SearchMemory struct {
	// Address is where to begin, Length how many bytes to look through. The
	// whole of what is found has to lie in them.
	Address, Length uint64
	// Pattern is what to find, decoded, at least one byte.
	Pattern []byte
}

// Packet returns PacketSearchMemory.
func (*SearchMemory) Packet() PacketName { return PacketSearchMemory }

func (p *Parser) parseSearch(s *scanner) Request {
	if !s.acceptText(":memory:") {
		if s.accept(':') {
			s.until(':')
		}
		return &Unknown{Name: string(s.data[:s.pos])}
	}
	s.name = PacketSearchMemory
	r := &SearchMemory{Address: s.number()}
	s.expect(';')
	r.Length = s.number()
	s.expect(';')
	r.Pattern = p.binaryData(s)
	if len(r.Pattern) == 0 {
		s.fail("there is nothing to search for")
	}
	return r
}

// Found is the reply to qSearch:memory.
type Found struct {
	// Found says that there is such a place, Address that it is the first.
	Found   bool
	Address uint64
}

// AppendTo appends "1," and the address, or "0".
func (f Found) AppendTo(dst []byte) []byte {
	if !f.Found {
		return append(dst, '0')
	}
	return appendHexNumber(append(dst, "1,"...), f.Address)
}
