package test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestTwentyProcesses keeps a program's 19 children in gdb, lists all 20, and
// runs them to their ends together.
func TestTwentyProcesses(t *testing.T) {
	const count = 20
	gnuLacks(t, "13.1 does not always stop the other processes when one exits")
	s := newSession(t)
	program := native(t, "processes.c", inferiors.PIE)
	v := s.serve([]string{"--multi"})
	g := s.extended(v, program, "set detach-on-fork off", "set schedule-multiple on")
	g.runs("set remote exec-file "+program, fmt.Sprint("set args ", count), "break ready")
	g.stopsIn("run", "breakpoint-hit", "ready")
	if n := len(regexp.MustCompile(`(?m)^[* ] +\d+ +process \d+`).FindAllString(g.run("info inferiors"), -1)); n != count {
		t.Fatalf("%d inferiors, want %d", n, count)
	}
	if n := len(regexp.MustCompile(`(?m)^[* ] +\d+\.1 +`).FindAllString(g.run("info threads"), -1)); n != count {
		t.Errorf("%d threads, want %d", n, count)
	}
	g.run("delete")
	statuses := map[string]int{}
	for ends := range count {
		// gdb stays with the inferior that ended; the next that lives resumes all.
		end := g.resume("continue")
		if end.reason != "exited" && end.reason != "exited-normally" {
			t.Fatalf("%v after %d ends", end, ends)
		}
		statuses[end.exit]++
		if ends == count-1 {
			break
		}
		// One that is past its exit cannot be selected though its end was not
		// told yet.
		selected := false
		for _, alive := range regexp.MustCompile(`(?m)^[* ] +(\d+) +process \d+`).FindAllStringSubmatch(g.run("info inferiors"), -1) {
			if _, err := g.try("inferior " + alive[1]); err == nil {
				selected = true
				break
			}
		}
		if !selected {
			t.Fatalf("no inferior is left after %d ends", ends+1)
		}
	}
	if len(statuses) != count {
		t.Errorf("ends %v, want %d different ones", statuses, count)
	}
	v.stdout.wait(t, "sum 190\n")
}

// TestRegistersPastExit asks for the registers of a process that has exited
// though that was not told yet: they are zero, so that gdb can select it and
// resume.
func TestRegistersPastExit(t *testing.T) {
	s := newSession(t)
	v := s.launch(native(t, "ends.c", inferiors.PIE))
	c := s.client(v, childEvents...)
	live := map[int]bool{v.inferior: true}
	for packet := "vCont;c"; len(live) > 0; {
		reply := c.resume(packet)
		packet = "vCont;c"
		switch reply := reply.(type) {
		case *rsp.Exited:
			delete(live, reply.PID)
		case *rsp.Signaled:
			delete(live, reply.PID)
		case *rsp.StopReply:
			if reply.Reason == rsp.StopFork {
				live[reply.Child.PID] = true
				continue
			}
		}
		told := 3 - len(live)
		if _, parent := live[v.inferior]; !parent || told == 2 {
			continue
		}
		// What ends first of three is not foreseen; one that was killed is left.
		for pid := range live {
			if pid == v.inferior {
				continue
			}
			c.must("Hg" + leader(pid).String())
			if registers := c.ask("g"); !strings.HasPrefix(registers, strings.Repeat("0", 2*4*16)) || !strings.Contains(registers, "xxxx") {
				t.Errorf("registers past exit: %q", registers)
			}
			if first := c.ask("p0"); first == "" || strings.Trim(first, "0") != "" {
				t.Errorf("first register past exit: %q", first)
			}
		}
	}
}
