package threads

import "debug/elf"

// Machine is the machine that the program was made for: EM_X86_64 or EM_386.
// It says which registers the client is shown and how long the program's
// pointers are.
//
// It is that of the file that was executed, as GNU gdbserver has it, and not
// what kind of code a thread is executing just now. A debugger learns the
// target description when a program begins, from the same file, and looks at
// all of its threads by that: it could make nothing of one thread with other
// registers than the next, nor of registers that change between two steps. A
// 64-bit program that jumps to 32-bit code (as Wine does) keeps its 64-bit
// registers, of which that code uses the lower halves; a 32-bit program that
// jumps to 64-bit code is seen without the upper halves and without r8 to r15.
//
// Where the file cannot be read, the kind of code decides that a thread
// executes when this is asked for the first time: when a program begins there
// is only one kind. A program of the x32 ABI is an EM_X86_64 one.
func (p *Process) Machine() elf.Machine {
	if p.space.image.machine == elf.EM_NONE {
		p.space.image.machine = p.findMachine()
	}
	if p.space.image.machine == elf.EM_386 {
		return elf.EM_386
	}
	return elf.EM_X86_64
}

// findMachine is EM_NONE where nothing can be found out: the process is ending.
func (p *Process) findMachine() elf.Machine {
	lwp := p.FirstLWP()
	if lwp == nil {
		return elf.EM_NONE
	}
	if machine, err := p.table.kernel.Machine(lwp.TID); err == nil {
		return machine
	}
	registers, err := lwp.Registers()
	switch {
	case err != nil:
		return elf.EM_NONE
	case registers.Executes64Bit():
		return elf.EM_X86_64
	}
	return elf.EM_386
}
