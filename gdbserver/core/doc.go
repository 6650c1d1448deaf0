// Package core writes core files: the ELF file that the kernel leaves of a
// process that a signal has ended, of one that is stopped and lives on.
//
// What is in the file, and in which order, follows the kernel's fs/binfmt_elf.c
// (elf_core_dump, fill_note_info, write_note_info): a program header for the
// notes and one for each part of memory, the notes, and the memory. The layouts
// of the notes are those of include/linux/elfcore.h and elfcore-compat.h,
// their numbers and owners those of include/uapi/linux/elf.h; which memory is
// written is decided as in fs/coredump.c (vma_dump_size), by the process's
// coredump_filter (core(5)).
//
// Two things differ: each thread has an NT_SIGINFO of its own, as in the core
// files that gdb makes, and what a debugger has put into memory is not in it,
// because memory is read through the debugger's eyes.
package core
