package test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

const everyEvent = "multiprocess+;swbreak+;hwbreak+;fork-events+;vfork-events+;exec-events+;no-resumed+"

// calling launches syscalls.c and runs it to where its calls begin.
func (s *session) calling(features string, arguments ...string) *packets {
	s.Helper()
	program := native(s.T, "syscalls.c", inferiors.NoPIE)
	v := s.launch(program, arguments...)
	p := s.packets(v, features)
	vars := map[string]string{}
	addSymbols(s.T, program, vars)
	p.must("Z0,%s,1", vars["begin"])
	p.resumeTo(rsp.StopSoftBreak, "vCont;c")
	p.must("z0,%s,1", vars["begin"])
	return p
}

// calls runs the program to its end and lists what is reported of it: system
// calls as ">N" and "<N", other events by their names, and ends.
func (p *packets) calls() []string {
	p.Helper()
	var events []string
	command := "vCont;c"
	for {
		stop := p.resume("%s", command)
		command = "vCont;c"
		switch stop := stop.(type) {
		case *rsp.StopReply:
			switch stop.Reason {
			case rsp.StopSyscallEntry:
				events = append(events, fmt.Sprintf(">%d", stop.Syscall))
			case rsp.StopSyscallReturn:
				events = append(events, fmt.Sprintf("<%d", stop.Syscall))
			case rsp.StopSignal:
				events = append(events, stop.Signal.String())
				command = fmt.Sprintf("vCont;C%02x:%v;c", int(stop.Signal), stop.Thread)
			default:
				events = append(events, stop.Reason.String())
				if stop.Reason == rsp.StopFork || stop.Reason == rsp.StopVfork {
					p.must("D;%x", stop.Child.PID)
				}
			}
		case *rsp.Exited:
			return append(events, fmt.Sprintf("exited %d", stop.Status))
		default:
			p.Fatalf("%#v after %v", stop, events)
		}
	}
}

// pairs is the events of calls that return.
func pairs(numbers ...int) []string {
	var events []string
	for _, number := range numbers {
		events = append(events, fmt.Sprintf(">%d", number), fmt.Sprintf("<%d", number))
	}
	return events
}

func TestCatchSyscalls(t *testing.T) {
	umask, closing, exit := number(t, syscall.SYS_UMASK), number(t, syscall.SYS_CLOSE), number(t, syscall.SYS_EXIT_GROUP)
	execve, vfork, clone := number(t, syscall.SYS_EXECVE), number(t, syscall.SYS_VFORK), number(t, syscall.SYS_CLONE)
	sleep, read := number(t, syscall.SYS_NANOSLEEP), number(t, syscall.SYS_READ)
	entry := func(number int) string { return fmt.Sprintf(">%d", number) }
	back := func(number int) string { return fmt.Sprintf("<%d", number) }
	for _, test := range []struct {
		name, catch, mode string
		want              []string
	}{
		{"all", "QCatchSyscalls:1", "plain", append(pairs(umask, umask, umask, closing), entry(exit), "exited 4")},
		{"list", fmt.Sprintf("QCatchSyscalls:1;%x;%x", closing, exit), "plain", append(pairs(closing), entry(exit), "exited 4")},
		{"none", "QCatchSyscalls:0", "plain", []string{"exited 4"}},
		{"across exec", fmt.Sprintf("QCatchSyscalls:1;%x;%x", execve, umask), "exec",
			append([]string{entry(execve), "exec", back(execve)}, append(pairs(umask, umask, umask), "exited 4")...)},
		{"around vfork", fmt.Sprintf("QCatchSyscalls:1;%x;%x", vfork, execve), "vfork",
			[]string{entry(vfork), "vfork", "vforkdone", back(vfork), "SIGCHLD", "exited 4"}},
		{"around fork", fmt.Sprintf("QCatchSyscalls:1;%x;%x", clone, umask), "fork",
			[]string{entry(clone), "fork", back(clone), "SIGCHLD", "exited 4"}},
		{"interrupted and restarted", fmt.Sprintf("QCatchSyscalls:1;%x;%x", sleep, read), "interrupted",
			[]string{"fork", entry(sleep), back(sleep), "SIGALRM", entry(read), back(read), "SIGALRM", entry(read), back(read), "SIGCHLD", "exited 4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t)
			p := s.calling(everyEvent, test.mode)
			p.must("%s", test.catch)
			got := p.calls()
			// SIGCHLD may come at any time after the fork.
			if i := slices.Index(test.want, "SIGCHLD"); i >= 0 && test.mode != "vfork" {
				isChild := func(event string) bool { return event == "SIGCHLD" }
				test.want, got = slices.DeleteFunc(test.want, isChild), slices.DeleteFunc(got, isChild)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("reported: %v\nwant:     %v", got, test.want)
			}
		})
	}
}

