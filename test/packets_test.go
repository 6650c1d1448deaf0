package test

import (
	"context"
	"fmt"

	"rspd/rsp"
)

// packets is a client that speaks packets.
type packets struct {
	*session
	server *server
	client *rsp.Client
	ctx    context.Context
}

// packets connects to a server and says what the client can do.
func (s *session) packets(v *server, features string) *packets {
	s.Helper()
	client, err := rsp.Dial("tcp", v.address())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	p := &packets{session: s, server: v, client: client, ctx: ctx}
	if err := client.StartNoAck(ctx); err != nil {
		s.Fatal(err)
	}
	p.ask("qSupported:%s", features)
	return p
}

// ask sends a packet and returns the reply.
func (p *packets) ask(format string, arguments ...any) string {
	p.Helper()
	packet := fmt.Sprintf(format, arguments...)
	reply, err := p.client.Exchange(p.ctx, packet)
	if err != nil {
		p.Fatalf("%s: %v", packet, err)
	}
	return reply
}

// must is ask for a packet that is answered "OK".
func (p *packets) must(format string, arguments ...any) {
	p.Helper()
	if reply := p.ask(format, arguments...); reply != "OK" {
		p.Fatalf("%s: %s", fmt.Sprintf(format, arguments...), reply)
	}
}

// resume sends a packet that resumes and returns the stop reply.
func (p *packets) resume(format string, arguments ...any) rsp.Reply {
	p.Helper()
	text := p.ask(format, arguments...)
	reply, err := rsp.ParseStop([]byte(text))
	if err != nil {
		p.Fatalf("%s: %q: %v", fmt.Sprintf(format, arguments...), text, err)
	}
	return reply
}

// resumeTo is resume for a stop reply of a thread.
func (p *packets) resumeTo(reason rsp.StopEvent, format string, arguments ...any) *rsp.StopReply {
	p.Helper()
	reply := p.resume(format, arguments...)
	stop, ok := reply.(*rsp.StopReply)
	if !ok || stop.Reason != reason {
		p.Fatalf("%s: the reply is %#v, not %v", fmt.Sprintf(format, arguments...), reply, reason)
	}
	return stop
}
