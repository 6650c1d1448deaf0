package test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/test/inferiors"
)

var (
	cloneSeed       = flag.Uint64("seed", 0, "the first case of TestCloneFuzz, and the one of TestLLDBRandom; by itself the only one")
	cloneTime       = flag.Duration("for", 0, "how long TestCloneFuzz goes on, 60s unless -seed is given, 5s with -short")
	cloneEverything = flag.Bool("everything", false, "whether TestCloneFuzz has breakpoints, memory that is shared in every way, and processes detached and killed at random")
	cloneOptions    = flag.String("options", "", "what TestCloneFuzz chooses from of the options in clones.c")
	cloneTasks      = flag.Int("tasks", 40, "about how many tasks one case of TestCloneFuzz makes")
)

// TestCloneFuzz runs programs that make tasks by clone and clone3 with random
// flags, many at once, and compares what the server says of them with what they
// say themselves and with /proc. Each case follows from a number, which the
// name of the subtest has: -args -seed N plays it again, as far as the kernel's
// schedule lets it.
//
// What the kernel does not tell a tracer, nobody can report: a child made with
// CLONE_UNTRACED, and what that one makes, is not traced, so that no event, no
// thread list and no exit may have it. It runs the text that it got with the
// breakpoints in it; the program therefore has such tasks call nothing that has
// one.
func TestCloneFuzz(t *testing.T) {
	notAgain(t, "its program makes the system calls of 64 bits")
	gnuLacks(t, "13.1 takes processes whose exit signal is not SIGCHLD for threads")
	var tasks atomic.Uint64
	cases := seeds{option: "-seed", first: *cloneSeed, limit: *cloneTime, usual: 60 * time.Second, short: 5 * time.Second}.
		play(t, func(t *testing.T, seed uint64) { tasks.Add(uint64(newCloneCase(t, seed).play())) })
	t.Logf("%d cases, %d tasks", cases, tasks.Load())
}

// A policy is what the client of one case does about children.
type policy int

const (
	keepAll   policy = iota // both go on under the client
	letGo                   // each child is detached at once
	announced               // nothing: the client does not take events
	mixed                   // now one is detached, now one killed
	vanishes                // as mixed, then the connection is lost
	policies
)

var policyNames = [policies]string{"keep", "let go", "not announced", "mixed", "vanish"}

// What is at the function that all tasks call.
const (
	noBreakpoint = iota
	passedBreakpoint
	reportedBreakpoint
)

type cloneCase struct {
	*testing.T
	s      *session
	random *rand.Rand
	policy policy
	point  int
	attach bool
	// passes tells that signals go to the program without a report.
	passes     bool
	interrupts bool
	vanishAt   int
	options    string
	address    uint64

	ledger string
	server *server
	client *client

	// live are the processes that the client knows, with whether the
	// breakpoint is in them.
	live             map[int]bool
	letGo, killed    map[int]bool
	forks            []cloneBirth
	ends             map[int]rsp.Reply
	execs            map[int]int
	vforking         map[rsp.ThreadID]int
	hits             map[int]int
	pendingInterrupt bool
}

// cloneBirth is a fork or vfork event.
type cloneBirth struct {
	vfork   bool
	creator rsp.ThreadID
	child   int
}

func newCloneCase(t *testing.T, seed uint64) *cloneCase {
	random := rand.New(rand.NewPCG(seed, 0))
	one := func(n int) bool { return random.IntN(n) == 0 }
	c := &cloneCase{T: t, s: sequentialSession(t), random: random,
		policy: policy(random.IntN(int(policies))), point: random.IntN(3),
		attach: one(3), passes: !one(3), interrupts: one(3), vanishAt: random.IntN(30),
		live: map[int]bool{}, letGo: map[int]bool{}, killed: map[int]bool{}, ends: map[int]rsp.Reply{},
		execs: map[int]int{}, vforking: map[rsp.ThreadID]int{}, hits: map[int]int{},
	}
	options := *cloneOptions
	if options == "" {
		options = "unsxvwc"
	}
	if !*cloneEverything {
		c.point, c.policy = noBreakpoint, c.policy%mixed
		options = strings.ReplaceAll(options, "v", "")
	}
	for _, letter := range options {
		if !one(3) {
			c.options += string(letter)
		}
	}
	if c.policy == vanishes {
		// Programs that the server launched it ends with itself.
		c.attach = true
	}
	if c.attach {
		c.options += "g"
	} else {
		c.options += "p"
	}
	c.ledger = filepath.Join(t.TempDir(), "ledger")
	if err := newLedger(c.ledger); err != nil {
		t.Fatal(err)
	}
	program := native(t, "clones.c", inferiors.Static)
	c.address = symbol(t, program, "called")
	args := []string{c.ledger, strconv.FormatUint(seed, 10), strconv.Itoa(*cloneTasks), c.options}
	var features []string
	for _, feature := range childEvents {
		if c.policy != announced || !strings.Contains(feature, "-events") {
			features = append(features, feature)
		}
	}
	if c.attach {
		p := c.s.start(program, args...)
		p.stdout.wait(t, "ready\n")
		c.server = c.s.attach(p.pid)
		c.client = c.s.client(c.server, features...)
		p.say("")
	} else {
		c.server = c.s.launch(program, args...)
		c.client = c.s.client(c.server, features...)
	}
	c.live[c.server.inferior] = false
	// Before the server is ended and with it what it traces.
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c, c.s.tasks())
		}
	})
	return c
}

