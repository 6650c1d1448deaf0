package simulation

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// state is where a task is.
type state uint8

const (
	running state = iota
	// stopped: in a ptrace-stop.
	stopped
	// jobStopped: in a job-control stop, not traced.
	jobStopped
	// sleeping: until a child lets go of the memory, or until the others of
	// the process are gone.
	sleeping
	zombie
)

// group is a process.
type group struct {
	pid     int
	start   time.Duration
	tasks   []*task
	pending []information
	// stop is the signal of the job-control stop in force, 0 for none.
	stop unix.Signal
	// ending says that the process as a whole is going to end, as end says.
	ending bool
	end    End
	// own says that the tracer is its parent, so that it reaps it.
	own bool
	// executing is the task whose execve waits for the others to end.
	executing *task
}

// task is a thread.
type task struct {
	tid    int
	group  *group
	memory *memory
	state  state
	// then is what it does when it goes on; nil: return to the program.
	then func()

	traced bool
	// exitStops is PTRACE_O_TRACEEXIT, which new tasks take over.
	exitStops bool
	// event is what a wait reports, message its number; waited says that it
	// was reported.
	event   ptrace.Event
	message uint64
	waited  bool
	// interrupt, notify and stopPending are JOBCTL_TRAP_STOP,
	// JOBCTL_TRAP_NOTIFY and JOBCTL_STOP_PENDING.
	interrupt, notify, stopPending bool
	listening                      bool
	inject                         unix.Signal

	pending     []information
	information information
	killed      bool
	ending      bool
	end         End
	stepping    bool
	// callStops says that it was resumed by PTRACE_SYSCALL; call is the system
	// call that it is in or was in last.
	callStops bool
	call      ptrace.Syscall
	// resumeFlag is EFLAGS.RF: the next instruction's breakpoint is ignored.
	resumeFlag bool
	registers  ptrace.Registers
	debug      [8]uint64
	paused     bool
	executed   int
	// vforkChild is the task that has borrowed the memory.
	vforkChild *task
	// lender is the task that waits for this one.
	lender *task
	// maker is the task that made this one in its memory, until it goes on from
	// the report of that.
	maker *task
	// orphan says that the lender was killed, so that the memory may be
	// anybody's.
	orphan bool
}

func (k *Kernel) newTask(g *group, m *memory) *task {
	t := &task{tid: k.next, group: g, memory: m}
	k.next++
	m.users++
	g.tasks = append(g.tasks, t)
	k.tasks[t.tid] = t
	k.ids = append(k.ids, t.tid)
	return t
}

// forgetTask is release_task.
func (k *Kernel) forgetTask(t *task) {
	if i := slices.Index(t.group.tasks, t); i >= 0 {
		t.group.tasks = slices.Delete(t.group.tasks, i, i+1)
	}
	if k.tasks[t.tid] == t {
		delete(k.tasks, t.tid)
		k.ids = slices.DeleteFunc(k.ids, func(tid int) bool { return tid == t.tid })
	}
	k.settleGroup(t.group)
}

// settleGroup lets a leader go that waited for the others, where nobody reaps
// it.
func (k *Kernel) settleGroup(g *group) {
	if len(g.tasks) != 1 || g.tasks[0].state != zombie || g.tasks[0].tid != g.pid || g.executing != nil {
		return
	}
	leader := g.tasks[0]
	if !slices.ContainsFunc(k.Ends, func(end End) bool { return end.PID == g.pid }) {
		k.Ends = append(k.Ends, leader.finalEnd())
		k.Note("process %d ended: %+v", g.pid, leader.finalEnd())
	}
	if !leader.traced && !g.own {
		g.tasks = nil
		delete(k.tasks, leader.tid)
		k.ids = slices.DeleteFunc(k.ids, func(tid int) bool { return tid == leader.tid })
	}
}

func (t *task) finalEnd() End {
	end := t.end
	if t.group.ending {
		end = t.group.end
	}
	end.PID = t.group.pid
	return end
}

