package rsp

import (
	"bytes"
	"io"
)

// A Kind says what arrived.
type Kind uint8

// The kinds of input.
const (
	// Packet is a frame "$payload#checksum".
	Packet Kind = iota
	// Interrupt is the byte 0x03 outside of a frame ("Interrupts").
	Interrupt
	// Notification is a frame "%payload#checksum", which only servers send
	// ("Notification Packets").
	Notification
)

// Input is one thing that arrived. Payload is valid until the next Receive.
type Input struct {
	Kind    Kind
	Payload []byte
}

// A Direction says which way a packet goes.
type Direction uint8

// The directions.
const (
	Received Direction = iota
	Sent
)

const (
	packetStart       = '$'
	notificationStart = '%'
	frameEnd          = '#'
	checksumLength    = 2
	ack               = '+'
	nak               = '-'
	interruptByte     = 0x03
)

var (
	ackBytes = []byte{ack}
	nakBytes = []byte{nak}
)

// A Conn frames packets ("Overview"). One Read and one Write are made for a
// packet and its reply where the other side sends whole packets, and nothing
// is allocated once the buffers have grown to what is sent. It starts out
// acknowledging, in run-length encoding what it sends, and untraced. A Conn
// is for one goroutine.
type Conn struct {
	rw        io.ReadWriter
	maxPacket int

	in         []byte
	start, end int // what of in is not decoded
	scanned    int // how far from start no '#' was found

	// While a frame that is too long is thrown away.
	skipping bool
	skipKind Kind
	skipSum  byte

	payload []byte // scratch: '$' and the payload as the reply gives it
	last    []byte // the frame sent last, as it went out
	notice  []byte // scratch for notifications

	noAck     bool
	runLength bool
	trace     func(direction Direction, packet []byte)
}

// NewConn returns a Conn that takes payloads of up to maxPacket bytes, or
// DefaultPacketSize if that is not positive. Reads and writes of rw must
// block.
func NewConn(rw io.ReadWriter, maxPacket int) *Conn {
	if maxPacket <= 0 {
		maxPacket = DefaultPacketSize
	}
	// A little more than the longest frame, for acknowledgments before it.
	return &Conn{
		rw:        rw,
		maxPacket: maxPacket,
		in:        make([]byte, maxPacket+64),
		runLength: true,
	}
}

// SetNoAck turns acknowledgments off or on ("Packet Acknowledgment"). A
// server turns them off after it has sent OK to QStartNoAckMode. While they
// are off, checksums are not looked at.
func (c *Conn) SetNoAck(on bool) { c.noAck = on }

// NoAck reports whether acknowledgments are off.
func (c *Conn) NoAck() bool { return c.noAck }

// SetRunLength says whether packets are sent run-length encoded. They are
// unless this says otherwise; some clients do not expand binary replies.
func (c *Conn) SetRunLength(on bool) { c.runLength = on }

// SetTrace has f called with the bytes of every frame, acknowledgment and
// interrupt as it comes and goes, or with nil no longer. The bytes are valid
// during the call only.
func (c *Conn) SetTrace(f func(direction Direction, packet []byte)) { c.trace = f }

// MaxPacket returns the longest payload that is taken, in bytes.
func (c *Conn) MaxPacket() int { return c.maxPacket }

// Receive returns the next thing that the other side sent. Frames with a bad
// checksum are asked for again, and the last frame is sent again when the
// other side asks; bytes that belong to nothing are passed over. A frame
// whose payload is too long is taken and a *MalformedError returned, after
// which the connection is as usable as before. Other errors are those of
// reading and writing; io.EOF means that the other side has closed the
// connection, io.ErrUnexpectedEOF that it did so within a frame.
func (c *Conn) Receive() (Input, error) {
	for {
		in, ok, err := c.decode()
		if ok || err != nil {
			return in, err
		}
		if err := c.fill(); err != nil {
			return Input{}, err
		}
	}
}

