package test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// letGoPrograms make children in the ways that differ in who waits for whom and
// whose memory is whose. The function, which parents and children call, has a
// breakpoint that the server passes over.
var letGoPrograms = []struct{ source, args, function string }{
	{"fork.c", "fork", "child_work"}, {"fork.c", "vfork", "parent_work"}, {"fork.c", "vforkexec", "parent_work"},
	{"fork.c", "spawn", "parent_work"}, {"fork.c", "twice", "reap"}, {"nestedvfork.c", "exec", "nest"},
	{"threadfork.c", "vfork 3 1", "maker"}, {"doublefork.c", "", "main"},
}

// What a client may do in the middle of a fork.
const (
	detachesParent = "detach the parent"
	detachesChild  = "detach the child"
	killsParent    = "kill the parent"
	killsChild     = "kill the child"
	disappears     = "lose the connection"
)

// TestLetGoAtEachStop detaches or kills the parent or the child, or loses the
// connection, at each stop between the start and the end of both. The others go
// on as if nobody had watched: what is detached ends as it does alone, a parent
// learns that its child was killed, and nobody is left.
func TestLetGoAtEachStop(t *testing.T) {
	gnuLacks(t, "13.1 refuses some of the orders, and hangs in others")
	for _, program := range letGoPrograms {
		for _, deed := range []string{detachesParent, detachesChild, killsParent, killsChild, disappears} {
			t.Run(caseName(program.source, program.args)+"/"+strings.ReplaceAll(deed, " ", "-"), func(t *testing.T) {
				t.Parallel()
				done := 0
				for at, reached := 0, true; reached; at++ {
					t.Run(fmt.Sprint("stop ", at), func(t *testing.T) {
						var did bool
						if reached, did = letGoAt(t, program.source, program.args, program.function, deed, at); did {
							done++
						}
					})
					reached = reached && !t.Failed()
				}
				if done == 0 && !t.Failed() {
					t.Error("there was no occasion")
				}
			})
		}
	}
}

