package simulation

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// information is a signal with what is known of it.
type information struct {
	signal unix.Signal
	code   int32
	// sent says that somebody sent it; else it is a trap.
	sent bool
}

// raw is the siginfo_t; who sent it is not in it.
func (i information) raw() ptrace.Siginfo {
	var info ptrace.Siginfo
	binary.NativeEndian.PutUint32(info[0:], uint32(i.signal))
	binary.NativeEndian.PutUint32(info[8:], uint32(i.code))
	return info
}

// trap makes a task meet a SIGTRAP on its way back to the program. Traps go
// before signals that were sent (dequeue_synchronous_signal).
func (t *task) trap(code int32) {
	t.pending = slices.Insert(t.pending, 0, information{signal: unix.SIGTRAP, code: code})
}

func (t *task) dequeue() (information, bool) {
	for _, queue := range []*[]information{&t.pending, &t.group.pending} {
		if len(*queue) > 0 {
			info := (*queue)[0]
			*queue = slices.Delete(*queue, 0, 1)
			return info, true
		}
	}
	return information{}, false
}

func isStop(signal unix.Signal) bool {
	return signal == unix.SIGSTOP || signal == unix.SIGTSTP || signal == unix.SIGTTIN || signal == unix.SIGTTOU
}

// send generates a signal for one task, or for a process. What stop signals
// and SIGCONT do, they do now (kernel/signal.c, prepare_signal).
func (k *Kernel) send(g *group, t *task, info information) {
	if !slices.ContainsFunc(g.tasks, func(t *task) bool { return t.state != zombie }) {
		return
	}
	info.sent = true
	drop := func(which func(unix.Signal) bool) {
		unwanted := func(i information) bool { return i.sent && which(i.signal) }
		g.pending = slices.DeleteFunc(g.pending, unwanted)
		for _, other := range g.tasks {
			other.pending = slices.DeleteFunc(other.pending, unwanted)
		}
	}
	switch {
	case info.signal == unix.SIGKILL && g.ending:
		// It still wakes one that has stopped on its way out.
		for _, other := range g.tasks {
			if other.state == stopped {
				k.killTask(other)
				break
			}
		}
		return
	case info.signal == unix.SIGKILL:
		k.endGroup(g, End{Signal: unix.SIGKILL})
		return
	case isStop(info.signal):
		drop(func(s unix.Signal) bool { return s == unix.SIGCONT })
	case info.signal == unix.SIGCONT:
		drop(isStop)
		g.stop = 0
		for _, other := range g.tasks {
			other.stopPending = false
			if other.traced {
				other.notifyTrap()
			} else if other.state == jobStopped {
				other.state = running
			}
		}
	}
	queue := &g.pending
	if t != nil {
		queue = &t.pending
	}
	if !slices.ContainsFunc(*queue, func(i information) bool { return i.sent && i.signal == info.signal }) {
		*queue = append(*queue, info)
	}
}

// notifyTrap is ptrace_trap_notify: a change of the job-control stop is told
// by a stop, at once where the task listens.
func (t *task) notifyTrap() {
	if t.state == zombie || t.ending {
		return
	}
	t.notify = true
	if t.listening {
		t.leaveStop()
	}
}

// deliver takes a signal to a task, past its tracer.
func (k *Kernel) deliver(t *task, info information) {
	t.information = info
	if !t.traced {
		k.act(t, info.signal)
		return
	}
	k.stop(t, ptrace.Event{Kind: ptrace.SignalStop, Signal: info.signal}, 0, func() {
		signal := t.inject
		t.inject = 0
		if signal != 0 && !t.killed {
			k.act(t, signal)
		}
	})
}

// act does what the program has set up for a signal: handlers for SIGUSR1,
// SIGUSR2 and SIGALRM, and what is usual for the others.
func (k *Kernel) act(t *task, signal unix.Signal) {
	switch {
	case signal == unix.SIGCONT || signal == unix.SIGCHLD:
	case signal == unix.SIGUSR1 || signal == unix.SIGUSR2 || signal == unix.SIGALRM:
		k.Note("%d handles signal %d", t.tid, signal)
		t.paused = false
		if t.stepping {
			// signal_delivered calls ptrace_notify(SIGTRAP), which is no
			// signal-delivery-stop and has SIGTRAP as its code.
			t.executed++
			t.information = information{signal: unix.SIGTRAP, code: int32(unix.SIGTRAP)}
			k.stop(t, ptrace.Event{Kind: ptrace.SignalStop, Signal: unix.SIGTRAP}, 0, nil)
		}
	case isStop(signal):
		t.group.stop = signal
		for _, other := range t.group.tasks {
			if other.state == zombie || other.ending {
				continue
			}
			other.stopPending = true
			if other != t && other.traced {
				other.notifyTrap()
			}
		}
	default:
		k.endGroup(t.group, End{Signal: signal})
	}
}

// The fields of DR7 (Intel SDM volume 3, "Debug Control Register (DR7)").
func (t *task) debugField(number int) (enabled bool, kind, length uint64) {
	control := t.debug[7]
	field := control >> (16 + 4*number) & 0xf
	return control>>(2*number)&3 != 0, field & 3, [...]uint64{1, 2, 8, 4}[field>>2]
}

func (k *Kernel) executeWatched(t *task, pc uint64) bool {
	for i := range 4 {
		if enabled, kind, _ := t.debugField(i); enabled && kind == 0 && t.debug[i] == pc {
			if !t.traced {
				k.fault("%d is not traced and ran into a hardware breakpoint at %#x", t.tid, pc)
			}
			t.resumeFlag = true
			t.debug[6] = 1 << i
			t.trap(ptrace.TrapHardware)
			return true
		}
	}
	return false
}

// access is a store or a load of 8 bytes.
func (k *Kernel) access(t *task, instruction Instruction) {
	const size, bitStep = 8, 1 << 14
	address, status := instruction.Argument, uint64(0)
	for i := range 4 {
		enabled, kind, length := t.debugField(i)
		if !enabled || t.debug[i] >= address+size || t.debug[i]+length <= address {
			continue
		}
		if kind == 3 || kind == 1 && instruction.Operation == Store {
			status |= 1 << i
		}
	}
	if instruction.Operation == Store {
		for i := range uint64(size) {
			if b := t.memory.at(address + i); b != nil {
				*b += byte(i) + 1
			}
		}
	}
	code := int32(ptrace.TrapHardware)
	if t.stepping {
		status |= bitStep
		code = ptrace.TrapTrace
	}
	if status == 0 {
		return
	}
	if !t.traced {
		k.fault("%d is not traced and ran into a watchpoint", t.tid)
	}
	t.debug[6] = status
	t.trap(code)
}