func (c *cloneCase) String() string {
	text := fmt.Sprintf("policy %s, breakpoint %d, attach %t, passes %t, interrupts %t, options %s, live %v, let go %v, killed %v\n",
		policyNames[c.policy], c.point, c.attach, c.passes, c.interrupts, c.options, c.live, c.letGo, c.killed)
	tasks, err := readLedger(c.ledger)
	if err != nil {
		return text + err.Error()
	}
	for i := range tasks {
		state := ""
		if tid := int(tasks[i].TID); tid != 0 && statusField(tid, "Tgid") == strconv.Itoa(int(tasks[i].PID)) {
			state = fmt.Sprintf(" [%s, tracer %s]", statusField(tid, "State"), statusField(tid, "TracerPid"))
		}
		text += fmt.Sprintf("%3d %v%s\n", i, &tasks[i], state)
	}
	return text
}

// symbol returns the address of a symbol of a program at fixed addresses.
func symbol(t *testing.T, program, name string) uint64 {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if symbol.Name == name {
			return symbol.Value
		}
	}
	t.Fatalf("%s has no symbol %s", program, name)
	return 0
}

// one is true one time in n.
func (c *cloneCase) one(n int) bool { return c.random.IntN(n) == 0 }

// play runs the case and returns how many tasks there were.
func (c *cloneCase) play() int {
	if c.passes {
		// SIGCHLD and SIGUSR1, in the numbering of the protocol.
		c.client.must("QPassSignals:14;1e")
	}
	c.insert(c.server.inferior)
	packet := "vCont;c"
	for stops := 0; len(c.live) > 0; stops++ {
		if c.policy == vanishes && stops > c.vanishAt {
			if c.one(2) {
				c.client.send(packet)
			}
			c.client.vanish()
			for pid := range c.live {
				c.letGo[pid] = true
			}
			break
		}
		if c.interrupts && !c.pendingInterrupt && c.one(4) {
			c.client.send(packet)
			c.client.interrupt()
			c.pendingInterrupt = true
			packet = c.stopped(c.client.stop())
		} else {
			packet = c.stopped(c.client.resume(packet))
		}
		if len(c.live) > 0 && c.one(3) {
			c.compareLists()
		}
	}
	c.client.vanish()
	if status := c.endOfServer(); status != 0 && (c.policy != vanishes || status != -int(syscall.SIGTERM)) {
		c.Errorf("the server ended with %d", status)
	}
	c.allEnded()
	return c.audit()
}

// allEnded waits for the end of all tasks. A look at the processes may miss one
// that was made meanwhile by another that has ended; then the ledger has grown.
func (c *cloneCase) allEnded() {
	c.Helper()
	count := func() int {
		tasks, err := readLedger(c.ledger)
		if err != nil {
			c.Fatal(err)
		}
		return len(tasks)
	}
	c.s.eventually("all tasks have ended", func() bool {
		before := count()
		return len(c.s.marked()) == 0 && count() == before
	})
}

// endOfServer has the server end. One that is attached stays for the next
// client as long as it has a process.
func (c *cloneCase) endOfServer() int {
	if c.policy == vanishes {
		if err := syscall.Kill(c.server.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			c.Fatal(err)
		}
	}
	return c.server.wait()
}

