package test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestLLDBRandom sends packets of LLDB's dialect in random order, in all-stop and
// in non-stop, while the program makes threads and processes and signals come
// from outside, SIGKILL among them. Every request has to be answered, every
// interrupt has to end in a stop, and when the client goes the server has to,
// and to leave nothing traced or running that it started. -args -seed N plays
// one case again, as far as the kernel's schedule lets it.
func TestLLDBRandom(t *testing.T) {
	gnuLacks(t, "it does not know the dialect")
	notAgain(t, "the packets name registers of 64-bit programs")
	first, cases := *cloneSeed, uint64(1)
	if first == 0 {
		first, cases = uint64(time.Now().UnixNano()), 24
	}
	for seed := first; seed < first+cases; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playLLDBRandom(t, seed) })
	}
}

// lldbRandom is one case of TestLLDBRandom.
type lldbRandom struct {
	*client
	server *server
	random *rand.Rand
	// processes are those that the client knows of, threads the ones it was told
	// of last, ended ones among them.
	processes map[int]bool
	known     []rsp.ThreadID
	addresses []string
	program   []string
	nonStop   bool
	launches  int
}

func playLLDBRandom(t *testing.T, seed uint64) {
	r := &lldbRandom{random: rand.New(rand.NewPCG(seed, 0)), processes: map[int]bool{}}
	programs := [][]string{{"threadfork.c", "fork", "4", "30"}, {"threadfork.c", "vfork", "3", "8"}, {"churn.c", "300", "6"},
		{"processes.c", "6"}, {"exec.c", "thread", "one"}, {"ticks.c", "5"}, {"nestedvfork.c"}, {"threads.c", "4", "hold"}}
	words := programs[r.random.IntN(len(programs))]
	program := native(t, words[0], inferiors.NoPIE)
	vars := map[string]string{}
	addSymbols(t, program, vars)
	for _, name := range []string{"main", "life", "maker", "work", "ready", "tick", "child_tick", "finished", "count", "before_exec"} {
		if address, has := vars[name]; has {
			r.addresses = append(r.addresses, address)
		}
	}
	r.program = append([]string{program}, words[1:]...)
	r.nonStop = r.random.IntN(3) == 0

	s := newSession(t)
	v := s.serve([]string{"gdbserver"})
	r.server = v
	r.client = s.client(v, strings.Split(lldbFeatures+";swbreak+", ";")...)
	for _, packet := range []string{"QThreadSuffixSupported", "QListThreadsInStopReply", "QEnableErrorStrings"} {
		r.must(packet)
	}
	if r.nonStop {
		r.must("QNonStop:1")
	}
	for range 40 + r.random.IntN(160) {
		r.step()
	}
	r.end(v)
}

// end has the client, or the server, go in one of several ways.
func (r *lldbRandom) end(v *server) {
	s := r.s
	s.Helper()
	switch r.random.IntN(5) {
	case 0:
		r.ask("D")
		r.vanish()
	case 1:
		if !r.nonStop {
			r.send("k")
		}
		r.vanish()
	case 2:
		r.vanish()
	case 3:
		if len(r.processes) > 0 {
			r.send("vCont;c:" + r.process() + ".-1")
		}
		r.vanish()
	case 4:
		if err := syscall.Kill(v.pid, syscall.SIGTERM); err != nil {
			s.Fatal(err)
		}
	}
	for end := time.Now().Add(patience); v.alive(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.stuck("the server does not end")
		}
		// It waits for the child of a vfork that was let go, which a signal from
		// outside may have stopped.
		for _, pid := range s.marked() {
			if pid != v.pid {
				_ = unix.Kill(pid, unix.SIGCONT)
			}
		}
	}
	if status := v.wait(); status != 0 && status != -int(syscall.SIGTERM) || strings.Contains(v.stderr.String(), "goroutine ") {
		s.Errorf("the server ends with %d", status)
	}
	s.eventually("nothing is traced", func() bool {
		return !slices.ContainsFunc(s.marked(), func(pid int) bool {
			return statusField(pid, "TracerPid") != "0" || strings.HasPrefix(statusField(pid, "State"), "t")
		})
	})
}

// stuck fails because the server does not do what it has to, with what it does.
func (r *lldbRandom) stuck(format string, arguments ...any) {
	r.s.Helper()
	tasks := r.s.tasks()
	_ = syscall.Kill(r.server.pid, syscall.SIGQUIT)
	<-r.server.ended
	r.s.Fatalf("%s\n%s%s", fmt.Sprintf(format, arguments...), tasks, r.server.stderr)
}

