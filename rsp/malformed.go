package rsp

import "fmt"

// A MalformedError says that a packet could not be understood although its
// name is known, or that it was longer than the receiver takes. The
// connection is still usable: the server answers with an error reply.
type MalformedError struct {
	// Packet is the packet's name, or PacketUnknown if it was not read.
	Packet PacketName
	// Offset is where in the payload the trouble is, in bytes.
	Offset int
	// Reason says what is wrong, without the packet's name.
	Reason string
}

// Error returns a sentence with the packet's name, the reason and the place.
func (e *MalformedError) Error() string {
	if e.Packet == PacketUnknown {
		return fmt.Sprintf("malformed packet: %s (at byte %d)", e.Reason, e.Offset)
	}
	return fmt.Sprintf("malformed %s packet: %s (at byte %d)", e.Packet, e.Reason, e.Offset)
}

// Reply returns the error reply that tells the client.
func (e *MalformedError) Reply() Error {
	return Error{Code: 1, Text: e.Error()}
}