// insert sets the breakpoint in a process.
func (c *cloneCase) insert(pid int) {
	c.Helper()
	if c.point == noBreakpoint {
		return
	}
	c.client.must("Hg" + leader(pid).String())
	packet := fmt.Sprintf("Z0,%x,1", c.address)
	if c.point == passedBreakpoint {
		packet += ";X3,220027" // const8 0, end
	}
	c.write(packet)
	c.live[pid] = true
}

// remove takes the breakpoint out of a process, and tells whether it could.
func (c *cloneCase) remove(thread rsp.ThreadID) bool {
	c.Helper()
	c.client.must("Hg" + thread.String())
	return c.write(fmt.Sprintf("z0,%x,1", c.address))
}

// write sends a packet that changes the memory of the selected process. That
// may be gone because another thread is ending the process; then it cannot be
// read either.
func (c *cloneCase) write(packet string) bool {
	c.Helper()
	reply := c.client.ask(packet)
	if reply == "OK" {
		return true
	}
	if memory := c.client.ask(fmt.Sprintf("m%x,1", c.address)); !strings.HasPrefix(memory, "E") {
		c.Errorf("%s is answered %q, but the memory there is %q", packet, reply, memory)
	}
	return false
}

// stopped takes in a stop reply and returns the packet with which the program
// is to go on.
func (c *cloneCase) stopped(reply rsp.Reply) string {
	c.Helper()
	switch reply := reply.(type) {
	case *rsp.StopReply:
		return c.event(reply, false)
	case *rsp.Exited:
		c.ended(reply.PID, reply)
	case *rsp.Signaled:
		c.ended(reply.PID, reply)
	default:
		c.Fatalf("the server reports %T", reply)
	}
	return "vCont;c"
}

func (c *cloneCase) ended(pid int, how rsp.Reply) {
	c.Helper()
	if _, known := c.live[pid]; !known {
		c.Errorf("the end of %d is reported, of which the client does not know", pid)
	}
	delete(c.live, pid)
	c.ends[pid] = how
}

func (c *cloneCase) event(reply *rsp.StopReply, stepping bool) string {
	c.Helper()
	thread := reply.Thread
	if _, known := c.live[thread.PID]; !known {
		c.Errorf("a stop of %v, of whose process the client does not know", thread)
	}
	if group := statusField(thread.TID, "Tgid"); group != "" && group != strconv.Itoa(thread.PID) {
		c.Errorf("thread %d is in process %s, not %d", thread.TID, group, thread.PID)
	}
	switch reply.Reason {
	case rsp.StopFork, rsp.StopVfork:
		return c.born(reply)
	case rsp.StopVforkDone:
		if c.vforking[thread] == 0 {
			c.Errorf("vforkdone of %v, which is in no vfork", thread)
		}
		delete(c.vforking, thread)
	case rsp.StopExec:
		if c.policy == announced {
			c.Errorf("exec is reported to a client that has not announced exec-events")
		}
		if thread.TID != thread.PID {
			c.Errorf("exec by %v, which is not the process's first thread any more", thread)
		}
		c.execs[thread.PID]++
		// Other threads of it, also those held in a vfork, are gone.
		maps.DeleteFunc(c.vforking, func(creator rsp.ThreadID, _ int) bool { return creator.PID == thread.PID })
		if c.live[thread.PID] {
			// It may have come into the new memory before this was told.
			c.remove(thread)
		}
		c.live[thread.PID] = false
	case rsp.StopSoftBreak:
		return c.hit(thread)
	case rsp.StopSignal:
		return c.signalled(reply, stepping)
	default:
		c.Errorf("unexpected event %v", reply.Reason)
	}
	return "vCont;c"
}

func (c *cloneCase) signalled(reply *rsp.StopReply, stepping bool) string {
	c.Helper()
	switch reply.Signal {
	case rsp.SIGINT:
		if !c.pendingInterrupt {
			c.Errorf("SIGINT though nobody has interrupted")
		}
		c.pendingInterrupt = false
		return "vCont;c"
	case rsp.SIGTRAP:
		c.Errorf("SIGTRAP without a reason in %v", reply.Thread)
		return "vCont;c"
	case rsp.SIGUSR1, rsp.SIGCHLD:
		if c.passes && !stepping {
			c.Errorf("%v is reported, which was to be passed", reply.Signal)
		}
	case rsp.SIGSEGV, rsp.SIGILL, rsp.SIGTERM:
	default:
		c.Errorf("%v in %v", reply.Signal, reply.Thread)
	}
	return fmt.Sprintf("vCont;C%02x:%v;c", int(reply.Signal), reply.Thread)
}

