package gdbserver

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// catchSyscalls answers QCatchSyscalls, for the selected process.
func (s *session) catchSyscalls(request *rsp.CatchSyscalls) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	set := threads.SyscallSet{}
	switch {
	case request.Enable && len(request.Numbers) == 0:
		set = threads.AllSyscalls
	case request.Enable:
		numbers := make([]uint64, len(request.Numbers))
		for i, number := range request.Numbers {
			numbers[i] = uint64(number)
		}
		set = threads.Syscalls(numbers...)
	}
	// It is only known to threads that are resumed after it.
	if err := s.table.WhileStopped(func() error { process.CatchSyscalls(set); return nil }); err != nil {
		return nil, err
	}
	return rsp.OK{}, nil
}

// threadEvents answers QThreadEvents, for all processes.
func (s *session) threadEvents(request *rsp.ThreadEvents) (rsp.Reply, error) {
	s.table.Events.Threads = request.Enable
	return rsp.OK{}, nil
}

// threadOptions answers QThreadOptions. Nothing is changed if a thread that is
// named does not exist.
func (s *session) threadOptions(request *rsp.ThreadOptions) (rsp.Reply, error) {
	for _, option := range request.Options {
		if option.HasThread {
			if _, err := s.find(option.Thread); err != nil {
				return nil, err
			}
		}
	}
	for _, process := range s.table.Processes() {
		for _, lwp := range process.LWPs() {
			for _, option := range request.Options {
				if option.HasThread && !matches(option.Thread, lwp) {
					continue
				}
				lwp.SetOptions(threads.ThreadOptions{Clone: option.Flags&rsp.OptionClone != 0, Exit: option.Flags&rsp.OptionExit != 0})
			}
		}
	}
	return rsp.OK{}, nil
}

// monitorSyscall describes the system call that the selected thread was last
// stopped at.
func (s *session) monitorSyscall(string) (string, error) {
	lwp, err := s.lwp()
	if err != nil {
		return "", err
	}
	call := lwp.Syscall()
	if call.Phase == ptrace.OutsideSyscall {
		return "", fmt.Errorf("thread %d has not stopped at a system call; use \"catch syscall\"", lwp.TID)
	}
	return describeSyscall(call), nil
}

func describeSyscall(call ptrace.Syscall) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%v system call %d (", call.ABI, call.Number)
	for i, argument := range call.Arguments {
		if i > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "%#x", argument)
	}
	text.WriteByte(')')
	switch {
	case call.Phase == ptrace.SyscallEntry:
		text.WriteString(", about to be made")
	case call.Failed:
		errno := unix.Errno(-call.Result)
		fmt.Fprintf(&text, " = %d %s (%v)", call.Result, errnoName(errno), errno)
	default:
		fmt.Fprintf(&text, " = %d (%#x)", call.Result, uint64(call.Result))
	}
	return text.String() + "\n"
}

// errnoName names an error, those of restarts among them that only a tracer
// sees (include/linux/errno.h).
func errnoName(errno unix.Errno) string {
	switch errno {
	case 512:
		return "ERESTARTSYS"
	case 513:
		return "ERESTARTNOINTR"
	case 514:
		return "ERESTARTNOHAND"
	case 516:
		return "ERESTART_RESTARTBLOCK"
	}
	return unix.ErrnoName(errno)
}
