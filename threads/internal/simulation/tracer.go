package simulation

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// ErrBlocked says that a call would never return: no task can run and none
// has anything to report.
var ErrBlocked = errors.New("the tracer waits for what can never come")

// patience is how many steps a wait lets pass without anything to report
// before it says that there is input.
const patience = 3000

func gone(tid int) error { return &ptrace.Error{Operation: "reach", TID: tid, Errno: unix.ESRCH} }

// reportable lists who has something for a wait.
func (k *Kernel) reportable(only int) []int {
	var tids []int
	for _, tid := range k.ids {
		t := k.tasks[tid]
		if only != ptrace.AnyThread && tid != only || t.waited {
			continue
		}
		switch {
		case t.state == stopped && !t.listening:
		case t.state == zombie && t.traced && tid != t.group.pid:
		case t.state == zombie && (t.traced || t.group.own) && tid == t.group.pid &&
			len(t.group.tasks) == 1 && t.group.executing == nil:
		default:
			continue
		}
		tids = append(tids, tid)
	}
	return tids
}

// waitable tells whether there is anything to wait for at all.
func (k *Kernel) waitable(only int) bool {
	for _, t := range k.tasks {
		if (only == ptrace.AnyThread || t.tid == only) && (t.traced || t.group.own && t.tid == t.group.pid) {
			return true
		}
	}
	return false
}

func (k *Kernel) take(tid int) ptrace.Event {
	t := k.tasks[tid]
	t.waited = true
	if t.state == stopped {
		if t.event.Kind == ptrace.Execed {
			k.Execs = append(k.Execs, tid)
		}
		return t.event
	}
	end := t.end
	if t.group.ending {
		end = t.group.end
	}
	event := ptrace.Event{TID: tid, Kind: ptrace.Exited, Status: end.Status}
	if end.Signal != 0 {
		event.Kind, event.Signal = ptrace.Killed, end.Signal
	}
	g := t.group
	k.forgetTask(t)
	if tid == g.pid {
		g.tasks = nil
	}
	return event
}

// wait returns ErrBlocked where it would sleep for ever.
func (k *Kernel) wait(tid int, input bool) (ptrace.Event, error) {
	for range patience {
		if !k.waitable(tid) {
			return ptrace.Event{}, ptrace.ErrNoTracees
		}
		othersRun := k.canRun()
		if tids := k.reportable(tid); len(tids) > 0 {
			if chosen := k.scheduler.Report(tids, othersRun); chosen >= 0 {
				event := k.take(chosen)
				k.Note("  wait: %v", event)
				return event, nil
			}
		} else if !othersRun {
			return ptrace.Event{}, ErrBlocked
		}
		if input && k.scheduler.Input() {
			return ptrace.Event{}, ptrace.ErrInput
		}
		k.Tick()
	}
	return ptrace.Event{}, ErrBlocked
}

// Wait is [ptrace.Tracer.Wait]. Where it would sleep for ever it says that
// there is input.
func (k *Kernel) Wait(int) (ptrace.Event, error) {
	event, err := k.wait(ptrace.AnyThread, true)
	if err == ErrBlocked {
		k.Note("  wait: blocked")
		err = ptrace.ErrInput
	}
	return event, err
}

// WaitFor is [ptrace.Tracer.WaitFor]; it fails with ErrBlocked where that
// would sleep for ever.
func (k *Kernel) WaitFor(tid int) (ptrace.Event, error) { return k.wait(tid, false) }

// Launch starts the program whose number is the path, in its first stop.
func (k *Kernel) Launch(program ptrace.Program) (int, error) {
	number, err := strconv.Atoi(program.Path)
	if err != nil || number >= len(k.Programs) {
		return 0, &ptrace.LaunchError{Path: program.Path, Errno: unix.ENOENT}
	}
	pid := k.Start(number)
	t := k.tasks[pid]
	t.group.own, t.traced, t.exitStops = true, true, true
	k.stop(t, ptrace.Event{Kind: ptrace.Execed, Signal: unix.SIGTRAP}, uint64(pid), func() { k.finishCall(t) })
	t.waited = true
	return pid, nil
}

