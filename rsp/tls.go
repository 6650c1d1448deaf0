package rsp

// TLSAddressQuery is qGetTLSAddr: where does a thread have a thread-local
// variable ("General Query Packets", qGetTLSAddr)? The answer is Address.
type TLSAddressQuery struct {
	Thread ThreadID
	// Offset is the variable's place among those of its module, in bytes.
	Offset uint64
	// Module is what the system calls the module that has the variable; with
	// GNU/Linux the address of its struct link_map, 0 in a static program.
	Module uint64
}

// Packet returns PacketTLSAddress.
func (*TLSAddressQuery) Packet() PacketName { return PacketTLSAddress }

func parseTLSAddressQuery(s *scanner) Request {
	s.name = PacketTLSAddress
	r := &TLSAddressQuery{}
	s.expect(':')
	r.Thread = s.threadID()
	s.expect(',')
	r.Offset = s.number()
	s.expect(',')
	r.Module = s.number()
	s.end()
	return r
}

// Address is a reply that is an address.
type Address uint64

// AppendTo appends the address in hex.
func (a Address) AppendTo(dst []byte) []byte { return appendHexNumber(dst, uint64(a)) }
