package rsp

// Monitor is qRcmd: a command for the server itself, from the client's
// "monitor". The answer is ConsoleOutput as often as needed and then OK, or
// Hex of the output.
type Monitor struct{ Command string }

// Packet returns PacketMonitor.
func (*Monitor) Packet() PacketName { return PacketMonitor }

func parseMonitor(s *scanner) Request {
	s.name = PacketMonitor
	s.expect(',')
	return &Monitor{Command: string(s.hexTo(nil, s.rest()))}
}

// ConsoleOutput is O: text for the user, before the reply proper ("Stop
// Reply Packets", O).
type ConsoleOutput string

// AppendTo appends "O" and the text in hex.
func (o ConsoleOutput) AppendTo(dst []byte) []byte {
	return appendHex(append(dst, 'O'), string(o))
}