// TestMonitorSyscall reads what the packets have no room for.
func TestMonitorSyscall(t *testing.T) {
	gnuLacks(t, "it has no such command")
	s := newSession(t)
	p := s.calling(everyEvent, "plain")
	monitor := func() string {
		text, err := rsp.ParseHex([]byte(p.ask("qRcmd,%x", "syscall")))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	umask, closing, kind := number(t, syscall.SYS_UMASK), number(t, syscall.SYS_CLOSE), "x86-64"
	if bits32 {
		kind = "i386"
	}
	p.must("QCatchSyscalls:1;%x;%x", umask, closing)
	p.resumeTo(rsp.StopSyscallEntry, "vCont;c")
	if got, want := monitor(), fmt.Sprintf("%s system call %d (0x12, ", kind, umask); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "), about to be made\n") {
		t.Errorf("at the entry: %q", got)
	}
	for range 4 {
		p.resume("vCont;c")
	}
	p.resumeTo(rsp.StopSyscallReturn, "vCont;c")
	if got := monitor(); !strings.HasSuffix(got, ") = 23 (0x17)\n") {
		t.Errorf("at the return: %q", got)
	}
	p.resumeTo(rsp.StopSyscallEntry, "vCont;c")
	p.resumeTo(rsp.StopSyscallReturn, "vCont;c")
	if got, want := monitor(), fmt.Sprintf("%s system call %d (0x1869f, ", kind, closing); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ") = -9 EBADF (bad file descriptor)\n") {
		t.Errorf("at the failed return: %q", got)
	}
}

// TestCallInSyscall has gdb call a function while the program sleeps in a
// system call: orig_rax is what keeps the kernel from restarting it in the
// middle of the function, and has it go on afterwards.
func TestCallInSyscall(t *testing.T) {
	s := newSession(t)
	program := native(t, "syscalls.c", inferiors.PIE)
	v := s.launch(program, "stopped")
	g := s.connected(v, program)
	g.start("continue")
	v.stdout.wait(t, "ready\n")
	g.interrupt()
	for range 3 {
		g.prints("add(20, 22)", "42")
	}
	g.exits("continue", 4)
	v.stdout.wait(t, "slept 0\n")
}

// TestCatchSyscallInGDB is what a person does.
func TestCatchSyscallInGDB(t *testing.T) {
	s := newSession(t)
	program := native(t, "syscalls.c", inferiors.PIE)
	v := s.launch(program, "plain")
	g := s.connected(v, program)
	g.run("break begin")
	g.stopsIn("continue", "breakpoint-hit", "begin")
	g.runs("delete", "catch syscall umask", "catch syscall exit_group")
	for i := range 3 {
		if stop := g.resume("continue"); stop.reason != "syscall-entry" {
			t.Fatalf("entry %d: %v", i, stop)
		}
		if stop := g.resume("continue"); stop.reason != "syscall-return" {
			t.Fatalf("return %d: %v", i, stop)
		}
	}
	g.prints("$al", "23")
	if stop := g.resume("continue"); stop.reason != "syscall-entry" {
		t.Fatalf("exit_group: %v", stop)
	}
	g.exits("continue", 4)
}

// TestCatchSyscallsOfChild: a child begins behind the call that made it, whose
// return is its creator's to report.
func TestCatchSyscallsOfChild(t *testing.T) {
	s := newSession(t)
	p := s.calling(everyEvent, "fork")
	clone, umask := number(t, syscall.SYS_CLONE), number(t, syscall.SYS_UMASK)
	p.must("QCatchSyscalls:1;%x;%x", clone, umask)
	p.resumeTo(rsp.StopSyscallEntry, "vCont;c")
	fork := p.resumeTo(rsp.StopFork, "vCont;c")
	for _, want := range []rsp.StopEvent{rsp.StopSyscallEntry, rsp.StopSyscallReturn} {
		stop := p.resumeTo(want, "vCont;c:p%x.-1", fork.Child.PID)
		if stop.Thread != fork.Child || stop.Syscall != umask {
			t.Errorf("%v of %d in %v", want, stop.Syscall, stop.Thread)
		}
	}
}

// TestCatchSyscallInTheMiddle asks for a call that was entered already.
func TestCatchSyscallInTheMiddle(t *testing.T) {
	s := newSession(t)
	p := s.calling(everyEvent, "vfork")
	vfork := p.resumeTo(rsp.StopVfork, "vCont;c")
	p.must("D;%x", vfork.Child.PID)
	p.resumeTo(rsp.StopVforkDone, "vCont;c")
	p.must("QCatchSyscalls:1;%x", number(t, syscall.SYS_VFORK))
	if stop := p.resumeTo(rsp.StopSyscallReturn, "vCont;c"); stop.Syscall != number(t, syscall.SYS_VFORK) {
		t.Errorf("the return is of %d", stop.Syscall)
	}
}
