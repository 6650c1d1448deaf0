package threads

import (
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Process is one traced process.
type Process struct {
	// PID is its id, the thread id of its leader.
	PID int
	// Attached says that it ran before and was not launched here; a child has
	// its parent's answer. Such a process is let go rather than killed when
	// the client vanishes.
	Attached bool

	table    *Table
	lwps     []*LWP
	space    *AddressSpace
	hardware HardwarePoints
	// syscalls are the system calls that are caught.
	syscalls SyscallSet
	// vforkParent is the process that is held for it, and in whose memory it
	// usually runs.
	vforkParent *Process
	// vforkCreator is the LWP of vforkParent that is held.
	vforkCreator *LWP
	// stopTold says that the client knows of the job-control stop in force.
	stopTold bool
	// unstopped says that the client had it run on out of a job-control stop
	// that is still in force.
	unstopped bool
	// unreported says that the client was not told of its birth yet; until
	// then nothing that the client asks concerns it.
	unreported bool
	// unwatched says that the client has let it go; see unwatch.
	unwatched bool
	// left says that it is unwatched because it was left behind; see
	// Table.Leave.
	left bool
	// threaded says that it has ever had several LWPs.
	threaded bool
	// parting says that it is let go as soon as the kernel lets its LWPs stop.
	parting bool
	// removed says that it is in the table no more.
	removed bool
}

// LWPs are its threads, oldest first. The slice is the table's own.
func (p *Process) LWPs() []*LWP { return p.lwps }

// LWP finds a thread of it; nil if there is none.
func (p *Process) LWP(tid int) *LWP {
	if lwp := p.table.lwps[tid]; lwp != nil && lwp.Process == p {
		return lwp
	}
	return nil
}

// FirstLWP is the leader, or where that is ending the oldest thread that is
// not; nil when all are ending.
func (p *Process) FirstLWP() *LWP {
	for _, lwp := range p.lwps {
		if lwp.state != lwpEnding {
			return lwp
		}
	}
	return nil
}

// borrows tells whether it runs in the memory of the process that is held for
// it.
func (p *Process) borrows() bool { return p.vforkParent != nil && p.vforkParent.space == p.space }

// Unreported tells whether the client was not told yet that a process of its
// made this one, which stays stopped until then.
func (p *Process) Unreported() bool { return p.unreported }

// Memory is its address space, without the breakpoints in it.
func (p *Process) Memory() *AddressSpace { return p.space }

// Executable is the name of the file that it runs.
func (p *Process) Executable() (string, error) {
	// The leader's link is empty once it has ended; any thread has one.
	tid := p.PID
	if lwp := p.FirstLWP(); lwp != nil {
		tid = lwp.TID
	}
	return p.table.kernel.Executable(tid)
}

// InsertHardware takes debug registers in every LWP for the bytes from address
// on; the length is ignored for a breakpoint. The error is
// ErrDebugRegistersFull, a refused length, or the kernel's for an address that
// cannot be watched; then nothing is left changed. All hits are reported.
func (p *Process) InsertHardware(kind HardwareKind, address, length uint64) error {
	return p.whileStopped(func() error { return p.insertHardware(kind, address, length, Judge{}) })
}

// InsertHardwareJudged is InsertHardware for a breakpoint, with a judge of its
// hits, which replaces the one that it had.
func (p *Process) InsertHardwareJudged(address uint64, judge Judge) error {
	return p.whileStopped(func() error { return p.insertHardware(HardwareExecute, address, 1, judge) })
}

func (p *Process) insertHardware(kind HardwareKind, address, length uint64, judge Judge) error {
	if p.removed {
		return &ptrace.Error{Operation: "watch", TID: p.PID, Errno: unix.ESRCH}
	}
	var value []byte
	if kind == HardwareRead {
		value = make([]byte, min(length, 64))
		if _, err := p.space.Read(address, value); err != nil {
			return err
		}
	}
	if err := p.hardware.insert(kind, address, length, value); err != nil {
		return err
	}
	// One LWP tells whether the kernel takes it; the others follow when they
	// are resumed.
	for _, lwp := range p.lwps {
		if lwp.state != lwpStopped {
			continue
		}
		if err := lwp.applyHardware(); err != nil {
			p.hardware.remove(kind, address, length)
			return err
		}
		break
	}
	p.hardware.setJudge(kind, address, length, judge)
	return nil
}

// RemoveHardware gives them back. What is not there is removed already. The
// error is one of stopping the LWPs that run.
func (p *Process) RemoveHardware(kind HardwareKind, address, length uint64) error {
	return p.whileStopped(func() error {
		p.hardware.remove(kind, address, length)
		return nil
	})
}

// options are the trace options of one of its threads, which inherits those of
// its creator.
func (p *Process) options(tid int) int {
	options := ptrace.Options
	if tid == p.PID {
		options = ptrace.LeaderOptions
	}
	if !p.Attached {
		options |= ptrace.KillOnExit
	}
	return options
}

func (p *Process) addLWP(tid int) *LWP {
	lwp := &LWP{TID: tid, Process: p, table: p.table}
	p.lwps = append(p.lwps, lwp)
	p.threaded = p.threaded || len(p.lwps) > 1
	p.table.lwps[tid] = lwp
	return lwp
}

func (p *Process) removeLWP(lwp *LWP) {
	if i := slices.Index(p.lwps, lwp); i >= 0 {
		p.lwps = slices.Delete(p.lwps, i, i+1)
	}
	if p.table.lwps[lwp.TID] == lwp {
		delete(p.table.lwps, lwp.TID)
	}
	p.table.leave(lwp)
	p.table.endStepOver(lwp)
	if p.table.nonStop && len(p.table.early) > 0 {
		p.table.unsettled = true
	}
}

// openSpace opens the memory of a process through a thread that has one.
func (t *Table) openSpace(tid int) (*AddressSpace, error) {
	memory, err := t.kernel.OpenMemory(tid)
	if err != nil {
		return nil, err
	}
	space := newAddressSpace(memory)
	// Without a name nothing is found by it.
	space.image.program, _ = t.kernel.Executable(tid)
	return space, nil
}

var _ Kernel = Live{(*ptrace.Tracer)(nil)}
