package test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// A family is what a server reports of a program that makes children, when the
// client keeps all of them.
type family struct {
	forks, vforks, vforksDone, execs int
	// ends are how processes ended, sorted: "W5" or "X9", with how often.
	ends map[string]int
}

func (f family) String() string {
	var ends []string
	for _, end := range slices.Sorted(maps.Keys(f.ends)) {
		ends = append(ends, fmt.Sprintf("%s*%d", end, f.ends[end]))
	}
	return fmt.Sprintf("fork %d vfork %d vforkdone %d exec %d ends %s", f.forks, f.vforks, f.vforksDone, f.execs, strings.Join(ends, " "))
}

// childCases are the ways in which programs make children, and what is to be
// reported of each.
var childCases = []struct {
	source, args string
	want         string
}{
	{source: "fork.c", args: "fork", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W5*1"},
	{source: "fork.c", args: "vfork", want: "fork 0 vfork 1 vforkdone 1 exec 0 ends W0*1 W5*1"},
	{source: "fork.c", args: "vforkexec", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W5*1"},
	{source: "fork.c", args: "twice", want: "fork 2 vfork 0 vforkdone 0 exec 0 ends W0*1 W5*2"},
	{source: "posix_spawn.c", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W5*1"},
	{source: "posix_spawn.c", args: "spawnp", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W5*1"},
	{source: "system.c", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W5*1"},
	{source: "popen.c", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W5*1"},
	{source: "daemon.c", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W4*1"},
	{source: "doublefork.c", want: "fork 2 vfork 0 vforkdone 0 exec 0 ends W0*1 W6*1 W7*1"},
	{source: "threadfork.c", args: "fork 4 5", want: "fork 20 vfork 0 vforkdone 0 exec 0 ends " + numbered(20)},
	{source: "threadfork.c", args: "vfork 4 5", want: "fork 0 vfork 20 vforkdone 20 exec 20 ends " + numbered(20)},
	{source: "nestedvfork.c", want: "fork 0 vfork 3 vforkdone 3 exec 0 ends W0*1 W1*1 W2*1 W3*1"},
	{source: "nestedvfork.c", args: "exec", want: "fork 0 vfork 3 vforkdone 3 exec 1 ends W0*1 W1*1 W2*1 W3*1"},
	{source: "vforkkilled.c", args: "signal", want: "fork 0 vfork 1 vforkdone 1 exec 0 ends W0*1 X11*1"},
	{source: "vforkkilled.c", args: "outside", want: "fork 0 vfork 1 vforkdone 1 exec 0 ends W0*1 X9*1"},
	{source: "forkbomb.c", args: "500", want: "fork 500 vfork 0 vforkdone 0 exec 0 ends W0*501"},
	{source: "execchain.c", args: "20", want: "fork 0 vfork 0 vforkdone 0 exec 20 ends W9*1"},
	{source: "exec.c", args: "thread x", want: "fork 0 vfork 0 vforkdone 0 exec 1 ends W3*1"},
	{source: "child.c", args: "clone none 17", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone none 10", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone none 0", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone vfork 17", want: "fork 0 vfork 1 vforkdone 1 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone vm,vfork 10", want: "fork 0 vfork 1 vforkdone 1 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone3 vm,vfork,exec 0", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W7*1"},
	{source: "child.c", args: "clone vm 17", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone vm,exec 0", want: "fork 1 vfork 0 vforkdone 0 exec 1 ends W0*1 W7*1"},
	{source: "child.c", args: "clone3 vm,sighand,files,fs 0", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone parent 17", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone3 newpid 17", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone3 newpid,newns,vfork,exec 10", want: "fork 0 vfork 1 vforkdone 1 exec 1 ends W0*1 W7*1"},
	{source: "child.c", args: "clone3 pidfd,clear_sighand 17", want: "fork 1 vfork 0 vforkdone 0 exec 0 ends W0*1 W7*1"},
	{source: "child.c", args: "clone vm,sighand,thread 0", want: "fork 0 vfork 0 vforkdone 0 exec 0 ends W0*1"},
	{source: "child.c", args: "clone untraced 17", want: "fork 0 vfork 0 vforkdone 0 exec 0 ends W0*1"},
	{source: "child.c", args: "clone vm,vfork,untraced 17", want: "fork 0 vfork 0 vforkdone 0 exec 0 ends W0*1"},
}

// numbered is the ends of threadfork.c, in the order of their text.
func numbered(count int) string {
	ends := map[string]int{"W0": 1}
	for i := range count {
		ends[fmt.Sprint("W", i)]++
	}
	_, text, _ := strings.Cut(family{ends: ends}.String(), "ends ")
	return text
}

// watch runs the program to the end of all processes that the client is told
// of, and counts what it is told.
func (c *client) watch(pid int) family {
	c.s.Helper()
	seen := family{ends: map[string]int{}}
	live := map[int]bool{pid: true}
	ended := func(pid int, how string) {
		c.s.Helper()
		if !live[pid] && (len(live) != 1 || pid != 0) {
			c.s.Errorf("the end of %d is reported, which is not known", pid)
		}
		delete(live, pid)
		if pid == 0 {
			clear(live)
		}
		seen.ends[how]++
	}
	packet := "vCont;c"
	for len(live) > 0 {
		switch stop := c.resume(packet).(type) {
		case *rsp.Exited:
			ended(stop.PID, fmt.Sprint("W", stop.Status))
			packet = "vCont;c"
		case *rsp.Signaled:
			number, _ := stop.Signal.Linux()
			ended(stop.PID, fmt.Sprint("X", number))
			packet = "vCont;c"
		case *rsp.StopReply:
			packet = "vCont;c"
			switch stop.Reason {
			case rsp.StopFork:
				seen.forks++
				live[stop.Child.PID] = true
			case rsp.StopVfork:
				seen.vforks++
				live[stop.Child.PID] = true
			case rsp.StopVforkDone:
				seen.vforksDone++
			case rsp.StopExec:
				seen.execs++
			case rsp.StopSignal:
				if stop.Signal == rsp.SIGTRAP {
					c.s.Errorf("SIGTRAP in %v", stop.Thread)
				}
				packet = fmt.Sprintf("vCont;C%02x:%v;c", int(stop.Signal), stop.Thread)
			default:
				c.s.Errorf("%v in %v", stop.Reason, stop.Thread)
			}
		default:
			c.s.Fatalf("the server reports %T", stop)
		}
	}
	return seen
}

func caseName(source, args string) string {
	return strings.Trim(strings.TrimSuffix(source, filepath.Ext(source))+"-"+strings.NewReplacer(" ", "-", ",", "+").Replace(args), "-")
}

// TestChildren has a client that keeps all processes told of each child, and of
// each end, once, and programs do what they do without a debugger.
func TestChildren(t *testing.T) {
	notAgain(t, "its program makes the system calls of 64 bits")
	gnuLacks(t, "13.1 takes processes whose exit signal is not SIGCHLD for threads")
	for _, child := range childCases {
		t.Run(caseName(child.source, child.args), func(t *testing.T) {
			s := newSession(t)
			program := native(t, child.source, inferiors.PIE)
			v := s.launch(program, strings.Fields(child.args)...)
			c := s.client(v, childEvents...)
			if got := c.watch(v.inferior).String(); got != child.want {
				t.Errorf("reported: %s\n    want: %s", got, child.want)
			}
			c.vanish()
			v.wait()
			s.nothingLeft()
			if got, want := v.stdout.all(t), s.alone(program, child.args); got != want {
				t.Errorf("it printed %q, alone %q", got, want)
			}
		})
	}
}

// alone is what a program prints without a debugger.
func (s *session) alone(program, args string) string {
	s.Helper()
	p := s.start(program, strings.Fields(args)...)
	p.wait()
	return p.stdout.all(s)
}

// TestChildrenUnannounced has clients that take only some of the events told of
// those alone; the children of the others are let go.
func TestChildrenUnannounced(t *testing.T) {
	notAgain(t, "its program makes the system calls of 64 bits")
	for _, child := range childCases {
		if strings.Contains(child.args, "untraced") {
			continue
		}
		announcements := []string{"none", "fork", "vfork", "exec"}
		if child.source == "forkbomb.c" {
			// Its many children make one way enough.
			announcements = announcements[:1]
		}
		for _, announced := range announcements {
			t.Run(caseName(child.source, child.args)+"/"+announced, func(t *testing.T) {
				s := newSession(t)
				program := native(t, child.source, inferiors.PIE)
				v := s.launch(program, strings.Fields(child.args)...)
				features := []string{multiprocess, softBreak, noResumed}
				if announced != "none" {
					features = append(features, announced+"-events+")
				}
				c := s.client(v, features...)
				got := c.watch(v.inferior)
				if announced != "fork" && got.forks > 0 || announced != "vfork" && got.vforks+got.vforksDone > 0 || announced != "exec" && got.execs > 0 {
					t.Errorf("a client that announced %s events is told: %v", announced, got)
				}
				c.vanish()
				v.wait()
				s.nothingLeft()
				if got, want := v.stdout.all(t), s.alone(program, child.args); got != want {
					t.Errorf("it printed %q, alone %q", got, want)
				}
			})
		}
	}
}
