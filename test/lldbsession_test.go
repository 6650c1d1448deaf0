package test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestLLDBCxx debugs a C++ program: methods, conditions, functions called by
// expressions, exceptions, data that is watched.
func TestLLDBCxx(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	notAgain(t, "C++ programs are of 64 bits")
	s := newSession(t)
	program := native(t, "throw.cc", inferiors.PIE)
	v := s.serve(nil, program)
	text := s.lldb(program, v.connect(),
		"breakpoint set --name shop::refuse --condition 'code == 9'", "process continue", "thread backtrace", "expression -- code = 8",
		"breakpoint disable 1", "frame select 1", "expression -- caught[0] + caught[1]", "expression -- counter.total()",
		"breakpoint set --method total", "process continue", "watchpoint set variable sum", "process continue", "frame variable sum",
		"watchpoint delete --force", "thread step-out", "breakpoint delete --force", "process continue")
	s.inOrder(text, `stop reason = breakpoint 1\.1`, `frame #0: .*shop::refuse\(code=9\)`, `frame #1: .*main`, `= 8$`, `\(int\) \$\d+ = 3$`,
		`\(int\) \$\d+ = 3$`, `stop reason = breakpoint 2\.1`, `Watchpoint 1 hit`, `sum = 0$`, `stop reason = step out`, `Return value: \(int\) \$\d+ = 3`,
		`exited with status = 6`)
	v.stdout.wait(t, "refused total 3\n")
	s.nothingLeft()
}

// TestLLDBGo debugs a Go program, whose runtime sends its threads signals all the
// time.
func TestLLDBGo(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	notAgain(t, "Go programs are of 64 bits")
	s := newSession(t)
	program := golang(t, "goroutines", inferiors.NoPIE)
	v := s.serve(nil, program)
	text := s.lldb(program, v.connect(), "process handle --pass true --stop false --notify false SIGURG",
		"breakpoint set --name main.square", "process continue", "thread backtrace", "register read rip", "breakpoint delete --force",
		"thread step-over", "thread step-over", "process continue")
	s.inOrder(text, `stop reason = breakpoint 1\.1`, `frame #0: .*main\.square`, `rip = 0x[0-9a-f]+ .*main\.square`, `stop reason = step over`,
		`stop reason = step over`, `exited with status = 0`)
	s.nothingLeft()
}

// TestLLDBExec goes on in the program that takes the place of another, from the
// only thread and from one of several.
func TestLLDBExec(t *testing.T) {
	gnuLacks(t, "lldb is not told")
	for _, mode := range []string{"self", "thread"} {
		t.Run(mode, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "exec.c", inferiors.PIE)
			v := s.serve(nil, program, mode, "one")
			text := s.lldb(program, v.connect(), "breakpoint set --name before_exec", "breakpoint set --name after_exec",
				"process continue", "process continue", "thread list", "process continue", "thread backtrace", "process continue")
			s.inOrder(text, `stop reason = breakpoint 1\.1`, `stop reason = exec`, `\* thread #1`, `stop reason = breakpoint 2\.1`, `frame #0: .*after_exec`,
				`exited with status = 3`)
			s.nothingLeft()
		})
	}
}

