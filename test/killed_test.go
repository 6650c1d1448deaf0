package test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestKilledInTheMiddle kills a program from outside at each stop of a family:
// its end is reported, and no event that did not happen.
func TestKilledInTheMiddle(t *testing.T) {
	for _, program := range letGoPrograms {
		t.Run(caseName(program.source, program.args), func(t *testing.T) {
			gnuLacks(t, "13.1 hangs when a vfork parent is killed")
			t.Parallel()
			for at, reached := 0, true; reached && !t.Failed(); at++ {
				t.Run(fmt.Sprint("stop ", at), func(t *testing.T) { reached = killedAt(t, program.source, program.args, at) })
			}
		})
	}
}

// killedAt kills the first process and all others at one stop and tells whether
// that stop was reached.
func killedAt(t *testing.T, source, args string, at int) bool {
	s := sequentialSession(t)
	v := s.launch(native(t, source, inferiors.PIE), strings.Fields(args)...)
	c := s.client(v, childEvents...)
	live := map[int]bool{v.inferior: true}
	reached := false
	packet := "vCont;c"
	for stops := 0; len(live) > 0; stops++ {
		if stops == at {
			reached = true
			for pid := range live {
				// One whose end was not told yet is gone already.
				if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
					t.Fatal(err)
				}
			}
		}
		reply := c.resume(packet)
		packet = "vCont;c"
		switch reply := reply.(type) {
		case *rsp.Exited:
			if !live[reply.PID] {
				t.Errorf("the end of %d is invented", reply.PID)
			}
			delete(live, reply.PID)
		case *rsp.Signaled:
			if !live[reply.PID] || reply.Signal != rsp.SIGKILL {
				t.Errorf("%v of %d is invented", reply.Signal, reply.PID)
			}
			delete(live, reply.PID)
		case *rsp.StopReply:
			// What happened before may still be told.
			if reached && (!live[reply.Thread.PID] || reply.Reason == rsp.StopSignal && (reply.Signal == rsp.SIGTRAP || reply.Signal == rsp.SIGINT)) {
				t.Errorf("after SIGKILL %v in %v, signal %v", reply.Reason, reply.Thread, reply.Signal)
			}
			if reply.Reason == rsp.StopFork || reply.Reason == rsp.StopVfork {
				live[reply.Child.PID] = true
			}
			if reply.Reason == rsp.StopSignal {
				packet = fmt.Sprintf("vCont;C%02x:%v;c", int(reply.Signal), reply.Thread)
			}
		}
	}
	c.vanish()
	v.wait()
	s.nothingLeft()
	return reached
}

// TestSelectedProcessEnds kills a process that the client has selected, in
// non-stop: what it asks about that one next is not answered of another.
func TestSelectedProcessEnds(t *testing.T) {
	gnuLacks(t, "13.1 ends with an internal error")
	s := newSession(t)
	program := native(t, "fork.c", inferiors.NoPIE)
	v := s.launch(program, "fork")
	c := s.client(v, childEvents...)
	c.must("QNonStop:1")
	c.ask("?")
	for c.ask("vStopped") != "OK" {
	}
	c.must("vCont;c")
	text, _ := c.notificationWithin(patience)
	stop, err := rsp.ParseStop([]byte(strings.TrimPrefix(text, "Stop:")))
	if err != nil {
		t.Fatal(err)
	}
	fork, ok := stop.(*rsp.StopReply)
	if !ok || fork.Reason != rsp.StopFork {
		t.Fatalf("%#v", stop)
	}
	for c.ask("vStopped") != "OK" {
	}
	c.must("Hg" + fork.Child.String())
	if err := unix.Kill(fork.Child.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.must("vCont;c:" + fork.Child.String())
	if text, _ := c.notificationWithin(patience); text != fmt.Sprintf("Stop:X09;process:%x", fork.Child.PID) {
		t.Fatal(text)
	}
	address := symbol(t, program, "child_work")
	for _, packet := range []string{"g", fmt.Sprintf("m%x,1", address), fmt.Sprintf("Z0,%x,1", address), fmt.Sprintf("Z1,%x,1", address)} {
		if reply := c.ask(packet); !strings.HasPrefix(reply, "E") {
			t.Errorf("%s is answered %q", packet, reply)
		}
	}
}
