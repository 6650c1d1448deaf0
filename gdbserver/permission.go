package gdbserver

import "rspd/rsp"

// operations are the packets that QAllow may forbid. gdb does not send them
// then; a client that does is refused.
var operations = func() (operations [rsp.PacketCount]rsp.Allowances) {
	for packet, operation := range map[rsp.PacketName]rsp.Allowances{
		rsp.PacketWriteRegisters:    rsp.AllowWriteRegisters,
		rsp.PacketWriteRegister:     rsp.AllowWriteRegisters,
		rsp.PacketWriteMemory:       rsp.AllowWriteMemory,
		rsp.PacketWriteMemoryBinary: rsp.AllowWriteMemory,
		rsp.PacketInsertBreakpoint:  rsp.AllowInsertBreakpoints,
		rsp.PacketTransferWrite:     rsp.AllowWriteRegisters, // siginfo is all that can be written
		rsp.PacketCtrlC:             rsp.AllowStop,
	} {
		operations[packet] = operation
	}
	return operations
}()

// allow answers QAllow.
func (s *session) allow(request *rsp.Allow) (rsp.Reply, error) {
	s.refused = s.refused&^request.Permitted | request.Refused
	return rsp.OK{}, nil
}

// permit is an error for a packet that the client has said it may not send.
func (s *session) permit(packet rsp.PacketName) error {
	return s.permitOperation(operations[packet])
}

func (s *session) permitOperation(operation rsp.Allowances) error {
	if s.refused&operation != 0 {
		return refusal("the debugger's settings do not allow it ('show observer' and 'show may-...')")
	}
	return nil
}
