package threads

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Call has a stopped LWP make a system call: the instruction is that at
// address, which has to be one of the program's own (the vdso has one). The
// LWP's registers are afterwards what they were, and the result is the kernel's,
// negative for an error. Signals that come in between reach the LWP later.
//
// An LWP that was about to be given a signal can no longer be resumed with it;
// it is sent again then, as Resume does in other stops.
func (l *LWP) Call(address uint64, call ptrace.SyscallArguments) (int64, error) {
	if err := l.needStopped(); err != nil {
		return 0, err
	}
	if l.groupStopped != 0 {
		return 0, fmt.Errorf("thread %d cannot make a system call: job control has stopped it", l.TID)
	}
	if l.vforking || l.awaiting {
		return 0, fmt.Errorf("thread %d cannot make a system call: it waits for the child that it has made by vfork", l.TID)
	}
	t := l.table
	if l.inSyscall {
		// It has to leave the system call that it is in, whose result would
		// otherwise fall on the registers of this one.
		if err := t.stepInPlace(l); err != nil {
			return 0, err
		}
		l.inSyscall = false
	}
	registers, err := l.Registers()
	if err != nil {
		return 0, err
	}
	saved := *registers
	registers.PrepareSyscall(address, call)
	l.RegistersChanged()
	if err := t.stepInPlace(l); err != nil {
		return 0, err
	}
	if registers, err = l.Registers(); err != nil {
		return 0, err
	}
	result := registers.SyscallResult()
	*registers = saved
	l.RegistersChanged()
	return result, nil
}

// stepInPlace has a stopped LWP execute one instruction that the client is not
// told of.
func (t *Table) stepInPlace(lwp *LWP) error {
	for rejoin := false; ; {
		if err := lwp.flush(); err != nil {
			return err
		}
		if err := t.kernel.Step(lwp.TID, 0); err != nil {
			return err
		}
		lwp.inSignalStop = false
		lwp.forget()
		t.enter(lwp, lwpRunning)
		event, err := t.waitForOne(lwp)
		if err != nil {
			return err
		}
		done := false
		switch {
		case event.Kind == ptrace.SignalStop && event.Signal == unix.SIGTRAP:
			done = true
		case event.Kind == ptrace.SignalStop:
			signal := keptSignal{signal: event.Signal}
			if err := t.kernel.Siginfo(lwp.TID, &signal.info); err == nil {
				signal.known = true
			}
			lwp.kept = append(lwp.kept, signal)
		case event.Kind == ptrace.GroupStop:
			// Job control has stopped its process meanwhile. As long as that is
			// in force an interrupt makes it join the others.
			rejoin = true
		case event.Kind == ptrace.InterruptStop:
		default:
			// Whatever it is, it is the end of the attempt and to be told.
			if err := t.handle(event); err != nil {
				return err
			}
			return errors.New("the thread stopped for something else")
		}
		t.leave(lwp)
		lwp.interrupting = false
		if done && rejoin {
			return t.kernel.Interrupt(lwp.TID)
		}
		if done {
			return nil
		}
	}
}

// waitForOne waits for the next event of a running LWP and handles those of others
// that come before it: the end of a leader comes only when those of all its
// threads were waited for (kernel/exit.c, delay_group_leader).
func (t *Table) waitForOne(lwp *LWP) (ptrace.Event, error) {
	for {
		event, err := t.kernel.WaitFor(ptrace.AnyThread)
		if err != nil || event.TID == lwp.TID {
			return event, err
		}
		if err := t.handle(event); err != nil {
			return ptrace.Event{}, err
		}
		if t.lwps[lwp.TID] != lwp {
			return ptrace.Event{}, fmt.Errorf("thread %d ended meanwhile", lwp.TID)
		}
	}
}
