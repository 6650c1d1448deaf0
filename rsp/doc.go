// Package rsp is the wire of GDB's remote serial protocol: frames, escapes,
// run-length encoding, thread ids, typed requests and typed replies, for
// both ends of a connection.
//
// A server receives frames with a [Conn], turns each into a [Request] with a
// [Parser] and answers with a [Reply]. A client sends and receives payloads
// with a [Client]. [Parser] is the only code that reads the text of a
// request and the reply types are the only code that writes that of a reply;
// neither knows anything of processes or threads.
//
// Section names in the comments are those of the manual "Debugging with
// GDB", appendix "GDB Remote Serial Protocol".
package rsp

// DefaultPacketSize is the PacketSize, in bytes, that a server offers unless
// it has a reason for another: the largest payload it takes, without the
// frame and the checksum ("General Query Packets", PacketSize).
const DefaultPacketSize = 0x20000
