package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Scheduler decides what the kernel leaves open.
type Scheduler interface {
	// Run chooses the task that goes on, of at least one.
	Run(tids []int) int
	// Report chooses the task that a wait tells of, or none (-1) when others
	// shall run first, which only may be answered if others can.
	Report(tids []int, othersRun bool) int
	// Elapse is how many steps pass before a call of the tracer takes effect.
	Elapse() int
	// SkipsExitStop tells whether a task that was killed leaves out
	// PTRACE_EVENT_EXIT.
	SkipsExitStop() bool
	// Disturbance is a signal that comes from outside: 0 for none now.
	Disturbance() unix.Signal
	// Input tells whether a wait is broken off although nothing is blocked.
	Input() bool
	// Choose draws a number below n.
	Choose(n int) int
}

// Random is a scheduler that draws from a seeded source.
type Random struct {
	*rand.Rand
	// Kill, Stop, Proceed and Handled are how often, in 10,000 steps, a
	// SIGKILL, SIGSTOP, SIGCONT or SIGUSR1 comes from outside.
	Kill, Stop, Proceed, Handled int
}

func (r *Random) Run(tids []int) int { return tids[r.IntN(len(tids))] }

func (r *Random) Report(tids []int, othersRun bool) int {
	if othersRun && r.IntN(2) == 0 {
		return -1
	}
	return tids[r.IntN(len(tids))]
}

func (r *Random) Elapse() int {
	if r.IntN(3) > 0 {
		return 0
	}
	return r.IntN(6)
}

func (r *Random) SkipsExitStop() bool { return r.IntN(4) == 0 }

func (r *Random) Disturbance() unix.Signal {
	n := r.IntN(10000)
	for _, chance := range [...]struct {
		often  int
		signal unix.Signal
	}{{r.Kill, unix.SIGKILL}, {r.Stop, unix.SIGSTOP}, {r.Proceed, unix.SIGCONT}, {r.Handled, unix.SIGUSR1}} {
		if n -= chance.often; n < 0 {
			return chance.signal
		}
	}
	return 0
}

func (r *Random) Input() bool { return r.IntN(20) == 0 }

func (r *Random) Choose(n int) int { return r.IntN(n) }

// Priority is a scheduler that lets the task that comes first in Order go
// first, and tells of it first; the others follow by their ids.
type Priority struct {
	Order []int
	// Late says that a wait tells of nothing while any task can run.
	Late bool
	// Turns says that tasks run in turn instead, one thing each.
	Turns bool
	// SkipExitStops is the answer of SkipsExitStop.
	SkipExitStops bool

	last int
}

func (p *Priority) rank(tid int) int {
	if i := slices.Index(p.Order, tid); i >= 0 {
		return i
	}
	return len(p.Order) + tid
}

func (p *Priority) Run(tids []int) int {
	if p.Turns {
		after := slices.IndexFunc(tids, func(tid int) bool { return tid > p.last })
		p.last = tids[max(after, 0)]
		return p.last
	}
	return p.first(tids)
}

func (p *Priority) first(tids []int) int {
	return slices.MinFunc(tids, func(a, b int) int { return p.rank(a) - p.rank(b) })
}

func (p *Priority) Report(tids []int, othersRun bool) int {
	if p.Late && othersRun {
		return -1
	}
	return p.first(tids)
}

func (p *Priority) Elapse() int              { return 0 }
func (p *Priority) SkipsExitStop() bool      { return p.SkipExitStops }
func (p *Priority) Disturbance() unix.Signal { return 0 }
func (p *Priority) Input() bool              { return false }
func (p *Priority) Choose(n int) int         { return 0 }

// End is how a process ended.
type End struct {
	PID int
	// Status is the exit status, unless Signal is set.
	Status int
	Signal unix.Signal
}

// Birth is a process that another one made.
type Birth struct {
	// Creator is the thread of Parent that made it.
	Parent, Creator, Child int
	Kind                   ptrace.EventKind
}

// Kernel is the simulated kernel. It is not safe for concurrent use.
type Kernel struct {
	// Programs are those that Launch and Exec can run.
	Programs []Program
	// Ends and Births are what happened to processes, in order; Execs are the
	// processes whose executions of another program were reported to a wait.
	Ends   []End
	Births []Birth
	Execs  []int
	// Renamed are the threads that took their leader's id to execute a program.
	Renamed []int
	// Faults are the tracer's mistakes.
	Faults []string
	// Resumed is called before a traced task goes on, if it is set.
	Resumed func(tid int)
	// Delivered is called, if it is set, when a tracer decides on a signal that
	// was sent, or injects one after a trap: the task goes on with the injected
	// one, 0 for none.
	Delivered func(tid int, stoppedBy, injected unix.Signal)
	// Executing is called, if it is set, before a traced task executes an
	// instruction.
	Executing func(tid int, pc uint64)

	scheduler Scheduler
	tasks     map[int]*task
	// ids are those of tasks in the order of their making, without the dead.
	ids   []int
	next  int
	clock time.Duration
	trace []string
}

// FirstID is the id of the first task. Ids meet exit statuses as they do in a
// container, since a status can be taken for the id of a new task.
const FirstID = 7

// NewKernel makes one without processes.
func NewKernel(scheduler Scheduler, programs []Program) *Kernel {
	return &Kernel{scheduler: scheduler, Programs: programs, tasks: map[int]*task{}, next: FirstID}
}