// hit steps over the breakpoint as gdb does: without it, and alone.
func (c *cloneCase) hit(thread rsp.ThreadID) string {
	c.Helper()
	if c.point != reportedBreakpoint || !c.live[thread.PID] {
		c.Errorf("breakpoint in %v, where none is to be reported", thread)
	}
	c.hits[thread.TID]++
	if !c.remove(thread) {
		return "vCont;c"
	}
	stop := c.client.resume("vCont;s:" + thread.String())
	step, stopped := stop.(*rsp.StopReply)
	if !stopped {
		// Another process has ended, or this one.
		packet := c.stopped(stop)
		c.again(thread)
		return packet
	}
	if step.Thread.PID != thread.PID || step.Reason != rsp.StopExec {
		c.again(thread)
	}
	if step.Thread == thread && step.Reason == rsp.StopSignal && step.Signal == rsp.SIGTRAP {
		return "vCont;c"
	}
	return c.event(step, true)
}

// again puts the breakpoint back, which a thread was to step over. Where
// something else came first, the thread will meet it once more.
func (c *cloneCase) again(thread rsp.ThreadID) {
	c.Helper()
	if _, lives := c.live[thread.PID]; !lives {
		// It may have run in the memory of another.
		for pid, has := range c.live {
			if has {
				c.insert(pid)
			}
		}
		return
	}
	c.insert(thread.PID)
	if c.client.ask("Hg"+thread.String()) != "OK" {
		return
	}
	if pc, err := rsp.ParseHex([]byte(c.client.ask("p10"))); err == nil && len(pc) == 8 && binary.LittleEndian.Uint64(pc) == c.address {
		c.hits[thread.TID]--
	}
}

// born takes in a fork or vfork and deals with parent and child.
func (c *cloneCase) born(reply *rsp.StopReply) string {
	c.Helper()
	creator, child := reply.Thread, reply.Child.PID
	if c.policy == announced {
		c.Errorf("%v is reported to a client that has not announced it", reply.Reason)
	}
	if reply.Child.TID != child {
		c.Errorf("child %v is not the first thread of its process", reply.Child)
	}
	if _, known := c.live[child]; known {
		c.Errorf("child %d is reported twice", child)
	}
	if undone := c.vforking[creator]; undone != 0 {
		c.Errorf("%v makes %d, and vforkdone after %d was not reported", creator, child, undone)
	}
	c.live[child] = c.live[creator.PID]
	c.forks = append(c.forks, cloneBirth{vfork: reply.Reason == rsp.StopVfork, creator: creator, child: child})
	if reply.Reason == rsp.StopVfork {
		c.vforking[creator] = child
	}
	c.compareLists()
	switch c.policy {
	case letGo:
		c.detach(child)
	case mixed, vanishes:
		switch c.random.IntN(8) {
		case 0, 1:
			c.detach(child)
		case 2:
			c.kill(child)
		case 3:
			c.detach(creator.PID)
		case 4:
			c.kill(creator.PID)
		case 5:
			c.detach(creator.PID)
			c.detach(child)
		}
	}
	return "vCont;c"
}

// detach lets a process go.
func (c *cloneCase) detach(pid int) {
	c.Helper()
	if c.client.gone(fmt.Sprintf("D;%x", pid)) {
		delete(c.live, pid)
		c.letGo[pid] = true
	}
}

func (c *cloneCase) kill(pid int) {
	c.Helper()
	if c.client.gone(fmt.Sprintf("vKill;%x", pid)) {
		delete(c.live, pid)
		c.killed[pid] = true
	}
}

// compareLists compares the list of threads with /proc.
func (c *cloneCase) compareLists() {
	c.Helper()
	if len(c.live) > 0 {
		c.client.compareThreads(c.server.pid, maps.Keys(c.live))
	}
}

