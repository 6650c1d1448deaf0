package test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestBreakpointInChildren has a breakpoint in a function that a child made by
// clone calls, in memory that it shares with its creator in each of the ways
// that there are. Nobody dies of it, whether the child is kept, let go at once,
// or never told of to the client; and it is hit where it is to be.
func TestBreakpointInChildren(t *testing.T) {
	notAgain(t, "its program makes the system calls of 64 bits")
	for _, flags := range []string{
		"clone none 17", "clone none 10", "clone vfork 17", "clone vfork,exec 17", "clone vm,vfork 17", "clone vm,vfork,exec 0",
		"clone vm 17", "clone vm,sighand 10", "clone3 vm,exec 0", "clone vm,sighand,thread 0", "clone vm,sighand,thread,vfork 0",
	} {
		for _, mode := range []string{"kept", "let go", "unannounced"} {
			t.Run(caseName("child", flags)+"/"+strings.ReplaceAll(mode, " ", "-"), func(t *testing.T) {
				gnuLacks(t, "13.1 lets children go with breakpoints in their memory")
				breakpointInChild(t, flags, mode)
			})
		}
	}
}

func breakpointInChild(t *testing.T, flags, mode string) {
	s := newSession(t)
	program := native(t, "child.c", inferiors.NoPIE)
	v := s.launch(program, strings.Fields(flags)...)
	features := childEvents
	if mode == "unannounced" {
		features = []string{multiprocess, softBreak, noResumed}
	}
	c := s.client(v, features...)
	address := symbol(t, program, "child")
	c.insert(leader(v.inferior), address)
	live := map[int]bool{v.inferior: true}
	hits := 0
	for packet := "vCont;c"; len(live) > 0; {
		stop := c.resume(packet)
		packet = "vCont;c"
		switch stop := stop.(type) {
		case *rsp.Exited:
			delete(live, stop.PID)
		case *rsp.Signaled:
			t.Errorf("%v ended process %d", stop.Signal, stop.PID)
			delete(live, stop.PID)
		case *rsp.StopReply:
			switch stop.Reason {
			case rsp.StopFork, rsp.StopVfork:
				if mode == "let go" {
					c.must(fmt.Sprintf("D;%x", stop.Child.PID))
					if lent := strings.Contains(flags, "vm,vfork"); !lent {
						// A child that shares the memory may be stepping over it just now.
						s.eventually("the breakpoint of the parent is there", func() bool { return trapsAt(t, v.inferior, address) })
					}
				} else {
					live[stop.Child.PID] = true
				}
			case rsp.StopSoftBreak:
				hits++
				c.remove(stop.Thread, address)
				if step, ok := c.resume("vCont;s:" + stop.Thread.String()).(*rsp.StopReply); !ok || step.Thread != stop.Thread {
					t.Fatalf("no step of %v", stop.Thread)
				}
				c.insert(stop.Thread, address)
			case rsp.StopSignal:
				packet = fmt.Sprintf("vCont;C%02x:%v;c", int(stop.Signal), stop.Thread)
			}
		default:
			t.Fatalf("the server reports %T", stop)
		}
	}
	c.vanish()
	v.wait()
	s.nothingLeft()
	if want := s.alone(program, flags); v.stdout.all(t) != want {
		t.Errorf("it printed %q, alone %q", v.stdout, want)
	}
	wanted := 0
	if mode == "kept" || strings.Contains(flags, "thread") {
		wanted = 1
	}
	if hits != wanted {
		t.Errorf("%d hits, want %d", hits, wanted)
	}
}

// trapsAt tells whether an int3 is in the memory of a process.
func trapsAt(t *testing.T, pid int, address uint64) bool {
	t.Helper()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	var at [1]byte
	if _, err := memory.ReadAt(at[:], int64(address)); err != nil {
		t.Fatal(err)
	}
	return at[0] == 0xcc
}
