package threads

import "encoding/binary"

// The kernel makes a step by the processor's trap flag, TF. It hides that from
// those who read the registers (arch/x86/kernel/ptrace.c, get_flags), but
//
//   - not from the program: PUSHF saves it, and the POPF that comes later would
//     have the program trap when nobody steps it any more;
//   - not after a step of POPF or IRET, which may set the flag: the kernel takes
//     it for the program's own then, and in the next step, for which it sets the
//     flag again, still does (arch/x86/kernel/step.c, enable_single_step). The
//     program would trap as soon as it is continued;
//   - nor, for the same reason, from a signal handler that is entered instead of
//     such a step: the flag is in what the handler returns to.
//
// So the flag is taken out of what a step has pushed, out of the registers, and out
// of the signal's frame, unless the program has set it itself.

// trapFlag is TF (Intel SDM, volume 1, "EFLAGS Register").
const trapFlag = 1 << 8

// beforeStep is what an LWP's registers were when it was told to step.
type beforeStep struct {
	pc, sp, number uint64
	// valid says that they are known and that the trap flag was not set.
	valid bool
}

// noteStep keeps what dropTrapFlag needs. As a rule the registers have been read
// in the stop that ends here.
func (l *LWP) noteStep() {
	if registers, err := l.Registers(); err == nil {
		l.stepped = beforeStep{registers.Rip, registers.Rsp, registers.Rax, registers.Eflags&trapFlag == 0}
	}
}

// dropTrapFlag takes the flag away that a step, which has just ended or was kept
// from being made, has left.
func (l *LWP) dropTrapFlag() error {
	before := l.stepped
	if !before.valid {
		return nil
	}
	registers, err := l.Registers()
	if err != nil {
		return err
	}
	length, pushed := registers.Rip-before.pc, before.sp-registers.Rsp
	pushes := (pushed == 8 || pushed == 4 || pushed == 2) && length > 0 && length <= longestInstruction
	if !pushes && registers.Eflags&trapFlag == 0 {
		return nil
	}
	var code [longestInstruction]byte
	n, _ := l.Process.space.Read(before.pc, code[:]) // what can't be read was not executed
	if pushes && uint64(n) >= length && pushesFlags(code[:length]) {
		l.dropSavedTrapFlag(registers.Rsp)
	}
	if registers.Eflags&trapFlag != 0 && !setsFlags(code[:n], before.number) {
		registers.Eflags &^= trapFlag
		l.RegistersChanged()
	}
	return nil
}

// dropSavedTrapFlag takes the flag out of the flags at an address, where they have
// just been written.
func (l *LWP) dropSavedTrapFlag(address uint64) {
	var flags [1]byte // the byte that bit 8 is in
	if n, _ := l.Process.space.Read(address+1, flags[:]); n == 1 && flags[0]&(trapFlag>>8) != 0 {
		flags[0] &^= trapFlag >> 8
		// What could be written a moment ago can't be gone.
		_ = l.Process.space.Write(address+1, flags[:])
	}
}

// signalFrames are the frames of signal handlers: where in them, from the stack
// pointer on, the kernel has saved the pc and the flags, and their size in bytes
// (arch/x86/include/asm/sigframe.h, struct rt_sigframe, and for 32-bit programs
// struct sigframe_ia32 and rt_sigframe_ia32).
var signalFrames = map[bool][]struct{ pc, flags, size uint64 }{
	true:  {{176, 184, 8}},
	false: {{64, 72, 4}, {220, 228, 4}},
}

// enteredHandler is dropTrapFlag for a step that has ended at the first instruction
// of a signal handler.
func (l *LWP) enteredHandler() error {
	before := l.stepped
	if !before.valid {
		return nil
	}
	registers, err := l.Registers()
	if err != nil {
		return err
	}
	for _, frame := range signalFrames[registers.Executes64Bit()] {
		var pc [8]byte
		n, _ := l.Process.space.Read(registers.Rsp+frame.pc, pc[:frame.size])
		if uint64(n) == frame.size && binary.LittleEndian.Uint64(pc[:]) == before.pc {
			l.dropSavedTrapFlag(registers.Rsp + frame.flags)
			return nil
		}
	}
	return nil
}

// longestInstruction is in bytes (Intel SDM, volume 2, "Instruction Prefixes").
const longestInstruction = 15

// pushesFlags tells whether code is one PUSHF with any prefixes.
func pushesFlags(code []byte) bool {
	const pushf = 0x9c
	opcode := afterPrefixes(code)
	return len(opcode) == 1 && opcode[0] == pushf
}

// setsFlags tells whether code begins with an instruction that may set the trap
// flag: POPF, IRET, or a system call that returns from a signal handler. number is
// that of the call.
func setsFlags(code []byte, number uint64) bool {
	const (
		popf = 0x9d
		iret = 0xcf
		// The numbers of asm/unistd_64.h and, of int $0x80, asm/unistd_32.h.
		signalReturn, oldSignalReturn32, signalReturn32 = 15, 119, 173
	)
	opcode := afterPrefixes(code)
	switch {
	case len(opcode) == 0:
		return false
	case opcode[0] == popf, opcode[0] == iret:
		return true
	case len(opcode) == 1:
		return false
	case opcode[0] == 0x0f && opcode[1] == 0x05: // syscall
		return number == signalReturn
	case opcode[0] == 0xcd && opcode[1] == 0x80: // int $0x80
		return uint32(number) == oldSignalReturn32 || uint32(number) == signalReturn32
	}
	return false
}

// afterPrefixes is code from the opcode on.
func afterPrefixes(code []byte) []byte {
	for i, b := range code {
		switch b {
		case 0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf2, 0xf3:
		default:
			if b&0xf0 != 0x40 { // REX
				return code[i:]
			}
		}
	}
	return nil
}
