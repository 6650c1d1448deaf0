package gdbserver

import (
	"debug/elf"
	"encoding/binary"

	"rspd/gdbserver/tls"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// threadPointer is what a thread's C library finds the thread's own data by; 0
// if there is none yet. A 32-bit program has it as the base of the segment in
// %gs, which set_thread_area(2) has put into the thread's descriptor table; the
// kernel gives it with the registers whether or not the processor has FSGSBASE
// (arch/x86/kernel/process_64.c, x86_gsbase_read_task).
func threadPointer(lwp *threads.LWP) (uint64, error) {
	registers, err := lwp.Registers()
	switch {
	case err != nil:
		return 0, err
	case lwp.Process.Machine() == elf.EM_386:
		return uint64(uint32(registers.GsBase)), nil
	}
	return registers.FsBase, nil
}

// threadHandle is the pthread_t of a thread in the program's byte order and
// size: in glibc and in musl the thread pointer. It is nil if there is none yet,
// or none can be read because the thread runs.
func threadHandle(lwp *threads.LWP) []byte {
	pointer, err := threadPointer(lwp)
	switch {
	case err != nil, pointer == 0:
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
	pointer, err := threadPointer(lwp)
	if err != nil {
		return nil, err
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
