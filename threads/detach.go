package threads

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Detach lets a stopped process go on as if it had never been traced: no
// breakpoint in its memory, no debug register set, each signal delivered that
// it was stopped by and has not had. The process is out of the table then, and
// its children that were not reported yet are let go too.
//
// Where a vfork child shares the memory of the process and stays, it goes
// without breakpoints until it executes a program.
func (t *Table) Detach(process *Process) error {
	for _, child := range t.UnreportedChildren(process) {
		if err := t.Detach(child); err != nil {
			return err
		}
	}
	waited := false
	for _, lwp := range slices.Clone(process.lwps) {
		if lwp.state == lwpRunning {
			return ErrRunning{lwp.TID}
		}
		if lwp.state == lwpHeld {
			waited = true
			if err := t.awaitVFork(process, lwp); err != nil {
				return err
			}
		}
	}
	if t.Process(process.PID) != process {
		// It ended while it was waited for.
		t.forgetEnded(process.PID)
		return t.adoptOrphansOfWait()
	}
	// Breakpoints that cannot be taken out lie in memory that is gone.
	_ = process.space.lift()
	process.hardware = HardwarePoints{version: process.hardware.version + 1}
	if process.unstopped {
		// The kernel would stop it again for the job-control stop that the
		// client has continued from (kernel/ptrace.c, __ptrace_unlink).
		if err := t.kernel.SignalProcess(process.PID, unix.SIGCONT); err != nil && !errors.Is(err, ptrace.ErrGone) {
			return err
		}
	}
	var failures []error
	for _, lwp := range process.lwps {
		if lwp.state == lwpStopped {
			failures = append(failures, t.detachLWP(lwp))
		}
	}
	t.removeProcess(process)
	if waited {
		failures = append(failures, t.adoptOrphansOfWait())
	}
	return errors.Join(failures...)
}

// adoptOrphansOfWait deals with the tasks that appeared while a vfork child was
// waited for and whose creators were killed.
func (t *Table) adoptOrphansOfWait() error {
	if t.running > 0 {
		return nil
	}
	return t.adoptOrphans()
}

// awaitVFork waits for an LWP that the kernel holds for its vfork child: until
// then it can be neither stopped nor let go.
func (t *Table) awaitVFork(process *Process, lwp *LWP) error {
	for _, other := range t.processes {
		if other.vforkParent == process {
			return fmt.Errorf("process %d waits for its vfork child %d, which is stopped; detach that first",
				process.PID, other.PID)
		}
	}
	t.stopping = true
	for lwp.state == lwpHeld && t.lwps[lwp.TID] == lwp {
		// Any thread, since a leader that is killed is reported last.
		event, err := t.kernel.WaitFor(ptrace.AnyThread)
		if err != nil {
			return err
		}
		if err := t.handle(event); err != nil {
			return err
		}
	}
	return nil
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
	t.stopping = true
	if err := t.kernel.Kill(process.PID); err != nil && !errors.Is(err, ptrace.ErrGone) {
		return err
	}
	for t.Process(process.PID) == process {
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
	return t.adoptOrphans()
}
