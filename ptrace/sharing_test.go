package ptrace

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// callFrom has a stopped thread make a system call of its own, with the
// instruction given, and returns the first event of it.
func callFrom(t *testing.T, tracer *Tracer, tid int, instruction []byte, number uint64, arguments ...uint64) Event {
	t.Helper()
	var registers Registers
	if err := tracer.Registers(tid, &registers); err != nil {
		t.Fatal(err)
	}
	memory, err := OpenMemory(tid)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if err := memory.Write(registers.Rip, code(number, instruction)); err != nil {
		t.Fatal(err)
	}
	into := []*uint64{&registers.Rdi, &registers.Rsi, &registers.Rdx, &registers.R10, &registers.R8}
	if instruction[0] == int80[0] {
		into = []*uint64{&registers.Rbx, &registers.Rcx, &registers.Rdx, &registers.Rsi, &registers.Rdi}
	}
	for i, argument := range arguments {
		*into[i] = argument
	}
	if err := tracer.SetRegisters(tid, &registers); err != nil {
		t.Fatal(err)
	}
	if err := tracer.Continue(tid, 0); err != nil {
		t.Fatal(err)
	}
	event, err := tracer.WaitFor(tid)
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// code loads the number, since a launched program is stopped inside of execve,
// which overwrites rax, and makes the call.
func code(number uint64, instruction []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{0xb8}, uint32(number)), instruction...)
}

var (
	syscallInstruction = []byte{0x0f, 0x05}
	int80              = []byte{0xcd, 0x80}
)

