package threads

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Events says which events of processes the client wants to be told; the
// others are dealt with in silence, and the children let go.
type Events struct {
	Fork, VFork, Exec bool
	// Threads are the beginning and the end of every thread.
	Threads bool
}

// SignalSet holds signals in the kernel's numbering, 1 to 64.
type SignalSet uint64

// Add puts a signal in.
func (s *SignalSet) Add(signal unix.Signal) {
	if signal >= 1 && signal <= 64 {
		*s |= 1 << (signal - 1)
	}
}

// Has tells whether a signal is in.
func (s SignalSet) Has(signal unix.Signal) bool {
	return signal >= 1 && signal <= 64 && s&(1<<(signal-1)) != 0
}

// AllSignals holds every signal.
const AllSignals = ^SignalSet(0)

// Table is every process under debugging. It is not safe for concurrent use:
// the tracer's goroutine owns it.
type Table struct {
	// Events are the ones to report.
	Events Events
	// Pass are the signals that go to the program without a report.
	Pass SignalSet
	// Program are the signals that a detached program is given when it was
	// stopped by one and has not had it yet.
	Program SignalSet

	kernel    Kernel
	processes []*Process
	lwps      map[int]*LWP
	// early keeps the first stop of a child that came before its creator's
	// report of it.
	early map[int]ptrace.Event
	// lost is when LWPs went last that may have made a child and not told of it;
	// see noteLoss.
	lost time.Duration
	// departed is memory that the table uses no more, kept for its breakpoints:
	// a child that is not known yet may have a copy of them.
	departed []*image
	// ended are processes that are gone and not yet reported.
	ended []Stop
	// news says that something may have come up that is to be reported.
	news bool
	// siginfo is scratch room for the trap that is being looked at.
	siginfo ptrace.Siginfo
	// queue is scratch room for the signals that wait for a thread.
	queue [4]ptrace.Siginfo
	// running and held count the LWPs in lwpRunning and lwpHeld.
	running, held int
	// stopping says that every LWP that stops is to stay stopped.
	stopping bool
	// nonStop is the mode; what follows is used in it alone. told is what was
	// reported last, which the client has not taken in yet if unacknowledged is
	// set. resumed says that after that report somebody was left who could
	// report more. unsettled says that there is something to be put in order
	// while everything is stopped: a creator may have been killed before it
	// could tell of its child, or memory be shared no more.
	nonStop        bool
	told           Stop
	unacknowledged bool
	resumed        bool
	unsettled      bool
	// interrupted says that the client asked for a stop.
	interrupted bool
	// insisting says that it has asked twice, or by Insist.
	insisting bool
	// latest is the process that was launched or attached to last.
	latest int
	// turn is the id of the LWP that was reported last, so that each gets its
	// turn when several have something to tell.
	turn int
	// owing says that there may be an LWP that has to step over a breakpoint
	// before it runs on.
	owing bool
	// over is the LWP that steps over a breakpoint, or is about to once the
	// others have stopped.
	over *LWP
	// overTurn is the id of the last one that did.
	overTurn int
	// quiet is the memory whose other LWPs stay stopped meanwhile.
	quiet *image
	// unwatched counts the processes that the client has let go and that stay
	// traced, background their LWPs among the running ones.
	unwatched, background int
	// attending says that only those are to go on that the client does not see.
	attending bool
	// leaving are threads that were dying when their process was let go.
	leaving map[int]bool
	// likely is the thread that will probably report next.
	likely int
}

// NewTable makes an empty table over a kernel.
func NewTable(kernel Kernel) *Table {
	return &Table{kernel: kernel, lwps: map[int]*LWP{}, early: map[int]ptrace.Event{}, lost: -1,
		Program: AllSignals, likely: ptrace.AnyThread}
}

// Processes are all that the client has, oldest first. The slice is the table's
// own.
func (t *Table) Processes() []*Process {
	if t.unwatched == 0 {
		return t.processes
	}
	return slices.DeleteFunc(slices.Clone(t.processes), func(process *Process) bool { return process.unwatched })
}

