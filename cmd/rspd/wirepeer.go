package main

import (
	"fmt"
	"io"
	"os"

	"rspd/rsp"
)

// consoleMaxPacket is the longest payload that a console takes, in bytes.
const consoleMaxPacket = 1 << 20

// wirePeer is a server behind a connection.
type wirePeer struct {
	line   *interruptibleLine
	frames *rsp.Conn

	// askedNoAck says that the reply to come decides on acknowledgments.
	askedNoAck bool
	expanded   []byte
}

// rawPayload is a payload as it was typed.
type rawPayload []byte

func (p rawPayload) AppendTo(dst []byte) []byte { return append(dst, p...) }

// newWirePeer speaks with the server behind conn. The reading ends when conn
// is closed.
func newWirePeer(conn io.ReadWriter, interrupts <-chan os.Signal) *wirePeer {
	line := newInterruptibleLine(conn, interrupts)
	frames := rsp.NewConn(line, consoleMaxPacket)
	frames.SetRunLength(false)
	return &wirePeer{line: line, frames: frames}
}

func (p *wirePeer) Send(payload []byte) error {
	p.line.patience()
	p.askedNoAck = string(payload) == "QStartNoAckMode"
	return p.frames.Send(rawPayload(payload))
}

func (p *wirePeer) Interrupt() error {
	p.line.patience()
	return p.frames.SendInterrupt()
}

func (p *wirePeer) Receive() (payload []byte, notification bool, err error) {
	in, err := p.frames.Receive()
	if err != nil {
		return nil, false, err
	}
	var ok bool
	if p.expanded, ok = rsp.AppendExpanded(p.expanded[:0], in.Payload); !ok {
		return nil, false, fmt.Errorf("the server's run-length encoding is invalid: %.60q", in.Payload)
	}
	if in.Kind == rsp.Packet && p.askedNoAck {
		p.askedNoAck = false
		p.frames.SetNoAck(string(p.expanded) == "OK")
	}
	return p.expanded, in.Kind == rsp.Notification, nil
}

// interruptibleLine is a connection whose Read also listens to the keyboard:
// the first Ctrl-C while it waits is sent on to the server.
type interruptibleLine struct {
	conn       io.ReadWriter
	interrupts <-chan os.Signal
	sent       bool // since the last request, a Ctrl-C was sent

	chunks  <-chan []byte
	rest    []byte
	failure error // why chunks was closed
}

func newInterruptibleLine(conn io.ReadWriter, interrupts <-chan os.Signal) *interruptibleLine {
	chunks := make(chan []byte)
	l := &interruptibleLine{conn: conn, interrupts: interrupts, chunks: chunks}
	go func() {
		defer close(chunks)
		for {
			chunk := make([]byte, 64<<10)
			n, err := conn.Read(chunk)
			if n > 0 {
				chunks <- chunk[:n]
			}
			if err != nil {
				l.failure = err
				return
			}
		}
	}()
	return l
}

// patience begins a new wait: Ctrl-C's up to now are not meant for it.
func (l *interruptibleLine) patience() {
	l.sent = false
	for {
		select {
		case <-l.interrupts:
		default:
			return
		}
	}
}

func (l *interruptibleLine) Write(p []byte) (int, error) { return l.conn.Write(p) }

func (l *interruptibleLine) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		select {
		case chunk, ok := <-l.chunks:
			if !ok {
				return 0, l.failure
			}
			l.rest = chunk
		case <-l.interrupts:
			if l.sent {
				return 0, errImpatient
			}
			l.sent = true
			if _, err := l.conn.Write([]byte{3}); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
