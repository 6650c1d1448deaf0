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
	// Exited: the process is gone, with Status.
	Exited
	// Killed: the process is gone, by Signal.
	Killed
	// NoResumed: no LWP is running any more, and none has anything to tell.
	NoResumed
)

var stopNames = [...]string{"nothing", "signalled", "interrupted", "stepped", "breakpoint", "hardware breakpoint",
	"watchpoint", "group-stopped", "forked", "vforked", "vfork-done", "exec'd", "exited", "killed", "none resumed"}

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
	// LWP is the one that stopped; nil when the process is gone.
	LWP *LWP
	// Signal is set for Signalled, GroupStopped and Killed.
	Signal unix.Signal
	// Status is the exit status of Exited.
	Status int
	// Child is the id of the new process of Forked and VForked.
	Child int
	// Address is the watched address of Watchpoint, the pc of a breakpoint.
	Address uint64
	// Access is what kind of watchpoint was hit.
	Access HardwareKind
}

// Ended tells whether the process is gone.
func (s Stop) Ended() bool { return s.Kind == Exited || s.Kind == Killed }

// endsSyscall tells whether a client that has been told of a stop takes the
// system call that it happened in as executed: stepping on, it wants to stop
// behind that, which is where the pc is already.
func (s Stop) endsSyscall() bool { return s.Kind == Forked || s.Kind == VForked || s.Kind == VForkDone }
