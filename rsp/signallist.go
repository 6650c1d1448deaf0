package rsp

// PassSignals is QPassSignals: signals to hand to the program without
// stopping or telling the client.
type PassSignals struct{ Signals []Signal }

// Packet returns PacketPassSignals.
func (*PassSignals) Packet() PacketName { return PacketPassSignals }

// ProgramSignals is QProgramSignals: signals that may be delivered to the
// program when the server has to decide by itself. All others are dropped.
type ProgramSignals struct{ Signals []Signal }

// Packet returns PacketProgramSignals.
func (*ProgramSignals) Packet() PacketName { return PacketProgramSignals }

// parseSignals takes a list of signals, each followed by ';' or the end.
func parseSignals(s *scanner, name PacketName) []Signal {
	s.name = name
	s.expect(':')
	var list []Signal
	for !s.done() {
		list = append(list, s.signal())
		if !s.done() {
			s.expect(';')
		}
	}
	return list
}