// Process finds one of them by its id; nil if there is none.
func (t *Table) Process(pid int) *Process {
	if process := t.find(pid); process != nil && !process.unwatched {
		return process
	}
	return nil
}

// Over tells whether the client has no process any more and was told of the end
// of each.
func (t *Table) Over() bool { return len(t.processes) == t.unwatched && len(t.ended) == 0 }

// ForgetEnd drops the end of a process that the client was not told of yet and
// need not be, since it wants to end or leave the process itself. The answer is
// whether there was one.
func (t *Table) ForgetEnd(pid int) bool { return t.forgetEnded(pid) }

// ForgetEnds is ForgetEnd for all processes, for a client that wants none any more.
func (t *Table) ForgetEnds() { t.ended = nil }

func (t *Table) find(pid int) *Process {
	for _, process := range t.processes {
		if process.PID == pid {
			return process
		}
	}
	return nil
}

// LWP finds one of their threads by its id; nil if there is none.
func (t *Table) LWP(tid int) *LWP {
	if lwp := t.lwps[tid]; lwp != nil && !lwp.Process.unwatched {
		return lwp
	}
	return nil
}

// enter and leave keep count of the LWPs that are not stopped.
func (t *Table) enter(lwp *LWP, state lwpState) {
	t.leave(lwp)
	lwp.state = state
	switch state {
	case lwpRunning:
		t.running++
		if lwp.Process.unwatched {
			t.background++
		}
	case lwpHeld:
		t.held++
	}
}

func (t *Table) leave(lwp *LWP) {
	switch lwp.state {
	case lwpRunning:
		t.running--
		if lwp.Process.unwatched {
			t.background--
		}
	case lwpHeld:
		t.held--
	}
	lwp.state = lwpStopped
}

func (t *Table) addProcess(pid int, space *AddressSpace) *Process {
	process := &Process{PID: pid, table: t, space: space}
	t.processes = append(t.processes, process)
	return process
}

// removeProcess forgets a process and all that is left of its LWPs.
func (t *Table) removeProcess(process *Process) {
	for _, lwp := range slices.Clone(process.lwps) {
		process.removeLWP(lwp)
	}
	if i := slices.Index(t.processes, process); i >= 0 {
		t.processes = slices.Delete(t.processes, i, i+1)
	}
	process.removed = true
	// Who has been let go or killed is nobody to wait for any more.
	t.resumed = t.resumed && t.anyResumed()
	for _, other := range t.processes {
		if other.vforkParent == process {
			other.vforkParent, other.vforkCreator = nil, nil
		}
	}
	if process.unwatched {
		t.unwatched--
	}
	t.noteLoss()
	t.releaseSpace(process.space)
}

// releaseSpace gives up a process's part in its memory.
func (t *Table) releaseSpace(space *AddressSpace) {
	const remembered = 8
	if len(space.image.below) > 0 && space.users == 1 && space.image.spaces == 1 {
		if len(t.departed) == remembered {
			t.departed = slices.Delete(t.departed, 0, 1)
		}
		t.departed = append(t.departed, space.image)
	}
	space.release()
	if t.nonStop && (t.unwatched > 0 || space.image.stale) {
		t.unsettled = true
	}
}

// gone tells whether an error only says that a task has been killed, which the
// kernel's reports say better.
func gone(err error) bool {
	return errors.Is(err, ptrace.ErrGone) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT)
}

// Last is the LWP that was reported last; nil when it is gone or there was
// none.
func (t *Table) Last() *LWP { return t.LWP(t.turn) }

// UnreportedChildren are the children of a process that the client was not
// told of yet.
func (t *Table) UnreportedChildren(process *Process) []*Process {
	var children []*Process
	for _, lwp := range process.lwps {
		if kind := lwp.pending.Kind; kind == Forked || kind == VForked {
			if child := t.find(lwp.pending.Child); child != nil {
				children = append(children, child)
			}
		}
	}
	return children
}
