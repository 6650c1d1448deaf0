// Package unwind lets debuggers walk out of jump patches.
//
// Recorders, tracers and hot-patchers replace instructions of a running
// program (the site) by a jump into memory of their own (the stub) that saves
// registers, often switches stacks, calls a hook, executes the displaced
// instructions and jumps back. No file describes a stub, so that a debugger's
// backtrace ends there or goes astray. This package finds such patches, derives
// what a debugger needs to know, and leaves it to others to hand that over:
//
//   - [Find] compares the text of a [Process] with the files it came from and
//     gives every [Patch] that leads into anonymous executable memory, or to a
//     file's code that goes there by itself, to copies of the displaced instructions.
//   - [Derive] follows a stub's instructions with an abstract state and gives a
//     [Region]: for each instruction the row of call frame information that
//     holds there, with its [Confidence].
//   - [Settle] makes rows of code that several stubs share right for all of them.
//   - [At] gives the patch at a site that is known to be one, and [Follow] the
//     regions of what a patcher tells by a [Hint].
//   - Package image writes regions as an ELF file that gdb and lldb load like
//     any library; package hint reads what patchers tell by themselves; package
//     cfi reads and writes the rows.
//
// Two kinds of rows occur. As a rule the stub is a frame of its own, called, as
// it were, by the patched function at the site: its canonical frame address is
// the stack pointer at the site, all over the stub, and its return address is
// where the function goes on. If the displaced instructions move the function's
// own frame, or never come back, the stub stands in for the function: its rows
// are those of the function at the site, rewritten for where the registers
// have gone since ([Region.StandsIn]).
//
// The package makes no system call, and imports of this module only its own
// subpackages. It reads memory and files through io.ReaderAt and takes memory
// maps as values; what is read may be anything. Work is bounded, whatever it
// is, and what can't be understood is a warning and no row rather than a
// guess.
package unwind
