package gdbserver

import (
	"errors"

	"rspd/ptrace"
	"rspd/rsp"
)

// readMemory answers m and x. A reply that is shorter than asked for says that
// the rest cannot be read, or does not fit in a packet.
func (s *session) readMemory(request *rsp.ReadMemory) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	if s.lldb() && request.Binary && request.Length == 0 {
		// The question whether there is x.
		return rsp.OK{}, nil
	}
	// x: 'b' and at worst two bytes for each one that has to be escaped.
	most := s.conn.MaxPacket() / 2
	if request.Binary {
		most = s.conn.MaxPacket() - 1
	}
	length := int(min(request.Length, uint64(most)))
	if cap(s.memory) < length {
		s.memory = make([]byte, length, s.conn.MaxPacket())
	}
	s.memory = s.memory[:length]
	n, err := process.Memory().Read(request.Address, s.memory)
	if err != nil {
		return nil, memoryFailure(err)
	}
	if request.Binary {
		s.binary = s.memory[:rsp.EscapedPrefix(s.memory[:n], most)]
		if s.lldb() {
			return (*rsp.Binary)(&s.binary), nil
		}
		return &s.binary, nil
	}
	s.hexReply = s.memory[:n]
	return &s.hexReply, nil
}

func (s *session) writeMemory(request *rsp.WriteMemory) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	if err := process.Memory().Write(request.Address, request.Data); err != nil {
		return nil, memoryFailure(err)
	}
	return rsp.OK{}, nil
}

// memoryFailure gives an address that cannot be reached the code that GNU
// gdbserver's clients know, EIO being 5 and 1 its code for all failures.
func memoryFailure(err error) error {
	var memory *ptrace.MemoryError
	if errors.As(err, &memory) {
		return rsp.Error{Code: codeMemory, Text: memory.Error()}
	}
	return err
}
