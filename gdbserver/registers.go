package gdbserver

import (
	"debug/elf"
	"errors"

	"golang.org/x/sys/unix"

	"rspd/gdbserver/description"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// descriptions are the target descriptions that were made so far: one for each
// kind of program that this machine can run, and for each kind of client.
type descriptions struct {
	amd64, amd64ShadowStack, i386 *description.Description
	plainAMD64, plainI386         *description.Description
	lldbAMD64, lldbI386           *description.Description
	delve                         *description.Description
}

// once makes a description when it is asked for.
func once(made **description.Description, build func() *description.Description) *description.Description {
	if *made == nil {
		*made = build()
	}
	return *made
}

// describe returns the description that fits the program that an LWP runs.
// It is asked anew for each packet, so that execve changes it by itself.
func (d *descriptions) describe(lwp *threads.LWP) *description.Description {
	if lwp.Process.Machine() == elf.EM_386 {
		return d.general(lwp)
	}
	if _, err := lwp.ShadowStackPointer(); err == nil {
		return once(&d.amd64ShadowStack, func() *description.Description {
			return description.AMD64(ptrace.HostXSaveLayout(), true)
		})
	}
	return d.general(lwp)
}

// general is a description of the registers that every program for the same
// machine has, among them all of the set description.General, whose numbers are
// the same for all clients. Whether there are others costs a system call in each
// stop.
func (d *descriptions) general(lwp *threads.LWP) *description.Description {
	if lwp.Process.Machine() == elf.EM_386 {
		return once(&d.i386, func() *description.Description { return description.I386(ptrace.HostXSaveLayout()) })
	}
	return once(&d.amd64, func() *description.Description { return description.AMD64(ptrace.HostXSaveLayout(), false) })
}

// plain is the description for clients that know only registers of their own.
func (d *descriptions) plain(lwp *threads.LWP) *description.Description {
	if lwp.Process.Machine() == elf.EM_386 {
		return once(&d.plainI386, func() *description.Description { return d.general(lwp).Plain() })
	}
	return once(&d.plainAMD64, func() *description.Description { return d.general(lwp).Plain() })
}

// lldb is the description for clients of LLDB's dialect.
func (d *descriptions) lldb(lwp *threads.LWP) *description.Description {
	if lwp.Process.Machine() == elf.EM_386 {
		return once(&d.lldbI386, func() *description.Description { return d.general(lwp).ForLLDB() })
	}
	return once(&d.lldbAMD64, func() *description.Description { return d.general(lwp).ForLLDB() })
}

// delve64 is the description for Delve, which knows 64-bit programs alone.
func (d *descriptions) delve64(lwp *threads.LWP) *description.Description {
	if lwp.Process.Machine() == elf.EM_386 {
		return d.lldb(lwp)
	}
	return once(&d.delve, func() *description.Description { return d.general(lwp).ForDelve() })
}

// inLLDBDialect is the description for a client that speaks LLDB's dialect.
func (s *session) inLLDBDialect(lwp *threads.LWP) *description.Description {
	if s.client.delve {
		return s.server.descriptions.delve64(lwp)
	}
	return s.server.descriptions.lldb(lwp)
}

// expeditedTable is the description whose expedited registers go with stop
// replies.
func (s *session) expeditedTable(lwp *threads.LWP) *description.Description {
	if s.lldb() {
		return s.inLLDBDialect(lwp)
	}
	return s.server.descriptions.general(lwp)
}

// describe returns the description of an LWP's registers for the client: the
// whole one if it has said that it takes a target description of x86 registers.
// What a client expects that does not, GNU gdbserver has always given it.
func (s *session) describe(lwp *threads.LWP) *description.Description {
	if s.lldb() {
		return s.inLLDBDialect(lwp)
	}
	if s.client.targetDescription {
		return s.server.descriptions.describe(lwp)
	}
	return s.server.descriptions.plain(lwp)
}

// load fills the session's register state with the sets that are needed.
func (s *session) load(lwp *threads.LWP, sets description.Sets) error {
	return loadRegisters(lwp, sets, &s.state)
}

// loadRegisters fills state with the register sets of a stopped LWP that are
// needed, and with nothing else.
func loadRegisters(lwp *threads.LWP, sets description.Sets, state *description.State) error {
	*state = description.State{}
	if sets&description.General != 0 {
		registers, err := lwp.Registers()
		if err != nil {
			return err
		}
		state.General = registers
	}
	if sets&description.XState != 0 {
		xstate, err := lwp.XState()
		if err != nil {
			return err
		}
		state.XState = xstate
	}
	if sets&description.ShadowStack != 0 {
		pointer, err := lwp.ShadowStackPointer()
		switch {
		case err == nil:
			state.ShadowStackPointer, state.ShadowStackActive = pointer, true
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.EINVAL):
		default:
			return err
		}
	}
	return nil
}

const allSets = description.General | description.XState | description.ShadowStack

