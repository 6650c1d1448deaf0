package gdbserver

import (
	"rspd/host"
	"rspd/rsp"
)

// extensions are LLDB's packets (LLVM's lldb/docs/resources/lldbgdbremote.md).
// They are answered whoever asks; gdb asks none of them.
func extensions() []capability {
	return []capability{
		{lldb: []string{"QThreadSuffixSupported"}, packets: map[rsp.PacketName]handler{
			rsp.PacketThreadSuffixSupported: agree,
		}},
		{lldb: []string{"QListThreadsInStopReply"}, packets: map[rsp.PacketName]handler{
			rsp.PacketListThreadsInStopReply: func(s *session, _ rsp.Request) (rsp.Reply, error) {
				s.extended.threadLists = true
				return rsp.OK{}, nil
			},
		}},
		{lldb: []string{"qEcho"}, packets: hostPackets()},
		{lldb: []string{"MultiMemRead"}, packets: map[rsp.PacketName]handler{
			rsp.PacketMultiMemRead: on((*session).multiMemRead),
		}},
		{lldb: []string{"jMultiBreakpoint"}, packets: map[rsp.PacketName]handler{
			rsp.PacketMultiBreakpoint: on((*session).multiBreakpoint),
		}},
		{lldb: []string{"qSaveCore"}, packets: map[rsp.PacketName]handler{
			rsp.PacketSaveCore: on((*session).saveCore),
		}},
		{packets: map[rsp.PacketName]handler{
			rsp.PacketEnableErrorStrings: func(s *session, _ rsp.Request) (rsp.Reply, error) {
				s.extended.errorStrings = true
				return rsp.OK{}, nil
			},

			rsp.PacketProcessInfo:           on((*session).processInfo),
			rsp.PacketRegisterInfo:          on((*session).registerInfo),
			rsp.PacketThreadsInfo:           on((*session).threadsInfo),
			rsp.PacketThreadStopInfo:        on((*session).threadStopInfo),
			rsp.PacketWatchpointSupportInfo: on(watchpointSupport),
			rsp.PacketWorkingDirQuery:       on((*session).workingDir),
			rsp.PacketLibraryInfoAddress:    on((*session).libraryInfoAddress),
			rsp.PacketSetDetachOnError:      agree,
			rsp.PacketLaunchArch:            agree,

			rsp.PacketLaunchArguments:       on((*session).launchArguments),
			rsp.PacketLaunchSuccess:         on((*session).launchSuccess),
			rsp.PacketSetStandardInput:      on((*session).setStandardFile),
			rsp.PacketSetStandardOutput:     on((*session).setStandardFile),
			rsp.PacketSetStandardErrors:     on((*session).setStandardFile),
			rsp.PacketInput:                 on((*session).standardInput),
			rsp.PacketAttachName:            on((*session).attachNamed),
			rsp.PacketAttachWait:            on((*session).attachNamed),
			rsp.PacketAttachOrWait:          on((*session).attachNamed),
			rsp.PacketAttachOrWaitSupported: agree,

			rsp.PacketFileLoadAddress:      on((*session).fileLoadAddress),
			rsp.PacketMemoryRegionInfo:     on((*session).memoryRegion),
			rsp.PacketAllocateMemory:       on((*session).allocateMemory),
			rsp.PacketDeallocateMemory:     on((*session).deallocateMemory),
			rsp.PacketSaveRegisterState:    on((*session).saveRegisterState),
			rsp.PacketRestoreRegisterState: on((*session).restoreRegisterState),
		}},
	}
}

// agree answers a packet that says what the client will do.
func agree(*session, rsp.Request) (rsp.Reply, error) { return rsp.OK{}, nil }

// processInfo answers qProcessInfo.
func (s *session) processInfo(rsp.Extension) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, coded(codeNoProcess, "%v", err)
	}
	described, err := host.ReadProcess(process.PID)
	if err != nil {
		return nil, err
	}
	if lwp := process.FirstLWP(); lwp != nil {
		described.Bits = 64
		if s.describe(lwp).ByName("rip") == nil {
			described.Bits = 32
		}
	}
	return described.Info(), nil
}

// watchpointSupport answers qWatchpointSupportInfo: the processor has four debug
// registers (Intel SDM volume 3, section 18.2).
func watchpointSupport(*session, rsp.Extension) (rsp.Reply, error) {
	return rsp.KeyValues{{Key: "num", Value: "4"}}, nil
}

// workingDir answers qGetWorkingDir: where programs are started.
func (s *session) workingDir(rsp.Extension) (rsp.Reply, error) {
	return host.WorkingDirectory(s.server.startup.Directory)
}
