package test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"rspd/rsp"
)

// What a random client makes of what it is told.

// Errorf says also among the packets what is wrong.
func (r *randomSession) Errorf(format string, arguments ...any) {
	r.Helper()
	r.client.note("!! ", fmt.Sprintf(format, arguments...))
	r.session.Errorf(format, arguments...)
}

// told takes in a stop reply.
func (r *randomSession) told(reply rsp.Reply) {
	r.Helper()
	r.stops++
	switch reply := reply.(type) {
	case *rsp.StopReply:
		r.stop(reply)
	case *rsp.Exited:
		r.ended(reply.PID, reply)
	case *rsp.Signaled:
		r.ended(reply.PID, reply)
	case *rsp.ThreadExited:
		r.threadEnded(reply.Thread)
	case *rsp.NoResumed:
	default:
		r.Fatalf("the server reports %T", reply)
	}
}

func (r *randomSession) stop(stop *rsp.StopReply) {
	r.Helper()
	thread := stop.Thread
	process := r.processes[thread.PID]
	if process == nil && r.nonStop && (r.letGo[thread.PID] || r.killed[thread.PID]) {
		// It was on its way. A child of that is the client's all the same.
		if stop.Reason == rsp.StopFork || stop.Reason == rsp.StopVfork {
			r.processes[stop.Child.PID] = newDebuggee(r.started[thread.PID] == nil)
			*r.processes[stop.Child.PID].had = everyPoint
			r.stopped[stop.Child] = true
		}
		return
	}
	if process == nil {
		r.Errorf("%v of %v, of whose process the client does not know", stop.Reason, thread)
		return
	}
	if group := statusField(thread.TID, "Tgid"); group != "" && group != strconv.Itoa(thread.PID) {
		r.Errorf("thread %d is in process %s, not %d", thread.TID, group, thread.PID)
	}
	// Who executes a program takes the place of the first thread.
	if r.nonStop && r.stopped[thread] && thread.TID != thread.PID {
		r.Errorf("%v is reported, which was stopped", thread)
	}
	r.stopped[thread] = true
	delete(r.reported, thread)
	switch stop.Reason {
	case rsp.StopFork, rsp.StopVfork:
		r.born(stop)
	case rsp.StopVforkDone, rsp.StopSyscallEntry, rsp.StopSyscallReturn:
	case rsp.StopExec:
		r.executed(thread)
	case rsp.StopCreate:
		if !r.threadEvents || r.alive[thread] {
			r.Errorf("%v is created, thread events are %t, it is known %t", thread, r.threadEvents, r.alive[thread])
		}
		r.alive[thread] = true
		delete(r.gone, thread)
	case rsp.StopSoftBreak:
		r.hit(stop, 0, process)
	case rsp.StopHardBreak:
		r.hit(stop, 1, process)
	case rsp.StopWrite, rsp.StopRead, rsp.StopAccess:
		if stop.Address/8 != r.counter/8 || !process.had[2] && !process.had[3] && !process.had[4] {
			r.Errorf("%v at %#x of %v", stop.Reason, stop.Address, thread)
		}
	case rsp.StopSignal:
		r.signalled(stop)
	default:
		r.Errorf("unexpected event %v", stop.Reason)
	}
}

// born takes in a fork or vfork.
func (r *randomSession) born(stop *rsp.StopReply) {
	r.Helper()
	child := stop.Child.PID
	if known := r.processes[child]; stop.Child.TID != child || known != nil && !known.found {
		r.Errorf("%v of child %v, known %t", stop.Reason, stop.Child, known != nil)
	}
	parent := r.processes[stop.Thread.PID]
	born := &debuggee{launched: parent.launched, points: maps.Clone(parent.points), had: parent.had}
	if stop.Reason == rsp.StopFork {
		born.had = new(*parent.had)
	}
	r.processes[child] = born
	r.stopped[stop.Child] = true
	if r.one(8) && !r.mayBeLast() {
		r.parts(child, r.one(4))
	}
}

// executed takes in that a process executes another program.
func (r *randomSession) executed(thread rsp.ThreadID) {
	r.Helper()
	if thread.TID != thread.PID {
		r.Errorf("exec by %v, which is not the process's first thread any more", thread)
	}
	// Whoever did takes the place of the first thread, whose end it is.
	if missing := r.aliveIn(thread.PID); len(missing) > 1 {
		r.Errorf("the ends of all but one of %v are not reported", missing)
	}
	r.forgetThreads(thread.PID)
	r.stopped[thread] = true
	clear(r.processes[thread.PID].points)
}

