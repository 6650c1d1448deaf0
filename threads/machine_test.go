package threads

import (
	"debug/elf"
	"errors"
	"testing"

	"rspd/ptrace"
	"rspd/threads/internal/simulation"
)

// machineKernel has one answer about every program, and one code segment.
type machineKernel struct {
	simulated
	machine elf.Machine
	err     error
	cs      uint64
	noRegs  bool
	asked   *int
}

func (k machineKernel) Machine(int) (elf.Machine, error) {
	*k.asked++
	return k.machine, k.err
}

func (k machineKernel) Registers(tid int, registers *ptrace.Registers) error {
	if k.noRegs {
		return ptrace.ErrGone
	}
	err := k.simulated.Registers(tid, registers)
	registers.Cs = k.cs
	return err
}

func TestMachine(t *testing.T) {
	unreadable := errors.New("permission denied")
	for name, c := range map[string]struct {
		kernel machineKernel
		want   elf.Machine
		// asked is how often two calls look at the program.
		asked int
	}{
		"64 bits":                            {machineKernel{machine: elf.EM_X86_64, cs: 0x33}, elf.EM_X86_64, 1},
		"32 bits":                            {machineKernel{machine: elf.EM_386, cs: 0x23}, elf.EM_386, 1},
		"32-bit code in a 64-bit program":    {machineKernel{machine: elf.EM_X86_64, cs: 0x23}, elf.EM_X86_64, 1},
		"64-bit code in a 32-bit program":    {machineKernel{machine: elf.EM_386, cs: 0x33}, elf.EM_386, 1},
		"unreadable, 64 bits":                {machineKernel{err: unreadable, cs: 0x33}, elf.EM_X86_64, 1},
		"unreadable, 32 bits":                {machineKernel{err: unreadable, cs: 0x23}, elf.EM_386, 1},
		"unreadable, 64 bits in a Xen guest": {machineKernel{err: unreadable, cs: 0xe033}, elf.EM_X86_64, 1},
		"gone":                               {machineKernel{err: unreadable, noRegs: true}, elf.EM_X86_64, 2},
	} {
		asked := 0
		c.kernel.asked = &asked
		c.kernel.simulated = simulated{simulation.NewKernel(&simulation.Priority{}, []simulation.Program{{{Operation: simulation.Nop}}})}
		table := NewTable(c.kernel)
		process, err := table.Launch(ptrace.Program{Path: "0"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		first, second := process.Machine(), process.Machine()
		if first != c.want || second != c.want || asked != c.asked {
			t.Errorf("%s: %v, then %v, want %v; asked %d times, want %d", name, first, second, c.want, asked, c.asked)
		}
	}
}
