package rsp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// clientMaxPacket is the longest reply a Client takes, in bytes.
const clientMaxPacket = 1 << 20

// A Client is the debugger's end of a connection, for tests, scripts and
// measurements. Payloads are given and returned as they are between '$' and
// '#', replies with their run-length encoding expanded; binary data stays
// escaped unless a method says otherwise. A Client is for one goroutine.
type Client struct {
	conn     net.Conn
	frames   *Conn
	expanded []byte
	notices  []string
}

// rawPayload is a payload as the caller wrote it.
type rawPayload []byte

func (p rawPayload) AppendTo(dst []byte) []byte { return append(dst, p...) }

// Dial connects to a server as net.Dial does.
func Dial(network, address string) (*Client, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return NewClient(conn), nil
}

// NewClient returns the client at this end of conn, in acknowledging mode.
func NewClient(conn net.Conn) *Client {
	c := &Client{conn: conn, frames: NewConn(conn, clientMaxPacket)}
	c.frames.SetRunLength(false)
	return c
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// SetNoAck turns acknowledgments off or on. StartNoAck asks the server first.
func (c *Client) SetNoAck(on bool) { c.frames.SetNoAck(on) }

// SetTrace has f called with all that is sent and received; see
// Conn.SetTrace.
func (c *Client) SetTrace(f func(direction Direction, packet []byte)) { c.frames.SetTrace(f) }

// StartNoAck asks the server to do without acknowledgments and, if it says
// OK, does without them too.
func (c *Client) StartNoAck(ctx context.Context) error {
	reply, err := c.Exchange(ctx, "QStartNoAckMode")
	if err != nil {
		return err
	}
	if reply != "OK" {
		return fmt.Errorf("the server answers QStartNoAckMode with %q", reply)
	}
	c.SetNoAck(true)
	return nil
}

// Send sends a payload, which the caller has escaped where it is binary.
func (c *Client) Send(ctx context.Context, payload string) error {
	return c.within(ctx, func() error { return c.frames.Send(rawPayload(payload)) })
}

// Interrupt sends the byte 0x03, which stops what runs.
func (c *Client) Interrupt(ctx context.Context) error {
	return c.within(ctx, c.frames.SendInterrupt)
}

// Receive returns the payload of the next packet. Notifications that come
// before it are kept for Notification.
func (c *Client) Receive(ctx context.Context) (string, error) {
	var payload []byte
	err := c.within(ctx, func() (err error) {
		payload, err = c.receive()
		return err
	})
	return string(payload), err
}

// Exchange sends a payload and returns that of the next packet. Console
// output ("O" and hex) counts as one. When ctx ends while the reply is
// outstanding the error is that of ctx, and the reply is what the next
// Receive returns.
func (c *Client) Exchange(ctx context.Context, payload string) (string, error) {
	var reply []byte
	err := c.within(ctx, func() (err error) {
		reply, err = c.ExchangeBytes([]byte(payload))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%.60q: %w", payload, err)
	}
	return string(reply), nil
}

// ExchangeBinary is Exchange for replies of binary data: escapes are removed.
func (c *Client) ExchangeBinary(ctx context.Context, payload string) (string, error) {
	reply, err := c.Exchange(ctx, payload)
	if err != nil {
		return "", err
	}
	plain, ok := AppendUnescaped(nil, []byte(reply))
	if !ok {
		return "", fmt.Errorf("%.60q: the reply ends within an escape", payload)
	}
	return string(plain), nil
}

// ExchangeBytes is Exchange without a limit in time and without allocating.
// The reply is valid until the client is used again.
func (c *Client) ExchangeBytes(payload []byte) ([]byte, error) {
	// Not frames.Send: the conversion to a Reply would allocate.
	f := c.frames
	f.last = append(append(f.last[:0], packetStart), payload...)
	f.last = appendFrameEnd(f.last, Checksum(payload))
	if err := f.write(f.last); err != nil {
		return nil, err
	}
	return c.receive()
}

// Notification returns the payload of the next notification, "Stop:..." for
// example. It fails if a packet comes first: the caller has not taken a
// reply.
func (c *Client) Notification(ctx context.Context) (string, error) {
	if len(c.notices) == 0 {
		err := c.within(ctx, func() error {
			in, err := c.frames.Receive()
			if err == nil && in.Kind == Packet {
				return fmt.Errorf("packet %.60q instead of a notification", in.Payload)
			}
			return c.keepNotice(in, err)
		})
		if err != nil {
			return "", err
		}
	}
	first := c.notices[0]
	c.notices = c.notices[1:]
	return first, nil
}

func (c *Client) receive() ([]byte, error) {
	for {
		in, err := c.frames.Receive()
		if err != nil {
			return nil, err
		}
		if in.Kind == Packet {
			return c.expand(in.Payload)
		}
		if err := c.keepNotice(in, nil); err != nil {
			return nil, err
		}
	}
}

func (c *Client) keepNotice(in Input, err error) error {
	if err != nil {
		return err
	}
	if in.Kind != Notification {
		return fmt.Errorf("the server sent an interrupt")
	}
	payload, err := c.expand(in.Payload)
	if err != nil {
		return err
	}
	c.notices = append(c.notices, string(payload))
	return nil
}

func (c *Client) expand(payload []byte) ([]byte, error) {
	var ok bool
	c.expanded, ok = AppendExpanded(c.expanded[:0], payload)
	if !ok {
		return nil, fmt.Errorf("invalid run-length encoding in packet %.60q", payload)
	}
	return c.expanded, nil
}

// within does f, which uses the connection, until ctx ends.
func (c *Client) within(ctx context.Context, f func() error) error {
	if ctx.Done() == nil {
		return f()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	expired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.conn.SetDeadline(time.Unix(1, 0))
		close(expired)
	})
	err := f()
	if !stop() {
		<-expired
		c.conn.SetDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