// TestLLDBVectors reads and writes vector registers, whole and in part: a write of a
// part leaves the rest.
func TestLLDBVectors(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	s := newSession(t)
	program := native(t, "vectors.c", inferiors.PIE)
	output, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	// The program prints the registers that the machine has: "zmm5 0102...".
	for line := range strings.Lines(string(output)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		v := s.serve(nil, program)
		commands := []string{v.connect(), "breakpoint set --skip-prologue false --name loaded" + fmt.Sprint(4*len(digits)), "process continue"}
		var patterns []string
		bytes := make([]string, len(digits)/2)
		for i := range bytes {
			bytes[i] = "0x" + digits[2*i:2*i+2]
		}
		kinds := []string{"xmm", "ymm", "zmm"}
		wanted := kinds[:1+slices.Index(kinds, name[:3])]
		read := func() {
			for i, kind := range wanted {
				commands = append(commands, "register read "+kind+name[3:])
				patterns = append(patterns, kind+name[3:]+` = \{`+strings.Join(bytes[:16<<i], " ")+`\}`)
			}
		}
		read()
		for i, kind := range slices.Backward(wanted) {
			for j := range 16 << i {
				bytes[j] = fmt.Sprintf("0x%02x", 0xf0+i)
			}
			commands = append(commands, fmt.Sprintf("register write %s%s '{%s}'", kind, name[3:], strings.Join(bytes[:16<<i], " ")))
			read()
		}
		text := s.lldb(program, append(commands, "breakpoint delete --force", "process continue")...)
		s.inOrder(text, append(patterns, `exited with status = 0`)...)
		v.stdout.wait(t, name+" "+strings.ReplaceAll(strings.Join(bytes, ""), "0x", "")+"\n")
	}
	s.nothingLeft()
}

// lldbFeatures are those by which a server tells lldb from gdb.
const lldbFeatures = "xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+"

// TestAttachByName attaches to a process by the name of its program: one that is
// there, or the next one.
func TestAttachByName(t *testing.T) {
	gnuLacks(t, "it attaches by process ids alone")
	for _, test := range []struct {
		packet string
		// before says that the program runs before it is asked for; waits, that
		// this one is not the one that is meant.
		before, waits bool
	}{
		{"vAttachName", true, false},
		{"vAttachOrWait", true, false},
		{"vAttachOrWait", false, true},
		{"vAttachWait", false, true},
		{"vAttachWait", true, true},
	} {
		t.Run(fmt.Sprintf("%s, there before: %v", test.packet, test.before), func(t *testing.T) {
			s := newSession(t)
			program := ownCopy(s.T, native(t, "threads.c", inferiors.Static))
			v := s.serve([]string{"gdbserver"})
			c := s.client(v, strings.Split(lldbFeatures, ";")...)
			var first *process
			if test.before {
				first = s.start(program, "2", "hold")
				first.stdout.wait(t, "ready\n")
			}
			if reply := c.ask("vAttachName;" + fmt.Sprintf("%x", program+"-not")); !strings.HasPrefix(reply, "E") {
				t.Errorf("a process that does not exist: %s", reply)
			}
			c.send(test.packet + ";" + fmt.Sprintf("%x", filepath.Base(program)))
			// Which of them the server finds first depends on when it begins to
			// look.
			var later []*process
			attached, started := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(started)
				for test.waits {
					later = append(later, s.start(program, "2", "hold"))
					select {
					case <-attached:
						return
					case <-time.After(100 * time.Millisecond):
					}
				}
			}()
			stop, is := c.stop().(*rsp.StopReply)
			close(attached)
			<-started
			if !is {
				t.Fatal("the process has ended")
			}
			all := later
			if first != nil {
				all = append(all, first)
			}
			found := slices.IndexFunc(all, func(p *process) bool { return p.pid == stop.Thread.PID })
			if found < 0 || (all[found] == first) == test.waits || stop.Signal != 0x13 {
				t.Fatalf("%+v, of %d processes the one at %d", stop, len(all), found)
			}
			c.must("D")
			for _, p := range all {
				p.say("")
				p.stdout.wait(t, "worked 2\n")
			}
		})
	}
}

// TestLaunchWithoutItsFile fails to launch for a file that cannot be opened, and
// launches when that is named no more.
func TestLaunchWithoutItsFile(t *testing.T) {
	gnuLacks(t, "it is given no files by the client")
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	v := s.serve([]string{"gdbserver"})
	c := s.client(v, strings.Split(lldbFeatures, ";")...)
	c.must("QSetSTDOUT:" + rsp.HexText("/no/such/directory/output"))
	launch := fmt.Sprintf("A%d,0,%s", 2*len(program), rsp.HexText(program))
	if reply := c.ask(launch); !strings.HasPrefix(reply, "E") {
		t.Errorf("it launches: %s", reply)
	}
	if reply := c.ask("qLaunchSuccess"); !strings.Contains(reply, "the program cannot have /no/such/directory/output: no such file or directory") {
		t.Error(reply)
	}
	c.must("QSetSTDOUT:")
	c.must(launch)
	c.must("qLaunchSuccess")
	c.must("D")
	c.vanish()
}

