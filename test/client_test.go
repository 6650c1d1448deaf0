package test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"rspd/rsp"
)

// A client is a debugger that a test drives packet by packet, for schedules that
// gdb would not bring about.
type client struct {
	s        *session
	conn     *rsp.Client
	features map[string]bool
	// log is the packets of the session, the oldest of which are dropped.
	log []string
}

// multiprocess and the rest are what a client announces.
const (
	multiprocess = "multiprocess+"
	forkEvents   = "fork-events+"
	vforkEvents  = "vfork-events+"
	execEvents   = "exec-events+"
	softBreak    = "swbreak+"
	noResumed    = "no-resumed+"
)

// childEvents is what gdb announces of what concerns children.
var childEvents = []string{multiprocess, forkEvents, vforkEvents, execEvents, softBreak, noResumed}

// client connects to a server and announces features.
func (s *session) client(v *server, features ...string) *client {
	s.Helper()
	c, err := s.dial(v, features...)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// dial is client for a server that may have ended.
func (s *session) dial(v *server, features ...string) (*client, error) {
	s.Helper()
	conn, err := net.Dial("tcp", v.address())
	if err != nil {
		return nil, err
	}
	c := &client{s: s, conn: rsp.NewClient(conn), features: map[string]bool{}}
	s.Cleanup(func() {
		_ = c.conn.Close()
		if s.Failed() {
			s.Logf("packets:\n%s", strings.Join(c.log, "\n"))
		}
	})
	supported, err := c.try("qSupported:" + strings.Join(features, ";"))
	if err != nil {
		return nil, err
	}
	for feature := range strings.SplitSeq(supported, ";") {
		c.features[feature] = true
	}
	return c, c.conn.StartNoAck(s.Context())
}

func (c *client) note(arrow, payload string) {
	if len(c.log) >= 600 {
		c.log = slices.Delete(c.log, 0, 300)
	}
	c.log = append(c.log, arrow+printable(payload))
}

// printable cuts a payload and shows what is not text.
func printable(payload string) string {
	if len(payload) > 200 {
		payload = payload[:200] + "..."
	}
	return strings.Trim(fmt.Sprintf("%+q", payload), `"`)
}

// within gives an exchange its time.
func (c *client) within(f func(ctx context.Context) (string, error)) (string, error) {
	return c.limited(patience, f)
}

func (c *client) limited(limit time.Duration, f func(ctx context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(c.s.Context(), limit)
	defer cancel()
	return f(ctx)
}

// try sends a packet and returns the reply.
func (c *client) try(payload string) (string, error) {
	c.note("-> ", payload)
	reply, err := c.within(func(ctx context.Context) (string, error) { return c.conn.Exchange(ctx, payload) })
	if err == nil {
		c.note("<- ", reply)
	}
	return reply, err
}

// ask is try for a packet that has a reply.
func (c *client) ask(payload string) string {
	c.s.Helper()
	reply, err := c.try(payload)
	if err != nil {
		c.s.Fatal(err)
	}
	return reply
}

// must sends a packet that is to be answered OK.
func (c *client) must(payload string) {
	c.s.Helper()
	if reply := c.ask(payload); reply != "OK" {
		c.s.Fatalf("%s is answered %q", payload, reply)
	}
}

// send sends a packet and does not wait for the reply.
func (c *client) send(payload string) {
	c.s.Helper()
	c.note("-> ", payload)
	if _, err := c.within(func(ctx context.Context) (string, error) { return "", c.conn.Send(ctx, payload) }); err != nil {
		c.s.Fatal(err)
	}
}

// interrupt sends the interrupt byte.
func (c *client) interrupt() {
	c.s.Helper()
	c.note("-> ", "\x03")
	if _, err := c.within(func(ctx context.Context) (string, error) { return "", c.conn.Interrupt(ctx) }); err != nil {
		c.s.Fatal(err)
	}
}

// stop waits for the next stop reply.
func (c *client) stop() rsp.Reply {
	c.s.Helper()
	reply, stopped := c.stopWithin(patience)
	if !stopped {
		c.s.Fatal("no stop reply comes")
	}
	return reply
}

// stopWithin waits for the next stop reply for some time.
func (c *client) stopWithin(limit time.Duration) (rsp.Reply, bool) {
	c.s.Helper()
	for {
		reply, err := c.limited(limit, c.conn.Receive)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, false
		}
		if err != nil {
			c.s.Fatalf("instead of a stop reply: %v", err)
		}
		c.note("<- ", reply)
		stop, err := rsp.ParseStop([]byte(reply))
		if err != nil {
			c.s.Fatalf("instead of a stop reply %q: %v", reply, err)
		}
		if _, output := stop.(rsp.ConsoleOutput); !output {
			return stop, true
		}
	}
}

// receive waits for the next packet.
func (c *client) receive() string {
	c.s.Helper()
	packet, err := c.within(c.conn.Receive)
	if err != nil {
		c.s.Fatal(err)
	}
	c.note("<- ", packet)
	return packet
}

// notificationWithin waits for the next notification for some time.
func (c *client) notificationWithin(limit time.Duration) (string, bool) {
	c.s.Helper()
	notification, err := c.limited(limit, c.conn.Notification)
	if errors.Is(err, context.DeadlineExceeded) {
		return "", false
	}
	if err != nil {
		c.s.Fatalf("instead of a notification: %v", err)
	}
	c.note("<- ", "%"+notification)
	return notification, true
}

// resume sends a packet that lets the program run and returns the stop reply.
func (c *client) resume(payload string) rsp.Reply {
	c.s.Helper()
	c.send(payload)
	return c.stop()
}

// threads is what the server lists.
func (c *client) threads() []rsp.ThreadID {
	c.s.Helper()
	var all []rsp.ThreadID
	for packet := "qfThreadInfo"; ; packet = "qsThreadInfo" {
		list, err := rsp.ParseThreadList([]byte(c.ask(packet)))
		if err != nil {
			c.s.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		all = append(all, list...)
	}
}

// vanish ends the connection without a word.
func (c *client) vanish() {
	c.note("-> ", "(connection closed)")
	_ = c.conn.Close()
}

// insert puts a software breakpoint into the process of a thread.
func (c *client) insert(thread rsp.ThreadID, address uint64) {
	c.s.Helper()
	c.must("Hg" + thread.String())
	c.must(fmt.Sprintf("Z0,%x,1", address))
}

// remove takes one out.
func (c *client) remove(thread rsp.ThreadID, address uint64) {
	c.s.Helper()
	c.must("Hg" + thread.String())
	c.must(fmt.Sprintf("z0,%x,1", address))
}

// leader is the thread id of a process's first thread.
func leader(pid int) rsp.ThreadID { return rsp.ThreadID{PID: pid, TID: pid} }

// compareThreads compares the list of threads with /proc, while all threads of
// the processes that the client knows are stopped under the server.
func (c *client) compareThreads(server int, known iter.Seq[int]) {
	c.s.Helper()
	pids := slices.Collect(known)
	tracer := strconv.Itoa(server)
	listed := map[int]bool{}
	for _, id := range c.threads() {
		if listed[id.TID] {
			c.s.Errorf("thread %v is listed twice", id)
		}
		listed[id.TID] = true
		if !slices.Contains(pids, id.PID) {
			c.s.Errorf("thread %v is listed, of whose process the client does not know", id)
		}
		group := statusField(id.TID, "Tgid")
		if group != "" && group != strconv.Itoa(id.PID) {
			c.s.Errorf("thread %d is listed in process %d and is in %s", id.TID, id.PID, group)
		}
		if group == "" && !exiting(id.PID) {
			c.s.Errorf("thread %v is listed and does not exist", id)
		}
		if by := statusField(id.TID, "TracerPid"); by != "" && by != tracer {
			c.s.Errorf("thread %v is listed and traced by %s", id, by)
		}
	}
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
		if err != nil {
			c.s.Fatal(err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(filepath.Base(task))
			if err != nil {
				c.s.Fatal(err)
			}
			state := statusField(tid, "State")
			if state != "" && strings.Contains("tT", state[:1]) && statusField(tid, "TracerPid") == tracer && !listed[tid] && !exiting(tid) {
				c.s.Errorf("thread %d of process %d is stopped under the server and not listed", tid, pid)
			}
		}
	}
}
