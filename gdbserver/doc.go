// Package gdbserver is the stub: it serves one client after the other with the
// remote serial protocol, over processes that package threads models.
//
// A [Server] lives as long as the program and holds what outlives a client:
// the processes, and how to start programs. A session is one client: what was
// agreed on with it, which thread it has selected, which files it has open.
//
// The way of a packet: rsp.Conn takes frames, rsp.Parser makes typed requests
// of them, a capability's handler gives them meaning and returns a typed reply
// or an error, and rsp.Conn writes that. What qSupported says is collected from
// the same capabilities that handle the packets, so that announcing and doing
// cannot differ.
//
// Whatever changes a process goes through threads. Of package ptrace this one
// takes types that all three share (registers, siginfo), facts of /proc, and the
// tracer that it hands to threads.
//
// Everything runs on the tracer's thread, which reads the connection itself
// while the program is stopped (package ptrace says why).
package gdbserver