// step is one thing that a client, or somebody else, does.
func (r *lldbRandom) step() {
	r.s.Helper()
	if len(r.processes) == 0 {
		r.launch()
		return
	}
	if r.random.IntN(25) == 0 {
		r.signal()
	}
	switch n := r.random.IntN(100); {
	case n < 40:
		r.resumeAny()
	case n < 42:
		r.leave("D;")
	case n < 43:
		r.leave("vKill;")
	default:
		if packet := r.packet(); packet != "" {
			r.ask(packet)
		}
	}
}

func (r *lldbRandom) launch() {
	r.s.Helper()
	arguments := make([]string, len(r.program))
	for i, argument := range r.program {
		arguments[i] = fmt.Sprintf("%d,%d,%x", 2*len(argument), i, argument)
	}
	r.launches++
	r.must("A" + strings.Join(arguments, ","))
	r.must("qLaunchSuccess")
	r.read(r.ask("?"))
	if r.nonStop {
		r.acknowledge()
	}
}

// signal sends one of the processes, or a thread of it, a signal.
func (r *lldbRandom) signal() {
	pid := r.any(slices.Sorted(maps.Keys(r.processes)))
	signals := []unix.Signal{unix.SIGUSR1, unix.SIGSTOP, unix.SIGCONT, unix.SIGCONT, unix.SIGCHLD, unix.SIGALRM, unix.SIGSEGV}
	signal := signals[r.random.IntN(len(signals))]
	if r.random.IntN(6) == 0 {
		signal = unix.SIGKILL
	}
	r.note("   ", fmt.Sprintf("%v for process %d", signal, pid))
	// It may have ended since.
	_ = unix.Kill(pid, signal)
}

func (r *lldbRandom) any(pids []int) int { return pids[r.random.IntN(len(pids))] }

func (r *lldbRandom) process() string {
	return fmt.Sprintf("p%x", r.any(slices.Sorted(maps.Keys(r.processes))))
}

func (r *lldbRandom) thread() string {
	if len(r.known) == 0 {
		return r.process() + ".1"
	}
	return r.known[r.random.IntN(len(r.known))].String()
}

func (r *lldbRandom) address() string {
	return r.addresses[r.random.IntN(len(r.addresses))]
}

// leave lets go of a process, or ends it.
func (r *lldbRandom) leave(packet string) {
	r.s.Helper()
	pid := r.any(slices.Sorted(maps.Keys(r.processes)))
	if reply := r.ask(fmt.Sprintf("%s%x", packet, pid)); reply == "OK" {
		r.forget(pid)
	} else {
		r.lookAgain()
	}
}

func (r *lldbRandom) forget(pid int) {
	delete(r.processes, pid)
	r.known = slices.DeleteFunc(r.known, func(id rsp.ThreadID) bool { return id.PID == pid })
}

// lookAgain takes the processes from the server.
func (r *lldbRandom) lookAgain() {
	r.s.Helper()
	r.known = r.known[:0]
	clear(r.processes)
	for packet := "qfThreadInfo"; ; packet = "qsThreadInfo" {
		reply := r.ask(packet)
		if reply == "OK" {
			return
		}
		list, err := rsp.ParseThreadList([]byte(reply))
		if err != nil {
			r.s.Fatal(err)
		}
		if len(list) == 0 {
			return
		}
		for _, id := range list {
			r.known = append(r.known, id)
			r.processes[id.PID] = true
		}
	}
}

// read takes in a stop reply. It reports false if it is none.
func (r *lldbRandom) read(text string) bool {
	r.s.Helper()
	if text == "OK" || strings.HasPrefix(text, "E") {
		r.lookAgain()
		return false
	}
	reply, err := rsp.ParseStop([]byte(text))
	if err != nil {
		r.s.Fatalf("%q: %v", text, err)
	}
	switch reply := reply.(type) {
	case *rsp.StopReply:
		r.processes[reply.Thread.PID] = true
		if reply.Child.PID > 0 {
			r.processes[reply.Child.PID] = true
			if r.random.IntN(3) > 0 {
				r.leaveChild(reply.Child)
			}
		}
	case rsp.Exited:
		r.forget(reply.PID)
	case rsp.Signaled:
		r.forget(reply.PID)
	}
	return true
}

// leaveChild lets go of a new child, as lldb does.
func (r *lldbRandom) leaveChild(child rsp.ThreadID) {
	r.s.Helper()
	if r.nonStop {
		return
	}
	if reply := r.ask(fmt.Sprintf("D;%x", child.PID)); reply == "OK" {
		r.forget(child.PID)
	}
}

