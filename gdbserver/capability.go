package gdbserver

import (
	"fmt"

	"rspd/rsp"
)

// handler gives a request its meaning. It returns the reply, or an error that
// becomes one.
type handler func(s *session, request rsp.Request) (rsp.Reply, error)

// on makes a handler of a function that takes one type of request.
func on[R rsp.Request](handle func(s *session, request R) (rsp.Reply, error)) handler {
	return func(s *session, request rsp.Request) (rsp.Reply, error) { return handle(s, request.(R)) }
}

// capability is something that the server can do: the words of qSupported that
// announce it and the packets that it consists of.
type capability struct {
	// features stand in the qSupported answer, without "+"; one that has a
	// value, with it.
	features []string
	// lldb are the words for clients of LLDB's dialect, which know others.
	lldb []string
	// packets are handled by the handler beside them.
	packets map[rsp.PacketName]handler
}

// capabilities are everything that the server can do. A packet that is in none
// of them is answered as one that is not known. It is filled by init because
// the answer to qSupported goes through it.
var capabilities []capability

func allCapabilities() []capability {
	return append(commonCapabilities(), extensions()...)
}

func commonCapabilities() []capability {
	return []capability{
		{packets: map[rsp.PacketName]handler{
			rsp.PacketSupported:      on((*session).supported),
			rsp.PacketMustReplyEmpty: func(*session, rsp.Request) (rsp.Reply, error) { return rsp.Empty{}, nil },
			rsp.PacketExtendedMode:   on((*session).extendedMode),
		}},
		{features: []string{"QStartNoAckMode"}, lldb: []string{"QStartNoAckMode"}, packets: map[rsp.PacketName]handler{
			rsp.PacketStartNoAckMode: on((*session).startNoAckMode),
		}},
		{features: []string{"error-message"}},

		// Threads and their selection.
		{features: []string{"multiprocess"}, lldb: []string{"multiprocess"}, packets: map[rsp.PacketName]handler{
			rsp.PacketSetThread:       on((*session).setThread),
			rsp.PacketThreadAlive:     on((*session).threadAlive),
			rsp.PacketCurrentThread:   on((*session).currentThread),
			rsp.PacketFirstThreadInfo: on((*session).threadInfo),
			rsp.PacketNextThreadInfo:  on((*session).threadInfo),
			rsp.PacketThreadExtraInfo: on((*session).threadExtraInfo),
			rsp.PacketAttached:        on((*session).attached),
			rsp.PacketTLSAddress:      on((*session).tlsAddress),
		}},

		// Registers and memory.
		{packets: map[rsp.PacketName]handler{
			rsp.PacketReadRegisters:     on((*session).readRegisters),
			rsp.PacketWriteRegisters:    on((*session).writeRegisters),
			rsp.PacketReadRegister:      on((*session).readRegister),
			rsp.PacketWriteRegister:     on((*session).writeRegister),
			rsp.PacketReadMemory:        on((*session).readMemory),
			rsp.PacketWriteMemory:       on((*session).writeMemory),
			rsp.PacketWriteMemoryBinary: on((*session).writeMemory),
			rsp.PacketSearchMemory:      on((*session).searchMemory),
			rsp.PacketChecksumMemory:    on((*session).checksumMemory),
		}},
		{features: []string{"binary-upload"}, packets: map[rsp.PacketName]handler{
			rsp.PacketReadMemoryBinary: on((*session).readMemory),
		}},

		// Running.
		{features: []string{"vContSupported", "swbreak", "hwbreak", "fork-events", "vfork-events", "exec-events", "no-resumed"},
			lldb: []string{"fork-events", "vfork-events"},
			packets: map[rsp.PacketName]handler{
				rsp.PacketStopReason:     on((*session).stopReason),
				rsp.PacketVCont:          on((*session).vCont),
				rsp.PacketVContQuery:     on((*session).vContQuery),
				rsp.PacketContinue:       on((*session).resumeOld),
				rsp.PacketContinueSignal: on((*session).resumeOld),
				rsp.PacketStep:           on((*session).resumeOld),
				rsp.PacketStepSignal:     on((*session).resumeOld),
				rsp.PacketCtrlC:          on((*session).ctrlC),
			}},
		{features: []string{"QNonStop"}, lldb: []string{"QNonStop"}, packets: map[rsp.PacketName]handler{
			rsp.PacketNonStop:              on((*session).nonStop),
			rsp.PacketStopAcknowledgment:   on((*session).acknowledged),
			rsp.PacketOutputAcknowledgment: on((*session).outputAcknowledged),
		}},
		{features: []string{"ConditionalBreakpoints", "BreakpointCommands"}, packets: map[rsp.PacketName]handler{
			rsp.PacketInsertBreakpoint: on((*session).breakpoint),
			rsp.PacketRemoveBreakpoint: on((*session).breakpoint),
		}},
		{features: []string{"QCatchSyscalls"}, packets: map[rsp.PacketName]handler{
			rsp.PacketCatchSyscalls: on((*session).catchSyscalls),
		}},
		{features: []string{"QAllow"}, packets: map[rsp.PacketName]handler{
			rsp.PacketAllow: on((*session).allow),
		}},
		{features: []string{"QThreadEvents"}, packets: map[rsp.PacketName]handler{
			rsp.PacketThreadEvents: on((*session).threadEvents),
		}},
		{features: []string{fmt.Sprintf("QThreadOptions=%x", rsp.KnownThreadOptions)}, packets: map[rsp.PacketName]handler{
			rsp.PacketThreadOptions: on((*session).threadOptions),
		}},
		{features: []string{"QPassSignals"}, lldb: []string{"QPassSignals", "native-signals"}, packets: map[rsp.PacketName]handler{
			rsp.PacketPassSignals: on((*session).passSignals),
		}},
		{features: []string{"QProgramSignals"}, packets: map[rsp.PacketName]handler{
			rsp.PacketProgramSignals: on((*session).programSignals),
		}},

		// Processes: beginning and end.
		{packets: map[rsp.PacketName]handler{
			rsp.PacketKill:        on((*session).kill),
			rsp.PacketKillProcess: on((*session).killProcess),
			rsp.PacketDetach:      on((*session).detach),
			rsp.PacketRestart:     on((*session).restart),
			rsp.PacketRun:         on((*session).run),
			rsp.PacketAttach:      on((*session).attach),
		}},
		{features: []string{"QDisableRandomization"}, packets: map[rsp.PacketName]handler{
			rsp.PacketDisableRandomization: on((*session).disableRandomization),
		}},
		{features: []string{"QStartupWithShell"}, packets: map[rsp.PacketName]handler{
			rsp.PacketStartupWithShell: on((*session).startupWithShell),
		}},
		{features: []string{"QEnvironmentHexEncoded"}, packets: map[rsp.PacketName]handler{
			rsp.PacketEnvironmentSet: on((*session).setEnvironment),
		}},
		{features: []string{"QEnvironmentUnset"}, packets: map[rsp.PacketName]handler{
			rsp.PacketEnvironmentUnset: on((*session).unsetEnvironment),
		}},
		{features: []string{"QEnvironmentReset"}, packets: map[rsp.PacketName]handler{
			rsp.PacketEnvironmentReset: on((*session).resetEnvironment),
		}},
		{features: []string{"QSetWorkingDir"}, packets: map[rsp.PacketName]handler{
			rsp.PacketSetWorkingDir: on((*session).setWorkingDir),
		}},
		{features: []string{"qExecAndArgs"}, packets: map[rsp.PacketName]handler{
			rsp.PacketExecAndArgs: on((*session).execAndArgs),
		}},

		// Documents and files.
		{features: append(transferFeatures(), "augmented-libraries-svr4-read"),
			lldb: []string{"qXfer:features:read", "qXfer:auxv:read", "qXfer:libraries-svr4:read", "qXfer:siginfo:read"}, packets: map[rsp.PacketName]handler{
				rsp.PacketTransferRead:  on((*session).transferRead),
				rsp.PacketTransferWrite: on((*session).transferWrite),
			}},
		{packets: map[rsp.PacketName]handler{
			rsp.PacketMonitor: on((*session).monitor),
			rsp.PacketSymbol:  on((*session).symbol),
		}},
	}
}

// handlers is capabilities by packet.
var handlers [rsp.PacketCount]handler

func init() {
	capabilities = allCapabilities()
	for _, capability := range capabilities {
		for name, handle := range capability.packets {
			handlers[name] = handle
		}
	}
}
