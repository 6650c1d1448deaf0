package rsp

import "bytes"

// A scanner walks over a payload. The first failure sticks: later calls do
// nothing and return zero values, so that a caller looks at err once.
type scanner struct {
	name PacketName
	data []byte
	pos  int
	err  *MalformedError
}

func (s *scanner) fail(reason string) { s.failAt(s.pos, reason) }

func (s *scanner) failAt(offset int, reason string) {
	if s.err == nil {
		s.err = &MalformedError{Packet: s.name, Offset: offset, Reason: reason}
	}
}

// done reports that nothing is left, or that nothing more will be read.
func (s *scanner) done() bool { return s.err != nil || s.pos == len(s.data) }

// next reports whether the next byte is c.
func (s *scanner) next(c byte) bool { return !s.done() && s.data[s.pos] == c }

// accept takes the next byte if it is c.
func (s *scanner) accept(c byte) bool {
	if !s.next(c) {
		return false
	}
	s.pos++
	return true
}

// acceptText takes the text if it comes next.
func (s *scanner) acceptText(text string) bool {
	if s.done() || len(s.data)-s.pos < len(text) || string(s.data[s.pos:s.pos+len(text)]) != text {
		return false
	}
	s.pos += len(text)
	return true
}

// expect takes the next byte, which must be c.
func (s *scanner) expect(c byte) {
	if !s.accept(c) && s.err == nil {
		s.fail("'" + string(rune(c)) + "' is missing")
	}
}

// end fails if anything is left.
func (s *scanner) end() {
	if !s.done() {
		s.fail("there is more than belongs to the packet")
	}
}

// number takes a hex number of at least one digit and at most 64 bits.
func (s *scanner) number() uint64 {
	if s.err != nil {
		return 0
	}
	at := s.pos
	var v uint64
	for s.pos < len(s.data) {
		digit := hexValues[s.data[s.pos]]
		if digit == notHex {
			break
		}
		if v>>60 != 0 {
			s.failAt(at, "the number does not fit 64 bits")
			return 0
		}
		v = v<<4 | uint64(digit)
		s.pos++
	}
	if s.pos == at {
		s.fail("a hex number is missing")
	}
	return v
}

// numberUpTo takes a hex number of at most limit.
func (s *scanner) numberUpTo(limit uint64) uint64 {
	at := s.pos
	v := s.number()
	if v > limit {
		s.failAt(at, "the number is too large")
		return 0
	}
	return v
}

// rest takes all that is left.
func (s *scanner) rest() []byte {
	if s.err != nil {
		return nil
	}
	b := s.data[s.pos:]
	s.pos = len(s.data)
	return b
}

// until takes what comes before the next c, or all that is left, but not c.
func (s *scanner) until(c byte) []byte {
	if s.err != nil {
		return nil
	}
	b := s.data[s.pos:]
	if i := bytes.IndexByte(b, c); i >= 0 {
		b = b[:i]
	}
	s.pos += len(b)
	return b
}

// hexTo decodes text, which ends at the present position, and appends it.
func (s *scanner) hexTo(dst, text []byte) []byte {
	if s.err != nil {
		return dst
	}
	start := s.pos - len(text)
	out, bad := decodeHex(dst, text)
	if bad >= 0 {
		if bad == len(text) {
			s.failAt(start+bad, "hex data has an odd number of digits")
		} else {
			s.failAt(start+bad, "a byte that is not a hex digit")
		}
		return dst
	}
	return out
}

// hexString takes hex data up to the next c or the end, as a string.
func (s *scanner) hexString(c byte) string {
	return string(s.hexTo(nil, s.until(c)))
}

// toggle takes a single 0 or 1.
func (s *scanner) toggle() bool {
	switch {
	case s.accept('1'):
		return true
	case s.accept('0'):
		return false
	}
	s.fail("neither 0 nor 1")
	return false
}