// Seize is [ptrace.Tracer.Seize].
func (k *Kernel) Seize(tid, options int) error {
	k.elapse()
	t := k.tasks[tid]
	switch {
	case t == nil:
		return gone(tid)
	case t.traced || t.state == zombie || t.ending:
		return &ptrace.Error{Operation: "attach to", TID: tid, Errno: unix.EPERM}
	}
	k.Note("seize %d", tid)
	t.traced, t.exitStops = true, options&unix.PTRACE_O_TRACEEXIT != 0
	if t.state == jobStopped {
		t.state, t.interrupt = running, true
	}
	return nil
}

// SetOptions is [ptrace.Tracer.SetOptions].
func (k *Kernel) SetOptions(tid, options int) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	t.exitStops = options&unix.PTRACE_O_TRACEEXIT != 0
	return nil
}

// Interrupt is [ptrace.Tracer.Interrupt].
func (k *Kernel) Interrupt(tid int) error {
	k.elapse()
	t := k.tasks[tid]
	if t == nil || !t.traced {
		return gone(tid)
	}
	k.Note("interrupt %d", tid)
	if t.ending || t.state == zombie || t.killed {
		return nil
	}
	t.interrupt = true
	if t.listening {
		t.leaveStop()
	}
	return nil
}

// inStop finds a task that a request can be made of.
func (k *Kernel) inStop(tid int) (*task, error) {
	k.elapse()
	t := k.tasks[tid]
	if t == nil || !t.traced || t.state != stopped || t.listening {
		return nil, gone(tid)
	}
	if !t.waited && t.event.Kind != ptrace.Exiting {
		// Only one that was killed may have moved on unseen.
		k.fault("a request to %d, whose stop was not waited for", tid)
	}
	return t, nil
}

func (k *Kernel) decide(t *task, signal unix.Signal) {
	if t.event.Kind == ptrace.SignalStop && (t.information.sent || signal != 0) && !t.killed && k.Delivered != nil {
		k.Delivered(t.tid, t.event.Signal, signal)
	}
}

func (k *Kernel) resume(tid int, signal unix.Signal, step, callStops bool) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	if k.Resumed != nil {
		k.Resumed(tid)
	}
	verb := "continue"
	if step {
		verb = "step"
	}
	if callStops {
		verb = "continue to a system call"
	}
	k.Note("%s %d with signal %d", verb, tid, signal)
	k.decide(t, signal)
	if child := k.tasks[int(t.message)]; child != nil && child.maker == t && t.event.Kind == ptrace.Forked {
		child.maker = nil
	}
	t.inject, t.stepping, t.callStops = signal, step, callStops
	t.leaveStop()
	return nil
}

// Continue is [ptrace.Tracer.Continue].
func (k *Kernel) Continue(tid int, signal unix.Signal) error {
	return k.resume(tid, signal, false, false)
}

// ContinueToSyscall is [ptrace.Tracer.ContinueToSyscall].
func (k *Kernel) ContinueToSyscall(tid int, signal unix.Signal) error {
	return k.resume(tid, signal, false, true)
}

// Syscall is [ptrace.Tracer.Syscall].
func (k *Kernel) Syscall(tid int, to *ptrace.Syscall) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	*to = t.call
	if t.event.Kind != ptrace.SyscallStop {
		*to = ptrace.Syscall{}
	} else if to.Phase == ptrace.SyscallReturn {
		to.Number = 0
	}
	return nil
}

// Now is the time: how often a task has done one thing.
func (k *Kernel) Now() time.Duration { return k.clock }

// StartTime is when a process was made, coarsely.
func (k *Kernel) StartTime(pid int) (time.Duration, error) {
	k.elapse()
	t := k.tasks[pid]
	if t == nil {
		return 0, gone(pid)
	}
	const coarse = 4
	return t.group.start / coarse * coarse, nil
}

// Doomed is [ptrace.Doomed].
func (k *Kernel) Doomed(_, tid int) bool {
	k.elapse()
	t := k.tasks[tid]
	return t == nil || t.killed || t.ending || t.state == zombie
}

// Step is [ptrace.Tracer.Step].
func (k *Kernel) Step(tid int, signal unix.Signal) error {
	return k.resume(tid, signal, true, false)
}