// TestLLDBAttachesByName has lldb do so, which starts the server itself.
func TestLLDBAttachesByName(t *testing.T) {
	gnuLacks(t, "it attaches by process ids alone")
	s := newSession(t)
	program := ownCopy(s.T, native(t, "threads.c", inferiors.PIE))
	p := s.start(program, "3", "hold")
	p.stdout.wait(t, "ready\n")
	server := filepath.Join(s.TempDir(), "lldb-server")
	if err := os.Symlink(serverPath, server); err != nil {
		t.Fatal(err)
	}
	text := s.lldbWith([]string{"LLDB_DEBUGSERVER_PATH=" + server}, "", "process attach --name "+filepath.Base(program),
		"thread list", "thread select 2", "expression -- worked = 100", "process detach")
	s.inOrder(text, fmt.Sprintf(`Process %d stopped`, p.pid), `thread #3`, `= 100$`, `detached`)
	p.say("")
	p.stdout.wait(t, "worked 103\n")
}

// TestLLDBBothOfAFork debugs parent and child at a time, with breakpoints of
// their own, as a client of LLDB's kind does that detaches from none.
func TestLLDBBothOfAFork(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	s := newSession(t)
	program := native(t, "fork.c", inferiors.NoPIE)
	vars := map[string]string{}
	addSymbols(t, program, vars)
	v := s.launch(program, "fork")
	c := s.client(v, strings.Split(lldbFeatures, ";")...)
	c.must("QThreadSuffixSupported")
	fork, is := c.resume("c").(*rsp.StopReply)
	if !is || fork.Reason != rsp.StopFork {
		t.Fatalf("%+v instead of a fork", fork)
	}
	parent, child := fork.Thread, fork.Child
	breakpoint := func(thread rsp.ThreadID, function string) {
		t.Helper()
		c.must("Hg" + thread.String())
		c.must("Z0," + vars[function] + ",1")
	}
	breakpoint(parent, "parent_work")
	breakpoint(child, "child_work")
	if reply := c.ask("vCont;c:" + parent.String() + ";c:" + child.String()); reply != "E03" {
		t.Errorf("both are resumed at once: %s", reply)
	}
	// A server of LLDB's kind reports signals that gdb would not stop for.
	c.must("QPassSignals:11")
	at := func(thread rsp.ThreadID, function string) {
		t.Helper()
		stop, is := c.resume("vCont;c:" + thread.String()).(*rsp.StopReply)
		if !is || stop.Thread != thread {
			t.Fatalf("%+v instead of a stop of %v", stop, thread)
		}
		if pc := c.ask(fmt.Sprintf("p%x;thread:%v;", programCounter(), thread)); pc != littleEndian(vars[function]) {
			t.Errorf("thread %v is at %s, want %s", thread, pc, vars[function])
		}
	}
	at(child, "child_work")
	shared := func(thread rsp.ThreadID, value string) {
		t.Helper()
		c.must("Hg" + thread.String())
		if got := c.ask("m" + vars["shared"] + ",4"); got != value {
			t.Errorf("shared of %v is %s, want %s", thread, got, value)
		}
	}
	c.must("Hg" + child.String())
	c.must("M" + vars["shared"] + ",4:07000000")
	shared(parent, "01000000")
	shared(child, "07000000")
	c.must("Hg" + child.String())
	c.must("z0," + vars["child_work"] + ",1")
	ends := func(thread rsp.ThreadID, status int) {
		t.Helper()
		if end, want := c.ask("vCont;c:"+thread.String()), fmt.Sprintf("W%02x;process:%x", status, thread.PID); end != want {
			t.Errorf("%s instead of %s", end, want)
		}
	}
	ends(child, 5)
	at(parent, "parent_work")
	c.must("Hg" + parent.String())
	c.must("z0," + vars["parent_work"] + ",1")
	ends(parent, 0)
	c.vanish()
	v.stdout.wait(t, "child status 5 shared 101\n")
	s.nothingLeft()
}