// selectors are the registers that choose segments whose bases may be any.
type selectors struct{ fs, gs uint64 }

func (s *session) selectors() selectors {
	if s.state.General == nil {
		return selectors{}
	}
	return selectors{s.state.General.Fs, s.state.General.Gs}
}

// store has the sets that were changed written to the LWP. former are the
// selectors before the change.
func (s *session) store(lwp *threads.LWP, sets description.Sets, former selectors) error {
	if lwp.Held() {
		return threads.ErrRunning{TID: lwp.TID}
	}
	if sets&description.General != 0 {
		lwp.RegistersChanged()
		// A 64-bit program has the bases as registers of their own.
		if s.selectors() != former && lwp.Process.Machine() == elf.EM_386 {
			if err := lwp.SegmentsChanged(); err != nil {
				return err
			}
		}
	}
	if sets&description.XState != 0 {
		lwp.XStateChanged()
	}
	if sets&description.ShadowStack != 0 {
		return lwp.SetShadowStackPointer(s.state.ShadowStackPointer)
	}
	return nil
}

// loadForReading loads register sets of the selected LWP as far as there are
// any: a process that is past its exit has none, though its end was not told
// yet. For gdb the general registers are zero then and the others unavailable.
// After an error, gdb would be kept at that thread: it reads the registers of the
// one that it is to leave; and it resumes none whose program counter is
// unavailable, as GNU gdbserver answers.
func (s *session) loadForReading(lwp *threads.LWP, sets description.Sets) error {
	if !lwp.Ending() {
		err := s.load(lwp, sets)
		if s.lldb() || !errors.Is(err, ptrace.ErrGone) {
			return err
		}
	}
	s.state = description.State{General: &ptrace.Registers{}}
	return nil
}

// lwpOfRegisters is the selected LWP, or one that is ending where its process
// has no other.
func (s *session) lwpOfRegisters() (*threads.LWP, error) {
	lwp, err := s.lwp()
	if err == nil || s.lldb() {
		return lwp, err
	}
	if process, _ := s.process(); process != nil && process.FirstLWP() == nil {
		return process.LWPs()[0], nil
	}
	if lwp := s.table.Untold(s.general.PID); lwp != nil {
		return lwp, nil
	}
	return nil, err
}

func (s *session) readRegisters(*rsp.ReadRegisters) (rsp.Reply, error) {
	lwp, err := s.lwpOfRegisters()
	if err != nil {
		return nil, err
	}
	if err := s.loadForReading(lwp, allSets); err != nil {
		return nil, err
	}
	table := s.describe(lwp)
	s.values = table.AppendAll(s.values[:0], &s.state)
	s.registers = rsp.Registers{Data: s.values}
	for offset, size := range table.Unavailable(&s.state) {
		if s.registers.Unavailable == nil {
			s.unknown = append(s.unknown[:0], make([]bool, table.Size)...)
			s.registers.Unavailable = s.unknown
		}
		for i := range size {
			s.unknown[offset+i] = true
		}
	}
	return &s.registers, nil
}

func (s *session) writeRegisters(request *rsp.WriteRegisters) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	if err := s.load(lwp, allSets); err != nil {
		return nil, err
	}
	former := s.selectors()
	sets, err := s.describe(lwp).SetAll(request.Data, &s.state)
	if err != nil {
		return nil, err
	}
	return rsp.OK{}, s.store(lwp, sets, former)
}

// register finds a register of an LWP.
func (s *session) register(lwp *threads.LWP, number int) (*description.Description, *description.Register, error) {
	table := s.describe(lwp)
	register := table.ByNumber(number)
	if register == nil {
		return nil, nil, refusal("there is no register %d", number)
	}
	return table, register, nil
}

func (s *session) readRegister(request *rsp.ReadRegister) (rsp.Reply, error) {
	lwp, err := s.lwpOfRegisters()
	if err != nil {
		return nil, err
	}
	table, register, err := s.register(lwp, request.Number)
	if err != nil {
		return nil, err
	}
	if err := s.loadForReading(lwp, register.Set()); err != nil {
		return nil, err
	}
	s.values = table.AppendRegister(s.values[:0], register, &s.state)
	s.registers = rsp.Registers{Data: s.values}
	if table.Available(&s.state)&register.Set() == 0 {
		s.unknown = s.unknown[:0]
		for range s.values {
			s.unknown = append(s.unknown, true)
		}
		s.registers.Unavailable = s.unknown
	}
	return &s.registers, nil
}

func (s *session) writeRegister(request *rsp.WriteRegister) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	table, register, err := s.register(lwp, request.Number)
	if err != nil {
		return nil, err
	}
	if err := s.load(lwp, register.Set()); err != nil {
		return nil, err
	}
	former := s.selectors()
	sets, err := table.SetRegister(register, request.Value, &s.state)
	if err != nil {
		return nil, err
	}
	return rsp.OK{}, s.store(lwp, sets, former)
}
