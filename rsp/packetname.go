package rsp

// A PacketName names a kind of request. It is small and dense, so that it
// can index an array of PacketCount entries.
type PacketName uint8

// The requests that are understood. The comment of each request type says
// where the manual describes it.
const (
	PacketUnknown PacketName = iota

	PacketExtendedMode
	PacketStopReason
	PacketContinue
	PacketContinueSignal
	PacketDetach
	PacketReadRegisters
	PacketWriteRegisters
	PacketSetThread
	PacketKill
	PacketReadMemory
	PacketWriteMemory
	PacketReadRegister
	PacketWriteRegister
	PacketRestart
	PacketStep
	PacketStepSignal
	PacketThreadAlive
	PacketReadMemoryBinary
	PacketWriteMemoryBinary
	PacketInsertBreakpoint
	PacketRemoveBreakpoint

	PacketAttached
	PacketChecksumMemory
	PacketCurrentThread
	PacketExecAndArgs
	PacketFirstThreadInfo
	PacketNextThreadInfo
	PacketOffsets
	PacketMonitor
	PacketSearchMemory
	PacketSupported
	PacketSymbol
	PacketThreadExtraInfo
	PacketTLSAddress
	PacketTransferRead
	PacketTransferWrite

	PacketAllow
	PacketCatchSyscalls
	PacketDisableRandomization
	PacketEnvironmentReset
	PacketEnvironmentSet
	PacketEnvironmentUnset
	PacketNonStop
	PacketPassSignals
	PacketProgramSignals
	PacketSetWorkingDir
	PacketStartNoAckMode
	PacketStartupWithShell
	PacketThreadEvents
	PacketThreadOptions

	PacketAttach
	PacketVCont
	PacketVContQuery
	PacketCtrlC
	PacketStopAcknowledgment
	PacketOutputAcknowledgment
	PacketKillProcess
	PacketMustReplyEmpty
	PacketRun

	PacketFileClose
	PacketFileFstat
	PacketFileLstat
	PacketFileOpen
	PacketFilePread
	PacketFilePwrite
	PacketFileReadlink
	PacketFileSetfs
	PacketFileStat
	PacketFileUnlink

	// LLDB's extensions (lldb/docs/resources/lldbgdbremote.md in LLVM's source).
	PacketLaunchArguments
	PacketAllocateMemory
	PacketDeallocateMemory
	PacketMultiBreakpoint
	PacketModulesInfo
	PacketSignalsInfo
	PacketThreadsInfo
	PacketMultiMemRead
	PacketEcho
	PacketWorkingDirQuery
	PacketHostInfo
	PacketLaunchSuccess
	PacketFileLoadAddress
	PacketMemoryRegionInfo
	PacketModuleInfo
	PacketProcessInfo
	PacketRegisterInfo
	PacketSaveCore
	PacketLibraryInfoAddress
	PacketSpeedTest
	PacketThreadStopInfo
	PacketAttachOrWaitSupported
	PacketWatchpointSupportInfo
	PacketEnableErrorStrings
	PacketLaunchArch
	PacketListThreadsInStopReply
	PacketRestoreRegisterState
	PacketSaveRegisterState
	PacketSetDetachOnError
	PacketSetStandardInput
	PacketSetStandardOutput
	PacketSetStandardErrors
	PacketThreadSuffixSupported
	PacketInput
	PacketAttachName
	PacketAttachOrWait
	PacketAttachWait
	PacketFileExists
	PacketFileMode
	PacketFileSize
	PacketFileMD5
	PacketFileSymlink
	PacketProcessInfoPID
	PacketFindProcesses
	PacketNextProcess
	PacketUserName
	PacketGroupName
	PacketPathComplete
	PacketLaunchGDBServer
	PacketQueryGDBServer
	PacketKillSpawned
	PacketMakeDirectory
	PacketChangeMode
	PacketShell

	// PacketCount is the number of names, PacketUnknown included.
	PacketCount
)

