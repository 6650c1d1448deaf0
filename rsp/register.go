package rsp

import "math"

// ReadRegisters is g: send all registers of the thread chosen with Hg. The
// answer is a Registers value, or Hex if none is unavailable.
type ReadRegisters struct{ ThreadSuffix }

// Packet returns PacketReadRegisters.
func (*ReadRegisters) Packet() PacketName { return PacketReadRegisters }

// WriteRegisters is G: set all registers.
type WriteRegisters struct {
	// Data holds the registers in target byte order, one after the other
	// as the target description has them.
	Data []byte
	ThreadSuffix
}

// Packet returns PacketWriteRegisters.
func (*WriteRegisters) Packet() PacketName { return PacketWriteRegisters }

// ReadRegister is p: send one register.
type ReadRegister struct {
	// Number is the register's number in the target description.
	Number int
	ThreadSuffix
}

// Packet returns PacketReadRegister.
func (*ReadRegister) Packet() PacketName { return PacketReadRegister }

// WriteRegister is P: set one register.
type WriteRegister struct {
	// Number is the register's number in the target description.
	Number int
	// Value is in target byte order.
	Value []byte
	ThreadSuffix
}

// Packet returns PacketWriteRegister.
func (*WriteRegister) Packet() PacketName { return PacketWriteRegister }

func (p *Parser) parseReadRegisters(s *scanner) Request {
	s.name = PacketReadRegisters
	p.readRegisters.ThreadSuffix = p.threadSuffix(s)
	s.end()
	return &p.readRegisters
}

func (p *Parser) parseWriteRegisters(s *scanner) Request {
	s.name = PacketWriteRegisters
	p.writeRegisters.Data = p.hexData(s, s.beforeSuffix(p.Dialect))
	p.writeRegisters.ThreadSuffix = p.threadSuffix(s)
	s.end()
	return &p.writeRegisters
}

func (p *Parser) parseReadRegister(s *scanner) Request {
	s.name = PacketReadRegister
	p.readRegister.Number = int(s.numberUpTo(math.MaxInt32))
	p.readRegister.ThreadSuffix = p.threadSuffix(s)
	s.end()
	return &p.readRegister
}

func (p *Parser) parseWriteRegister(s *scanner) Request {
	s.name = PacketWriteRegister
	r := &p.writeRegister
	r.Number = int(s.numberUpTo(math.MaxInt32))
	s.expect('=')
	r.Value = p.hexData(s, s.beforeSuffix(p.Dialect))
	if s.err == nil && len(r.Value) == 0 {
		s.fail("the register's value is missing")
	}
	r.ThreadSuffix = p.threadSuffix(s)
	s.end()
	return r
}

// Registers is the reply to g when some bytes may be unavailable: those are
// written "xx" ("Packets", g).
type Registers struct {
	// Data holds the registers in target byte order.
	Data []byte
	// Unavailable marks the bytes of Data that could not be read. It is nil
	// when all could, otherwise as long as Data.
	Unavailable []bool
}

// AppendTo appends the reply.
func (r Registers) AppendTo(dst []byte) []byte {
	at := len(dst)
	dst = appendHex(dst, r.Data)
	for i, unavailable := range r.Unavailable {
		if unavailable {
			dst[at+2*i], dst[at+2*i+1] = 'x', 'x'
		}
	}
	return dst
}
