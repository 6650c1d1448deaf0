package rsp

import (
	"bytes"
	"math"
)

// A StopEvent is what a stop reply says beyond the signal: the manual's stop
// reason.
type StopEvent uint8

// The stop reasons, with their keys on the wire and what goes with each.
const (
	StopSignal        StopEvent = iota // none
	StopSoftBreak                      // swbreak
	StopHardBreak                      // hwbreak
	StopWrite                          // watch; Address
	StopRead                           // rwatch; Address
	StopAccess                         // awatch; Address
	StopLibrary                        // library
	StopFork                           // fork; Child
	StopVfork                          // vfork; Child
	StopVforkDone                      // vforkdone
	StopExec                           // exec; ExecPath
	StopCreate                         // create
	StopClone                          // clone; Child
	StopSyscallEntry                   // syscall_entry; Syscall
	StopSyscallReturn                  // syscall_return; Syscall

	stopEvents
)

var stopKeys = [stopEvents]string{
	StopSoftBreak:     "swbreak",
	StopHardBreak:     "hwbreak",
	StopWrite:         "watch",
	StopRead:          "rwatch",
	StopAccess:        "awatch",
	StopLibrary:       "library",
	StopFork:          "fork",
	StopVfork:         "vfork",
	StopVforkDone:     "vforkdone",
	StopExec:          "exec",
	StopCreate:        "create",
	StopClone:         "clone",
	StopSyscallEntry:  "syscall_entry",
	StopSyscallReturn: "syscall_return",
}

// String returns the key on the wire, or "signal".
func (e StopEvent) String() string {
	if e > StopSignal && e < stopEvents {
		return stopKeys[e]
	}
	return "signal"
}

// A RegisterValue is a register sent along with a stop reply.
type RegisterValue struct {
	// Number is the register's number in the target description.
	Number int
	// Value is in target byte order.
	Value []byte
}

// StopReply says that a thread stopped ("Stop Reply Packets", T and S).
type StopReply struct {
	Signal Signal
	// Short leaves out everything but the signal: the S form.
	Short bool
	// Reason is why, where the signal alone does not say.
	Reason StopEvent
	// Address is the data address of a watchpoint.
	Address uint64
	// Child is the new thread of a fork, vfork or clone.
	Child ThreadID
	// ExecPath is the absolute name of the file that was executed.
	ExecPath string
	// Syscall is the number of the system call.
	Syscall int
	// Registers are those that the client is likely to ask for next.
	Registers []RegisterValue
	// Thread is the one that stopped, if HasThread.
	Thread    ThreadID
	HasThread bool
	// Multiprocess says that thread ids are written with the process.
	Multiprocess bool
	// Core is the processor that the thread was on, or negative.
	Core int
}

// AppendTo appends the reply: signal, reason, registers, thread, core, in
// the order of GNU gdbserver.
func (r *StopReply) AppendTo(dst []byte) []byte {
	if r.Short {
		return appendHexByte(append(dst, 'S'), byte(r.Signal))
	}
	dst = appendHexByte(append(dst, 'T'), byte(r.Signal))
	if r.Reason > StopSignal && r.Reason < stopEvents {
		dst = append(append(dst, stopKeys[r.Reason]...), ':')
		switch r.Reason {
		case StopWrite, StopRead, StopAccess:
			dst = appendHexNumber(dst, r.Address)
		case StopFork, StopVfork, StopClone:
			dst = r.Child.AppendTo(dst, r.Multiprocess)
		case StopExec:
			dst = appendHex(dst, r.ExecPath)
		case StopSyscallEntry, StopSyscallReturn:
			dst = appendHexNumber(dst, uint64(r.Syscall))
		}
		dst = append(dst, ';')
	}
	for i := range r.Registers {
		reg := &r.Registers[i]
		if reg.Number < 0x100 {
			dst = appendHexByte(dst, byte(reg.Number))
		} else {
			dst = appendHexNumber(dst, uint64(reg.Number))
		}
		dst = appendHex(append(dst, ':'), reg.Value)
		dst = append(dst, ';')
	}
	if r.HasThread {
		dst = append(dst, "thread:"...)
		dst = r.Thread.AppendTo(dst, r.Multiprocess)
		dst = append(dst, ';')
	}
	if r.Core >= 0 {
		dst = append(dst, "core:"...)
		dst = appendHexNumber(dst, uint64(r.Core))
		dst = append(dst, ';')
	}
	return dst
}

// Exited says that a process exited ("Stop Reply Packets", W).
type Exited struct {
	Status int
	// PID is the process, if HasProcess, which needs the multiprocess
	// extensions.
	PID        int
	HasProcess bool
}

// AppendTo appends the reply.
func (r Exited) AppendTo(dst []byte) []byte {
	return appendProcess(appendHexByte(append(dst, 'W'), byte(r.Status)), r.PID, r.HasProcess)
}

// Signaled says that a signal ended a process ("Stop Reply Packets", X).
type Signaled struct {
	Signal Signal
	// PID is the process, if HasProcess, which needs the multiprocess
	// extensions.
	PID        int
	HasProcess bool
}

// AppendTo appends the reply.
func (r Signaled) AppendTo(dst []byte) []byte {
	return appendProcess(appendHexByte(append(dst, 'X'), byte(r.Signal)), r.PID, r.HasProcess)
}