// littleEndian is an address of hex digits in the byte order and the size of the
// program's addresses.
func littleEndian(digits string) string {
	size := 8
	if bits32 {
		size = 4
	}
	number := strings.Repeat("0", 2*size-len(digits)) + digits
	var bytes bytes.Buffer
	for i := len(number) - 2; i >= 0; i -= 2 {
		bytes.WriteString(number[i : i+2])
	}
	return bytes.String()
}

// TestLLDBInterruptIsForWhatRuns interrupts the step of a child that blocks in a
// system call while its parent is stopped. One interrupt has to do: lldb sends one.
func TestLLDBInterruptIsForWhatRuns(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	s := newSession(t)
	v := s.launch(native(t, "processes.c", inferiors.NoPIE), "2")
	c := s.client(v, strings.Split(lldbFeatures, ";")...)
	c.must("QThreadSuffixSupported")
	fork, is := c.resume("c").(*rsp.StopReply)
	if !is || fork.Reason != rsp.StopFork {
		t.Fatalf("%+v instead of a fork", fork)
	}
	child := fork.Child
	read := unix.SYS_READ
	if bits32 {
		read = 3 // asm/unistd_32.h
	}
	for _, action := range []string{"c", "s"} {
		c.send("vCont;" + action + ":" + child.String())
		s.eventually("the child waits for its parent", func() bool {
			call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", child.PID))
			return strings.HasPrefix(string(call), fmt.Sprint(read, " ")) && strings.HasPrefix(statusField(child.PID, "State"), "S")
		})
		c.interrupt()
		// The step may end because the system call did.
		if stop, is := c.stop().(*rsp.StopReply); !is || stop.Thread != child {
			t.Fatalf("%s ends in %+v", action, stop)
		}
	}
}

// TestLLDBInterruptIsNotKept sends an interrupt that finds the program stopped. The
// next resumption is not to end by it.
func TestLLDBInterruptIsNotKept(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	s := newSession(t)
	v := s.launch(native(t, "fork.c", inferiors.NoPIE), "twice")
	c := s.client(v, lldbFeatures[:strings.IndexByte(lldbFeatures, ';')])
	c.must("QThreadSuffixSupported")
	c.must("QPassSignals:11")
	c.interrupt()
	if end := c.ask("c"); end != "W00" {
		t.Errorf("the program ends with %s", end)
	}
}

// launchSleeping has a server launch a program that waits, as LLDB's clients do.
func launchSleeping(s *session, c *client) *rsp.StopReply {
	s.Helper()
	words := []string{native(s.T, "threads.c", inferiors.PIE), "1", "hold"}
	for i, word := range words {
		words[i] = fmt.Sprintf("%d,%d,%x", 2*len(word), i, word)
	}
	c.must("A" + strings.Join(words, ","))
	stop, err := rsp.ParseStop([]byte(c.ask("?")))
	if err != nil {
		s.Fatal(err)
	}
	return stop.(*rsp.StopReply)
}

// TestLLDBEndSeenByAnotherRequest has a request fail because the program was killed.
// Its end is told when the client resumes it, in whatever way.
func TestLLDBEndSeenByAnotherRequest(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	for _, packet := range []string{"c", "s", "C05", "vCont;c", "vCont;c:%v"} {
		s := sequentialSession(t)
		v := s.serve([]string{"gdbserver"})
		c := s.client(v, strings.Split(lldbFeatures, ";")...)
		pid := launchSleeping(s, c).Thread.PID
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if reply := c.ask("_M1000,rw"); !strings.HasPrefix(reply, "E") {
			t.Errorf("a program that was killed has new memory: %s", reply)
		}
		want := fmt.Sprintf("X09;process:%x", pid)
		if reply := c.ask(strings.ReplaceAll(packet, "%v", leader(pid).String())); reply != want {
			t.Errorf("%s is answered %s", packet, reply)
		}
	}
}

