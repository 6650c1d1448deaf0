package gdbserver

import (
	"fmt"
	"slices"
	"strings"

	"rspd/rsp"
	"rspd/threads"
)

// supported answers qSupported. What it says to gdb does not depend on what the
// client said, but for single-inf-arg, which the manual wants so.
func (s *session) supported(request *rsp.SupportedQuery) (rsp.Reply, error) {
	s.speak(dialectOf(request, s.parser.Dialect))
	s.client = client{
		multiprocess:   request.Has("multiprocess"),
		softwareBreak:  request.Has("swbreak"),
		hardwareBreak:  request.Has("hwbreak"),
		errorMessage:   request.Has("error-message"),
		forkEvents:     request.Has("fork-events"),
		vforkEvents:    request.Has("vfork-events"),
		execEvents:     request.Has("exec-events"),
		noResumed:      request.Has("no-resumed"),
		singleArgument: request.Has("single-inf-arg"),

		targetDescription: takesX86(request),
	}
	if s.lldb() {
		s.client.takeLLDB()
		s.client.delve = isDelve(request)
	}
	s.applyClient()
	features := rsp.Features{{Name: "PacketSize", State: rsp.FeatureValue, Value: fmt.Sprintf("%x", s.conn.MaxPacket())}}
	for _, capability := range capabilities {
		if !s.offered(capability) {
			continue
		}
		for _, name := range s.words(capability) {
			feature := rsp.Feature{Name: name, State: rsp.FeatureYes}
			if name, value, valued := strings.Cut(name, "="); valued {
				feature = rsp.Feature{Name: name, State: rsp.FeatureValue, Value: value}
			}
			features = append(features, feature)
		}
	}
	if s.client.singleArgument {
		features = append(features, rsp.Feature{Name: "single-inf-arg", State: rsp.FeatureYes})
	}
	return rsp.Supported{Features: features}, nil
}

// takesX86 tells whether a client reads x86 registers from a target description
// (manual, "General Query Packets", xmlRegisters).
func takesX86(request *rsp.SupportedQuery) bool {
	architectures, _ := request.Value("xmlRegisters")
	return slices.Contains(strings.Split(architectures, ","), "i386")
}

// offered tells whether none of a capability's packets is disabled.
func (s *session) offered(capability capability) bool {
	for name := range capability.packets {
		if s.handlers[name] == nil && len(capability.features) == 1 {
			return false
		}
	}
	return true
}

// applyClient has the table report what this client can be told. New processes
// need ids of their own on the wire, so forks are for multiprocess clients.
func (s *session) applyClient() {
	s.table.Events = threads.Events{
		Fork:  s.client.forkEvents && s.client.multiprocess,
		VFork: s.client.vforkEvents && s.client.multiprocess,
		Exec:  s.client.execEvents || s.lldb(),
	}
	if s.client.delve {
		s.table.Pass = ^keptByDelve
	}
	// What the last client wanted of them is not what this one does.
	s.table.ForgetThreadEnds()
	for _, process := range s.table.Processes() {
		process.CatchSyscalls(threads.SyscallSet{})
		for _, lwp := range process.LWPs() {
			lwp.SetOptions(threads.ThreadOptions{})
		}
	}
}

func (s *session) extendedMode(*rsp.ExtendedMode) (rsp.Reply, error) {
	s.server.extended = true
	return rsp.OK{}, nil
}

func (s *session) startNoAckMode(*rsp.StartNoAckMode) (rsp.Reply, error) {
	s.afterReply = func() error {
		s.conn.SetNoAck(true)
		return nil
	}
	return rsp.OK{}, nil
}
