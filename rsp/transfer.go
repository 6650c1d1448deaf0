package rsp

import "bytes"

// TransferRead is qXfer:object:read: send a part of an object. The answer is
// Transfer.
type TransferRead struct {
	// Object is the kind of thing, "features" or "auxv" for example; Annex
	// says which one of its kind and is often empty.
	Object, Annex string
	// Offset and Length are the part, in bytes.
	Offset, Length uint64
}

// Packet returns PacketTransferRead.
func (*TransferRead) Packet() PacketName { return PacketTransferRead }

// TransferWrite is qXfer:object:write: change a part of an object. The
// answer is TransferWritten.
type TransferWrite struct {
	Object, Annex string
	// Offset is where Data goes, in bytes.
	Offset uint64
	Data   []byte
}

// Packet returns PacketTransferWrite.
func (*TransferWrite) Packet() PacketName { return PacketTransferWrite }

func (p *Parser) parseTransfer(s *scanner) Request {
	if !s.accept(':') {
		s.name = PacketTransferRead
		s.expect(':')
		return nil
	}
	object := s.until(':')
	switch {
	case s.acceptText(":read:"):
		return p.parseTransferRead(s, object)
	case s.acceptText(":write:"):
		return p.parseTransferWrite(s, object)
	}
	if s.accept(':') {
		s.until(':')
	}
	return &Unknown{Name: string(s.data[:s.pos])}
}

func (p *Parser) parseTransferRead(s *scanner, object []byte) Request {
	s.name = PacketTransferRead
	r := &p.transferRead
	r.Object = sameString(r.Object, object)
	annex := s.data[s.pos:]
	if p.Dialect == LLDB {
		// LLDB's tests have a ':' at the end.
		s.data = bytes.TrimSuffix(s.data, []byte{':'})
		annex = s.data[min(s.pos, len(s.data)):]
	}
	if i := bytes.LastIndexByte(annex, ':'); i >= 0 {
		annex = annex[:i]
	}
	s.pos += len(annex)
	r.Annex = sameString(r.Annex, annex)
	s.expect(':')
	r.Offset = s.number()
	s.expect(',')
	r.Length = s.number()
	s.end()
	return r
}

func (p *Parser) parseTransferWrite(s *scanner, object []byte) Request {
	s.name = PacketTransferWrite
	r := &p.transferWrite
	r.Object = sameString(r.Object, object)
	r.Annex = sameString(r.Annex, s.until(':'))
	s.expect(':')
	r.Offset = s.number()
	s.expect(':')
	r.Data = p.binaryData(s)
	return r
}

// sameString returns text as a string, which is old if that is the same:
// objects are read in many parts.
func sameString(old string, text []byte) string {
	if old == string(text) {
		return old
	}
	return string(text)
}

// Transfer is the reply to a qXfer read.
type Transfer struct {
	// More says that the object goes on after Data.
	More bool
	Data []byte
}

// AppendTo appends "m" or "l" and the data as binary data.
func (t Transfer) AppendTo(dst []byte) []byte {
	mark := byte('l')
	if t.More {
		mark = 'm'
	}
	return AppendEscaped(append(dst, mark), t.Data)
}

// TransferPart returns the reply to r for an object that is document: as much
// from r.Offset on as r.Length allows and as fits payloads of packetSize
// bytes once it is escaped. Data points into document.
func TransferPart(document []byte, r *TransferRead, packetSize int) Transfer {
	if r.Offset >= uint64(len(document)) {
		return Transfer{}
	}
	part := document[r.Offset:]
	part = part[:min(r.Length, uint64(len(part)))]
	part = part[:EscapedPrefix(part, packetSize-1)]
	return Transfer{More: int(r.Offset)+len(part) < len(document), Data: part}
}

// TransferWritten is the reply to a qXfer write: how many bytes were taken.
type TransferWritten int

// AppendTo appends the number in hex.
func (n TransferWritten) AppendTo(dst []byte) []byte {
	return appendHexNumber(dst, uint64(max(n, 0)))
}
