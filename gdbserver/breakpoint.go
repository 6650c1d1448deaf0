package gdbserver

import (
	"rspd/rsp"
	"rspd/threads"
)

// breakpoint answers Z and z. A request that carries conditions or commands is
// refused, since a breakpoint that ignores them is worse than none; nothing
// announces that they are understood.
func (s *session) breakpoint(request *rsp.Breakpoint) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	if request.Insert && (len(request.Conditions) > 0 || request.HasCommands) {
		return nil, refusal("conditions and commands of breakpoints are not evaluated here")
	}
	if request.Type == rsp.SoftwareBreakpoint {
		// x86 has one breakpoint instruction, of one byte; clients send
		// its length.
		if request.Kind > 1 {
			return nil, refusal("there is no breakpoint of kind %d on x86", request.Kind)
		}
		if request.Insert {
			err = process.Memory().InsertBreakpoint(request.Address)
		} else {
			err = process.Memory().RemoveBreakpoint(request.Address)
		}
	} else {
		kind := hardwareKinds[request.Type]
		if request.Insert {
			err = process.InsertHardware(kind, request.Address, uint64(request.Kind))
		} else {
			process.RemoveHardware(kind, request.Address, uint64(request.Kind))
		}
	}
	if err != nil {
		return nil, err
	}
	return rsp.OK{}, nil
}

var hardwareKinds = map[rsp.BreakpointType]threads.HardwareKind{
	rsp.HardwareBreakpoint: threads.HardwareExecute,
	rsp.WriteWatchpoint:    threads.HardwareWrite,
	rsp.ReadWatchpoint:     threads.HardwareRead,
	rsp.AccessWatchpoint:   threads.HardwareAccess,
}
