package test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/test/inferiors"
)

var (
	sessionSeed = flag.Uint64("session", 0, "the first case of TestRandomSessions; by itself the only one")
	sessionTime = flag.Duration("sessions-for", 0, "how long TestRandomSessions goes on")
)

// TestRandomSessions has random clients debug a program that does everything at
// once (restless.c), while others send it signals. Each session follows from a
// number, which the name of the subtest has: -args -session N plays it again, as
// far as the kernel's schedule lets it.
//
// Whatever happens, every request is answered and every interrupt stops what
// runs; nothing is reported that did not happen, and every end once, as the
// parent got to know it; and what is let go lives on.
//
// It is played when it is asked for: of some 2,500 sessions one still fails, in
// non-stop, by the birth of a thread that is told just after QThreadEvents:0.
func TestRandomSessions(t *testing.T) {
	if *sessionTime == 0 && *sessionSeed == 0 {
		t.Skip("for -args -sessions-for 60s, or -session N")
	}
	gnuLacks(t, "13.1 hangs when a vfork parent is killed")
	t.Parallel()
	var stops atomic.Uint64
	sessions := seeds{option: "-session", first: *sessionSeed, limit: *sessionTime}.
		play(t, func(t *testing.T, seed uint64) { stops.Add(uint64(newRandomSession(t, seed).play())) })
	t.Logf("%d sessions, %d stops", sessions, stops.Load())
}

// A randomSession is a client that does what comes to its mind, and what it has
// come to know.
type randomSession struct {
	*session
	random *rand.Rand
	server *server
	client *client

	// terminated says that the server was asked to end.
	terminated bool

	// What is decided at the beginning.
	nonStop, extended bool
	features          []string
	program, ledger   string
	called, counter   uint64
	scratch           uint64
	// text is that of called.
	text []byte

	// processes are those that the client has, by their ids.
	processes map[int]*debuggee
	// stopped are the threads that were reported to be, and not resumed since;
	// in all-stop every thread is.
	stopped map[rsp.ThreadID]bool
	// threadEvents says that they are on, and alive and gone who was reported to
	// begin and to end since.
	threadEvents bool
	alive, gone  map[rsp.ThreadID]bool
	// interrupts are those that were sent and not reported yet, at most.
	interrupts int
	// stepped are the threads that have made a step, reported the signals that
	// others were reported with last.
	stepped        map[rsp.ThreadID]bool
	reported       map[rsp.ThreadID]rsp.Signal
	clients, stops int

	// ends are the reported ones, started what the test started itself.
	ends    map[int]rsp.Reply
	started map[int]*process
	// letGo and killed are processes that the client has let go and killed, missed
	// those that ended when it was not there.
	letGo, killed, missed map[int]bool
	// sent are the signals that came from outside, each with the processes that
	// got it, and deeds those that are still to come.
	sent  map[syscall.Signal]map[int]bool
	deeds sync.WaitGroup
}

// A debuggee is a process that the client has.
type debuggee struct {
	// launched says that it ends with the server, found that it was listed when
	// the client came, and may still be reported to be a new child.
	launched, found bool
	// points are the breakpoints and watchpoints in it, as in Z and z packets.
	points map[string]bool
	// had says of which types there ever were any, in memory that a vfork child
	// shares.
	had *[5]bool
}

// everyPoint is for a process of whose points the client does not know.
var everyPoint = [5]bool{true, true, true, true, true}

func newDebuggee(launched bool) *debuggee {
	return &debuggee{launched: launched, points: map[string]bool{}, had: new([5]bool)}
}

func newRandomSession(t *testing.T, seed uint64) *randomSession {
	r := &randomSession{session: sequentialSession(t), random: rand.New(rand.NewPCG(seed, 0)),
		processes: map[int]*debuggee{}, stopped: map[rsp.ThreadID]bool{}, alive: map[rsp.ThreadID]bool{}, gone: map[rsp.ThreadID]bool{},
		ends: map[int]rsp.Reply{}, started: map[int]*process{}, letGo: map[int]bool{}, killed: map[int]bool{},
		missed: map[int]bool{}, stepped: map[rsp.ThreadID]bool{}, reported: map[rsp.ThreadID]rsp.Signal{},
		sent: map[syscall.Signal]map[int]bool{},
	}
	r.program = native(t, "restless.c", inferiors.Static)
	r.called, r.counter, r.scratch = symbol(t, r.program, "called"), symbol(t, r.program, "counter"), symbol(t, r.program, "scratch")
	r.text = textAt(t, r.program, r.called, 16)
	r.ledger = filepath.Join(t.TempDir(), "ledger")
	if err := os.WriteFile(r.ledger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.nonStop = r.one(2)
	r.features = []string{multiprocess, softBreak, "hwbreak+", noResumed}
	for _, feature := range []string{forkEvents, vforkEvents, execEvents} {
		if !r.one(3) {
			r.features = append(r.features, feature)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r, "\n"+r.tasks())
		}
	})
	r.begin()
	return r
}

func (r *randomSession) String() string {
	return fmt.Sprintf("non-stop %t, extended %t, features %v, processes %v, let go %v, killed %v, sent %v", r.nonStop, r.extended,
		r.features, slices.Collect(maps.Keys(r.processes)), r.letGo, r.killed, r.sent)
}

// begin starts the server with a program, or before one, and connects.
func (r *randomSession) begin() {
	r.Helper()
	switch r.random.IntN(4) {
	case 0:
		p := r.start()
		r.server = r.attach(p.pid)
		p.executes()
	case 1:
		r.server, r.extended = r.serve([]string{"--multi"}), true
	default:
		r.server = r.launch(r.program, r.arguments()...)
	}
	if !r.connect() {
		r.Fatal("the server ended")
	}
}

