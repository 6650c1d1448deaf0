package gdbserver

import (
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// why is what LLDB's clients are told of a thread's stop.
type why struct {
	signal              unix.Signal
	reason, description string
	watch               string
	address             uint64
	fork                string
	child               rsp.ThreadID
}

// explain finds the words for a stop (lldbgdbremote.md, "Stop reply packet
// extensions"). A process that has just been launched, or attached to, has
// stopped by SIGSTOP, as far as lldb is concerned, and so has one that was
// interrupted, or told to stop.
func explain(stop threads.Stop) why {
	switch stop.Kind {
	case threads.Signalled, threads.GroupStopped:
		return why{signal: stop.Signal, reason: "signal"}
	case threads.Stepped:
		return why{signal: unix.SIGTRAP, reason: "trace"}
	case threads.Breakpoint, threads.HardwareBreakpoint:
		return why{signal: unix.SIGTRAP, reason: "breakpoint"}
	case threads.Watchpoint:
		w := why{signal: unix.SIGTRAP, reason: "watchpoint", watch: watchReasons[stop.Access].String(), address: stop.Address}
		// The address, the number of the watchpoint in the hardware and the
		// address of the access, which x86 does not tell.
		w.description = fmt.Sprintf("%d 0 %d", stop.Address, stop.Address)
		return w
	case threads.Forked, threads.VForked:
		w := why{signal: unix.SIGTRAP, reason: "fork", child: rsp.ThreadID{PID: stop.Child, TID: stop.Child}}
		if stop.Kind == threads.VForked {
			w.reason = "vfork"
		}
		w.fork = w.reason
		w.description = fmt.Sprintf("%d %d", stop.Child, stop.Child)
		return w
	case threads.VForkDone:
		return why{signal: unix.SIGTRAP, reason: "vforkdone"}
	case threads.Execed:
		return why{signal: unix.SIGSTOP, reason: "exec"}
	case threads.SyscallEntry, threads.SyscallReturn, threads.Created, threads.Cloned:
		return why{signal: unix.SIGTRAP, reason: "trap"}
	}
	return why{signal: unix.SIGSTOP, reason: "signal"}
}

// threadStop makes the stop reply for a stop of the whole process.
func (s *session) threadStop(stop threads.Stop) rsp.Reply {
	process := stop.LWP.Process
	s.passOwnBreakpoint(stop)
	s.table.TellOthers(process, s.passOwnBreakpoint)
	reply := s.stopOf(stop)
	if s.extended.threadLists {
		var stops []map[string]any
		several := 0
		for _, lwp := range process.LWPs() {
			if lwp.Ending() || lwp.Unreported() {
				continue
			}
			several++
			reply.Threads = append(reply.Threads, lwp.TID)
			if registers, err := lwp.Registers(); err == nil {
				reply.PCs = append(reply.PCs, registers.PC())
			}
			stops = append(stops, s.threadProperties(lwp, stop))
		}
		if len(reply.PCs) != len(reply.Threads) {
			reply.PCs = nil
		}
		if several > 1 {
			// Maps of plain values always have a form.
			reply.Stops, _ = json.Marshal(stops)
		}
	}
	return reply
}

// passOwnBreakpoint puts the pc of a thread that has executed an int3 of the
// program's own behind it, where lldb expects it.
func (s *session) passOwnBreakpoint(stop threads.Stop) {
	if stop.Kind == threads.Breakpoint && !stop.LWP.Process.Memory().HasBreakpoint(stop.Address) {
		s.undoBreakpointPC(stop.LWP)
	}
}

// stopOf makes a stop reply that is about one thread alone.
func (s *session) stopOf(stop threads.Stop) *rsp.ThreadStop {
	lwp, w := stop.LWP, explain(stop)
	s.expedite(lwp)
	reply := &rsp.ThreadStop{Signal: int(w.signal), Thread: threadID(lwp), Multiprocess: s.client.multiprocess,
		Name: threadName(lwp), Registers: s.expedited, Reason: w.reason, Description: w.description,
		Watch: w.watch, Address: w.address, Fork: w.fork, Child: w.child}
	return reply
}

// noStopOf is stopOf for a thread that has stopped because another one did.
func (s *session) noStopOf(lwp *threads.LWP) *rsp.ThreadStop {
	reply := s.stopOf(threads.Stop{LWP: lwp, PID: lwp.Process.PID})
	reply.Signal, reply.Reason, reply.Description = 0, "", ""
	return reply
}

func threadName(lwp *threads.LWP) string {
	// A thread that was killed meanwhile is told of without a name.
	stat, _ := ptrace.ReadTaskStat(lwp.Process.PID, lwp.TID)
	return stat.Name
}

// itsStop is what a thread is stopped for: what was told of it, or nothing of
// its own where another thread's stop has stopped it.
func itsStop(lwp *threads.LWP, current threads.Stop) (threads.Stop, bool) {
	if lwp == current.LWP {
		return current, true
	}
	stop := lwp.Reported()
	return stop, stop.Kind != threads.NoStop
}

// threadProperties are an element of jstopinfo and, with the registers, of
// jThreadsInfo.
func (s *session) threadProperties(lwp *threads.LWP, current threads.Stop) map[string]any {
	properties := map[string]any{"tid": lwp.TID}
	if name := threadName(lwp); name != "" {
		properties["name"] = name
	}
	if stop, has := itsStop(lwp, current); has {
		w := explain(stop)
		properties["signal"], properties["reason"] = int(w.signal), w.reason
		if w.description != "" {
			properties["description"] = w.description
		}
	}
	return properties
}

// current is the stop that the client was told of last.
func (s *session) current() threads.Stop {
	lwp := s.table.Last()
	if lwp == nil {
		return threads.Stop{}
	}
	stop := lwp.Reported()
	stop.LWP, stop.PID = lwp, lwp.Process.PID
	return stop
}

// threadsInfo answers jThreadsInfo: the threads of the selected process with
// their stops and the registers that a backtrace begins with.
func (s *session) threadsInfo(rsp.Extension) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	current := s.current()
	list := []map[string]any{}
	for _, lwp := range process.LWPs() {
		if lwp.Ending() || lwp.Unreported() {
			continue
		}
		properties := s.threadProperties(lwp, current)
		if registers, err := lwp.Registers(); err == nil {
			s.state.General = registers
			table := s.describe(lwp)
			values := map[string]string{}
			for i := range table.Registers {
				switch table.Role(&table.Registers[i]).Generic {
				case "pc", "sp", "fp":
					values[strconv.Itoa(i)] = fmt.Sprintf("%x", table.AppendRegister(nil, &table.Registers[i], &s.state))
				}
			}
			properties["registers"] = values
		}
		list = append(list, properties)
	}
	return document(list)
}

// document is a JSON reply.
func document(content any) (rsp.Reply, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return rsp.Binary(text), nil
}

// threadStopInfo answers qThreadStopInfo.
func (s *session) threadStopInfo(request *rsp.ThreadStopInfo) (rsp.Reply, error) {
	lwp, err := s.find(request.Thread)
	if err != nil {
		return nil, err
	}
	if lwp == nil {
		return nil, coded(codeUnknownThread, "one thread has to be named")
	}
	stop, has := itsStop(lwp, s.current())
	if !has {
		return s.noStopOf(lwp), nil
	}
	stop.LWP, stop.PID = lwp, lwp.Process.PID
	return s.stopOf(stop), nil
}
