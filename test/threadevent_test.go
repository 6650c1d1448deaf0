package test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// threadEvents follows a program by QThreadEvents to its end.
type threadEvents struct {
	*packets
	// alive are the threads that were created and have not exited; the kernel
	// gives the ids of others again.
	alive map[rsp.ThreadID]bool
	// created counts, exited are the statuses in order.
	created int
	exited  []*rsp.ThreadExited
	execs   int
	// registers are those of the first thread that was created.
	registers []rsp.RegisterValue
}

func (s *session) threadEvents(source string, arguments ...string) *threadEvents {
	s.Helper()
	program := native(s.T, source, inferiors.PIE)
	v := s.launch(program, arguments...)
	e := &threadEvents{packets: s.packets(v, everyEvent), alive: map[rsp.ThreadID]bool{}}
	e.must("QThreadEvents:1")
	return e
}

// take notes one reply; true when the process is gone.
func (e *threadEvents) take(reply rsp.Reply) bool {
	e.Helper()
	switch stop := reply.(type) {
	case *rsp.ThreadExited:
		leader := stop.Thread.PID == stop.Thread.TID
		if !e.alive[stop.Thread] && !leader {
			e.Errorf("%v exits and is not alive", stop.Thread)
		}
		delete(e.alive, stop.Thread)
		e.exited = append(e.exited, stop)
	case *rsp.StopReply:
		switch stop.Reason {
		case rsp.StopCreate:
			if e.alive[stop.Thread] {
				e.Errorf("%v is created twice", stop.Thread)
			}
			e.alive[stop.Thread] = true
			e.created++
			e.beforeFirstInstruction(stop)
		case rsp.StopExec:
			e.execs++
		default:
			e.Fatalf("unexpected: %+v", stop)
		}
	default:
		return true
	}
	return false
}

// beforeFirstInstruction holds that a new thread stands where the call that
// made it returns, as every other one does.
func (e *threadEvents) beforeFirstInstruction(stop *rsp.StopReply) {
	e.Helper()
	if e.created == 1 {
		e.registers = stop.Registers
	}
	pc := func(registers []rsp.RegisterValue) string {
		for _, register := range registers {
			if register.Number == programCounter() {
				return fmt.Sprintf("%x", register.Value)
			}
		}
		return "none"
	}
	if got, want := pc(stop.Registers), pc(e.registers); got != want || got == "none" {
		e.Errorf("%v is at %s when it is reported, the first one was at %s", stop.Thread, got, want)
	}
}

// TestThreadEventsCounted holds what is reported of 10,000 threads against what
// the program counted itself.
func TestThreadEventsCounted(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	s := newSession(t)
	e := s.threadEvents("churn.c", fmt.Sprint(rounds), "10")
	for !e.take(e.resume("vCont;c")) {
	}
	count := e.server.stdout.wait(t, `born (\d+)\n`)[1]
	if fmt.Sprint(e.created) != count || fmt.Sprint(len(e.exited)) != count {
		t.Errorf("%s threads were born; %d are reported to begin and %d to end", count, e.created, len(e.exited))
	}
	for _, exit := range e.exited {
		if exit.Status != 0 {
			t.Errorf("%v ends with status %d", exit.Thread, exit.Status)
		}
	}
}

// TestThreadEventsLeaderFirst: the leader's end is told when it happens, and
// the process's by the last thread.
func TestThreadEventsLeaderFirst(t *testing.T) {
	gnuLacks(t, "it does not report the leader's end")
	s := newSession(t)
	e := s.threadEvents("leader.c")
	var last rsp.Reply
	for {
		if last = e.resume("vCont;c"); e.take(last) {
			break
		}
	}
	leader := rsp.ThreadID{PID: e.server.inferior, TID: e.server.inferior}
	if exit, ok := last.(*rsp.Exited); !ok || exit.Status != 7 {
		t.Errorf("the end is %#v", last)
	}
	if e.created != 1 || len(e.exited) != 2 || e.exited[0].Thread != leader || e.exited[0].Status != 0 {
		t.Errorf("%d threads begin, %d end", e.created, len(e.exited))
	}
}

// TestThreadEventsExec: the other threads end when one executes a program.
func TestThreadEventsExec(t *testing.T) {
	gnuLacks(t, "it does not report the leader's end")
	s := newSession(t)
	e := s.threadEvents("exec.c", "thread", "a")
	for !e.take(e.resume("vCont;c")) {
	}
	// Three bystanders and the leader go; the caller takes the leader's id.
	if e.created != 4 || len(e.exited) != 4 || e.execs != 1 {
		t.Errorf("%d threads begin, %d end, %d programs are executed", e.created, len(e.exited), e.execs)
	}
}