// Listen is [ptrace.Tracer.Listen].
func (k *Kernel) Listen(tid int) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	if t.event.Kind != ptrace.GroupStop && t.event.Kind != ptrace.InterruptStop {
		return &ptrace.Error{Operation: "listen", TID: tid, Errno: unix.EIO}
	}
	k.Note("listen %d", tid)
	t.listening = true
	if t.notify {
		t.leaveStop()
	}
	return nil
}

// Detach is [ptrace.Tracer.Detach].
func (k *Kernel) Detach(tid int, signal unix.Signal) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	k.Note("detach %d with signal %d", tid, signal)
	k.decide(t, signal)
	t.traced, t.interrupt, t.notify, t.stepping, t.callStops = false, false, false, false, false
	t.inject = signal
	t.leaveStop()
	if t.group.stop != 0 {
		t.stopPending = true
	}
	if t.debug[7]&0xff != 0 {
		k.fault("%d is let go with debug registers in use", tid)
	}
	return nil
}

// EventMessage is [ptrace.Tracer.EventMessage].
func (k *Kernel) EventMessage(tid int) (uint64, error) {
	t, err := k.inStop(tid)
	if err != nil {
		return 0, err
	}
	return t.message, nil
}

// Kill is [ptrace.Tracer.Kill].
func (k *Kernel) Kill(pid int) error { return k.SignalProcess(pid, unix.SIGKILL) }

// Signal is [ptrace.Tracer.Signal].
func (k *Kernel) Signal(pid, tid int, signal unix.Signal) error {
	k.elapse()
	t := k.tasks[tid]
	if t == nil || t.group.pid != pid {
		return gone(tid)
	}
	k.Note("signal %d to thread %d", signal, tid)
	if t.state != zombie {
		k.send(t.group, t, information{signal: signal})
	}
	return nil
}

// SignalProcess is [ptrace.Tracer.SignalProcess].
func (k *Kernel) SignalProcess(pid int, signal unix.Signal) error {
	k.elapse()
	t := k.tasks[pid]
	if t == nil {
		return gone(pid)
	}
	k.Note("signal %d to process %d", signal, pid)
	k.send(t.group, nil, information{signal: signal})
	return nil
}

// Registers is [ptrace.Tracer.Registers].
func (k *Kernel) Registers(tid int, registers *ptrace.Registers) error {
	t, err := k.inStop(tid)
	if err == nil {
		*registers = t.registers
	}
	return err
}

// SetRegisters is [ptrace.Tracer.SetRegisters].
func (k *Kernel) SetRegisters(tid int, registers *ptrace.Registers) error {
	t, err := k.inStop(tid)
	if err == nil {
		if t.registers.Rip != registers.Rip {
			t.resumeFlag = false
		}
		t.registers = *registers
	}
	return err
}

// ReloadSegments is [ptrace.Tracer.ReloadSegments]; there are no segments.
func (k *Kernel) ReloadSegments(tid int) error {
	_, err := k.inStop(tid)
	return err
}

// XState is [ptrace.Tracer.XState]; there is nothing in it.
func (k *Kernel) XState(tid int, buffer []byte) (int, error) {
	_, err := k.inStop(tid)
	return len(buffer), err
}

// SetXState is [ptrace.Tracer.SetXState].
func (k *Kernel) SetXState(tid int, _ []byte) error {
	_, err := k.inStop(tid)
	return err
}

// ShadowStackPointer says that there is none.
func (k *Kernel) ShadowStackPointer(tid int) (uint64, error) {
	return 0, &ptrace.Error{Operation: "read the shadow-stack pointer", TID: tid, Errno: unix.ENODEV}
}

// SetShadowStackPointer says that there is none.
func (k *Kernel) SetShadowStackPointer(tid int, _ uint64) error {
	return &ptrace.Error{Operation: "write the shadow-stack pointer", TID: tid, Errno: unix.ENODEV}
}

// Siginfo is [ptrace.Tracer.Siginfo].
func (k *Kernel) Siginfo(tid int, info *ptrace.Siginfo) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	if t.event.Kind == ptrace.GroupStop {
		return &ptrace.Error{Operation: "read the signal information", TID: tid, Errno: unix.EINVAL}
	}
	*info = t.information.raw()
	return nil
}

