package simulation

import "rspd/ptrace"

// memory is one address space. It lives as long as a task uses it.
type memory struct {
	program Program
	code    []byte
	data    [DataSize]byte
	users   int
}

func newMemory(program Program) *memory {
	return &memory{program: program, code: program.bytes()}
}

func (m *memory) copy() *memory {
	other := *m
	other.code = append([]byte(nil), m.code...)
	other.users = 0
	return &other
}

// at finds the byte of an address; nil where nothing is mapped.
func (m *memory) at(address uint64) *byte {
	switch {
	case m.users == 0:
		return nil
	case address-Code < uint64(len(m.code)):
		return &m.code[address-Code]
	case address-Data < DataSize:
		return &m.data[address-Data]
	}
	return nil
}

// Memory is an open address space, as /proc/PID/mem gives it.
type Memory struct {
	memory *memory
	kernel *Kernel
	closed bool
}

// Read is [ptrace.Memory.Read].
func (m *Memory) Read(address uint64, buffer []byte) (int, error) {
	m.kernel.elapse()
	if m.closed {
		m.kernel.fault("memory is read after it was closed")
	}
	for i := range buffer {
		b := m.memory.at(address + uint64(i))
		if b == nil {
			if i == 0 {
				return 0, &ptrace.MemoryError{Address: address}
			}
			return i, nil
		}
		buffer[i] = *b
	}
	return len(buffer), nil
}

// Write is [ptrace.Memory.Write].
func (m *Memory) Write(address uint64, data []byte) error {
	m.kernel.elapse()
	if m.closed {
		m.kernel.fault("memory is written after it was closed")
	}
	for i := range data {
		if m.memory.at(address+uint64(i)) == nil {
			return &ptrace.MemoryError{Write: true, Address: address + uint64(i)}
		}
	}
	for i := range data {
		*m.memory.at(address + uint64(i)) = data[i]
	}
	return nil
}

// Close is [ptrace.Memory.Close].
func (m *Memory) Close() error {
	if m.closed {
		m.kernel.fault("memory is closed twice")
	}
	m.closed = true
	return nil
}
