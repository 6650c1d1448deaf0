package threads

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// StopKind says why an LWP or a process is reported.
type StopKind uint8

// The event vocabulary.
const (
	// NoStop is the zero value: nothing to report.
	NoStop StopKind = iota
	// Signalled: Signal is about to be delivered.
	Signalled
	// Interrupted: the client asked for the stop.
	Interrupted
	// Stepped: the single step, or the range step, is done.
	Stepped
	// Breakpoint: an int3 was executed; the pc is back at it.
	Breakpoint
	// HardwareBreakpoint: the pc is at the address in a debug register.
	HardwareBreakpoint
	// Watchpoint: an access to Address was made, of the Access kind.
	Watchpoint
	// GroupStopped: job control stopped the process by Signal.
	GroupStopped
	// Forked and VForked: Child is a new process, stopped.
	Forked
	VForked
	// VForkDone: the vfork child no longer uses the process's memory.
	VForkDone
	// Execed: the process executes another program.
	Execed
	// SyscallEntry and SyscallReturn: the LWP is about to make a system call that
	// is caught, or has made it; LWP.Syscall has the details.
	SyscallEntry
	SyscallReturn
	// Created: the LWP is new and has not executed an instruction.
	Created
	// Cloned: the LWP has made the thread Child of its process, which has not
	// executed an instruction.
	Cloned
	// ThreadExited: the thread Child is gone, with Status or by Signal, and
	// others of its process are not.
	ThreadExited
	// Exited: the process is gone, with Status.
	Exited
	// Killed: the process is gone, by Signal.
	Killed
	// NoResumed: no LWP is running any more, and none has anything to tell.
	NoResumed
	// Halted: the client told the LWP to stop, and nothing else did.
	Halted
)

var stopNames = [...]string{"nothing", "signalled", "interrupted", "stepped", "breakpoint", "hardware breakpoint",
	"watchpoint", "group-stopped", "forked", "vforked", "vfork-done", "exec'd", "system call", "system call's return",
	"created", "cloned", "thread exited", "exited", "killed", "none resumed", "halted"}

func (k StopKind) String() string {
	if int(k) < len(stopNames) {
		return stopNames[k]
	}
	return fmt.Sprintf("stop %d", uint8(k))
}

// Stop is one thing to tell the client.
type Stop struct {
	Kind StopKind
	// PID is the process that it is about.
	PID int
	// LWP is the one that stopped; nil when it or the process is gone.
	LWP *LWP
	// Signal is set for Signalled, GroupStopped and Killed, and for ThreadExited
	// by a signal.
	Signal unix.Signal
	// Status is the exit status of Exited and ThreadExited.
	Status int
	// Child is the id of the new process of Forked and VForked, and of the
	// thread of Cloned and ThreadExited.
	Child int
	// Syscall is the number of SyscallEntry and SyscallReturn.
	Syscall uint64
	// Address is the watched address of Watchpoint, the pc of a breakpoint.
	Address uint64
	// Access is what kind of watchpoint was hit.
	Access HardwareKind

	// last is the LWP by whose end the process ended.
	last *LWP
}

// Ended tells whether the process is gone.
func (s Stop) Ended() bool { return s.Kind == Exited || s.Kind == Killed }

// endsSyscall tells whether a client that has been told of a stop takes the
// system call that it happened in as executed: stepping on, it wants to stop
// behind that, which is where the pc is already.
func (s Stop) endsSyscall() bool {
	switch s.Kind {
	case Forked, VForked, VForkDone, Cloned, SyscallEntry:
		return true
	}
	return false
}