// resumeAny lets something run, and interrupts it.
func (r *lldbRandom) resumeAny() {
	r.s.Helper()
	process, thread := r.process(), r.thread()
	pid, _, _ := strings.Cut(thread, ".")
	packets := []string{"c", "s", "C0a", "C13", "vCont;c", "vCont;c:" + process + ".-1", "vCont;s:" + thread, "vCont;s:" + thread + ";c:" + pid + ".-1",
		"vCont;C0c:" + thread + ";c:" + pid + ".-1", "vCont;c:" + thread, "vCont;c:" + process + ".-1", "vCont;c:" + process + ".-1"}
	packet := packets[r.random.IntN(len(packets))]
	if strings.HasPrefix(packet, "v") || r.random.IntN(2) == 0 {
		r.ask("Hc" + thread)
	}
	if r.nonStop {
		r.runNonStop(packet)
		return
	}
	r.send(packet)
	if r.random.IntN(8) == 0 {
		r.signal()
	}
	text, err := r.receiveWithin(time.Duration(r.random.IntN(20)) * time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) {
		if r.random.IntN(10) == 0 {
			r.signal()
		}
		r.interrupt()
		text, err = r.receiveWithin(patience)
	}
	if err != nil {
		r.stuck("instead of a stop reply: %v", err)
	}
	if r.read(text) && r.random.IntN(3) == 0 {
		r.lookAgain()
	}
}

// receiveWithin waits so long for a packet that is no output of the program.
func (r *lldbRandom) receiveWithin(limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(r.s.Context(), limit)
	defer cancel()
	for {
		text, err := r.conn.Receive(ctx)
		if err != nil {
			return "", err
		}
		r.note("<- ", text)
		if text == "OK" || !strings.HasPrefix(text, "O") {
			return text, nil
		}
	}
}

// runNonStop lets something run in non-stop, and stops it.
func (r *lldbRandom) runNonStop(packet string) {
	r.s.Helper()
	r.ask(packet)
	time.Sleep(time.Duration(r.random.IntN(5)) * time.Millisecond)
	if r.random.IntN(8) == 0 {
		r.signal()
	}
	if r.random.IntN(2) == 0 {
		r.ask([]string{"vCtrlC", "vCont;t", "vCont;t:" + r.process() + ".-1"}[r.random.IntN(3)])
	}
	r.acknowledge()
	for range 3 {
		if r.ask("vStdio") == "OK" {
			break
		}
	}
	r.lookAgain()
}

// acknowledge takes in all stops that the server has told of.
func (r *lldbRandom) acknowledge() {
	r.s.Helper()
	for {
		reply := r.ask("vStopped")
		if reply == "OK" || strings.HasPrefix(reply, "E") {
			return
		}
		if _, err := rsp.ParseStop([]byte(reply)); err != nil {
			r.s.Fatalf("%q: %v", reply, err)
		}
	}
}

// packet is one that does not let anything run.
func (r *lldbRandom) packet() string {
	thread, address := r.thread(), r.address()
	suffix := ";thread:" + thread + ";"
	packets := []string{"?", "qC", "jThreadsInfo", "qProcessInfo", "qShlibInfoAddr", "qWatchpointSupportInfo:", "qGetWorkingDir",
		"qXfer:auxv:read::0,1ff", "qXfer:libraries-svr4:read::0,fff", "qXfer:features:read:target.xml:0,ffff", "qMemoryRegionInfo:" + address,
		"qMemoryRegionInfo:7ffffffff000", "qMemoryRegionInfo:ffffffffffffffff", "MultiMemRead:ranges:" + address + ",10,0,8;", "m" + address + ",20",
		"x" + address + ",20", "_M2000,rwx", "_M2000,rw", "_mdead0000", "QSaveRegisterState" + suffix, fmt.Sprintf("QRestoreRegisterState:%d%s", 1+r.random.IntN(4), suffix),
		"g" + suffix, "p10" + suffix, "p0" + suffix, "qThreadStopInfo" + strings.TrimPrefix(thread[strings.Index(thread, ".")+1:], "-"), "T" + thread, "Hg" + thread,
		"Z0," + address + ",1", "z0," + address + ",1", "Z1," + address + ",1", "z1," + address + ",1", "Z2," + address + ",4", "z2," + address + ",4",
		`jMultiBreakpoint:{"breakpoint_requests":["Z0,` + address + `,1","z0,` + address + `,1"]}]`, "QPassSignals:0e;11;17;1c", "QPassSignals:", "I610a",
		"qProcessInfoPID:" + fmt.Sprint(r.any(slices.Sorted(maps.Keys(r.processes)))), "qfThreadInfo", "qSymbol::", "D;7fffffff", "vCont?", "vKill;7fffffff"}
	if r.random.IntN(60) == 0 {
		return "qSaveCore"
	}
	return packets[r.random.IntN(len(packets))]
}