// start starts a program that the session may attach to. It does not execute
// itself before executes: the kernel makes whoever attaches to a thread wait for an
// execve in the process, which waits for the threads that are traced already to be
// reaped (kernel/ptrace.c, ptrace_attach; fs/exec.c, de_thread).
func (r *randomSession) start() *process {
	r.Helper()
	arguments := r.arguments()
	arguments[2] += "w"
	p := r.session.start(r.program, arguments...)
	r.started[p.pid] = p
	// Its threads have their handlers then.
	r.eventually("the program counts", func() bool { count, ok := r.count(p.pid); return ok && count > 0 })
	return p
}

// executes lets a program that was started execute itself as often as it likes.
func (p *process) executes() {
	p.s.Helper()
	// It may have ended.
	_, _ = io.WriteString(p.stdin, strings.Repeat("\n", 4096))
}

// arguments are those of restless.c, at random.
func (r *randomSession) arguments() []string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		r.Fatal(err)
	}
	end := now.Nano()/int64(time.Millisecond) + int64(300+r.random.IntN(8000))
	kinds := ""
	for _, kind := range "tfvsax" {
		if !r.one(3) {
			kinds += string(kind)
		}
	}
	return []string{r.ledger, fmt.Sprint(end), kinds}
}

// one is true one time in n.
func (r *randomSession) one(n int) bool { return r.random.IntN(n) == 0 }

// count is how often called was called in a process; false if there is none.
func (r *randomSession) count(pid int) (byte, bool) {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return 0, false
	}
	defer memory.Close()
	var count [1]byte
	_, err = memory.ReadAt(count[:], int64(r.counter))
	return count[0], err == nil
}

// play plays the session and returns how many stops were reported.
func (r *randomSession) play() int {
	for moves := 20 + r.random.IntN(60); moves > 0 && (len(r.processes) > 0 || r.extended); moves-- {
		r.move()
	}
	r.finish()
	return r.stops
}

// move does one thing, chosen by weight.
func (r *randomSession) move() {
	r.Helper()
	moves := []struct {
		weight int
		move   func()
	}{
		{12, r.goOn}, {4, r.point}, {2, r.memory}, {2, r.registers}, {2, r.survey}, {1, r.askWhetherAlive}, {2, r.object},
		{3, r.disturb}, {1, r.letOneGo}, {1, r.reconnect}, {1, r.options},
	}
	if r.extended {
		moves = append(moves, struct {
			weight int
			move   func()
		}{2, r.another})
		if len(r.processes) == 0 {
			r.another()
			return
		}
	}
	total := 0
	for _, one := range moves {
		total += one.weight
	}
	chosen := r.random.IntN(total)
	for _, one := range moves {
		if chosen -= one.weight; chosen < 0 {
			one.move()
			return
		}
	}
}

// aProcess is one that the client has, at random; 0 if there is none.
func (r *randomSession) aProcess() int {
	if len(r.processes) == 0 {
		return 0
	}
	pids := slices.Sorted(maps.Keys(r.processes))
	return pids[r.random.IntN(len(pids))]
}

// aThread is one that the server lists, at random; false if there is none.
func (r *randomSession) aThread() (rsp.ThreadID, bool) {
	r.Helper()
	threads := r.client.threads()
	if len(threads) == 0 {
		return rsp.ThreadID{}, false
	}
	return threads[r.random.IntN(len(threads))], true
}

// deed sends a signal from outside, to a process or one of its threads.
func (r *randomSession) deed(signal syscall.Signal, thread rsp.ThreadID, wait time.Duration) {
	r.Helper()
	r.client.note("   ", fmt.Sprintf("%v to %v after %v", signal, thread, wait))
	if r.sent[signal] == nil {
		r.sent[signal] = map[int]bool{}
	}
	r.sent[signal][thread.PID] = true
	do := func() {
		// It may have ended.
		if err := unix.Tgkill(thread.PID, thread.TID, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			r.Error(err)
		}
	}
	if thread.TID == rsp.All {
		process, err := os.FindProcess(thread.PID)
		if err != nil {
			r.Fatal(err)
		}
		do = func() {
			if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
				r.Error(err)
			}
		}
	}
	if wait == 0 {
		do()
		return
	}
	r.deeds.Add(1)
	time.AfterFunc(wait, func() {
		defer r.deeds.Done()
		do()
	})
}

// disturb sends a random signal to a random process of the session.
func (r *randomSession) disturb() {
	r.Helper()
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCONT, syscall.SIGCONT, syscall.SIGTERM,
		syscall.SIGCHLD, syscall.SIGSTOP}
	target := rsp.ThreadID{PID: r.aProcess(), TID: rsp.All}
	if target.PID == 0 || r.one(4) {
		// One that the client need not know of.
		others := slices.DeleteFunc(r.marked(), func(pid int) bool { return pid == r.server.pid })
		if len(others) == 0 {
			return
		}
		target.PID = others[r.random.IntN(len(others))]
	} else if tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", target.PID)); len(tasks) > 0 && r.one(3) {
		target.TID, _ = strconv.Atoi(filepath.Base(tasks[r.random.IntN(len(tasks))]))
	}
	signal := signals[r.random.IntN(len(signals))]
	if signal == syscall.SIGKILL && r.one(2) {
		signal = syscall.SIGCONT
	}
	r.deed(signal, target, r.moment())
}

// moment is a random short time, or none.
func (r *randomSession) moment() time.Duration {
	if r.one(3) {
		return 0
	}
	return time.Duration(r.random.IntN(3000)) * time.Microsecond
}
