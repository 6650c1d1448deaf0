package rsp

// ChecksumMemory is qCRC: what is the checksum of memory ("General Query
// Packets", qCRC)? The answer is MemoryChecksum.
type ChecksumMemory struct {
	// Address is where the memory begins, Length how many bytes it has.
	Address, Length uint64
}

// Packet returns PacketChecksumMemory.
func (*ChecksumMemory) Packet() PacketName { return PacketChecksumMemory }

func parseChecksumMemory(s *scanner) Request {
	s.name = PacketChecksumMemory
	s.expect(':')
	r := &ChecksumMemory{Address: s.number()}
	s.expect(',')
	r.Length = s.number()
	s.end()
	return r
}

// MemoryChecksum is the reply to qCRC.
type MemoryChecksum uint32

// AppendTo appends "C" and the checksum in hex.
func (c MemoryChecksum) AppendTo(dst []byte) []byte {
	return appendHexNumber(append(dst, 'C'), uint64(c))
}
