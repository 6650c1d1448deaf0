package gdbserver

import (
	"rspd/gdbserver/tls"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// threadPointer is what a thread's C library finds the thread's own data by; 0
// if there is none yet, or none can be read because the thread runs.
func threadPointer(lwp *threads.LWP) uint64 {
	registers, err := lwp.Registers()
	if err != nil {
		return 0
	}
	return registers.FsBase
}

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
