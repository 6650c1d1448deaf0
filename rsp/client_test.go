package rsp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// serve answers each request at the other end with what answer returns,
// until the connection ends. The returned function ends the client's side
// and waits.
func serve(t *testing.T, answer func(c *Conn, in Input)) *Client {
	t.Helper()
	near, far := socketPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := NewConn(far, 0)
		for {
			in, err := c.Receive()
			if err != nil {
				if err != io.EOF {
					t.Errorf("the server's Receive: %v", err)
				}
				return
			}
			answer(c, in)
		}
	}()
	client := NewClient(near)
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

func TestClient(t *testing.T) {
	memory := bytes.Repeat([]byte("\x00\x00\x00\x00\x00\x00}#$*abc"), 1000)
	var p Parser
	client := serve(t, func(c *Conn, in Input) {
		if in.Kind == Interrupt {
			c.SendNotification("Stop", &StopReply{Signal: SIGINT, Core: -1})
			c.Send(&StopReply{Signal: SIGINT, Core: -1})
			return
		}
		r, err := p.Parse(in.Payload)
		if err != nil {
			c.Send(err.(*MalformedError).Reply())
			return
		}
		switch r := r.(type) {
		case *StartNoAckMode:
			c.Send(OK{})
			c.SetNoAck(true)
		case *ReadMemory:
			if r.Binary {
				c.Send(BinaryMemory(memory))
			} else {
				c.Send(Hex(memory))
			}
		default:
			c.Send(Empty{})
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	exchange := func(payload string) string {
		t.Helper()
		reply, err := client.Exchange(ctx, payload)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	for _, noAck := range []bool{false, true} {
		if noAck {
			if err := client.StartNoAck(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := exchange("vMustReplyNothing"); got != "" {
			t.Errorf("an unknown packet is answered %q", got)
		}
		if got, err := ParseHex([]byte(exchange("m0,100"))); err != nil || !bytes.Equal(got, memory) {
			t.Errorf("m: %q, %v", got, err)
		}
		if got, err := client.ExchangeBinary(ctx, "x0,100"); err != nil || got != "b"+string(memory) {
			t.Errorf("x: %q, %v", got, err)
		}
		if got, err := client.ExchangeBytes([]byte("m0,100")); err != nil || string(got) != string(Hex(memory).AppendTo(nil)) {
			t.Errorf("ExchangeBytes: %q, %v", got, err)
		}
		if got := exchange("mx"); !strings.HasPrefix(got, "E.malformed m packet") {
			t.Errorf("a malformed packet is answered %q", got)
		}
		if err := client.Interrupt(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Receive(ctx); err != nil || got != "T02" {
			t.Errorf("after the interrupt: %q, %v", got, err)
		}
		if got, err := client.Notification(ctx); err != nil || got != "Stop:T02" {
			t.Errorf("notification: %q, %v", got, err)
		}
	}
	if err := client.Send(ctx, "?"); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Notification(ctx); err == nil {
		t.Errorf("a packet is taken for the notification %q", got)
	}
}

func TestClientContext(t *testing.T) {
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, func(c *Conn, in Input) {
		// Not before the request is here: ending the context earlier might
		// keep it from being sent.
		cancel()
		<-release
		c.Send(OK{})
	})
	if reply, err := client.Exchange(ctx, "vCont;c"); !errors.Is(err, context.Canceled) {
		t.Errorf("the reply is %q, %v", reply, err)
	}
	if err := client.Send(ctx, "?"); !errors.Is(err, context.Canceled) {
		t.Errorf("sending after the context ended: %v", err)
	}
	close(release)
	if reply, err := client.Receive(t.Context()); err != nil || reply != "OK" {
		t.Errorf("the late reply is %q, %v", reply, err)
	}
}

func TestClientEnd(t *testing.T) {
	near, far := net.Pipe()
	client := NewClient(near)
	far.Close()
	if _, err := client.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the server has gone: %v", err)
	}
	if _, err := Dial("unix", "/nonexistent/socket"); err == nil {
		t.Error("Dial reaches a socket that does not exist")
	}
}

func TestClientRefusesBadRunLength(t *testing.T) {
	near, far := socketPair(t)
	client := NewClient(near)
	if _, err := io.WriteString(far, frame("*\"")+frame("OK")); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Receive(t.Context()); err == nil {
		t.Errorf("it is expanded to %q", got)
	}
	if got, err := client.Receive(t.Context()); err != nil || got != "OK" {
		t.Errorf("the packet behind it is %q, %v", got, err)
	}
}