func appendProcess(dst []byte, pid int, has bool) []byte {
	if !has {
		return dst
	}
	return appendIDNumber(append(dst, ";process:"...), pid)
}

// ThreadExited says that a thread exited ("Stop Reply Packets", w).
type ThreadExited struct {
	Status int
	Thread ThreadID
	// Multiprocess says that thread ids are written with the process.
	Multiprocess bool
}

// AppendTo appends the reply.
func (r ThreadExited) AppendTo(dst []byte) []byte {
	dst = appendHexByte(append(dst, 'w'), byte(r.Status))
	return r.Thread.AppendTo(append(dst, ';'), r.Multiprocess)
}

// NoResumed says that no thread is left running ("Stop Reply Packets", N).
type NoResumed struct{}

// AppendTo appends "N".
func (NoResumed) AppendTo(dst []byte) []byte { return append(dst, 'N') }

// ParseStop reads a reply to a packet that resumes, or to "?": the result is
// *StopReply, *Exited, *Signaled, *ThreadExited, *NoResumed or
// ConsoleOutput. Keys that are not known are passed over. The error is a
// *MalformedError, also for a payload of another kind.
func ParseStop(payload []byte) (Reply, error) {
	s := scanner{data: payload}
	var r Reply
	switch {
	case s.accept('T'):
		r = s.stopReply()
	case s.accept('S'):
		r = &StopReply{Signal: Signal(s.byte()), Short: true, Core: -1}
	case s.accept('W'):
		e := &Exited{Status: s.status()}
		e.PID, e.HasProcess = s.process()
		r = e
	case s.accept('X'):
		e := &Signaled{Signal: s.signal()}
		e.PID, e.HasProcess = s.process()
		r = e
	case s.accept('w'):
		e := &ThreadExited{Status: s.status()}
		s.expect(';')
		e.Thread = s.threadID()
		e.Multiprocess = e.Thread.PID != NoProcess
		r = e
	case s.accept('N'):
		r = &NoResumed{}
	case s.next('O') && string(payload) != "OK":
		s.pos++
		r = ConsoleOutput(s.hexTo(nil, s.rest()))
	default:
		s.fail("not a stop reply")
	}
	s.end()
	if s.err != nil {
		return nil, s.err
	}
	return r, nil
}

// status takes an exit status. GNU gdbserver writes "W0;process:1" with a
// single digit.
func (s *scanner) status() int { return int(s.numberUpTo(math.MaxUint8)) }

// byte takes exactly two digits.
func (s *scanner) byte() byte {
	if s.err != nil {
		return 0
	}
	if len(s.data)-s.pos < 2 {
		s.fail("two hex digits are missing")
		return 0
	}
	high, low := hexValues[s.data[s.pos]], hexValues[s.data[s.pos+1]]
	if high == notHex || low == notHex {
		s.fail("two hex digits are missing")
		return 0
	}
	s.pos += 2
	return high<<4 | low
}

func (s *scanner) process() (pid int, has bool) {
	if s.done() {
		return 0, false
	}
	if !s.acceptText(";process:") {
		s.fail("neither the end nor a process")
	}
	return s.pid(), s.err == nil
}

func (s *scanner) stopReply() Reply {
	r := &StopReply{Signal: Signal(s.byte()), Core: -1}
	for !s.done() {
		key := s.until(':')
		s.expect(':')
		value := s.until(';')
		if s.done() {
			s.expect(';')
			break
		}
		v := scanner{data: s.data[:s.pos], pos: s.pos - len(value), err: s.err}
		v.stopKey(r, key)
		s.err = v.err
		s.expect(';')
	}
	return r
}

func (s *scanner) stopKey(r *StopReply, key []byte) {
	switch string(key) {
	case "thread":
		r.Thread = s.threadID()
		r.HasThread = true
		r.Multiprocess = r.Multiprocess || r.Thread.PID != NoProcess
		s.end()
		return
	case "core":
		r.Core = int(s.numberUpTo(math.MaxInt32))
		s.end()
		return
	}
	for event := StopSignal + 1; event < stopEvents; event++ {
		if string(key) != stopKeys[event] {
			continue
		}
		r.Reason = event
		switch event {
		case StopWrite, StopRead, StopAccess:
			r.Address = s.number()
			s.end()
		case StopFork, StopVfork, StopClone:
			r.Child = s.threadID()
			r.Multiprocess = r.Multiprocess || r.Child.PID != NoProcess
			s.end()
		case StopExec:
			r.ExecPath = string(s.hexTo(nil, s.rest()))
		case StopSyscallEntry, StopSyscallReturn:
			r.Syscall = int(s.numberUpTo(math.MaxInt32))
			s.end()
		}
		return
	}
	if number, ok := registerKey(key); ok {
		r.Registers = append(r.Registers, RegisterValue{Number: number, Value: s.hexTo(nil, s.rest())})
	}
}

// registerKey reports whether a key is a register number: nothing but hex
// digits.
func registerKey(key []byte) (int, bool) {
	k := scanner{data: bytes.Clone(key)}
	n := k.numberUpTo(math.MaxInt32)
	k.end()
	return int(n), k.err == nil
}
