// Package host answers the packets that concern the machine rather than a process
// that is being debugged: its files, programs, processes and users, and what it
// is. Both of LLDB's servers have them, the one that debugs (package gdbserver)
// and the platform (package platform); of gdb's packets those of its files are
// among them.
package host
