package gdbserver

import (
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// stopped turns what happened into a stop reply, and in all-stop selects the
// LWP.
func (s *session) stopped(stop threads.Stop) rsp.Reply {
	switch stop.Kind {
	case threads.Exited:
		s.server.ended(stop)
		s.ended(stop.PID)
		return rsp.Exited{Status: stop.Status, PID: stop.PID, HasProcess: s.client.multiprocess}
	case threads.Killed:
		s.server.ended(stop)
		s.ended(stop.PID)
		return rsp.Signaled{Signal: s.signal(stop.Signal), PID: stop.PID, HasProcess: s.client.multiprocess}
	case threads.ThreadExited:
		return rsp.ThreadExited{Status: threadStatus(stop), Thread: rsp.ThreadID{PID: stop.PID, TID: stop.Child},
			Multiprocess: s.client.multiprocess}
	case threads.NoResumed:
		if s.client.noResumed {
			return rsp.NoResumed{}
		}
		return s.errorReply(rsp.Error{Code: 1, Text: "no thread is left that was resumed"})
	}
	if !s.table.NonStop() || s.lldb() {
		// In non-stop gdb itself chooses the threads that it asks about.
		s.selectLWP(stop.LWP)
	}
	if stop.Kind == threads.Forked || stop.Kind == threads.VForked {
		s.server.inheritPatches(stop)
	}
	if reply := s.announce(stop); reply != nil {
		return reply
	}
	return s.stopReplyFor(stop)
}

// threadStatus is the exit status of a thread for the client; the protocol has
// none for one that a signal ended, so that it gets the shell's.
func threadStatus(stop threads.Stop) int {
	if stop.Signal != 0 {
		return 128 + int(stop.Signal)
	}
	return stop.Status
}

// ended prints what people expect to read of a process's end.
func (s *Server) ended(stop threads.Stop) {
	switch {
	case s.options.EndsUntold:
	case stop.Kind == threads.Killed:
		s.printf("\nChild terminated with signal = 0x%x (%v)\n", int(stop.Signal), rsp.SignalFromLinux(int(stop.Signal)))
	default:
		s.printf("\nChild exited with status %d\n", stop.Status)
	}
	if len(s.table.Processes()) == 0 {
		s.terminal.giveBack()
	}
}

// ended forgets a process that is gone. In non-stop gdb may not know that yet, and
// what it asks about that process is not meant for another.
func (s *session) ended(pid int) {
	if s.general.PID == pid && (!s.table.NonStop() || s.lldb()) {
		s.general = rsp.ThreadID{PID: rsp.Any, TID: rsp.Any}
	}
	if len(s.table.Processes()) == 0 {
		s.server.terminal.giveBack()
	}
}

func (s *session) stopReplyFor(stop threads.Stop) rsp.Reply {
	if s.lldb() {
		return s.threadStop(stop)
	}
	lwp := stop.LWP
	reply := &s.stopReply
	*reply = rsp.StopReply{Signal: rsp.SIGTRAP, Thread: threadID(lwp), HasThread: !s.server.options.NoThreadInStopReply,
		Multiprocess: s.client.multiprocess, Core: -1, Short: s.server.options.ShortStopReplies}
	switch stop.Kind {
	case threads.Signalled, threads.GroupStopped:
		reply.Signal = rsp.SignalFromLinux(int(stop.Signal))
	case threads.Interrupted:
		reply.Signal = rsp.SIGINT
	case threads.Halted:
		reply.Signal = rsp.Signal0
	case threads.Breakpoint:
		if s.client.softwareBreak {
			reply.Reason = rsp.StopSoftBreak
		} else {
			s.undoBreakpointPC(lwp)
		}
	case threads.HardwareBreakpoint:
		if s.client.hardwareBreak {
			reply.Reason = rsp.StopHardBreak
		}
	case threads.Watchpoint:
		reply.Reason, reply.Address = watchReasons[stop.Access], stop.Address
	case threads.Forked, threads.VForked:
		reply.Reason = rsp.StopFork
		if stop.Kind == threads.VForked {
			reply.Reason = rsp.StopVfork
		}
		reply.Child = rsp.ThreadID{PID: stop.Child, TID: stop.Child}
	case threads.Created:
		reply.Reason = rsp.StopCreate
	case threads.Cloned:
		reply.Reason, reply.Child = rsp.StopClone, rsp.ThreadID{PID: stop.PID, TID: stop.Child}
	case threads.SyscallEntry:
		reply.Reason, reply.Syscall = rsp.StopSyscallEntry, int(stop.Syscall)
	case threads.SyscallReturn:
		reply.Reason, reply.Syscall = rsp.StopSyscallReturn, int(stop.Syscall)
	case threads.VForkDone:
		reply.Reason = rsp.StopVforkDone
	case threads.Execed:
		reply.Reason = rsp.StopExec
		// A program whose name cannot be read is told without one.
		reply.ExecPath, _ = lwp.Process.Executable()
	}
	s.expedite(lwp)
	if stop.Kind != threads.Stepped && stop.Kind != threads.SyscallEntry && stop.Kind != threads.SyscallReturn {
		// One file of /proc a stop costs as much as a step itself, and the
		// thread list has it too.
		if stat, err := ptrace.ReadTaskStat(lwp.Process.PID, lwp.TID); err == nil {
			reply.Core = stat.Processor
		}
	}
	return reply
}

var watchReasons = map[threads.HardwareKind]rsp.StopEvent{
	threads.HardwareWrite:  rsp.StopWrite,
	threads.HardwareRead:   rsp.StopRead,
	threads.HardwareAccess: rsp.StopAccess,
}

// undoBreakpointPC gives a client that did not say swbreak+ the pc that the
// processor left: it adjusts it itself (manual, "swbreak feature").
func (s *session) undoBreakpointPC(lwp *threads.LWP) {
	if registers, err := lwp.Registers(); err == nil {
		registers.SetPC(registers.PC() + 1)
		lwp.RegistersChanged()
	}
}

// expedite puts the registers into the stop reply that a client asks for at
// every stop.
func (s *session) expedite(lwp *threads.LWP) {
	s.expedited = s.expedited[:0]
	s.values = s.values[:0]
	registers, err := lwp.Registers()
	if err != nil {
		// Killed since: the client asks, and is told so.
		return
	}
	s.state.General = registers
	table := s.expeditedTable(lwp)
	for _, number := range table.Expedited {
		start := len(s.values)
		s.values = table.AppendRegister(s.values, table.ByNumber(number), &s.state)
		s.expedited = append(s.expedited, rsp.RegisterValue{Number: number, Value: s.values[start:len(s.values):len(s.values)]})
	}
	s.stopReply.Registers = s.expedited
}

// stopReason answers "?": what the LWP that was reported last stopped for.
// Events are over once they were told, so that a client that connects later
// learns of the signal only. Where nobody is left who could have stopped it is the
// end that no client was told of yet.
func (s *session) stopReason(*rsp.StopReasonQuery) (rsp.Reply, error) {
	if s.table.NonStop() {
		return s.stopReasons()
	}
	lwp := s.table.Last()
	if lwp == nil || lwp.Ending() {
		s.general = rsp.ThreadID{PID: rsp.Any, TID: rsp.Any}
		lwp = s.anyLWP()
	}
	switch {
	case lwp != nil:
	case s.lldb():
		return nil, coded(codeNothingStopped, "no process is stopped")
	case s.table.Over():
		return rsp.Exited{}, nil
	default:
		return s.awaitStop()
	}
	s.selectLWP(lwp)
	stop := lwp.Reported()
	switch stop.Kind {
	case threads.Signalled, threads.Interrupted, threads.GroupStopped:
	default:
		stop.Kind = threads.NoStop
	}
	stop.LWP, stop.PID = lwp, lwp.Process.PID
	return s.stopReplyFor(stop), nil
}