// hit takes in a stop at a breakpoint.
func (r *randomSession) hit(stop *rsp.StopReply, kind int, process *debuggee) {
	r.Helper()
	if !process.had[kind] {
		r.Errorf("%v of %v, which never had a breakpoint", stop.Reason, stop.Thread)
	}
	for _, register := range stop.Registers {
		if register.Number != programCounter() {
			continue
		}
		var value [8]byte
		copy(value[:], register.Value)
		if pc := binary.LittleEndian.Uint64(value[:]); pc != r.called {
			r.Errorf("%v of %v at %#x", stop.Reason, stop.Thread, pc)
		}
		return
	}
}

// signalled takes in a signal: whoever it is from has sent it.
func (r *randomSession) signalled(stop *rsp.StopReply) {
	r.Helper()
	if !r.expected(stop.Signal, stop.Thread) {
		r.Errorf("%v in %v, which nobody sent", stop.Signal, stop.Thread)
	}
	if stop.Signal != rsp.Signal0 && stop.Signal != rsp.SIGTRAP {
		r.reported[stop.Thread] = stop.Signal
	}
	if stop.Signal == rsp.SIGINT {
		r.interrupts--
	}
}

// expected tells whether there is a reason for a thread to stop with a signal.
func (r *randomSession) expected(signal rsp.Signal, thread rsp.ThreadID) bool {
	switch signal {
	case rsp.Signal0:
		return r.nonStop
	case rsp.SIGTRAP:
		// Events that a client before was told of are such a stop for the next.
		return r.stepped[thread] || r.clients > 1
	case rsp.SIGINT:
		return r.interrupts > 0
	case rsp.SIGALRM, rsp.SIGUSR1, rsp.SIGCHLD, rsp.SIGWINCH:
		return true
	}
	number, known := signal.Linux()
	return known && r.wasSent(syscall.Signal(number))
}

// wasSent tells whether a signal came from outside. The kernel sends SIGHUP and
// SIGCONT to a stopped process that nobody is left to continue (kernel/exit.c,
// kill_orphaned_pgrp).
func (r *randomSession) wasSent(signal syscall.Signal) bool {
	if signal == syscall.SIGHUP || signal == syscall.SIGCONT {
		return len(r.sent[signal])+len(r.sent[syscall.SIGSTOP]) > 0
	}
	return len(r.sent[signal]) > 0
}

// ended takes in the end of a process.
func (r *randomSession) ended(pid int, how rsp.Reply) {
	r.Helper()
	if r.processes[pid] == nil && !r.missed[pid] || r.ends[pid] != nil {
		r.Errorf("the end of %d is reported: it is known %t, the end before was %v", pid, r.processes[pid] != nil, r.ends[pid])
	}
	if missing := r.aliveIn(pid); len(missing) > 0 && slices.Contains(r.features, execEvents) {
		r.Errorf("the ends of threads %v are not reported", missing)
	}
	r.ends[pid] = how
	r.forget(pid)
}

// forget drops a process that the client does not have any more.
func (r *randomSession) forget(pid int) {
	delete(r.processes, pid)
	r.forgetThreads(pid)
}

func (r *randomSession) forgetThreads(pid int) {
	its := func(thread rsp.ThreadID, _ bool) bool { return thread.PID == pid }
	maps.DeleteFunc(r.stopped, its)
	maps.DeleteFunc(r.alive, its)
	maps.DeleteFunc(r.gone, its)
	maps.DeleteFunc(r.stepped, its)
	maps.DeleteFunc(r.reported, func(thread rsp.ThreadID, _ rsp.Signal) bool { return thread.PID == pid })
}

// threadEnded takes in the end of a thread.
func (r *randomSession) threadEnded(thread rsp.ThreadID) {
	r.Helper()
	if r.processes[thread.PID] == nil {
		r.Errorf("%v ends, of whose process the client does not know", thread)
	}
	// Who executes a program takes the place of the first thread.
	if task := statusField(thread.TID, "Tgid"); task == strconv.Itoa(thread.PID) && thread.TID != thread.PID && !exiting(thread.TID) {
		r.Errorf("%v is reported to end and lives", thread)
	}
	if r.gone[thread] && thread.TID != thread.PID {
		r.Errorf("%v ends twice", thread)
	}
	r.gone[thread] = true
	delete(r.alive, thread)
	delete(r.stopped, thread)
}

// aliveIn are the threads of a process whose end is to be reported.
func (r *randomSession) aliveIn(pid int) []rsp.ThreadID {
	return slices.DeleteFunc(slices.Collect(maps.Keys(r.alive)), func(thread rsp.ThreadID) bool { return thread.PID != pid })
}

// textAt is some of the text of a program.
func textAt(t *testing.T, program string, address uint64, size int) []byte {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_LOAD && address >= segment.Vaddr && address < segment.Vaddr+segment.Filesz {
			text := make([]byte, size)
			if _, err := segment.ReadAt(text, int64(address-segment.Vaddr)); err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
	t.Fatal(fmt.Errorf("%s has nothing at %#x", program, address))
	return nil
}
