package ptrace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// EventKind tells apart what a wait status can mean for a seized tracee.
type EventKind uint8

// The kinds of events, from wait(2) and the "Stopped tracees" section of
// ptrace(2).
const (
	// NoEvent is the zero value: nothing was reported.
	NoEvent EventKind = iota
	// Exited: the thread is gone after exit(2); Status holds its status. For
	// the leader of a thread group it is the end of the process.
	Exited
	// Killed: the thread is gone by Signal.
	Killed
	// SignalStop: Signal is about to be delivered (signal-delivery-stop).
	// A breakpoint, a step or a watchpoint is a SIGTRAP of this kind.
	SignalStop
	// GroupStop: the thread takes part in a job-control stop by Signal.
	GroupStop
	// InterruptStop: PTRACE_INTERRUPT took effect, or a new thread or child
	// arrived, or the end of a group stop is announced.
	InterruptStop
	// Forked, VForked and Cloned: the thread made a new task, whose id is the
	// event message. The kernel says Forked for an exit signal of SIGCHLD,
	// VForked for CLONE_VFORK, Cloned for the rest: what the child is must be
	// read from its thread group.
	Forked
	VForked
	Cloned
	// VForkDone: the child of a vfork has let go of the parent's memory.
	VForkDone
	// Execed: execve succeeded. All other threads of the group are gone; the
	// event message is the id that the calling thread had before.
	Execed
	// Exiting: the thread is on its way out (PTRACE_EVENT_EXIT); the event
	// message is its wait status.
	Exiting
	// SyscallStop: entry to or exit from a system call under PTRACE_SYSCALL.
	SyscallStop
	// SeccompStop: a seccomp filter returned SECCOMP_RET_TRACE.
	SeccompStop
)

var eventNames = [...]string{"none", "exited", "killed", "signal", "group stop", "interrupted", "forked",
	"vforked", "cloned", "vfork done", "exec'd", "exiting", "syscall", "seccomp"}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Event is one decoded report of wait4(2).
type Event struct {
	// TID is the kernel's id of the thread that it is about.
	TID int
	// Kind says what happened.
	Kind EventKind
	// Signal is the signal of Killed, SignalStop and GroupStop, in the
	// kernel's numbering.
	Signal unix.Signal
	// Status is the exit status of Exited, 0 to 255.
	Status int
}

// Ended tells whether the thread no longer exists.
func (e Event) Ended() bool { return e.Kind == Exited || e.Kind == Killed }

func (e Event) String() string {
	switch e.Kind {
	case Exited:
		return fmt.Sprintf("%d exited with status %d", e.TID, e.Status)
	case Killed, SignalStop, GroupStop:
		return fmt.Sprintf("%d %v by signal %d", e.TID, e.Kind, int(e.Signal))
	}
	return fmt.Sprintf("%d %v", e.TID, e.Kind)
}

// stopEvents maps the PTRACE_EVENT_* number of a status's third byte.
var stopEvents = [...]EventKind{
	unix.PTRACE_EVENT_FORK:       Forked,
	unix.PTRACE_EVENT_VFORK:      VForked,
	unix.PTRACE_EVENT_CLONE:      Cloned,
	unix.PTRACE_EVENT_VFORK_DONE: VForkDone,
	unix.PTRACE_EVENT_EXEC:       Execed,
	unix.PTRACE_EVENT_EXIT:       Exiting,
	unix.PTRACE_EVENT_SECCOMP:    SeccompStop,
}

// syscallTrap is the stop signal of a syscall stop under
// PTRACE_O_TRACESYSGOOD.
const syscallTrap = unix.SIGTRAP | 0x80

// DecodeStatus turns a status word of wait4(2) into an event. The layout is
// that of <bits/waitstatus.h>; the third byte is the PTRACE_EVENT_* number.
func DecodeStatus(tid int, status uint32) Event {
	event := Event{TID: tid}
	low := status & 0x7f
	switch {
	case low == 0:
		event.Kind, event.Status = Exited, int(status>>8&0xff)
	case low != 0x7f:
		event.Kind, event.Signal = Killed, unix.Signal(low)
	default:
		event.Signal = unix.Signal(status >> 8 & 0xff)
		number := status >> 16 & 0xff
		switch {
		case number == unix.PTRACE_EVENT_STOP && event.Signal == unix.SIGTRAP:
			event.Kind = InterruptStop
		case number == unix.PTRACE_EVENT_STOP:
			event.Kind = GroupStop
		case number != 0 && int(number) < len(stopEvents) && stopEvents[number] != NoEvent:
			event.Kind = stopEvents[number]
		case event.Signal == syscallTrap:
			event.Kind, event.Signal = SyscallStop, unix.SIGTRAP
		default:
			event.Kind = SignalStop
		}
	}
	return event
}