var packetNames = [PacketCount]string{
	PacketUnknown:           "unknown",
	PacketExtendedMode:      "!",
	PacketStopReason:        "?",
	PacketContinue:          "c",
	PacketContinueSignal:    "C",
	PacketDetach:            "D",
	PacketReadRegisters:     "g",
	PacketWriteRegisters:    "G",
	PacketSetThread:         "H",
	PacketKill:              "k",
	PacketReadMemory:        "m",
	PacketWriteMemory:       "M",
	PacketReadRegister:      "p",
	PacketWriteRegister:     "P",
	PacketRestart:           "R",
	PacketStep:              "s",
	PacketStepSignal:        "S",
	PacketThreadAlive:       "T",
	PacketReadMemoryBinary:  "x",
	PacketWriteMemoryBinary: "X",
	PacketInsertBreakpoint:  "Z",
	PacketRemoveBreakpoint:  "z",

	PacketAttached:        "qAttached",
	PacketChecksumMemory:  "qCRC",
	PacketCurrentThread:   "qC",
	PacketExecAndArgs:     "qExecAndArgs",
	PacketFirstThreadInfo: "qfThreadInfo",
	PacketNextThreadInfo:  "qsThreadInfo",
	PacketOffsets:         "qOffsets",
	PacketMonitor:         "qRcmd",
	PacketSearchMemory:    "qSearch:memory",
	PacketSupported:       "qSupported",
	PacketSymbol:          "qSymbol",
	PacketThreadExtraInfo: "qThreadExtraInfo",
	PacketTLSAddress:      "qGetTLSAddr",
	PacketTransferRead:    "qXfer:read",
	PacketTransferWrite:   "qXfer:write",

	PacketAllow:                "QAllow",
	PacketCatchSyscalls:        "QCatchSyscalls",
	PacketDisableRandomization: "QDisableRandomization",
	PacketEnvironmentReset:     "QEnvironmentReset",
	PacketEnvironmentSet:       "QEnvironmentHexEncoded",
	PacketEnvironmentUnset:     "QEnvironmentUnset",
	PacketNonStop:              "QNonStop",
	PacketPassSignals:          "QPassSignals",
	PacketProgramSignals:       "QProgramSignals",
	PacketSetWorkingDir:        "QSetWorkingDir",
	PacketStartNoAckMode:       "QStartNoAckMode",
	PacketStartupWithShell:     "QStartupWithShell",
	PacketThreadEvents:         "QThreadEvents",
	PacketThreadOptions:        "QThreadOptions",

	PacketAttach:               "vAttach",
	PacketVCont:                "vCont",
	PacketVContQuery:           "vCont?",
	PacketCtrlC:                "vCtrlC",
	PacketStopAcknowledgment:   "vStopped",
	PacketOutputAcknowledgment: "vStdio",
	PacketKillProcess:          "vKill",
	PacketMustReplyEmpty:       "vMustReplyEmpty",
	PacketRun:                  "vRun",

	PacketFileClose:    "vFile:close",
	PacketFileFstat:    "vFile:fstat",
	PacketFileLstat:    "vFile:lstat",
	PacketFileOpen:     "vFile:open",
	PacketFilePread:    "vFile:pread",
	PacketFilePwrite:   "vFile:pwrite",
	PacketFileReadlink: "vFile:readlink",
	PacketFileSetfs:    "vFile:setfs",
	PacketFileStat:     "vFile:stat",
	PacketFileUnlink:   "vFile:unlink",

	PacketLaunchArguments:        "A",
	PacketAllocateMemory:         "_M",
	PacketDeallocateMemory:       "_m",
	PacketMultiBreakpoint:        "jMultiBreakpoint",
	PacketModulesInfo:            "jModulesInfo",
	PacketSignalsInfo:            "jSignalsInfo",
	PacketThreadsInfo:            "jThreadsInfo",
	PacketMultiMemRead:           "MultiMemRead",
	PacketEcho:                   "qEcho",
	PacketWorkingDirQuery:        "qGetWorkingDir",
	PacketHostInfo:               "qHostInfo",
	PacketLaunchSuccess:          "qLaunchSuccess",
	PacketFileLoadAddress:        "qFileLoadAddress",
	PacketMemoryRegionInfo:       "qMemoryRegionInfo",
	PacketModuleInfo:             "qModuleInfo",
	PacketProcessInfo:            "qProcessInfo",
	PacketRegisterInfo:           "qRegisterInfo",
	PacketSaveCore:               "qSaveCore",
	PacketLibraryInfoAddress:     "qShlibInfoAddr",
	PacketSpeedTest:              "qSpeedTest",
	PacketThreadStopInfo:         "qThreadStopInfo",
	PacketAttachOrWaitSupported:  "qVAttachOrWaitSupported",
	PacketWatchpointSupportInfo:  "qWatchpointSupportInfo",
	PacketEnableErrorStrings:     "QEnableErrorStrings",
	PacketLaunchArch:             "QLaunchArch",
	PacketListThreadsInStopReply: "QListThreadsInStopReply",
	PacketRestoreRegisterState:   "QRestoreRegisterState",
	PacketSaveRegisterState:      "QSaveRegisterState",
	PacketSetDetachOnError:       "QSetDetachOnError",
	PacketSetStandardInput:       "QSetSTDIN",
	PacketSetStandardOutput:      "QSetSTDOUT",
	PacketSetStandardErrors:      "QSetSTDERR",
	PacketThreadSuffixSupported:  "QThreadSuffixSupported",
	PacketInput:                  "I",
	PacketAttachName:             "vAttachName",
	PacketAttachOrWait:           "vAttachOrWait",
	PacketAttachWait:             "vAttachWait",
	PacketFileExists:             "vFile:exists",
	PacketFileMode:               "vFile:mode",
	PacketFileSize:               "vFile:size",
	PacketFileMD5:                "vFile:MD5",
	PacketFileSymlink:            "vFile:symlink",
	PacketProcessInfoPID:         "qProcessInfoPID",
	PacketFindProcesses:          "qfProcessInfo",
	PacketNextProcess:            "qsProcessInfo",
	PacketUserName:               "qUserName",
	PacketGroupName:              "qGroupName",
	PacketPathComplete:           "qPathComplete",
	PacketLaunchGDBServer:        "qLaunchGDBServer",
	PacketQueryGDBServer:         "qQueryGDBServer",
	PacketKillSpawned:            "qKillSpawnedProcess",
	PacketMakeDirectory:          "qPlatform_mkdir",
	PacketChangeMode:             "qPlatform_chmod",
	PacketShell:                  "qPlatform_shell",
}

// String returns the name as it stands on the wire. The object of a qXfer
// packet is left out: "qXfer:read", "qXfer:write".
func (n PacketName) String() string {
	if n >= PacketCount {
		return packetNames[PacketUnknown]
	}
	return packetNames[n]
}

// LookupPacketName finds the packet that String calls name. The name of
// PacketUnknown is not found.
func LookupPacketName(name string) (PacketName, bool) {
	for n := PacketUnknown + 1; n < PacketCount; n++ {
		if packetNames[n] == name {
			return n, true
		}
	}
	return PacketUnknown, false
}