func (t *task) ready() bool {
	switch t.state {
	case running:
		if t.then != nil || !t.paused || t.killed || t.stopPending || len(t.pending)+len(t.group.pending) > 0 {
			return true
		}
		return t.traced && (t.interrupt || t.notify)
	case sleeping:
		if t.killed {
			return true
		}
		if t.vforkChild != nil {
			return t.vforkChild.lender == nil
		}
		return t.group.alone(t)
	}
	return false
}

// alone tells whether an execve may go on: the other threads were reaped, and
// the leader, if it is another, has ended (fs/exec.c, de_thread).
func (g *group) alone(caller *task) bool {
	for _, t := range g.tasks {
		if t != caller && !(t.tid == g.pid && t.state == zombie) {
			return false
		}
	}
	return true
}

func (k *Kernel) run(t *task) {
	t.state = running
	if then := t.then; then != nil {
		t.then = nil
		then()
		return
	}
	k.toProgram(t)
}

// stop puts a task into a ptrace-stop, unless it was killed; then is what
// follows. Any stop satisfies an interrupt (kernel/signal.c, ptrace_stop).
func (k *Kernel) stop(t *task, event ptrace.Event, message uint64, then func()) {
	t.then = then
	if !t.traced || t.killed && event.Kind != ptrace.Exiting {
		return
	}
	t.interrupt = false
	if event.Kind == ptrace.InterruptStop || event.Kind == ptrace.GroupStop {
		t.notify = false
	}
	event.TID = t.tid
	t.state, t.event, t.message, t.waited, t.listening, t.inject = stopped, event, message, false, false, 0
	k.Note("%v (pc %#x)", event, t.registers.Rip)
}

// leaveStop makes a stopped task go on, whatever stopped it.
func (t *task) leaveStop() {
	t.state, t.listening, t.waited = running, false, false
}

// toProgram is the way back to the program: signals and stops come first, in
// the order of get_signal of kernel/signal.c.
func (k *Kernel) toProgram(t *task) {
	g := t.group
	if t.killed {
		k.die(t, g.end)
		return
	}
	if t.stopPending {
		t.stopPending = false
		if !t.traced {
			t.state = jobStopped
			k.Note("%d stopped by job control", t.tid)
			return
		}
		t.interrupt = true
	}
	if t.traced && (t.interrupt || t.notify) {
		event := ptrace.Event{Kind: ptrace.InterruptStop, Signal: unix.SIGTRAP}
		if g.stop != 0 {
			event.Kind, event.Signal = ptrace.GroupStop, g.stop
		}
		t.information = information{signal: event.Signal}
		k.stop(t, event, 0, nil)
		return
	}
	if info, found := t.dequeue(); found {
		k.deliver(t, info)
		return
	}
	if t.paused {
		return
	}
	k.execute(t)
}

// die ends a task. A traced one stops once more, which SIGKILL may prevent.
func (k *Kernel) die(t *task, end End) {
	t.ending, t.end, t.paused = true, end, false
	then := func() { k.bury(t) }
	if t.traced && !t.exitStops || t.killed && t.group.ending && k.scheduler.SkipsExitStop() {
		t.then = then
		return
	}
	t.killed = false
	status := uint64(end.Status)<<8 | uint64(end.Signal)
	k.stop(t, ptrace.Event{Kind: ptrace.Exiting, Signal: unix.SIGTRAP}, status, then)
}

// bury makes a zombie of a task, or nothing where nobody wants to know.
func (k *Kernel) bury(t *task) {
	k.letGo(t)
	t.memory.users--
	t.memory = nil
	t.state, t.waited, t.killed = zombie, false, false
	k.Note("%d ended", t.tid)
	if !t.traced && t.tid != t.group.pid {
		k.forgetTask(t)
		return
	}
	k.settleGroup(t.group)
}

// letGo ends a vfork: the lender may go on (kernel/fork.c, mm_release).
func (k *Kernel) letGo(t *task) { t.lender = nil }

// endGroup makes the whole process end.
func (k *Kernel) endGroup(g *group, end End) {
	if g.ending {
		return
	}
	g.ending, g.end = true, end
	for _, t := range g.tasks {
		k.killTask(t)
	}
}