// ReceiveReady is Receive for a caller that must not be kept waiting: it takes
// what was read before and, if the caller knows that reading does not block,
// reads once. It reports false when that is no whole input yet.
func (c *Conn) ReceiveReady(readable bool) (Input, bool, error) {
	in, ok, err := c.decode()
	if ok || err != nil || !readable {
		return in, ok, err
	}
	if err := c.fill(); err != nil {
		return Input{}, false, err
	}
	return c.decode()
}

// Pending reports whether something was read that Receive has not returned yet, be
// it a whole input or not.
func (c *Conn) Pending() bool { return c.start < c.end }

// fill reads once more into the buffer.
func (c *Conn) fill() error {
	if c.start == c.end {
		c.start, c.end = 0, 0
	} else if c.end == len(c.in) {
		c.end = copy(c.in, c.in[c.start:c.end])
		c.start = 0
	}
	for range 100 {
		n, err := c.rw.Read(c.in[c.end:])
		c.end += n
		if n > 0 {
			return nil
		}
		if err == io.EOF && (c.start != c.end || c.skipping) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// decode takes the next thing out of the buffer. It reports false if there
// is none yet. It leaves start where there is room behind it for the rest of
// any frame.
func (c *Conn) decode() (Input, bool, error) {
	for c.start < c.end {
		if c.skipping {
			done, err := c.skip()
			if !done || err != nil {
				return Input{}, false, err
			}
			continue
		}
		switch c.in[c.start] {
		case packetStart, notificationStart:
			in, result, err := c.frame()
			switch {
			case err != nil:
				return Input{}, false, err
			case result == frameGood:
				return in, true, nil
			case result == frameIncomplete && !c.skipping:
				return Input{}, false, nil
			}
		case interruptByte:
			c.traceBytes(Received, c.in[c.start:c.start+1])
			c.start++
			return Input{Kind: Interrupt}, true, nil
		case nak:
			c.traceBytes(Received, c.in[c.start:c.start+1])
			c.start++
			if err := c.resend(); err != nil {
				return Input{}, false, err
			}
		case ack:
			c.traceBytes(Received, c.in[c.start:c.start+1])
			c.start++
		default:
			c.start++
		}
	}
	return Input{}, false, nil
}

type frameResult uint8

const (
	frameIncomplete frameResult = iota
	frameBad
	frameGood
)

// frame takes the frame at start.
func (c *Conn) frame() (Input, frameResult, error) {
	kind := Packet
	if c.in[c.start] == notificationStart {
		kind = Notification
	}
	body := c.in[c.start+1 : c.end]
	size := bytes.IndexByte(body[c.scanned:], frameEnd)
	if size < 0 {
		c.scanned = len(body)
		if len(body) > c.maxPacket {
			c.beginSkip(kind, body)
		}
		return Input{}, frameIncomplete, nil
	}
	size += c.scanned
	c.scanned = size
	if len(body) < size+1+checksumLength {
		if size > c.maxPacket {
			c.beginSkip(kind, body[:size])
		}
		return Input{}, frameIncomplete, nil
	}
	c.scanned = 0
	payload := body[:size:size]
	digits := body[size+1 : size+1+checksumLength]
	end := c.start + 1 + size + 1 + checksumLength
	c.traceBytes(Received, c.in[c.start:end])

	if !c.noAck && !sumMatches(digits, Checksum(payload)) {
		// A frame whose end was lost runs into the next one.
		if next := bytes.LastIndexByte(payload, packetStart); next >= 0 && size <= c.maxPacket {
			c.start += 1 + next
			return Input{}, frameBad, nil
		}
		c.start = end
		return Input{}, frameBad, c.acknowledge(kind, nakBytes)
	}
	c.start = end
	if err := c.acknowledge(kind, ackBytes); err != nil {
		return Input{}, frameBad, err
	}
	if size > c.maxPacket {
		return Input{}, frameBad, c.tooLong()
	}
	return Input{Kind: kind, Payload: payload}, frameGood, nil
}

// beginSkip throws away what has come of the payload at start, which is too
// long, and lets skip take the rest.
func (c *Conn) beginSkip(kind Kind, payload []byte) {
	c.skipping, c.skipKind, c.skipSum = true, kind, Checksum(payload)
	c.start += 1 + len(payload)
	c.scanned = 0
}

// skip throws away more of a frame that is too long. It reports true, and
// mostly the error for it, at the frame's end.
func (c *Conn) skip() (bool, error) {
	body := c.in[c.start:c.end]
	size := bytes.IndexByte(body, frameEnd)
	if size < 0 {
		c.skipSum += Checksum(body)
		c.start = c.end
		return false, nil
	}
	if len(body) < size+1+checksumLength {
		c.skipSum += Checksum(body[:size])
		c.start += size
		return false, nil
	}
	sum := c.skipSum + Checksum(body[:size])
	digits := body[size+1 : size+1+checksumLength]
	c.start += size + 1 + checksumLength
	c.skipping = false
	if !c.noAck && !sumMatches(digits, sum) {
		return true, c.acknowledge(c.skipKind, nakBytes)
	}
	if err := c.acknowledge(c.skipKind, ackBytes); err != nil {
		return true, err
	}
	return true, c.tooLong()
}

// acknowledge answers a frame of that kind with '+' or '-', unless it is
// one that nobody acknowledges.
func (c *Conn) acknowledge(kind Kind, answer []byte) error {
	if c.noAck || kind == Notification {
		return nil
	}
	return c.write(answer)
}

func (c *Conn) tooLong() error {
	return &MalformedError{Offset: c.maxPacket, Reason: "it is longer than PacketSize allows"}
}

// sumMatches reports whether the two digits are the sum.
func sumMatches(digits []byte, sum byte) bool {
	return hexValues[digits[0]] == sum>>4 && hexValues[digits[1]] == sum&15
}

// resend sends the last frame again, because the other side did not get it
// well.
func (c *Conn) resend() error {
	if c.noAck || len(c.last) == 0 {
		return nil
	}
	return c.write(c.last)
}

// Send frames the reply and writes it. The error is that of writing.
func (c *Conn) Send(r Reply) error {
	c.payload = r.AppendTo(append(c.payload[:0], packetStart))
	if !c.runLength {
		// The frame is built in place and the buffers change roles.
		sum := Checksum(c.payload[1:])
		c.last, c.payload = appendFrameEnd(c.payload, sum), c.last
	} else {
		var sum byte
		c.last, sum = AppendRunLength(append(c.last[:0], packetStart), c.payload[1:])
		c.last = appendFrameEnd(c.last, sum)
	}
	return c.write(c.last)
}

// SendNotification frames the event of a notification, "%name:event", and
// writes it. Nobody acknowledges it and it is never sent again.
func (c *Conn) SendNotification(name string, event Reply) error {
	c.payload = append(append(c.payload[:0], name...), ':')
	c.payload = event.AppendTo(c.payload)
	c.notice = append(c.notice[:0], notificationStart)
	var sum byte
	if c.runLength {
		c.notice, sum = AppendRunLength(c.notice, c.payload)
	} else {
		c.notice, sum = append(c.notice, c.payload...), Checksum(c.payload)
	}
	c.notice = appendFrameEnd(c.notice, sum)
	return c.write(c.notice)
}

// SendInterrupt writes the byte that interrupts a server's inferior.
func (c *Conn) SendInterrupt() error { return c.write([]byte{interruptByte}) }

func appendFrameEnd(dst []byte, sum byte) []byte {
	return appendHexByte(append(dst, frameEnd), sum)
}

func (c *Conn) write(packet []byte) error {
	c.traceBytes(Sent, packet)
	for len(packet) > 0 {
		n, err := c.rw.Write(packet)
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrShortWrite
		}
		packet = packet[n:]
	}
	return nil
}

func (c *Conn) traceBytes(direction Direction, packet []byte) {
	if c.trace != nil {
		c.trace(direction, packet)
	}
}