// TestLLDBLeavesWhatRuns lets go of a program, or ends it, while it runs. There is
// one answer, and none for the stop that does not come any more.
func TestLLDBLeavesWhatRuns(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	for _, packet := range []string{"D", "D;%x", "vKill;%x"} {
		s := sequentialSession(t)
		v := s.serve([]string{"gdbserver"})
		c := s.client(v, strings.Split(lldbFeatures, ";")...)
		pid := launchSleeping(s, c).Thread.PID
		c.send("c")
		c.must(strings.ReplaceAll(packet, "%x", fmt.Sprintf("%x", pid)))
		if reply := c.ask("qEcho:one"); reply != "qEcho:one" {
			t.Errorf("after %s: %s", packet, reply)
		}
	}
}

// TestLLDBAttachByNameInNonStop finds the process stopped that it has attached to.
func TestLLDBAttachByNameInNonStop(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	s := newSession(t)
	program := ownCopy(t, native(t, "threads.c", inferiors.PIE))
	p := s.start(program, "2", "hold")
	p.stdout.wait(t, "ready\n")
	c := s.client(s.serve([]string{"gdbserver"}), strings.Split(lldbFeatures, ";")...)
	c.must("QNonStop:1")
	stop, err := rsp.ParseStop([]byte(c.ask("vAttachName;" + rsp.HexText(filepath.Base(program)))))
	if err != nil {
		t.Fatal(err)
	}
	if reply := c.ask("g"); strings.HasPrefix(reply, "E") {
		t.Errorf("the registers of %v: %s", stop, reply)
	}
	c.must("D")
}

// TestLLDBWaitingForAProcessEnds interrupts the wait for a process, by an interrupt
// that comes together with the request.
func TestLLDBWaitingForAProcessEnds(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	s := newSession(t)
	v := s.serve([]string{"gdbserver"})
	conn, err := net.Dial("tcp", v.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frame := fmt.Sprintf("vAttachWait;%x", "no-such-program")
	frame = fmt.Sprintf("$%s#%02x\x03", frame, rsp.Checksum([]byte(frame)))
	if _, err := conn.Write([]byte(frame)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if reply, err := rsp.NewClient(conn).Receive(ctx); err != nil || !strings.HasPrefix(reply, "E") {
		t.Error(reply, err)
	}
}

// TestLLDBOutputWaits has the terminal of a stopped program hold output, the echo of
// its input, while the server keeps an eye on a child that was let go. That is no
// reason to look for it again and again.
func TestLLDBOutputWaits(t *testing.T) {
	gnuLacks(t, "it has no terminal for the program")
	s := newSession(t)
	v := s.serve([]string{"gdbserver"})
	c := s.client(v, lldbFeatures[:strings.IndexByte(lldbFeatures, ';')])
	c.must("QThreadSuffixSupported")
	program := native(t, "sharer.c", inferiors.PIE)
	c.must(fmt.Sprintf("A%d,0,%x", 2*len(program), program))
	if stop, is := c.resume("c").(*rsp.StopReply); !is || stop.Signal != rsp.Signal(unix.SIGUSR1) {
		t.Fatalf("%+v", stop)
	}
	c.must("I610a")
	// The first number is the time that the thread that traces was on a processor.
	spent := func() string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", v.pid))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before, asleep := spent(), 0
	s.eventually("the server sleeps for a second", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := spent()
		if asleep++; now != before {
			asleep = 0
		}
		before = now
		return asleep == 20
	})
	c.send("c")
	if reply, err := c.within(c.conn.Receive); err != nil || reply != "O"+rsp.HexText("a\r\n") {
		t.Error(reply, err)
	}
}