// letGoAt does the deed at one stop, counted from 0. It tells whether that stop
// was reached, and whether there was somebody to do it to.
func letGoAt(t *testing.T, source, args, function, deed string, at int) (reached, did bool) {
	t.Helper()
	s := sequentialSession(t)
	path := native(t, source, inferiors.NoPIE)
	words := strings.Fields(args)
	var v *server
	var printed *output
	if deed == disappears {
		// What the server launched it ends with itself.
		p := s.start("/bin/sh", append([]string{"-c", `read line; exec "$0" "$@"`, path}, words...)...)
		v = s.attach(p.pid)
		printed = p.stdout
		p.say("")
	} else {
		v = s.launch(path, words...)
		printed = v.stdout
	}
	c := s.client(v, childEvents...)
	root := v.inferior
	point := fmt.Sprintf("Z0,%x,1;X3,220027", symbol(t, path, function)) // const8 0, end
	if deed != disappears {
		c.must(point)
	}
	live := map[int]bool{root: true}
	child := 0
	packet := "vCont;c"
	killed := false
	for stops := 0; len(live) > 0; stops++ {
		if stops == at {
			reached, did = true, true
			victim := root
			if deed == detachesChild || deed == killsChild {
				victim = child
			}
			switch {
			case deed == disappears:
				c.vanish()
				clear(live)
			case victim == 0 || !live[victim]:
				// There is none yet, or it has ended.
				did = false
			case deed == killsParent || deed == killsChild:
				if did = c.gone(fmt.Sprintf("vKill;%x", victim)); did {
					delete(live, victim)
					killed = true
				}
			default:
				if did = c.gone(fmt.Sprintf("D;%x", victim)); did {
					delete(live, victim)
				}
			}
			if len(live) == 0 {
				break
			}
			packet = "vCont;c"
		}
		switch stop := c.resume(packet).(type) {
		case *rsp.Exited:
			delete(live, stop.PID)
			packet = "vCont;c"
		case *rsp.Signaled:
			delete(live, stop.PID)
			packet = "vCont;c"
			if stop.Signal == rsp.SIGTRAP {
				t.Errorf("process %d died of SIGTRAP", stop.PID)
			}
		case *rsp.StopReply:
			packet = "vCont;c"
			if !live[stop.Thread.PID] {
				t.Errorf("a stop of %v, which was let go", stop.Thread)
			}
			switch stop.Reason {
			case rsp.StopFork, rsp.StopVfork:
				child = stop.Child.PID
				live[child] = true
			case rsp.StopExec:
				if stop.ExecPath == path {
					c.must("Hg" + stop.Thread.String())
					c.must(point)
				}
			case rsp.StopVforkDone:
			case rsp.StopSignal:
				packet = fmt.Sprintf("vCont;C%02x:%v;c", int(stop.Signal), stop.Thread)
			default:
				t.Errorf("%v in %v", stop.Reason, stop.Thread)
			}
		default:
			t.Fatalf("the server reports %T", stop)
		}
	}
	c.vanish()
	if deed == disappears {
		if err := v.handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
	v.wait()
	s.nothingLeft()
	if want := s.alone(path, args); !killed && printed.all(t) != want {
		t.Errorf("after %s at stop %d it printed %q, alone %q", deed, at, printed, want)
	}
	return reached, did
}

// gone sends a packet that kills a process or lets it go. It may have ended
// already, which the next stop reply says then, or have to wait for a child.
func (c *client) gone(packet string) bool {
	c.s.Helper()
	reply := c.ask(packet)
	if reply != "OK" && !strings.Contains(reply, "detach that first") && !strings.Contains(reply, "is not being debugged") {
		c.s.Fatalf("%s is answered %q", packet, reply)
	}
	return reply == "OK"
}

// TestTerminatedWhileVforkHolds ends the server by a signal while the creator of a
// vfork child, which both were let go, can't be stopped: it is to be let go without
// the breakpoint in its debug registers.
func TestTerminatedWhileVforkHolds(t *testing.T) {
	gnuLacks(t, "it leaves the debug registers as they are")
	s := newSession(t)
	path := native(t, "fork.c", inferiors.NoPIE)
	program := s.start("/bin/sh", "-c", `read line; exec "$0" vfork`, path)
	v := s.attach(program.pid)
	c := s.client(v, childEvents...)
	program.say("")
	if stop, ok := c.resume("vCont;c").(*rsp.StopReply); !ok || stop.Reason != rsp.StopExec {
		t.Fatalf("%#v", stop)
	}
	c.must("Hg" + leader(program.pid).String())
	c.must(fmt.Sprintf("Z1,%x,1", symbol(t, path, "parent_work")))
	fork, ok := c.resume("vCont;c").(*rsp.StopReply)
	if !ok || fork.Reason != rsp.StopVfork {
		t.Fatalf("%#v", fork)
	}
	child := fork.Child.PID
	if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if stop, ok := c.resume("vCont;c").(*rsp.StopReply); !ok || stop.Thread.PID != child || stop.Signal != rsp.SIGSTOP {
		t.Fatalf("%#v", stop)
	}
	c.must(fmt.Sprintf("D;%x", child))
	if err := v.handle.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	v.stderr.wait(t, "Waiting for the vfork child")
	if err := syscall.Kill(child, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if status := program.wait(); status != 0 {
		t.Errorf("the program ends with %d", status)
	}
	if status := v.wait(); status != -int(syscall.SIGTERM) {
		t.Errorf("the server ends with %d", status)
	}
}

// TestLetGoSharerGoesOn lets a child go that shares the memory of its creator:
// it goes on while the client looks at the creator, which stays stopped.
func TestLetGoSharerGoesOn(t *testing.T) {
	gnuLacks(t, "it takes the child for a thread")
	notAgain(t, "its program makes the system calls of 64 bits")
	s := newSession(t)
	v := s.launch(native(t, "child.c", inferiors.NoPIE), "clone", "vm", "17")
	p := s.packets(v, everyEvent)
	fork := p.resumeTo(rsp.StopFork, "vCont;c")
	p.must("Z0,%x,1", symbol(t, native(t, "child.c", inferiors.NoPIE), "child"))
	p.must("D;%x", fork.Child.PID)
	s.eventually("the child has ended", func() bool { return strings.HasPrefix(statusField(fork.Child.PID, "State"), "Z") })
	if state := statusField(v.inferior, "State"); !strings.HasPrefix(state, "t") {
		t.Errorf("the creator is in state %s", state)
	}
	if reply := p.ask("qfThreadInfo"); reply != fmt.Sprintf("mp%x.%x", v.inferior, v.inferior) {
		t.Errorf("the threads are %s", reply)
	}
}

// TestKilledWhileLetGoGoesOn kills a process that the client has stopped, while
// the server attends to one that the client has let go, and so may meet the end:
// that is the answer when the client resumes the thread that it knows.
func TestKilledWhileLetGoGoesOn(t *testing.T) {
	gnuLacks(t, "it takes the child for a thread")
	notAgain(t, "its program makes the system calls of 64 bits")
	s := newSession(t)
	v := s.launch(native(t, "child.c", inferiors.NoPIE), "clone", "vm", "17")
	p := s.packets(v, everyEvent)
	fork := p.resumeTo(rsp.StopFork, "vCont;c")
	if err := syscall.Kill(v.inferior, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.must("D;%x", fork.Child.PID)
	// With the child's end there is nobody left to attend to.
	s.eventually("one of the two has ended", func() bool {
		child := statusField(fork.Child.PID, "State")
		return statusField(v.inferior, "State") == "" || child == "" || strings.HasPrefix(child, "Z")
	})
	want := fmt.Sprintf("X09;process:%x", v.inferior)
	if reply := p.ask("vCont;c:p%x.%x", v.inferior, v.inferior); reply != want {
		t.Errorf("the answer is %s, want %s", reply, want)
	}
}
