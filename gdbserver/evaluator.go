package gdbserver

import (
	"encoding/binary"
	"fmt"

	"rspd/gdbserver/agent"
	"rspd/gdbserver/description"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// evaluator runs agent expressions for an LWP at a breakpoint.
type evaluator struct {
	server  *Server
	machine agent.Machine
	lwp     *threads.LWP
	state   description.State
	value   [8]byte
}

// pointCode is what is evaluated at one breakpoint.
type pointCode struct {
	conditions, commands []*agent.Expression
}

// compile makes a judge of the conditions and commands of a request, none if it
// has none. An expression that cannot be evaluated is refused.
func (s *Server) compile(request *rsp.Breakpoint) (threads.Judge, error) {
	if len(request.Conditions) == 0 && len(request.Commands) == 0 {
		return threads.Judge{}, nil
	}
	var code pointCode
	for _, list := range []struct {
		of   string
		from [][]byte
		to   *[]*agent.Expression
	}{{"condition", request.Conditions, &code.conditions}, {"command", request.Commands, &code.commands}} {
		for _, bytes := range list.from {
			expression, err := agent.Compile(bytes)
			if err != nil {
				return threads.Judge{}, refusal("a %s of the breakpoint cannot be evaluated: %v", list.of, err)
			}
			*list.to = append(*list.to, expression)
		}
	}
	return threads.Judge{
		Decide:     func(lwp *threads.LWP) threads.Verdict { return s.evaluator.judge(&code, lwp) },
		Persistent: request.Persist && len(code.commands) > 0,
	}, nil
}

// judge decides on a hit. It is one if there is no condition or any is true,
// and then it is the client's unless there are commands. A condition that
// fails counts as true, so that the client evaluates it itself and shows what
// is wrong; a command that fails ends the commands of the hit.
func (e *evaluator) judge(code *pointCode, lwp *threads.LWP) threads.Verdict {
	e.lwp = lwp
	defer func() { e.lwp = nil }()
	hit := len(code.conditions) == 0
	for _, condition := range code.conditions {
		value, err := e.machine.Evaluate(condition, e)
		if err != nil {
			e.server.options.Threads.Debug("a breakpoint's condition fails", "lwp", lwp.TID, "error", err)
		}
		if hit = err != nil || value != 0; hit {
			break
		}
	}
	if hit && len(code.commands) == 0 {
		return threads.Report
	}
	if !hit {
		return threads.PassOver
	}
	for _, command := range code.commands {
		if err := e.machine.Run(command, e); err != nil {
			e.server.printf("A command of a breakpoint fails in thread %d: %v\n", lwp.TID, err)
			break
		}
	}
	return threads.PassOver
}

// Register reads a register of the LWP; see [agent.Target].
func (e *evaluator) Register(number int) (uint64, error) {
	table := e.server.descriptions.general(e.lwp)
	register := table.ByNumber(number)
	if register == nil || register.Set() != description.General {
		table = e.server.descriptions.describe(e.lwp)
		register = table.ByNumber(number)
	}
	if register == nil {
		return 0, fmt.Errorf("there is no register %d", number)
	}
	if register.Size() > len(e.value) {
		return 0, fmt.Errorf("register %s has %d bits, and the values of agent expressions 64", register.Name, register.Bits)
	}
	if err := loadRegisters(e.lwp, register.Set(), &e.state); err != nil {
		return 0, err
	}
	if table.Available(&e.state)&register.Set() == 0 {
		return 0, fmt.Errorf("register %s is not available in this thread", register.Name)
	}
	e.value = [8]byte{}
	table.AppendRegister(e.value[:0], register, &e.state)
	return binary.LittleEndian.Uint64(e.value[:]), nil
}

// ReadMemory reads the program's memory; see [agent.Target].
func (e *evaluator) ReadMemory(address uint64, buffer []byte) error {
	n, err := e.lwp.Process.Memory().Read(address, buffer)
	if err == nil && n < len(buffer) {
		err = &ptrace.MemoryError{Address: address + uint64(n)}
	}
	return err
}

// Print writes where the program writes, as GNU gdbserver's commands do.
func (e *evaluator) Print(text []byte) error {
	if output := e.server.startup.Output; output != nil {
		_, err := output.Write(text)
		return err
	}
	_, err := e.server.options.Messages.Write(text)
	return err
}