func (k *Kernel) fault(format string, arguments ...any) {
	k.Faults = append(k.Faults, fmt.Sprintf(format, arguments...))
	k.Note("FAULT: %s", k.Faults[len(k.Faults)-1])
}

// Note adds a line to the trace.
func (k *Kernel) Note(format string, arguments ...any) {
	k.trace = append(k.trace, fmt.Sprintf(format, arguments...))
}

// Trace is what happened, a line each.
func (k *Kernel) Trace() []string { return k.trace }

// elapse lets time pass before a call of the tracer.
func (k *Kernel) elapse() {
	for range k.scheduler.Elapse() {
		k.Tick()
	}
}

// Tick lets one task do one thing; false when none can.
func (k *Kernel) Tick() bool {
	if signal := k.scheduler.Disturbance(); signal != 0 {
		k.disturb(signal)
	}
	var ready []int
	for _, tid := range k.ids {
		if k.tasks[tid].ready() {
			ready = append(ready, tid)
		}
	}
	if len(ready) == 0 {
		return false
	}
	k.clock++
	k.run(k.tasks[k.scheduler.Run(ready)])
	return true
}

func (k *Kernel) disturb(signal unix.Signal) {
	var groups []*group
	for _, tid := range k.ids {
		if g := k.tasks[tid].group; !slices.Contains(groups, g) && !g.ending {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return
	}
	g := groups[k.scheduler.Choose(len(groups))]
	k.Note("outside: signal %d to process %d", signal, g.pid)
	k.send(g, nil, information{signal: signal})
}

func (k *Kernel) canRun() bool {
	for _, tid := range k.ids {
		if k.tasks[tid].ready() {
			return true
		}
	}
	return false
}

// Start makes a process that nobody traces and returns its id.
func (k *Kernel) Start(program int) int {
	g := &group{start: k.clock}
	t := k.newTask(g, newMemory(k.Programs[program]))
	g.pid = t.tid
	t.registers.Rip = Code
	return t.tid
}

// Untraced tells of a process how many of its tasks are not traced and have
// not ended, and how many are traced.
func (k *Kernel) Untraced(pid int) (untraced, traced int) {
	for _, t := range k.tasks {
		switch {
		case t.group.pid != pid || t.state == zombie:
		case t.traced:
			traced++
		default:
			untraced++
		}
	}
	return untraced, traced
}

// TaskState is what a test asks of a task.
type TaskState struct {
	TID, PID int
	Traced   bool
	// Stopped: in a ptrace-stop that was reported. Dying: killed, or past the
	// decision to end. Held: waiting for its vfork child. Listening: left in a
	// group stop by PTRACE_LISTEN. Ended: a zombie.
	Stopped, Dying, Held, Listening, Ended bool
	// JobStopped: in a job-control stop that no tracer has a part in.
	JobStopped bool
	PC         uint64
	// Executed counts the instructions that it has completed, with the entry
	// to a signal handler.
	Executed int
	// Sent says that its last signal stop is for a signal that was sent, not
	// for a trap.
	Sent bool
	// Call is the operation of the system call that it is in.
	Call uint64
	// Orphan: it runs in memory that was lent by a task that was killed since.
	// If several had borrowed it, nobody knows any more who uses it.
	Orphan bool
	// DebugControl is its DR7.
	DebugControl uint64
}

// Task tells the state of one task; false when there is none.
func (k *Kernel) Task(tid int) (TaskState, bool) {
	t := k.tasks[tid]
	if t == nil {
		return TaskState{}, false
	}
	return TaskState{TID: tid, PID: t.group.pid, Traced: t.traced, Stopped: t.state == stopped && t.waited && !t.listening,
		Dying: t.killed || t.ending || t.state == zombie, Held: t.vforkChild != nil, Listening: t.listening,
		Ended: t.state == zombie, JobStopped: t.state == jobStopped, PC: t.registers.Rip, Executed: t.executed,
		Call: t.registers.OrigRax, Sent: t.information.sent, Orphan: t.orphan, DebugControl: t.debug[7]}, true
}

// TaskIDs are the ids of all tasks, oldest first.
func (k *Kernel) TaskIDs() []int { return slices.Clone(k.ids) }

// CodeBytes returns the text of a task's memory with what its program has
// there; nil when it has ended.
func (k *Kernel) CodeBytes(tid int) (now, original []byte) {
	t := k.tasks[tid]
	if t == nil || t.memory == nil {
		return nil, nil
	}
	return t.memory.code, t.memory.program.bytes()
}

// ShareMemory tells whether two tasks use one address space.
func (k *Kernel) ShareMemory(one, other int) bool {
	a, b := k.tasks[one], k.tasks[other]
	return a != nil && b != nil && a.memory != nil && a.memory == b.memory
}

// Uses tells whether a task uses the address space that a Memory was opened on:
// not after it has begun to execute another program.
func (k *Kernel) Uses(tid int, memory *Memory) bool {
	t := k.tasks[tid]
	return t != nil && t.memory == memory.memory
}

// KillFromOutside sends SIGKILL to a process as somebody else would.
func (k *Kernel) KillFromOutside(pid int) {
	if t := k.tasks[pid]; t != nil {
		k.Note("outside: kill process %d", pid)
		k.send(t.group, nil, information{signal: unix.SIGKILL})
	}
}
