package threads

import (
	"errors"
	"fmt"

	"rspd/ptrace"
)

// StartupError says that a program ended before the one to debug began: the
// shell or the wrapper that was to start it failed.
type StartupError struct{ Stop Stop }

func (e *StartupError) Error() string {
	if e.Stop.Kind == Killed {
		return fmt.Sprintf("during startup the program was killed by signal %d", int(e.Stop.Signal))
	}
	return fmt.Sprintf("during startup the program exited with code %d", e.Stop.Status)
}

// Launch starts a program and stops it before its first instruction. With a
// shell or wrapper in front, further executes that many programs before the
// one to debug: each of them is let go on.
func (t *Table) Launch(program ptrace.Program, further int) (*Process, error) {
	pid, err := t.kernel.Launch(program)
	if err != nil {
		return nil, err
	}
	for ; further > 0; further-- {
		if err := t.awaitExec(pid); err != nil {
			return nil, err
		}
	}
	space, err := t.openSpace(pid)
	if err != nil {
		return nil, errors.Join(err, t.kernel.Kill(pid))
	}
	process := t.addProcess(pid, space)
	lwp := process.addLWP(pid)
	lwp.inSyscall, lwp.launching = true, true
	t.turn, t.latest = pid, pid
	return process, nil
}

// awaitExec lets a process run up to its next execve. Its signals reach it and
// its children go their own way.
func (t *Table) awaitExec(pid int) error {
	if err := t.kernel.Continue(pid, 0); err != nil {
		return err
	}
	for {
		event, err := t.kernel.WaitFor(pid)
		if err != nil {
			return err
		}
		switch event.Kind {
		case ptrace.Execed:
			return nil
		case ptrace.Exited:
			return &StartupError{Stop{Kind: Exited, PID: pid, Status: event.Status}}
		case ptrace.Killed:
			return &StartupError{Stop{Kind: Killed, PID: pid, Signal: event.Signal}}
		case ptrace.SignalStop:
			err = t.kernel.Continue(pid, event.Signal)
		case ptrace.Forked, ptrace.VForked, ptrace.Cloned:
			if err = t.letChildGo(pid); err == nil {
				err = t.kernel.Continue(pid, 0)
			}
		default:
			err = t.kernel.Continue(pid, 0)
		}
		if err != nil && !errors.Is(err, ptrace.ErrGone) {
			return errors.Join(err, t.kernel.Kill(pid))
		}
	}
}

func (t *Table) letChildGo(creator int) error {
	message, err := t.kernel.EventMessage(creator)
	if err != nil {
		return err
	}
	first, err := t.firstStop(int(message))
	if err != nil || first.Kind == ptrace.NoEvent {
		return err
	}
	return t.kernel.Detach(int(message), 0)
}
