package threads

import "debug/elf"

// ThreadPointer is what a thread's C library finds the thread's own data by, 0
// if there is none yet. A 32-bit program has it as the base of the segment in
// %gs, which set_thread_area(2) has put into the thread's descriptor table; the
// kernel gives it with the registers whether or not the processor has FSGSBASE
// (arch/x86/kernel/process_64.c, x86_gsbase_read_task).
//
// Of an LWP that runs it is what it was at its last stop, and known is false if
// nobody looked then.
func (l *LWP) ThreadPointer() (pointer uint64, known bool) {
	_, err := l.Registers()
	pointer = l.registers.FsBase
	if l.Process.Machine() == elf.EM_386 {
		pointer = uint64(uint32(l.registers.GsBase))
	}
	return pointer, err == nil || pointer != 0
}