// killTask is a SIGKILL that arrives at one task: it leaves every stop and
// every sleep; a stop that was not reported yet never will be.
func (k *Kernel) killTask(t *task) {
	if t.state == zombie {
		return
	}
	t.killed = true
	if t.ending {
		// One that execve of another thread kills would leave a stop that was
		// reported, and the caller of execve could stop under the same id
		// before the tracer resumes it: no tracer can tell the two stops apart,
		// so that is left out here.
		if t.state == stopped && (t.group.ending || !t.waited) {
			t.leaveStop()
		}
		return
	}
	if t.state != running {
		t.then = nil
		if t.group.executing == t {
			t.group.executing = nil
		}
	}
	t.vforkChild = nil
	for _, borrower := range k.tasks {
		borrower.orphan = borrower.orphan || borrower.lender == t || borrower.maker == t
	}
	t.call.Phase = ptrace.OutsideSyscall
	t.leaveStop()
}

func (k *Kernel) execute(t *task) {
	pc := t.registers.Rip
	if t.memory.at(pc) == nil || pc-Code >= uint64(len(t.memory.program)) {
		k.fault("%d runs at %#x, where its program has nothing", t.tid, pc)
		k.endGroup(t.group, End{Signal: unix.SIGSEGV})
		return
	}
	if !t.resumeFlag && k.executeWatched(t, pc) {
		return
	}
	t.resumeFlag = false
	instruction := t.memory.program[pc-Code]
	t.registers.Rip++
	if *t.memory.at(pc) == int3 {
		if !t.traced && !t.orphan && instruction.Operation != Int3 {
			k.fault("%d is not traced and ran into a breakpoint at %#x", t.tid, pc)
		}
		t.trap(ptrace.TrapKernel)
		return
	}
	if k.Executing != nil && t.traced {
		k.Executing(t.tid, pc)
	}
	t.executed++
	if t.traced && t.callStops && instruction.Operation.isCall() {
		t.call = ptrace.Syscall{Phase: ptrace.SyscallEntry, Number: uint64(instruction.Operation)}
		k.stop(t, ptrace.Event{Kind: ptrace.SyscallStop, Signal: unix.SIGTRAP}, 0, func() {
			t.call.Phase = ptrace.OutsideSyscall
			// One that was killed at the entry does not make the call
			// (ptrace_report_syscall_entry).
			if !t.killed {
				k.perform(t, instruction)
			}
		})
		return
	}
	k.perform(t, instruction)
}

// perform executes an instruction.
func (k *Kernel) perform(t *task, instruction Instruction) {
	t.registers.OrigRax = ^uint64(0)
	if instruction.Operation.isCall() {
		t.registers.OrigRax = uint64(instruction.Operation)
	}
	// Only the outermost return to the program ends a step.
	finish := func() { k.finishCall(t) }
	switch instruction.Operation {
	case Store, Load:
		k.access(t, instruction)
		return
	case Clone, Fork, VFork, CloneProcess, VForkCopy, CloneWait, Share:
		k.makeTask(t, instruction, finish)
		return
	case Exec:
		k.startExec(t, int(instruction.Argument), finish)
		return
	case Exit:
		k.die(t, End{Status: int(instruction.Argument)})
		return
	case ExitGroup:
		k.endGroup(t.group, End{Status: int(instruction.Argument)})
		return
	case Raise:
		k.send(t.group, t, information{signal: unix.Signal(instruction.Argument), sent: true})
		finish()
		return
	case Pause:
		// It counts when it is over, which the handler does.
		t.executed--
		t.paused = true
		return
	case Jump:
		t.registers.Rip = Code + instruction.Argument
	}
	if t.stepping {
		t.debug[6] = 0
		t.trap(ptrace.TrapTrace)
	}
}

// finishCall is the end of a system call, where a step of it ends.
func (k *Kernel) finishCall(t *task) {
	if t.traced && t.callStops && !t.killed {
		t.call.Phase = ptrace.SyscallReturn
		k.stop(t, ptrace.Event{Kind: ptrace.SyscallStop, Signal: unix.SIGTRAP}, 0, func() { t.call.Phase = ptrace.OutsideSyscall })
		return
	}
	if t.stepping {
		t.trap(ptrace.TrapBreakpoint)
	}
}

