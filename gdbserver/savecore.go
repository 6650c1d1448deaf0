package gdbserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/gdbserver/core"
	"rspd/gdbserver/description"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// saveCore answers qSaveCore: it writes a core file of the selected process and
// says where it is. The client's hint is the name that the file is to have in
// the end. lldb that runs on this machine finds it there; elsewhere it fetches
// the file, and removes it here (LLVM, ProcessGDBRemote::SaveCore). A file that
// is there already is left alone, and a temporary one made, which is removed
// with the session at the latest.
func (s *session) saveCore(request *rsp.SaveCore) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	file, temporary, err := createCore(request.Path)
	if err != nil {
		return nil, err
	}
	if temporary {
		s.temporary = append(s.temporary, file.Name())
	}
	if err := s.writeCore(file, process); err != nil {
		return nil, err
	}
	return rsp.KeyValues{{Key: "core-path", Value: rsp.HexText(file.Name())}}, nil
}

// createCore makes a file of a name, or a temporary one where there is none or
// it cannot be made.
func createCore(name string) (file *os.File, temporary bool, err error) {
	if filepath.IsAbs(name) {
		if file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			return file, false, nil
		}
	}
	file, err = os.CreateTemp("", "core-")
	return file, true, err
}

// monitorSaveCore is saveCore for a person, who names the file. One that is
// there is replaced.
func (s *session) monitorSaveCore(name string) (string, error) {
	process, err := s.process()
	if err != nil {
		return "", err
	}
	if name == "" {
		name = fmt.Sprintf("core.%d", process.PID)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", refusal("cannot save a core file as %s: %v", name, errors.Unwrap(err))
	}
	if err := s.writeCore(file, process); err != nil {
		return "", err
	}
	return fmt.Sprintf("Saved a core file of process %d to %s.\n", process.PID, name), nil
}

// writeCore writes a core file and closes it. One that is not whole is removed.
func (s *session) writeCore(file *os.File, process *threads.Process) error {
	var failure error
	err := s.table.WhileStopped(func() error {
		// What goes wrong with the file is none of the table's errors.
		var content *core.Process
		if content, failure = coreOf(process, s.current()); failure == nil {
			failure = core.Write(file, content)
		}
		return nil
	})
	if err := errors.Join(err, failure, file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("cannot save a core file as %s: %w", file.Name(), err)
	}
	return err
}

// coreOf describes a stopped process. The thread that the client was told of
// last comes first.
func coreOf(process *threads.Process, current threads.Stop) (*core.Process, error) {
	content, err := core.Read(process.PID)
	if err != nil {
		return nil, err
	}
	content.Machine, content.Memory = process.Machine(), process.Memory()
	for _, lwp := range process.LWPs() {
		if lwp.Ending() {
			continue
		}
		thread, err := coreThread(lwp)
		if errors.Is(err, ptrace.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if lwp == current.LWP {
			content.Threads = slices.Insert(content.Threads, 0, thread)
		} else {
			content.Threads = append(content.Threads, thread)
		}
	}
	return content, nil
}

func coreThread(lwp *threads.LWP) (core.Thread, error) {
	thread := core.Thread{TID: lwp.TID}
	var err error
	if thread.Record, err = ptrace.ReadTaskRecord(lwp.Process.PID, lwp.TID); err != nil {
		return thread, err
	}
	var state description.State
	if err := loadRegisters(lwp, description.General|description.XState, &state); err != nil {
		return thread, err
	}
	thread.Registers, thread.XState = *state.General, slices.Clone(state.XState)
	if pointer, err := lwp.ShadowStackPointer(); err == nil {
		thread.ShadowStackPointer, thread.HasShadowStack = pointer, true
	}
	thread.Signal = coreSignal(lwp.Reported())
	if thread.Signal == 0 {
		return thread, nil
	}
	if err := lwp.Siginfo(&thread.Siginfo); err != nil || thread.Siginfo.Signal() != thread.Signal {
		// An interrupt, and a stop by job control, have none.
		thread.Siginfo = ptrace.SentSiginfo(thread.Signal)
	}
	return thread, nil
}

// coreSignal is the signal that a core file gives a thread for its stop: the one
// that gdb shows for it.
func coreSignal(stop threads.Stop) unix.Signal {
	switch stop.Kind {
	case threads.NoStop, threads.Halted:
		return 0
	case threads.Signalled, threads.GroupStopped:
		return stop.Signal
	case threads.Interrupted:
		return unix.SIGINT
	}
	return unix.SIGTRAP
}