// exiting tells whether a thread is on its way out (proc_pid_stat(5), the flags
// PF_EXITING and PF_SIGNALED, or a SIGKILL that waits for it): it is listed no
// more, although it stops once more for its tracer, or never was.
func exiting(tid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", tid))
	if err != nil {
		return true
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	if err != nil || flags&0x404 != 0 {
		return true
	}
	pending, err := strconv.ParseUint(fields[28], 10, 64)
	return err != nil || pending&(1<<(unix.SIGKILL-1)) != 0
}

// audit compares what was reported with the ledger, now that all have ended.
func (c *cloneCase) audit() int {
	var tasks []ledgerTask
	c.s.eventually("who was let go has ended", func() bool {
		var err error
		if tasks, err = readLedger(c.ledger); err != nil {
			c.Fatal(err)
		}
		return !slices.ContainsFunc(tasks, func(task ledgerTask) bool {
			state := statusField(int(task.TID), "State")
			return task.TID != 0 && task.Namespace == 0 && state != "" && !strings.Contains("ZX", state[:1])
		})
	})
	audit := cloneAudit{cloneCase: c, tasks: tasks, byTID: map[int]*ledgerTask{}, groups: map[int][]*ledgerTask{},
		births: map[int]*cloneBirth{}}
	for i := range tasks {
		task := &tasks[i]
		if task.TID != 0 {
			audit.byTID[int(task.TID)] = task
			audit.groups[int(task.PID)] = append(audit.groups[int(task.PID)], task)
		}
	}
	audit.check()
	return len(tasks)
}

type cloneAudit struct {
	*cloneCase
	tasks  []ledgerTask
	byTID  map[int]*ledgerTask
	groups map[int][]*ledgerTask
	// births are the reported ones, by the child.
	births map[int]*cloneBirth
}

func (a *cloneAudit) maker(task *ledgerTask) *ledgerTask {
	if task.MakerSlot < 0 {
		return nil
	}
	return &a.tasks[task.MakerSlot]
}

// watched tells whether the server had the task, and the client kept its
// process and those that it comes from.
func (a *cloneAudit) watched(task *ledgerTask) bool {
	for ; task != nil; task = a.maker(task) {
		pid := int(task.PID)
		if task.Untraced != 0 || a.letGo[pid] || a.killed[pid] {
			return false
		}
		if task.MakerSlot >= 0 && task.Returned == 0 && !task.has(unix.CLONE_THREAD) && a.births[pid] == nil {
			// The maker was killed before it could tell.
			return false
		}
	}
	return a.policy != announced
}

// cut tells whether there is a reason for a task not to have come to its own
// end: something that ends its process, or its pid namespace.
func (a *cloneAudit) cut(task *ledgerTask) bool {
	pid := int(task.PID)
	if task.Phase == taskUnborn {
		pid = int(task.Returned)
		if task.has(unix.CLONE_THREAD) {
			pid = int(task.MakerPID)
		}
		if task.Returned == 0 {
			// Its maker was ended in the middle, which is judged there.
			return true
		}
	}
	if a.killed[pid] {
		return true
	}
	for _, other := range a.groups[pid] {
		if other != task && other.Phase == taskEnding && other.Ending != endsByExit || other != task && other.Images > 0 {
			return true
		}
	}
	outside := task.Namespace
	if task.has(unix.CLONE_NEWPID) {
		outside = a.maker(task).Namespace
	}
	return outside != 0
}

func (a *cloneAudit) check() {
	for i := range a.forks {
		birth := &a.forks[i]
		if a.births[birth.child] != nil {
			a.Errorf("child %d is reported twice", birth.child)
		}
		a.births[birth.child] = birth
		a.checkBirth(birth)
	}
	for i := range a.tasks {
		task := &a.tasks[i]
		if task.Returned < 0 && task.Returned != -int32(unix.EAGAIN) && task.Returned != -int32(unix.ENOSPC) && task.Returned != -int32(unix.EPERM) {
			a.Errorf("the kernel does not make %v", task)
		}
		if task.Returned < 0 {
			continue
		}
		if task.Faults != 0 {
			a.Errorf("faults of %v", task)
		}
		if task.Phase != taskEnding && !a.cut(task) {
			a.Errorf("somebody ended %v", task)
		}
		if task.Reaped != 0 && task.wait().Signaled() && task.wait().Signal() == unix.SIGTRAP {
			a.Errorf("a breakpoint ended %v", task)
		}
		maker := a.maker(task)
		if maker == nil || task.has(unix.CLONE_THREAD) || task.Untraced != 0 || !a.watched(maker) {
			continue
		}
		id := int(task.TID)
		if id == 0 && maker.Namespace == 0 {
			id = int(task.Returned)
		}
		if task.Returned > 0 && id != 0 && a.births[id] == nil {
			a.Errorf("no event was reported of %v", task)
		}
	}
	a.checkExecs()
	a.checkEnds()
	a.checkHits()
	a.checkVForks()
}

// checkBirth compares a fork or vfork with what the creator says that it did.
func (a *cloneAudit) checkBirth(birth *cloneBirth) {
	task := a.byTID[birth.child]
	if task == nil {
		for i := range a.tasks {
			other := &a.tasks[i]
			if other.TID == 0 && int(other.MakerTID) == birth.creator.TID && other.has(unix.CLONE_VFORK) == birth.vfork {
				return
			}
		}
		a.Errorf("child %d of %v was reported, and nobody made it", birth.child, birth.creator)
		return
	}
	switch {
	case task.has(unix.CLONE_THREAD):
		a.Errorf("a process was reported of the thread %v", task)
	case task.Untraced != 0:
		a.Errorf("an event was reported of what is not traced: %v", task)
	case task.has(unix.CLONE_VFORK) != birth.vfork:
		a.Errorf("vfork %t was reported of %v", birth.vfork, task)
	case int(task.MakerPID) != birth.creator.PID || int(task.MakerTID) != birth.creator.TID:
		a.Errorf("%v was reported as the creator of %v", birth.creator, task)
	}
}

func (a *cloneAudit) checkExecs() {
	for pid, group := range a.groups {
		images, planned := 0, 0
		for _, task := range group {
			images += int(task.Images)
			if task.Phase == taskEnding && task.Ending == endsByExec {
				planned++
			}
		}
		if got := a.execs[pid]; a.watched(group[0]) && got < images || got > images+planned {
			a.Errorf("process %d executed %d programs, %d were reported", pid, images, got)
		}
	}
}

// checkEnds compares each reported end with the status that the parent got.
func (a *cloneAudit) checkEnds() {
	for pid, end := range a.ends {
		if stop, signaled := end.(*rsp.Signaled); signaled && stop.Signal == rsp.SIGTRAP {
			a.Errorf("process %d died of SIGTRAP", pid)
		}
		task := a.byTID[pid]
		if task == nil || task.Reaped == 0 {
			continue
		}
		status := task.wait()
		switch end := end.(type) {
		case *rsp.Exited:
			if !status.Exited() || status.ExitStatus() != end.Status {
				a.Errorf("exit with %d is reported of %v", end.Status, task)
			}
		case *rsp.Signaled:
			if !status.Signaled() || rsp.SignalFromLinux(int(status.Signal())) != end.Signal {
				a.Errorf("%v is reported as the end of %v", end.Signal, task)
			}
		}
	}
	for _, birth := range a.forks {
		if a.ends[birth.child] == nil && !a.letGo[birth.child] && !a.killed[birth.child] {
			a.Errorf("no end was reported of process %d", birth.child)
		}
	}
}

// checkHits compares the reported hits of the breakpoint with the calls, where
// it was in the memory all the time.
func (a *cloneAudit) checkHits() {
	if a.point != reportedBreakpoint || a.policy != keepAll {
		return
	}
	for i := range a.tasks {
		task := &a.tasks[i]
		if !a.watched(task) || task.TID == 0 || a.replaced(task) {
			continue
		}
		// The last call may have been met and not been done.
		if hits := a.hits[int(task.TID)]; hits < int(task.Calls) || hits > int(task.Calls)+1 || hits != int(task.Calls) && task.Phase == taskEnding {
			a.Errorf("%d hits were reported of %v", hits, task)
		}
	}
}

// replaced tells whether a task may run in memory that execve made, which has
// no breakpoint.
func (a *cloneAudit) replaced(task *ledgerTask) bool {
	for ; task != nil; task = a.maker(task) {
		for _, member := range a.groups[int(task.PID)] {
			if member.Images > 0 {
				return true
			}
		}
	}
	return false
}

// checkVForks looks for a vfork that is over in a maker that went on.
func (a *cloneAudit) checkVForks() {
	for creator, child := range a.vforking {
		task, maker := a.byTID[child], a.byTID[creator.TID]
		if task == nil || maker == nil || task.Returned <= 0 || !a.watched(maker) {
			continue
		}
		a.Errorf("no vforkdone was reported of %v", task)
	}
}