// makeTask is kernel_clone: the child may run before its creator says so.
func (k *Kernel) makeTask(t *task, instruction Instruction, finish func()) {
	event := ptrace.Event{Kind: ptrace.Cloned, Signal: unix.SIGTRAP}
	g, m := t.group, t.memory
	switch instruction.Operation {
	case Fork, Share:
		event.Kind = ptrace.Forked
	case VFork, VForkCopy, CloneWait:
		event.Kind = ptrace.VForked
	}
	thread := instruction.Operation == Clone || instruction.Operation == CloneWait
	if !thread {
		g = &group{start: k.clock}
		if instruction.Operation != VFork && instruction.Operation != Share {
			m = m.copy()
		}
	}
	child := k.newTask(g, m)
	if g.pid == 0 {
		g.pid = child.tid
	}
	child.registers = t.registers
	child.registers.Rip = Code + instruction.Argument
	// ptrace_init_task
	// Of a process that shares memory with one that is not traced yet, who
	// attaches to that later cannot know.
	child.orphan = t.orphan || instruction.Operation == Share && !t.traced
	child.traced, child.interrupt, child.exitStops = t.traced, t.traced, t.exitStops
	child.stopPending = g == t.group && g.stop != 0
	k.Note("%d makes %d (%v)", t.tid, child.tid, instruction.Operation)
	if !thread {
		k.Births = append(k.Births, Birth{t.group.pid, t.tid, child.tid, event.Kind})
	}
	then := finish
	if instruction.Operation == Share {
		child.maker = t
	}
	if event.Kind == ptrace.VForked {
		child.lender = t
		then = func() { k.awaitVFork(t, child, finish) }
	}
	if !t.traced {
		// Who is attached to from here on reports nothing of this child.
		t.then = then
		return
	}
	t.then = func() { k.stop(t, event, uint64(child.tid), then) }
}

// awaitVFork is wait_for_vfork_done: nothing but SIGKILL ends it early.
func (k *Kernel) awaitVFork(t, child *task, finish func()) {
	if t.killed {
		return
	}
	t.state, t.vforkChild = sleeping, child
	t.then = func() {
		t.vforkChild = nil
		if t.killed {
			return
		}
		k.stop(t, ptrace.Event{Kind: ptrace.VForkDone, Signal: unix.SIGTRAP}, uint64(child.tid), finish)
	}
}

// startExec is execve up to the point where the others of the process have to
// be gone (fs/exec.c, de_thread).
func (k *Kernel) startExec(t *task, program int, finish func()) {
	g := t.group
	if g.ending || g.executing != nil {
		return
	}
	g.executing = t
	for _, other := range g.tasks {
		if other != t {
			k.killTask(other)
		}
	}
	t.state = sleeping
	t.then = func() { k.finishExec(t, program, finish) }
}

// finishExec gives the caller the id of the leader, who goes without a word,
// new memory, and no debug registers.
func (k *Kernel) finishExec(t *task, program int, finish func()) {
	g := t.group
	g.executing = nil
	if t.killed {
		return
	}
	former := t.tid
	if former != g.pid {
		k.Renamed = append(k.Renamed, former)
		delete(k.tasks, former)
		k.ids = slices.DeleteFunc(k.ids, func(tid int) bool { return tid == former })
		g.tasks = []*task{t}
		t.tid = g.pid
		k.tasks[t.tid] = t
	}
	t.memory.users--
	t.memory = newMemory(k.Programs[program])
	t.memory.users = 1
	t.debug, t.resumeFlag, t.orphan = [8]uint64{}, false, false
	t.registers = ptrace.Registers{Rip: Code, OrigRax: uint64(Exec)}
	k.letGo(t)
	t.then = func() { k.stop(t, ptrace.Event{Kind: ptrace.Execed, Signal: unix.SIGTRAP}, uint64(former), finish) }
}
