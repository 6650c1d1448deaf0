package threads

import (
	"testing"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

func TestSignalSet(t *testing.T) {
	var set SignalSet
	for _, signal := range []unix.Signal{0, -1, 65, 1000} {
		set.Add(signal)
		if set != 0 || set.Has(signal) || AllSignals.Has(signal) {
			t.Errorf("%d is a signal: %#x", int(signal), uint64(set))
		}
	}
	for _, signal := range []unix.Signal{1, 9, 32, 33, 64} {
		if set.Has(signal) {
			t.Errorf("%d is in before it was put in", int(signal))
		}
		set.Add(signal)
		if !set.Has(signal) || !AllSignals.Has(signal) {
			t.Errorf("%d is not in", int(signal))
		}
	}
	if want := SignalSet(1 | 1<<8 | 1<<31 | 1<<32 | 1<<63); set != want {
		t.Errorf("%#x, want %#x", uint64(set), uint64(want))
	}
}

func TestKindOfChild(t *testing.T) {
	const creator, other = 100, 200
	for _, test := range []struct {
		event ptrace.EventKind
		group int
		want  ChildKind
	}{
		{ptrace.Cloned, creator, ChildLWP},
		{ptrace.Forked, other, ChildFork},
		{ptrace.VForked, other, ChildVFork},
		// clone with an exit signal that is not SIGCHLD
		{ptrace.Cloned, other, ChildFork},
		// CLONE_VFORK|CLONE_THREAD, and CLONE_THREAD with SIGCHLD
		{ptrace.VForked, creator, ChildLWP},
		{ptrace.Forked, creator, ChildLWP},
	} {
		if got := KindOfChild(test.event, creator, test.group); got != test.want {
			t.Errorf("%v in group %d: %d, want %d", test.event, test.group, got, test.want)
		}
	}
}

func TestClassifyTrap(t *testing.T) {
	for _, test := range []struct {
		name     string
		code     int32
		stepping bool
		want     trap
	}{
		{"int3", ptrace.TrapKernel, false, trapBreakpoint},
		{"int3 while stepping", ptrace.TrapKernel, true, trapBreakpoint},
		{"step", ptrace.TrapTrace, true, trapStep},
		{"step over a system call", ptrace.TrapBreakpoint, true, trapStep},
		{"step into a handler", int32(unix.SIGTRAP), true, trapStep},
		{"the program's own trap flag", ptrace.TrapTrace, false, trapSignal},
		{"icebp", ptrace.TrapBreakpoint, false, trapSignal},
		{"debug register", ptrace.TrapHardware, false, trapHardware},
		{"debug register while stepping", ptrace.TrapHardware, true, trapHardware},
		{"kill", 0, true, trapSignal},
		{"tgkill", -6, true, trapSignal},
		{"sigqueue", -1, false, trapSignal},
	} {
		if got := classifyTrap(test.code, test.stepping); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestRangeStepBounds(t *testing.T) {
	for _, test := range []struct {
		start, end, pc uint64
		want           bool
	}{
		{0x1000, 0x1010, 0xfff, false},
		{0x1000, 0x1010, 0x1000, true},
		{0x1000, 0x1010, 0x100f, true},
		{0x1000, 0x1010, 0x1010, false},
		// An empty range is a plain step (GDB manual, vCont;r).
		{0x1000, 0x1000, 0x1000, false},
		{^uint64(0) - 15, ^uint64(0), ^uint64(0) - 1, true},
		{^uint64(0) - 15, ^uint64(0), ^uint64(0), false},
	} {
		action := Action{Kind: StepRange, Start: test.start, End: test.end}
		if got := action.within(test.pc); got != test.want {
			t.Errorf("[%#x,%#x) has %#x: %v", test.start, test.end, test.pc, got)
		}
	}
}
