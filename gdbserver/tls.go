package gdbserver

import (
	"rspd/gdbserver/tls"
	"rspd/ptrace"
	"rspd/rsp"
)

// tlsAddress answers qGetTLSAddr.
func (s *session) tlsAddress(request *rsp.TLSAddressQuery) (rsp.Reply, error) {
	lwp, err := s.find(request.Thread)
	if err != nil {
		return nil, err
	}
	if lwp == nil {
		return nil, refusal("one thread has to be named")
	}
	registers, err := lwp.Registers()
	if err != nil {
		return nil, err
	}
	vector, err := ptrace.AuxiliaryVector(lwp.TID)
	if err != nil {
		return nil, err
	}
	address, err := tls.Address(lwp.Process.Memory(), vector, registers.FsBase, request.Module, request.Offset)
	if err != nil {
		return nil, err
	}
	return rsp.Address(address), nil
}
