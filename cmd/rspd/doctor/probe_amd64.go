package doctor

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// debugRegisterOffset is offsetof(struct user, u_debugreg) in
	// sys/user.h: where PTRACE_POKEUSER finds DR0, the others after it.
	debugRegisterOffset = 848

	// noteXstate is NT_X86_XSTATE (elf.h), and xstateBVOffset where the
	// kernel puts XCR0 into it (arch/x86/include/asm/user.h,
	// USER_XSTATE_XCR0_WORD: the software-usable bytes of the FXSAVE area).
	noteXstate     = 0x202
	xstateBVOffset = 464
)

func stackPointer(pid int) (uintptr, error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		return 0, err
	}
	return uintptr(regs.Rsp) &^ 7, nil
}

// tryDebugRegisters sets a write watchpoint of eight bytes with each debug
// register in turn, the ones before it still set, and clears them.
func tryDebugRegisters(pid int, address uintptr) (errs [4]error) {
	poke := func(register int, value uintptr) error {
		return ptrace(unix.PTRACE_POKEUSR, pid, debugRegisterOffset+uintptr(register)*8, value)
	}
	var control uintptr // DR7, Intel SDM volume 3, 18.2.4
	for i := range errs {
		if errs[i] = poke(i, address+uintptr(i)*8); errs[i] != nil {
			continue
		}
		const writeEight = 0b1001
		with := control | 1<<(2*i) | writeEight<<(16+4*i)
		if errs[i] = poke(7, with); errs[i] == nil {
			control = with
		}
	}
	poke(7, 0)
	return errs
}

func readXstate(pid int) (xstate, error) {
	buf := make([]byte, 16<<10)
	vector := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(pid), noteXstate,
		uintptr(unsafe.Pointer(&vector)), 0, 0)
	if errno != 0 {
		return xstate{}, errno
	}
	if vector.Len < xstateBVOffset+8 {
		return xstate{}, fmt.Errorf("it has only %d bytes", vector.Len)
	}
	return xstate{size: int(vector.Len), components: binary.LittleEndian.Uint64(buf[xstateBVOffset:])}, nil
}
