package threads

import (
	"bytes"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// trap is what a SIGTRAP turns out to be.
type trap uint8

const (
	trapSignal     trap = iota // the program's own, or sent by somebody
	trapBreakpoint             // an int3 was executed
	trapStep                   // the trap flag
	trapHardware               // a debug register
)

// trapHandler is the si_code after a step into a signal handler, where
// signal_delivered of kernel/signal.c calls ptrace_notify(SIGTRAP).
const trapHandler = int32(unix.SIGTRAP)

// classifyTrap reads the cause from si_code, which the kernel sets so that no
// sender can imitate it: codes from other processes are 0 or negative. A
// system call that is stepped over reports TRAP_BRKPT, other steps TRAP_TRACE
// (arch/x86/kernel/ptrace.c user_single_step_report, arch/x86/kernel/traps.c).
func classifyTrap(code int32, stepping bool) trap {
	switch code {
	case ptrace.TrapKernel:
		return trapBreakpoint
	case ptrace.TrapHardware:
		return trapHardware
	case ptrace.TrapBreakpoint, ptrace.TrapTrace, trapHandler:
		if stepping {
			return trapStep
		}
	}
	return trapSignal
}

// trapped finds out what a SIGTRAP of a stopped LWP is. When it is nothing to
// report, as in the middle of a range step, the answer is NoStop.
func (t *Table) trapped(lwp *LWP) (Stop, error) {
	stop := Stop{Kind: Signalled, PID: lwp.Process.PID, LWP: lwp, Signal: unix.SIGTRAP}
	if err := t.kernel.Siginfo(lwp.TID, &t.siginfo); err != nil {
		return stop, err
	}
	cause := classifyTrap(t.siginfo.Code(), lwp.asked.steps() || lwp.stepsOver)
	switch cause {
	case trapSignal:
		if lwp.sent == unix.SIGTRAP {
			lwp.sent, lwp.delivering = 0, unix.SIGTRAP
			return Stop{}, nil
		}
		return stop, nil
	case trapBreakpoint:
		stop, err := t.breakpointTrap(lwp, stop)
		if err == nil && lwp.dealtWith(stop) {
			stop = Stop{}
		}
		return stop, err
	}
	if t.siginfo.Code() == trapHandler {
		if err := lwp.enteredHandler(); err != nil {
			return stop, err
		}
	}
	leavesSyscall := lwp.leavesSyscall
	lwp.leavesSyscall = false
	if cause == trapStep && t.siginfo.Code() == ptrace.TrapBreakpoint && leavesSyscall {
		return Stop{}, nil
	}
	if lwp.Process.hardware.used() {
		hit, err := t.hardwareTrap(lwp, &stop)
		if hit && lwp.dealtWith(stop) {
			// It was hit before its instruction was executed, which the flag
			// that the processor has set now allows.
			return Stop{}, nil
		}
		if hit || err != nil {
			lwp.passing = false
			return stop, err
		}
	}
	if cause == trapHardware && (lwp.passing || !lwp.asked.steps()) {
		// A read watchpoint that was written to, or one that is gone since.
		return Stop{}, nil
	}
	lwp.passing = false
	if !lwp.asked.steps() {
		return Stop{}, nil
	}
	if lwp.asked.Kind == StepRange {
		registers, err := lwp.Registers()
		if err != nil {
			return stop, err
		}
		if lwp.asked.within(registers.PC()) {
			return Stop{}, nil
		}
	}
	stop.Kind, stop.Signal = Stepped, 0
	return stop, nil
}

// meetTrap makes an LWP in an interrupt or job-control stop meet the trap that
// it has run into already, if there is one: the kernel reports these stops
// first. Else the LWP would show a pc past a breakpoint, or a step would end
// that nobody asked for any more, or a detached program would die of the trap.
// The LWP does not execute anything until the trap.
func (t *Table) meetTrap(lwp *LWP, event ptrace.Event) (bool, error) {
	for first := 0; ; {
		n, err := t.kernel.PendingSignals(lwp.TID, first, t.queue[:])
		if err != nil {
			return false, err
		}
		for i := range t.queue[:n] {
			if info := &t.queue[i]; info.Signal() == unix.SIGTRAP && info.Code() > 0 {
				err := t.kernel.Continue(lwp.TID, 0)
				if err == nil {
					lwp.groupStopped = 0
					lwp.rejoining = event.Kind == ptrace.GroupStop
					t.enter(lwp, lwpRunning)
					// It stops by itself; an interrupt would come before again.
					lwp.interrupting = true
				}
				return true, err
			}
		}
		if first += n; n < len(t.queue) {
			return false, nil
		}
	}
}

// breakpointTrap puts the pc back on the int3 that was executed, the client's
// or the program's own. A two-byte int $3 is the program's own affair.
func (t *Table) breakpointTrap(lwp *LWP, stop Stop) (Stop, error) {
	registers, err := lwp.Registers()
	if err != nil {
		return stop, err
	}
	address := registers.PC() - 1
	if image := lwp.Process.space.image; !image.holds(address) && !image.hasInt3(address) {
		if _, removed := image.below[address]; !removed {
			return stop, nil
		}
		// The client has removed it since it was hit.
		registers.SetPC(address)
		lwp.RegistersChanged()
		return Stop{}, nil
	}
	registers.SetPC(address)
	lwp.RegistersChanged()
	stop.Kind, stop.Signal, stop.Address = Breakpoint, 0, address
	return stop, nil
}

// hardwareTrap asks DR6 which debug register it was. A step over a watched
// store sets both the step's bit and the register's.
func (t *Table) hardwareTrap(lwp *LWP, stop *Stop) (bool, error) {
	status, err := t.kernel.DebugRegister(lwp.TID, debugStatus)
	if err != nil || status&0xf == 0 {
		return false, err
	}
	if err := t.kernel.SetDebugRegister(lwp.TID, debugStatus, 0); err != nil {
		return false, err
	}
	process := lwp.Process
	for register := range process.hardware.slots {
		if status&(1<<register) == 0 {
			continue
		}
		for i := range process.hardware.points {
			point := &process.hardware.points[i]
			if !process.hardware.covers(point, register) || !t.accessMatches(process, point) {
				continue
			}
			stop.Signal, stop.Access, stop.Address = 0, point.kind, point.address
			stop.Kind = Watchpoint
			if point.kind == HardwareExecute {
				stop.Kind = HardwareBreakpoint
			}
			return true, nil
		}
	}
	return false, nil
}

// accessMatches tells reads from writes for a read watchpoint, which the
// processor cannot: if the value changed, it was written.
func (t *Table) accessMatches(process *Process, point *hardwarePoint) bool {
	if point.kind != HardwareRead {
		return true
	}
	now := make([]byte, len(point.value))
	if _, err := process.space.Read(point.address, now); err != nil || bytes.Equal(now, point.value) {
		return true
	}
	point.value = now
	return false
}
