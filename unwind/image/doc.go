// Package image writes regions of jump patches as an ELF file that debuggers
// load as they load a library.
//
// What the file is follows from what gdb and lldb accept:
//
//   - It is a shared object. Its load address, [Image.Base], is the page of the
//     first instruction with a row, as a rule that of the first stub; the debugger learns it as the l_addr of a library.
//   - Each stretch of code has a section and a PT_LOAD segment with its bytes,
//     at its distance from the base; the first section is .text.
//   - .eh_frame need not be in a segment, since nobody executes the file. Its
//     addresses are absolute pointers that are moved with the file.
//   - There is no build id: gdb would look for a file with debug information
//     of that name.
//   - Return addresses are written with DW_OP_const8u: nobody moves them with
//     the file, as is done with DW_OP_addr.
//   - Where a return address is in memory, an expression says so: lldb trusts
//     the rows of the function on top of the stack only if the first one has
//     the return address elsewhere than its own reading of the instructions
//     has it, and compares kinds of rules.
//   - .debug_info has one unit, whose producer is a GCC of version 4.5 or
//     later: only then does gdb trust the rows at a ret, too (it takes others
//     to have none for epilogues).
//   - gdb takes a caller whose stack is at a lower address than its callee's
//     for a sign of corruption, except if the callee is called __morestack,
//     which gcc's split stacks use. A stub that switches stacks therefore has
//     that name as a symbol, and its own in .debug_info, which both debuggers
//     print.
package image
