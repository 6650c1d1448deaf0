// Package cfi reads, writes and applies call frame information: the tables
// that say, for each instruction, where the caller's registers are.
//
// A [Table] reads .eh_frame (System V ABI, AMD64 supplement, section 4.2.4, and
// the Linux Standard Base, "Exception Frames") and .debug_frame (DWARF 5,
// section 6.4) and gives the [Row] of an address. [Program] writes rows as call
// frame instructions, and [Row.Unwind] applies one to registers and memory.
// Numbers are little-endian and registers are those of x86-64.
//
// The reader is the package's own: that of github.com/go-delve/delve,
// pkg/dwarf/frame, reads the same tables, but panics on a malformed program of
// call frame instructions, and what is read here comes from files and memory
// that may hold anything. Nothing here panics, and no content makes the work
// grow beyond the size of what is read.
package cfi
