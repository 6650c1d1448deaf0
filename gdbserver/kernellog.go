package gdbserver

import (
	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/threads"
)

// loggedKernel reports what is done to threads and what becomes of them.
type loggedKernel struct {
	threads.Live
	log Log
}

// debug writes a line about one thread, if that is wanted.
func (k loggedKernel) debug(what string, tid int, err error, pairs ...any) {
	if !k.log.Enabled() {
		return
	}
	pairs = append([]any{"lwp", tid}, pairs...)
	if err != nil {
		pairs = append(pairs, "error", err)
	}
	k.log.Debug(what, pairs...)
}

func (k loggedKernel) reported(event ptrace.Event, err error) (ptrace.Event, error) {
	if k.log.Enabled() {
		if err != nil {
			k.log.Debug("nothing reported", "error", err)
		} else {
			k.log.Debug("reported", "lwp", event.TID, "event", event)
		}
	}
	return event, err
}

func (k loggedKernel) Wait(likely int) (ptrace.Event, error) {
	return k.reported(k.Live.Wait(likely))
}

func (k loggedKernel) WaitFor(tid int) (ptrace.Event, error) {
	return k.reported(k.Live.WaitFor(tid))
}

func (k loggedKernel) Launch(program ptrace.Program) (int, error) {
	pid, err := k.Live.Launch(program)
	if k.log.Enabled() {
		k.debug("launch", pid, err, "path", program.Path, "arguments", program.Arguments)
	}
	return pid, err
}

func (k loggedKernel) Seize(tid, options int) error {
	err := k.Live.Seize(tid, options)
	k.debug("seize", tid, err)
	return err
}

func (k loggedKernel) Interrupt(tid int) error {
	err := k.Live.Interrupt(tid)
	k.debug("interrupt", tid, err)
	return err
}

func (k loggedKernel) Continue(tid int, signal unix.Signal) error {
	err := k.Live.Continue(tid, signal)
	if k.log.Enabled() {
		k.debug("continue", tid, err, "signal", int(signal))
	}
	return err
}

func (k loggedKernel) Step(tid int, signal unix.Signal) error {
	err := k.Live.Step(tid, signal)
	if k.log.Enabled() {
		k.debug("step", tid, err, "signal", int(signal))
	}
	return err
}

func (k loggedKernel) Listen(tid int) error {
	err := k.Live.Listen(tid)
	k.debug("leave in group stop", tid, err)
	return err
}

func (k loggedKernel) Detach(tid int, signal unix.Signal) error {
	err := k.Live.Detach(tid, signal)
	if k.log.Enabled() {
		k.debug("detach", tid, err, "signal", int(signal))
	}
	return err
}

func (k loggedKernel) Kill(pid int) error {
	err := k.Live.Kill(pid)
	k.debug("kill", pid, err)
	return err
}