// killed has the program make four threads, kills it, and returns the first reply.
func (e *threadEvents) killed() rsp.Reply {
	e.Helper()
	for e.created < 4 {
		e.take(e.resume("vCont;c"))
	}
	if err := e.client.Send(e.ctx, "vCont;c"); err != nil {
		e.Fatal(err)
	}
	e.server.stdout.wait(e, "ready\n")
	if err := syscall.Kill(e.server.inferior, syscall.SIGKILL); err != nil {
		e.Fatal(err)
	}
	text, err := e.client.Receive(e.ctx)
	if err != nil {
		e.Fatal(err)
	}
	reply, err := rsp.ParseStop([]byte(text))
	if err != nil {
		e.Fatal(err)
	}
	return reply
}

// TestThreadEventsKilled: each thread ends by the signal that ends all.
func TestThreadEventsKilled(t *testing.T) {
	s := newSession(t)
	e := s.threadEvents("threads.c", "5", "hold")
	reply := e.killed()
	for !e.take(reply) {
		reply = e.resume("vCont;c")
	}
	if killed, ok := reply.(*rsp.Signaled); !ok || killed.Signal != rsp.SIGKILL {
		t.Errorf("the end is %#v", reply)
	}
	if len(e.exited) != 4 {
		t.Errorf("%d of 4 threads are reported to end: %v", len(e.exited), e.exited)
	}
}

// TestThreadEventsOfAnotherClient: who comes later has not asked for the ends that
// the one before was not told of any more.
func TestThreadEventsOfAnotherClient(t *testing.T) {
	gnuLacks(t, "13.1 ends with the program when its client has gone")
	s := newSession(t)
	e := s.threadEvents("threads.c", "5", "hold")
	if reply, ok := e.killed().(*rsp.ThreadExited); !ok {
		t.Fatalf("the first reply is %#v", reply)
	}
	if err := e.client.Close(); err != nil {
		t.Fatal(err)
	}
	second := s.packets(e.server, everyEvent)
	if want, reply := fmt.Sprintf("X09;process:%x", e.server.inferior), second.ask("?"); reply != want {
		t.Errorf("the end is %s, want %s", reply, want)
	}
	if err := second.client.Close(); err != nil {
		t.Fatal(err)
	}
	if status := e.server.wait(); status != 0 {
		t.Errorf("the server ends with %d", status)
	}
}

// TestThreadOptions asks for the events of one thread only.
func TestThreadOptions(t *testing.T) {
	gnuLacks(t, "13.1 has no QThreadOptions")
	s := newSession(t)
	program := native(t, "churn.c", inferiors.PIE)
	v := s.launch(program, "2", "3")
	p := s.packets(v, everyEvent)
	leader := rsp.ThreadID{PID: v.inferior, TID: v.inferior}
	p.must("QThreadOptions;3:%v", leader)
	var children []rsp.ThreadID
	exits := 0
	for {
		reply := p.resume("vCont;c")
		if _, gone := reply.(*rsp.Exited); gone {
			break
		}
		if exit, ok := reply.(*rsp.ThreadExited); ok {
			if exit.Thread != children[0] {
				t.Errorf("%v has no options, its exit is reported", exit.Thread)
			}
			exits++
			continue
		}
		stop, ok := reply.(*rsp.StopReply)
		if !ok || stop.Reason != rsp.StopClone || stop.Thread != leader {
			t.Fatalf("unexpected: %#v", reply)
		}
		if list := p.ask("qfThreadInfo"); !strings.Contains(list, stop.Child.String()) {
			t.Errorf("%v is not in %s", stop.Child, list)
		}
		children = append(children, stop.Child)
		if len(children) == 1 {
			p.must("QThreadOptions;2:%v", stop.Child)
			p.must("QThreadOptions;1:%v", leader)
		}
	}
	if len(children) != 6 || exits != 1 {
		t.Errorf("%d clones and %d exits are reported, want 6 and 1", len(children), exits)
	}
	if reply := p.ask("QThreadOptions;8"); !strings.HasPrefix(reply, "E") {
		t.Errorf("an unknown option is answered %s", reply)
	}
}
