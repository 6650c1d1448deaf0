package threads

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Detach lets a process that in all-stop is stopped go on as if it had never
// been traced: no breakpoint in its memory, no debug register set, each signal
// delivered that it was stopped by and has not had. The process is out of the table then, and
// its children that were not reported yet are let go too.
//
// Where a vfork child shares the memory of the process and stays, it goes
// without breakpoints until it executes a program. One that shares its memory
// with another process that stays is not let go but stays traced, unseen.
func (t *Table) Detach(process *Process) error {
	return process.whileStopped(func() error {
		err := t.detach(process)
		if err == nil {
			t.forgetEnded(process.PID)
		}
		return err
	})
}

func (t *Table) detach(process *Process) error {
	if process.removed {
		// It ended while the others were stopped.
		return nil
	}
	for _, lwp := range process.lwps {
		if lwp.state == lwpRunning {
			return ErrRunning{lwp.TID}
		}
	}
	shared := process.left || t.isShared(process)
	for _, other := range t.processes {
		// Before its creator was resumed the child does not hold anybody.
		if !shared && other.vforkParent == process && !other.unwatched && (other.vforkCreator == nil || other.vforkCreator.state == lwpHeld) {
			return fmt.Errorf("process %d waits for its vfork child %d, which is stopped; detach that first",
				process.PID, other.PID)
		}
	}
	for _, child := range t.UnreportedChildren(process) {
		if err := t.Detach(child); err != nil {
			return err
		}
	}
	if shared {
		return t.unwatch(process)
	}
	// Breakpoints that cannot be taken out lie in memory that is gone.
	_ = process.space.image.lift()
	if process.borrows() {
		process.space.image.borrowers = append(process.space.image.borrowers, process.PID)
	}
	return errors.Join(t.letSharersGo(process), t.letGo(process))
}

// letGo is Detach for one that does not have to stay. An LWP that the kernel
// holds for its vfork child can be neither stopped nor let go: it is as soon as
// the child is done, and the process stays in the table that long, unwatched.
func (t *Table) letGo(process *Process) error {
	if !process.borrows() {
		// Nothing of it may come back into what others share.
		process.space.removeAll()
	}
	process.hardware = HardwarePoints{version: process.hardware.version + 1}
	if err := t.endUnstopped(process); err != nil {
		return err
	}
	var failures []error
	for _, lwp := range slices.Clone(process.lwps) {
		switch lwp.state {
		case lwpStopped:
			failures = append(failures, t.detachLWP(lwp))
		case lwpEnding:
			t.noteLeaving(lwp.TID)
		}
		if lwp.state != lwpHeld {
			process.removeLWP(lwp)
		}
	}
	if len(process.lwps) == 0 {
		t.removeProcess(process)
		return errors.Join(failures...)
	}
	t.disregard(process)
	process.parting = true
	return errors.Join(failures...)
}

// part lets an LWP go that was held when its process was let go.
func (t *Table) part(lwp *LWP) error {
	process := lwp.Process
	err := t.detachLWP(lwp)
	process.removeLWP(lwp)
	if len(process.lwps) == 0 {
		t.removeProcess(process)
	}
	return err
}

// Finish waits until the last LWP is let go that the kernel holds for its vfork
// child though its process was let go. A tracer that ends before would take a
// launched program with it (PTRACE_O_EXITKILL).
func (t *Table) Finish() error {
	return t.pause(t.awaitParting)
}

// Parting tells whether Finish would wait.
func (t *Table) Parting() bool {
	return slices.ContainsFunc(t.processes, func(process *Process) bool { return process.parting })
}

func (t *Table) awaitParting() error {
	t.stopping = true
	for t.Parting() {
		event, err := t.kernel.WaitFor(ptrace.AnyThread)
		if err != nil {
			return err
		}
		if err := t.handle(event); err != nil {
			return err
		}
	}
	if t.running > 0 {
		return nil
	}
	return t.settleOrphans()
}

// endUnstopped takes a process out of the job-control stop that the client has
// continued from: the kernel would stop it again for that (kernel/ptrace.c,
// __ptrace_unlink).
func (t *Table) endUnstopped(process *Process) error {
	if !process.unstopped {
		return nil
	}
	err := t.kernel.SignalProcess(process.PID, unix.SIGCONT)
	if errors.Is(err, ptrace.ErrGone) {
		return nil
	}
	return err
}

func (t *Table) detachLWP(lwp *LWP) error {
	err := lwp.flush()
	if err == nil {
		err = lwp.applyHardware()
	}
	signal := t.undelivered(lwp)
	if err == nil {
		err = t.returnKept(lwp, &signal)
	}
	if err == nil {
		err = t.kernel.Detach(lwp.TID, signal)
	}
	if errors.Is(err, ptrace.ErrGone) {
		t.noteLeaving(lwp.TID)
		return nil
	}
	return err
}

// undelivered is the signal that an LWP was stopped by and has not had: one
// that the client was not told of, or one that it was told of and that the
// program is to get.
func (t *Table) undelivered(lwp *LWP) unix.Signal {
	if !lwp.inSignalStop {
		return 0
	}
	if lwp.delivering != 0 {
		return lwp.delivering
	}
	if lwp.pending.Kind == Signalled {
		return lwp.pending.Signal
	}
	if lwp.reported.Kind == Signalled && t.Program.Has(lwp.reported.Signal) {
		return lwp.reported.Signal
	}
	return 0
}

// Kill ends a process and waits until it is gone.
func (t *Table) Kill(process *Process) error {
	return t.pause(func() error { return t.kill(process) })
}

func (t *Table) kill(process *Process) error {
	if process.removed {
		t.forgetEnded(process.PID)
		return nil
	}
	t.stopping = true
	if err := t.kernel.Kill(process.PID); err != nil && !errors.Is(err, ptrace.ErrGone) {
		return err
	}
	for t.find(process.PID) == process {
		event, err := t.kernel.WaitFor(ptrace.AnyThread)
		if errors.Is(err, ptrace.ErrNoTracees) {
			t.removeProcess(process)
			break
		}
		if err != nil {
			return err
		}
		if err := t.handle(event); err != nil {
			return err
		}
	}
	t.forgetEnded(process.PID)
	if err := t.adoptOrphans(); err != nil {
		return err
	}
	return t.tidy()
}
