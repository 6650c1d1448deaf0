package ptrace

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNotELF says that the file which a process executes is not one that says
// for which machine it was made.
var ErrNotELF = errors.New("the program is not an ELF file")

// Machine returns the machine that the program of a process was made for, as
// the ELF header of its file has it (e_machine; System V ABI, "ELF Header").
// It is read through /proc/PID/exe, which leads to the file wherever it was
// moved and whatever is mounted over it. The error is the system's where the
// file cannot be read, as one that may only be executed, or ErrNotELF.
func Machine(pid int) (elf.Machine, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return elf.EM_NONE, goneIfAbsent("find the program of", pid, err)
	}
	defer file.Close()
	return readMachine(file)
}

func readMachine(file io.Reader) (elf.Machine, error) {
	// e_ident and then e_type and e_machine, of 2 bytes each, are the same in
	// files of both classes.
	var header [elf.EI_NIDENT + 4]byte
	switch _, err := io.ReadFull(file, header[:]); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return elf.EM_NONE, ErrNotELF
	case err != nil:
		return elf.EM_NONE, err
	case string(header[:len(elf.ELFMAG)]) != elf.ELFMAG:
		return elf.EM_NONE, ErrNotELF
	}
	return elf.Machine(binary.NativeEndian.Uint16(header[elf.EI_NIDENT+2:])), nil
}
