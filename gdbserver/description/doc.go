// Package description holds what a debugger is told about a program's
// registers: one table per architecture, from which come the target
// description (target.xml), the layout of the g and G packets, and the way
// from a register to its bytes in the kernel's register sets.
//
// A builder, [AMD64] or [I386], makes the table for what the machine has. The
// rest of the package works on any table. Nothing here makes a system call:
// a [State] carries the register sets that the caller has read, and a write
// tells which of them the caller has to write back.
//
// The format of a target description is in the GDB manual, appendix "Target
// Descriptions"; the features gdb knows for x86, and the registers each must
// have, in its section "i386 Features".
package description
