package gdbserver

import (
	"debug/elf"
	"encoding/binary"

	"rspd/gdbserver/tls"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// threadHandle is the pthread_t of a thread in the program's byte order and
// size: in glibc and in musl the thread pointer. It is nil if there is none yet,
// or none is known because the thread runs.
func threadHandle(lwp *threads.LWP) []byte {
	pointer, _ := lwp.ThreadPointer()
	switch {
	case pointer == 0:
		return nil
	case lwp.Process.Machine() == elf.EM_386:
		return binary.NativeEndian.AppendUint32(nil, uint32(pointer))
	}
	return binary.NativeEndian.AppendUint64(nil, pointer)
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
	pointer, known := lwp.ThreadPointer()
	if !known {
		return nil, threads.ErrRunning{TID: lwp.TID}
	}
	vector, err := ptrace.AuxiliaryVector(lwp.TID)
	if err != nil {
		return nil, err
	}
	address, err := tls.Address(lwp.Process.Memory(), vector, pointer, request.Module, request.Offset)
	if err != nil {
		return nil, err
	}
	return rsp.Address(address), nil
}