func TestSharedMemoryOfNewTasks(t *testing.T) {
	for _, test := range []struct {
		name        string
		instruction []byte
		number      uint64
		// flags are clone's, or of struct clone_args where inMemory is set.
		flags    uint64
		inMemory bool
		shares   bool
	}{
		{"fork", syscallInstruction, 57, 0, false, false},
		{"clone", syscallInstruction, 56, uint64(unix.SIGCHLD), false, false},
		{"clone without a signal", syscallInstruction, 56, 0, false, false},
		{"clone, files only", syscallInstruction, 56, unix.CLONE_FILES | unix.CLONE_FS, false, false},
		{"clone, memory", syscallInstruction, 56, unix.CLONE_VM | uint64(unix.SIGCHLD), false, true},
		{"clone, memory, without a signal", syscallInstruction, 56, unix.CLONE_VM, false, true},
		{"vfork", syscallInstruction, 58, 0, false, true},
		{"clone as vfork without the memory", syscallInstruction, 56, unix.CLONE_VFORK | uint64(unix.SIGCHLD), false, false},
		{"vfork by int 0x80", int80, 190, 0, false, true},
		{"clone3", syscallInstruction, 435, 0, true, false},
		{"clone3, memory", syscallInstruction, 435, unix.CLONE_VM | unix.CLONE_SIGHAND, true, true},
		{"fork by int 0x80", int80, 2, 0, false, false},
		{"clone by int 0x80", int80, 120, uint64(unix.SIGCHLD), false, false},
		{"clone by int 0x80, memory", int80, 120, unix.CLONE_VM | uint64(unix.SIGCHLD), false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			onTracer(t, func(tracer *Tracer) {
				pid := launch(t, tracer, "/bin/true")
				defer tracer.abandon(pid)
				argument := test.flags
				size := uint64(0)
				if test.inMemory {
					var registers Registers
					if err := tracer.Registers(pid, &registers); err != nil {
						t.Error(err)
						return
					}
					var arguments [64]byte // CLONE_ARGS_SIZE_VER0
					binary.LittleEndian.PutUint64(arguments[:], test.flags)
					argument, size = registers.Rsp-1024, uint64(len(arguments))
					memory, err := OpenMemory(pid)
					if err == nil {
						err = memory.Write(argument, arguments[:])
						memory.Close()
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
				event := callFrom(t, tracer, pid, test.instruction, test.number, argument, size)
				if event.Kind != Forked && event.Kind != VForked && event.Kind != Cloned {
					t.Errorf("the call is reported as %v", event)
					return
				}
				message, err := tracer.EventMessage(pid)
				if err != nil {
					t.Error(err)
					return
				}
				child := int(message)
				defer tracer.abandon(child)
				if _, err := tracer.WaitFor(child); err != nil {
					t.Error(err)
				}
				if shares, err := tracer.MadeSharing(pid); err != nil || shares != test.shares {
					t.Errorf("by its flags it shares: %v (%v)", shares, err)
				}
				if same, err := SameMemory(pid, child); err != nil || same != test.shares {
					t.Errorf("by comparing it shares: %v (%v)", same, err)
				}
			})
		})
	}
}

// TestSyscallInformation follows calls by PTRACE_SYSCALL, made in both ways.
func TestSyscallInformation(t *testing.T) {
	for _, test := range []struct {
		instruction []byte
		number      uint64
		want        Syscall
		result      int64
	}{
		{syscallInstruction, unix.SYS_DUP3, Syscall{Phase: SyscallEntry, Number: unix.SYS_DUP3, Arguments: [6]uint64{0, 0, 7}}, -int64(unix.EINVAL)},
		{syscallInstruction, unix.SYS_UMASK, Syscall{Phase: SyscallEntry, Number: unix.SYS_UMASK, Arguments: [6]uint64{0o22}}, 0o22},
		{int80, 60, Syscall{Phase: SyscallEntry, ABI: SyscallI386, Number: 60, Arguments: [6]uint64{0o22}}, 0o22},
		{int80, 41, Syscall{Phase: SyscallEntry, ABI: SyscallI386, Number: 41, Arguments: [6]uint64{999999}}, -int64(unix.EBADF)},
	} {
		t.Run(fmt.Sprintf("%v %d", test.want.ABI, test.number), func(t *testing.T) {
			onTracer(t, func(tracer *Tracer) {
				old := unix.Umask(0o22)
				pid := launch(t, tracer, "/bin/true")
				unix.Umask(old)
				defer tracer.abandon(pid)
				var registers Registers
				memory, err := OpenMemory(pid)
				if err == nil {
					defer memory.Close()
					err = tracer.Registers(pid, &registers)
				}
				if err == nil {
					err = memory.Write(registers.Rip, code(test.number, test.instruction))
				}
				registers.Rdi, registers.Rsi, registers.Rdx, registers.R10, registers.R8, registers.R9 = test.want.Arguments[0], test.want.Arguments[1], test.want.Arguments[2], 0, 0, 0
				if test.want.ABI == SyscallI386 {
					registers.Rbx, registers.Rcx, registers.Rdx = test.want.Arguments[0], test.want.Arguments[1], test.want.Arguments[2]
					registers.Rsi, registers.Rdi, registers.Rbp = 0, 0, 0
				}
				if err == nil {
					err = tracer.SetRegisters(pid, &registers)
				}
				if err != nil {
					t.Error(err)
					return
				}
				var seen []Syscall
				for range 3 {
					// The first stop is the return from execve.
					if err := tracer.ContinueToSyscall(pid, 0); err != nil {
						t.Error(err)
						return
					}
					event, err := tracer.WaitFor(pid)
					if err != nil || event.Kind != SyscallStop {
						t.Error(event, err)
						return
					}
					var call Syscall
					if err := tracer.Syscall(pid, &call); err != nil {
						t.Error(err)
						return
					}
					seen = append(seen, call)
				}
				if seen[0].Phase != SyscallReturn {
					t.Errorf("execve returns as %+v", seen[0])
				}
				if seen[1] != test.want {
					t.Errorf("the entry is %+v, want %+v", seen[1], test.want)
				}
				want := Syscall{Phase: SyscallReturn, ABI: test.want.ABI, Result: test.result, Failed: test.result < 0}
				if seen[2] != want {
					t.Errorf("the return is %+v, want %+v", seen[2], want)
				}
			})
		})
	}
}
