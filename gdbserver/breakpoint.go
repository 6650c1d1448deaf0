package gdbserver

import (
	"rspd/rsp"
	"rspd/threads"
)

// breakpoint answers Z and z. Z for a breakpoint that is there replaces its
// conditions and commands.
func (s *session) breakpoint(request *rsp.Breakpoint) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	judge, err := s.server.compile(request)
	if err != nil {
		return nil, err
	}
	kind, length := hardwareKinds[request.Type], uint64(request.Kind)
	switch {
	case request.Type == rsp.SoftwareBreakpoint && request.Kind > 1:
		// x86 has one breakpoint instruction, of one byte; clients send
		// its length.
		return nil, refusal("there is no breakpoint of kind %d on x86", request.Kind)
	case judge.Decide != nil && request.Type == rsp.SoftwareBreakpoint:
		err = process.Memory().InsertJudged(request.Address, judge)
	case judge.Decide != nil && request.Type == rsp.HardwareBreakpoint:
		err = process.InsertHardwareJudged(request.Address, judge)
	case judge.Decide != nil:
		return nil, refusal("a %v has no conditions and commands here", request.Type)
	case request.Type == rsp.SoftwareBreakpoint && request.Insert:
		err = process.Memory().InsertBreakpoint(request.Address)
	case request.Type == rsp.SoftwareBreakpoint:
		err = process.Memory().RemoveBreakpoint(request.Address)
	case request.Insert:
		err = process.InsertHardware(kind, request.Address, length)
	default:
		err = process.RemoveHardware(kind, request.Address, length)
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
