package rsp

// Symbol is qSymbol: the client offers to look symbols up, or gives the
// value of the one it was asked for. The answer is SymbolLookup, or OK when
// none is needed.
type Symbol struct {
	// Name is the symbol asked for before, or empty in the first offer.
	Name string
	// Value is its address, if Found.
	Value uint64
	Found bool
}

// Packet returns PacketSymbol.
func (*Symbol) Packet() PacketName { return PacketSymbol }

func parseSymbol(s *scanner) Request {
	s.name = PacketSymbol
	r := &Symbol{}
	s.expect(':')
	if s.err == nil && !s.next(':') {
		r.Value = s.number()
		r.Found = true
	}
	s.expect(':')
	r.Name = s.withoutNUL(string(s.hexTo(nil, s.rest())))
	if r.Found && r.Name == "" {
		s.fail("a value without a symbol")
	}
	return r
}

// SymbolLookup is a reply to qSymbol: what is this symbol's value?
type SymbolLookup struct{ Name string }

// AppendTo appends "qSymbol:" and the name in hex.
func (l SymbolLookup) AppendTo(dst []byte) []byte {
	return appendHex(append(dst, "qSymbol:"...), l.Name)
}