// SetSiginfo is [ptrace.Tracer.SetSiginfo].
func (k *Kernel) SetSiginfo(tid int, info *ptrace.Siginfo) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	t.information.signal, t.information.code = info.Signal(), info.Code()
	return nil
}

// PendingSignals is [ptrace.Tracer.PendingSignals].
func (k *Kernel) PendingSignals(tid, first int, infos []ptrace.Siginfo) (int, error) {
	t, err := k.inStop(tid)
	if err != nil {
		return 0, err
	}
	n := 0
	for ; n < len(infos) && first+n < len(t.pending); n++ {
		infos[n] = t.pending[first+n].raw()
	}
	return n, nil
}

// TakesSignal is [ptrace.TakesSignal].
func (k *Kernel) TakesSignal(_, tid int) (bool, error) {
	t, err := k.inStop(tid)
	if err != nil {
		return false, err
	}
	takes := func(i information) bool { return !isStop(i.signal) && i.signal != unix.SIGCONT }
	return slices.ContainsFunc(t.pending, takes) || slices.ContainsFunc(t.group.pending, takes), nil
}

// DebugRegister is [ptrace.Tracer.DebugRegister].
func (k *Kernel) DebugRegister(tid, number int) (uint64, error) {
	t, err := k.inStop(tid)
	if err != nil {
		return 0, err
	}
	return t.debug[number], nil
}

// SetDebugRegister is [ptrace.Tracer.SetDebugRegister].
func (k *Kernel) SetDebugRegister(tid, number int, value uint64) error {
	t, err := k.inStop(tid)
	if err != nil {
		return err
	}
	const userEnd = 1 << 47
	if number < 4 && value >= userEnd {
		return &ptrace.Error{Operation: "write a debug register", TID: tid, Errno: unix.EINVAL}
	}
	t.debug[number] = value
	return nil
}

// OpenMemory opens the address space that a task uses.
func (k *Kernel) OpenMemory(tid int) (*Memory, error) {
	k.elapse()
	t := k.tasks[tid]
	if t == nil || t.memory == nil {
		return nil, fmt.Errorf("cannot open the memory of process %d: %w", tid, unix.ESRCH)
	}
	return &Memory{memory: t.memory, kernel: k}, nil
}

// SameMemory is [ptrace.SameMemory].
func (k *Kernel) SameMemory(tid, other int) (bool, error) {
	k.elapse()
	if k.tasks[tid] == nil || k.tasks[other] == nil {
		return false, gone(tid)
	}
	return k.ShareMemory(tid, other), nil
}

// MadeSharing is [ptrace.Tracer.MadeSharing].
func (k *Kernel) MadeSharing(creator int) (bool, error) {
	t, err := k.inStop(creator)
	if err != nil {
		return false, err
	}
	return k.ShareMemory(creator, int(t.message)), nil
}

// ThreadGroup returns the process that a task belongs to.
func (k *Kernel) ThreadGroup(tid, _ int) (int, error) {
	k.elapse()
	t := k.tasks[tid]
	if t == nil {
		return 0, gone(tid)
	}
	return t.group.pid, nil
}

// Tasks lists the tasks of a process.
func (k *Kernel) Tasks(pid int) ([]int, error) {
	k.elapse()
	t := k.tasks[pid]
	if t == nil {
		return nil, gone(pid)
	}
	var tids []int
	for _, other := range t.group.tasks {
		tids = append(tids, other.tid)
	}
	slices.Sort(tids)
	return tids, nil
}

// Machine is the same for all programs.
func (k *Kernel) Machine(pid int) (elf.Machine, error) {
	if k.tasks[pid] == nil {
		return elf.EM_NONE, gone(pid)
	}
	return elf.EM_X86_64, nil
}

// Executable names a program by its number.
func (k *Kernel) Executable(pid int) (string, error) {
	t := k.tasks[pid]
	if t == nil || t.memory == nil {
		return "", gone(pid)
	}
	for i, program := range k.Programs {
		if len(program) > 0 && len(t.memory.program) > 0 && &program[0] == &t.memory.program[0] {
			return strconv.Itoa(i), nil
		}
	}
	return "", gone(pid)
}
