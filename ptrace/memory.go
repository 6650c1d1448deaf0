package ptrace

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory is the address space of one process, kept open so that it stays
// readable when the thread that leads the process has ended. It is the memory
// of the program that ran when it was opened: after execve, open it again. Others
// may go on in the one before, as a vfork child does whose creator's process
// executed a program.
//
// Its methods may be called from any thread, also while the process runs.
type Memory struct {
	file *os.File
}

// OpenMemory opens the memory that a thread uses. That needs the right to
// trace the thread (ptrace(2), "Ptrace access mode checking").
func OpenMemory(tid int) (*Memory, error) {
	name := fmt.Sprintf("/proc/%d/mem", tid)
	descriptor, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the memory of process %d: %w", tid, err)
	}
	return &Memory{file: os.NewFile(uintptr(descriptor), name)}, nil
}

// Close gives the descriptor back.
func (m *Memory) Close() error { return m.file.Close() }

// MemoryError says that an address could not be reached.
type MemoryError struct {
	Write   bool
	Address uint64
}

func (e *MemoryError) Error() string {
	if e.Write {
		return fmt.Sprintf("cannot write memory at address 0x%x", e.Address)
	}
	return fmt.Sprintf("cannot read memory at address 0x%x", e.Address)
}

// Read fills buffer from address on and returns how many bytes could be read;
// fewer than asked for means that the next one is not readable. The error is a
// *MemoryError when there is not even one.
func (m *Memory) Read(address uint64, buffer []byte) (int, error) {
	if len(buffer) == 0 {
		return 0, nil
	}
	// process_vm_readv(2) is no faster but for very many bytes, and reads the
	// memory that the thread uses by then.
	n := m.readFile(address, buffer)
	if n == 0 {
		return 0, &MemoryError{Address: address}
	}
	return n, nil
}

func (m *Memory) readFile(address uint64, buffer []byte) int {
	read := 0
	for read < len(buffer) {
		n, errno := m.transfer(unix.SYS_PREAD64, address+uint64(read), buffer[read:])
		if errno != 0 || n <= 0 {
			break
		}
		read += n
	}
	return read
}

// transfer is pread64 or pwrite64 with an address of 64 unsigned bits:
// /proc/PID/mem takes file offsets that are negative as numbers.
func (m *Memory) transfer(number uintptr, address uint64, buffer []byte) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(number, m.file.Fd(), uintptr(unsafe.Pointer(unsafe.SliceData(buffer))),
		uintptr(len(buffer)), uintptr(address), 0, 0)
	return int(n), errno
}

// Write stores data at address, through any page protection (the kernel's
// FOLL_FORCE), so that breakpoints can be put in read-only text. Either all of
// it is written or, with a *MemoryError that names the first bad address,
// nothing is changed.
func (m *Memory) Write(address uint64, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	const page = 4096
	var before []byte
	if address/page != (address+uint64(len(data))-1)/page {
		before = make([]byte, len(data))
		if n, _ := m.Read(address, before); n < len(data) {
			return &MemoryError{Write: true, Address: address + uint64(n)}
		}
	}
	written := m.writeFile(address, data)
	if written < len(data) {
		if written > 0 && before != nil {
			m.writeFile(address, before[:written])
		}
		return &MemoryError{Write: true, Address: address + uint64(written)}
	}
	return nil
}

func (m *Memory) writeFile(address uint64, data []byte) int {
	written := 0
	for written < len(data) {
		n, errno := m.transfer(unix.SYS_PWRITE64, address+uint64(written), data[written:])
		if errno != 0 || n <= 0 {
			break
		}
		written += n
	}
	return written
}
