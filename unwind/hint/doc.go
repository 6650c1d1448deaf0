// Package hint reads what patchers tell of their jump patches: a file in JSON,
// and a table in the memory of the program.
//
// Both give values of unwind.Hint, which may leave out whatever can be derived;
// unwind.Follow makes regions of them. Nothing of what is read is trusted: a
// table may have loops, counts of any size and pointers to anywhere. What makes
// no sense is left out with a warning, and the work is bounded.
//
// # The file
//
// [Parse] reads an object with the version 1 and a list of patches. Addresses
// are numbers, or strings like "0x401234".
//
//	{
//	  "version": 1,
//	  "patches": [
//	    {
//	      "site": "0x401234",
//	      "length": 8,
//	      "entry": "0x7f0000000000",
//	      "stub": ["0x7f0000000000", "0x7f0000000080"],
//	      "return": "0x40123c",
//	      "rows": [
//	        {"start": "0x7f0000000010", "end": "0x7f0000000020",
//	         "cfa": "[rsp+8]+16", "registers": {"rbx": "[cfa-24]", "r12": "same"}}
//	      ]
//	    }
//	  ]
//	}
//
// Only site is necessary. The CFA of a row is the stack pointer at the site, and
// registers say where those of the site are. [Rule] describes the language of
// both. [Words] reads one patch of the same that a person types.
//
// # The table
//
// [ReadTable] reads the table that a program exports as
// __jump_patch_descriptor; c/jump_patch.h defines it, and c/example.c is a
// program that has one. It is modelled on gdb's interface for JIT compilers
// (GDB manual, "JIT Compilation Interface"): a patcher links an entry into a
// list, says so in the descriptor, and calls __jump_patch_changed, where a
// server may have a breakpoint.
package hint
