package gdbserver

import (
	"bytes"
	"strconv"

	"rspd/gdbserver/description"
	"rspd/ptrace"
	"rspd/rsp"
)

// registerInfo answers qRegisterInfo: a line of the register table.
func (s *session) registerInfo(request *rsp.RegisterInfoQuery) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	table := s.describe(lwp)
	register := table.ByNumber(request.Number)
	if register == nil {
		return nil, coded(codeNotThere, "there is no register %d", request.Number)
	}
	return registerProperties(table, register), nil
}

// registerProperties say nothing of a register's being a part of another one but
// by its offset, which lldb takes for the place in its own copy of the registers, so
// that each shows what is written to the other. Told by container-regs it would
// write the whole register for the part, with zeros for what it has not read.
func registerProperties(table *description.Description, register *description.Register) rsp.KeyValues {
	role := table.Role(register)
	properties := rsp.KeyValues{{Key: "name", Value: register.Name}}
	add := func(key, value string) { properties = append(properties, rsp.KeyValue{Key: key, Value: value}) }
	if role.Alternate != "" {
		add("alt-name", role.Alternate)
	}
	add("bitsize", strconv.Itoa(register.Bits))
	add("offset", strconv.Itoa(register.Offset))
	add("encoding", role.Encoding)
	add("format", role.Format)
	add("set", role.Set)
	if role.DWARF >= 0 {
		add("ehframe", strconv.Itoa(role.DWARF))
		add("dwarf", strconv.Itoa(role.DWARF))
	}
	if role.Generic != "" {
		add("generic", role.Generic)
	}
	return properties
}

// savedRegisters is what QSaveRegisterState has kept.
type savedRegisters struct {
	general ptrace.Registers
	xstate  []byte
}

// maxSaved is how many states a client may have kept at a time: lldb keeps one
// for each function that it has the program call, which may nest.
const maxSaved = 1024

func (s *session) saveRegisterState(*rsp.SaveRegisterState) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	if len(s.extended.saved) == maxSaved {
		return nil, refusal("%d register states are saved already", maxSaved)
	}
	if err := s.load(lwp, description.General|description.XState); err != nil {
		return nil, err
	}
	if s.extended.saved == nil {
		s.extended.saved = map[int]*savedRegisters{}
	}
	s.extended.lastSaved++
	s.extended.saved[s.extended.lastSaved] = &savedRegisters{*s.state.General, bytes.Clone(s.state.XState)}
	return rsp.Decimal(s.extended.lastSaved), nil
}

func (s *session) restoreRegisterState(request *rsp.RestoreRegisterState) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	saved := s.extended.saved[request.ID]
	if saved == nil {
		return nil, refusal("no register state was saved as %d", request.ID)
	}
	if err := s.load(lwp, description.General|description.XState); err != nil {
		return nil, err
	}
	if len(saved.xstate) != len(s.state.XState) {
		return nil, refusal("the register state %d is of another kind of program", request.ID)
	}
	former := s.selectors()
	*s.state.General = saved.general
	copy(s.state.XState, saved.xstate)
	if err := s.store(lwp, description.General|description.XState, former); err != nil {
		return nil, err
	}
	delete(s.extended.saved, request.ID)
	return rsp.OK{}, nil
}
