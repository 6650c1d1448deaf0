package rsp

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

type requestTest struct {
	payload string
	want    Request
	name    PacketName
}

var requestTests = []requestTest{
	{"!", &ExtendedMode{}, PacketExtendedMode},
	{"?", &StopReasonQuery{}, PacketStopReason},
	{"k", &Kill{}, PacketKill},
	{"R00", &Restart{}, PacketRestart},
	{"R", &Restart{}, PacketRestart},
	{"D", &Detach{}, PacketDetach},
	{"D;7b", &Detach{PID: 0x7b, HasPID: true}, PacketDetach},

	{"g", &ReadRegisters{}, PacketReadRegisters},
	{"G00ffA5", &WriteRegisters{Data: []byte{0, 0xff, 0xa5}}, PacketWriteRegisters},
	{"p10", &ReadRegister{Number: 16}, PacketReadRegister},
	{"P1f=0102030405060708", &WriteRegister{Number: 31, Value: []byte{1, 2, 3, 4, 5, 6, 7, 8}}, PacketWriteRegister},

	{"m7fff4bce0600,40", &ReadMemory{Address: 0x7fff4bce0600, Length: 0x40}, PacketReadMemory},
	{"m0,0", &ReadMemory{}, PacketReadMemory},
	{"mffffffffffffffff,FFFFFFFFFFFFFFFF", &ReadMemory{Address: 1<<64 - 1, Length: 1<<64 - 1}, PacketReadMemory},
	{"m00000000000000000001,2", &ReadMemory{Address: 1, Length: 2}, PacketReadMemory},
	{"x1000,ff", &ReadMemory{Address: 0x1000, Length: 0xff, Binary: true}, PacketReadMemoryBinary},
	{"M1000,2:cafe", &WriteMemory{Address: 0x1000, Data: []byte{0xca, 0xfe}}, PacketWriteMemory},
	{"M1000,0:", &WriteMemory{Address: 0x1000, Data: []byte{}}, PacketWriteMemory},
	{"X401000,0:", &WriteMemory{Address: 0x401000, Data: []byte{}, Binary: true}, PacketWriteMemoryBinary},
	{"X10,5:a}\x03,}]:", &WriteMemory{Address: 0x10, Data: []byte("a#,}:"), Binary: true}, PacketWriteMemoryBinary},
	{"X10,3:\x00:\xff", &WriteMemory{Address: 0x10, Data: []byte("\x00:\xff"), Binary: true}, PacketWriteMemoryBinary},

	{"Hc-1", &SetThread{Operation: 'c', Thread: ThreadID{NoProcess, All}}, PacketSetThread},
	{"Hgp0.0", &SetThread{Operation: 'g', Thread: ThreadID{Any, Any}}, PacketSetThread},
	{"Hgp40ea.40eb", &SetThread{Operation: 'g', Thread: ThreadID{0x40ea, 0x40eb}}, PacketSetThread},
	{"Hg0", &SetThread{Operation: 'g', Thread: ThreadID{NoProcess, Any}}, PacketSetThread},
	{"Tp1.2", &ThreadAlive{Thread: ThreadID{1, 2}}, PacketThreadAlive},
	{"T1a", &ThreadAlive{Thread: ThreadID{NoProcess, 0x1a}}, PacketThreadAlive},

	{"c", &Resume{}, PacketContinue},
	{"c0", &Resume{HasAddress: true}, PacketContinue},
	{"s401000", &Resume{Step: true, HasAddress: true, Address: 0x401000}, PacketStep},
	{"C0b", &Resume{HasSignal: true, Signal: SIGSEGV}, PacketContinueSignal},
	{"S05;1000", &Resume{Step: true, HasSignal: true, Signal: SIGTRAP, HasAddress: true, Address: 0x1000}, PacketStepSignal},

	{"vCont?", &VContQuery{}, PacketVContQuery},
	{"vCont;c", &VCont{Actions: []Action{{Kind: ActionContinue, Thread: ThreadID{NoProcess, All}}}}, PacketVCont},
	{"vCont;s:p1.2;c:p1.-1", &VCont{Actions: []Action{
		{Kind: ActionStep, Thread: ThreadID{1, 2}, HasThread: true},
		{Kind: ActionContinue, Thread: ThreadID{1, All}, HasThread: true},
	}}, PacketVCont},
	{"vCont;C05:p1.-1", &VCont{Actions: []Action{
		{Kind: ActionContinueSignal, Signal: SIGTRAP, Thread: ThreadID{1, All}, HasThread: true},
	}}, PacketVCont},
	{"vCont;S0b:1a;t;r401000,40100A:p3", &VCont{Actions: []Action{
		{Kind: ActionStepSignal, Signal: SIGSEGV, Thread: ThreadID{NoProcess, 0x1a}, HasThread: true},
		{Kind: ActionStop, Thread: ThreadID{NoProcess, All}},
		{Kind: ActionRangeStep, RangeStart: 0x401000, RangeEnd: 0x40100a, Thread: ThreadID{3, All}, HasThread: true},
	}}, PacketVCont},
	{"vCont;r5,5", &VCont{Actions: []Action{
		{Kind: ActionRangeStep, RangeStart: 5, RangeEnd: 5, Thread: ThreadID{NoProcess, All}},
	}}, PacketVCont},
	{"vCtrlC", &CtrlC{}, PacketCtrlC},
	{"vStopped", &StopAcknowledgment{}, PacketStopAcknowledgment},

	{"Z0,401136,1", &Breakpoint{Insert: true, Type: SoftwareBreakpoint, Address: 0x401136, Kind: 1, Conditions: [][]byte{}, Commands: [][]byte{}}, PacketInsertBreakpoint},
	{"z4,7ffd10,8", &Breakpoint{Type: AccessWatchpoint, Address: 0x7ffd10, Kind: 8, Conditions: [][]byte{}, Commands: [][]byte{}}, PacketRemoveBreakpoint},
	{"Z1,10,1;X3,220027X1,27", &Breakpoint{Insert: true, Type: HardwareBreakpoint, Address: 0x10, Kind: 1,
		Conditions: [][]byte{{0x22, 0, 0x27}, {0x27}}, Commands: [][]byte{}}, PacketInsertBreakpoint},
	{"Z0,10,1;X1,27;cmds:1,X2,3435X1,27", &Breakpoint{Insert: true, Address: 0x10, Kind: 1,
		Conditions: [][]byte{{0x27}}, Commands: [][]byte{{0x34, 0x35}, {0x27}}, HasCommands: true, Persist: true}, PacketInsertBreakpoint},
	{"Z0,10,1;cmds:0,X0,", &Breakpoint{Insert: true, Address: 0x10, Kind: 1,
		Conditions: [][]byte{}, Commands: [][]byte{{}}, HasCommands: true}, PacketInsertBreakpoint},

	{"qAttached", &AttachedQuery{}, PacketAttached},
	{"qAttached:40ea", &AttachedQuery{PID: 0x40ea, HasPID: true}, PacketAttached},
	{"qC", &CurrentThreadQuery{}, PacketCurrentThread},
	{"qCRC:401000,ffff", &ChecksumMemory{Address: 0x401000, Length: 0xffff}, PacketChecksumMemory},
	{"qExecAndArgs", &ExecAndArgsQuery{}, PacketExecAndArgs},
	{"qfThreadInfo", &ThreadInfo{First: true}, PacketFirstThreadInfo},
	{"qsThreadInfo", &ThreadInfo{}, PacketNextThreadInfo},
	{"qGetTLSAddr:p1.2,10,7ffff7fc0400", &TLSAddressQuery{Thread: ThreadID{1, 2}, Offset: 0x10, Module: 0x7ffff7fc0400}, PacketTLSAddress},
	{"qGetTLSAddr:1a,0,0", &TLSAddressQuery{Thread: ThreadID{NoProcess, 0x1a}}, PacketTLSAddress},
	{"qOffsets", &OffsetsQuery{}, PacketOffsets},
	{"qRcmd,68656c70", &Monitor{Command: "help"}, PacketMonitor},
	{"qRcmd,", &Monitor{}, PacketMonitor},
	{"qSearch:memory:7ff0;1000;a}\x03;b", &SearchMemory{Address: 0x7ff0, Length: 0x1000, Pattern: []byte("a#;b")}, PacketSearchMemory},
	{"qSupported", &SupportedQuery{}, PacketSupported},
	{"qSupported:multiprocess+;xmlRegisters=i386;vContSupported+;x-;y?;;odd", &SupportedQuery{Features: Features{
		{"multiprocess", FeatureYes, ""},
		{"xmlRegisters", FeatureValue, "i386"},
		{"vContSupported", FeatureYes, ""},
		{"x", FeatureNo, ""},
		{"y", FeatureMaybe, ""},
		{"odd", FeatureYes, ""},
	}}, PacketSupported},
	{"qSymbol::", &Symbol{}, PacketSymbol},
	{"qSymbol:401000:6d61696e", &Symbol{Name: "main", Value: 0x401000, Found: true}, PacketSymbol},
	{"qSymbol::6d61696e", &Symbol{Name: "main"}, PacketSymbol},
	{"qThreadExtraInfo,p1.2", &ThreadExtraInfo{Thread: ThreadID{1, 2}}, PacketThreadExtraInfo},
	{"qXfer:features:read:target.xml:0,1000", &TransferRead{Object: "features", Annex: "target.xml", Length: 0x1000}, PacketTransferRead},
	{"qXfer:auxv:read::1000,ffb", &TransferRead{Object: "auxv", Offset: 0x1000, Length: 0xffb}, PacketTransferRead},
	{"qXfer:libraries-svr4:read:start=0;prev=10;lmid=0:0,1000", &TransferRead{Object: "libraries-svr4", Annex: "start=0;prev=10;lmid=0", Length: 0x1000}, PacketTransferRead},
	{"qXfer:siginfo:write::0:\x0b}\x04:", &TransferWrite{Object: "siginfo", Data: []byte("\x0b$:")}, PacketTransferWrite},

	{"QCatchSyscalls:0", &CatchSyscalls{}, PacketCatchSyscalls},
	{"QCatchSyscalls:1", &CatchSyscalls{Enable: true}, PacketCatchSyscalls},
	{"QCatchSyscalls:1;0;e7", &CatchSyscalls{Enable: true, Numbers: []int{0, 231}}, PacketCatchSyscalls},
	{"QDisableRandomization:1", &DisableRandomization{Enable: true}, PacketDisableRandomization},
	{"QEnvironmentHexEncoded:464f4f3d626172", &EnvironmentSet{Name: "FOO", Value: "bar"}, PacketEnvironmentSet},
	{"QEnvironmentHexEncoded:413d", &EnvironmentSet{Name: "A"}, PacketEnvironmentSet},
	{"QEnvironmentUnset:464f4f", &EnvironmentUnset{Name: "FOO"}, PacketEnvironmentUnset},
	{"QEnvironmentReset", &EnvironmentReset{}, PacketEnvironmentReset},
	{"QNonStop:0", &NonStop{}, PacketNonStop},
	{"QPassSignals:e;10;14;", &PassSignals{Signals: []Signal{SIGALRM, SIGURG, SIGCHLD}}, PacketPassSignals},
	{"QPassSignals:", &PassSignals{}, PacketPassSignals},
	{"QProgramSignals:0;1;97", &ProgramSignals{Signals: []Signal{Signal0, SIGHUP, 151}}, PacketProgramSignals},
	{"QSetWorkingDir:2f746d70", &SetWorkingDir{Directory: "/tmp"}, PacketSetWorkingDir},
	{"QSetWorkingDir:", &SetWorkingDir{}, PacketSetWorkingDir},
	{"QStartNoAckMode", &StartNoAckMode{}, PacketStartNoAckMode},
	{"QStartupWithShell:0", &StartupWithShell{}, PacketStartupWithShell},
	{"QAllow:WriteReg:0;WriteMem:1;InsertBreak:0;InsertTrace:0;InsertFastTrace:1;Stop:1", &Allow{
		Permitted: AllowWriteMemory | AllowInsertFastTracepoints | AllowStop,
		Refused:   AllowWriteRegisters | AllowInsertBreakpoints | AllowInsertTracepoints}, PacketAllow},
	{"QAllow:Stop:0;Future:0;Stop:1", &Allow{Permitted: AllowStop}, PacketAllow},
	{"QThreadEvents:1", &ThreadEvents{Enable: true}, PacketThreadEvents},
	{"QThreadOptions;0", &ThreadOptions{[]ThreadOption{{}}}, PacketThreadOptions},
	{"QThreadOptions;3:p7.8;0:p7.-1;1", &ThreadOptions{[]ThreadOption{
		{Flags: OptionClone | OptionExit, Thread: ThreadID{7, 8}, HasThread: true},
		{Thread: ThreadID{7, All}, HasThread: true}, {Flags: OptionClone}}}, PacketThreadOptions},

	{"vAttach;f423f", &Attach{PID: 999999}, PacketAttach},
	{"vKill;74d7", &KillProcess{PID: 0x74d7}, PacketKillProcess},
	{"vMustReplyEmpty", &MustReplyEmpty{}, PacketMustReplyEmpty},
	{"vRun;2f62696e2f6c73;2d6c;;61", &Run{Filename: "/bin/ls", Arguments: []string{"-l", "", "a"}}, PacketRun},
	{"vRun;", &Run{}, PacketRun},
	{"vRun;;61", &Run{Arguments: []string{"a"}}, PacketRun},

	{"vFile:setfs:40ea", &FileSetfs{PID: 0x40ea}, PacketFileSetfs},
	{"vFile:open:2f62696e2f6c73,0,0", &FileOpen{Filename: "/bin/ls"}, PacketFileOpen},
	{"vFile:open:61,601,1b6", &FileOpen{Filename: "a", Flags: FileWriteOnly | FileCreate | FileTruncate, Mode: 0666}, PacketFileOpen},
	{"vFile:close:6", &FileClose{Descriptor: 6}, PacketFileClose},
	{"vFile:pread:3,47ff,0", &FilePread{Descriptor: 3, Count: 0x47ff}, PacketFilePread},
	{"vFile:pwrite:3,10,a}\x0a,b", &FilePwrite{Descriptor: 3, Offset: 0x10, Data: []byte("a*,b")}, PacketFilePwrite},
	{"vFile:fstat:6", &FileFstat{Descriptor: 6}, PacketFileFstat},
	{"vFile:stat:61", &FileStatName{Filename: "a"}, PacketFileStat},
	{"vFile:lstat:61", &FileStatName{Filename: "a", NoFollow: true}, PacketFileLstat},
	{"vFile:unlink:61", &FileUnlink{Filename: "a"}, PacketFileUnlink},
	{"vFile:readlink:61", &FileReadlink{Filename: "a"}, PacketFileReadlink},

	{"", &Unknown{}, PacketUnknown},
	{"b9600", &Unknown{Name: "b"}, PacketUnknown},
	{"qTStatus", &Unknown{Name: "qTStatus"}, PacketUnknown},
	{"qTV:0", &Unknown{Name: "qTV"}, PacketUnknown},
	{"qSearch:registers:0", &Unknown{Name: "qSearch:registers"}, PacketUnknown},
	{"qSearch", &Unknown{Name: "qSearch"}, PacketUnknown},
	{"qSupportedNot", &Unknown{Name: "qSupportedNot"}, PacketUnknown},
	{"vContinue;c", &Unknown{Name: "vContinue"}, PacketUnknown},
	{"vFile:chmod:61,0", &Unknown{Name: "vFile:chmod"}, PacketUnknown},
	{"vFile", &Unknown{Name: "vFile"}, PacketUnknown},
	{"qXfer:features:append:x", &Unknown{Name: "qXfer:features:append"}, PacketUnknown},
	{"Z5,0,1", &Unknown{Name: "Z5"}, PacketUnknown},
	{"HM0", &Unknown{Name: "HM"}, PacketUnknown},
	{"\xff", &Unknown{Name: "\xff"}, PacketUnknown},
}

// same reports whether a and b are equal, taking a nil slice for an empty
// one.
func same(a, b any) bool {
	return sameValue(reflect.ValueOf(a), reflect.ValueOf(b))
}

func sameValue(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() || !a.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer:
		return sameValue(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !sameValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

func TestParse(t *testing.T) {
	var p Parser
	for _, test := range requestTests {
		payload := []byte(test.payload)
		got, err := p.Parse(payload)
		if err != nil {
			t.Errorf("%q: %v", test.payload, err)
			continue
		}
		if !same(got, test.want) {
			t.Errorf("%q: %#v, want %#v", test.payload, got, test.want)
		}
		if got.Packet() != test.name {
			t.Errorf("%q is %v, want %v", test.payload, got.Packet(), test.name)
		}
		if !bytes.Equal(payload, []byte(test.payload)) {
			t.Errorf("%q: Parse changed the payload to %q", test.payload, payload)
		}
	}
}

func TestParseReadsEveryPacket(t *testing.T) {
	var seen [PacketCount]bool
	for _, test := range requestTests {
		seen[test.name] = true
	}
	for name, ok := range seen {
		if !ok {
			t.Errorf("no test of %v", PacketName(name))
		}
	}
}

type malformedTest struct {
	payload string
	name    PacketName
	offset  int
}

var malformedTests = []malformedTest{
	{"!x", PacketExtendedMode, 1},
	{"??", PacketStopReason, 1},
	{"k1", PacketKill, 1},
	{"Rx", PacketRestart, 1},
	{"D7b", PacketDetach, 1},
	{"D;", PacketDetach, 2},
	{"D;100000000", PacketDetach, 2},
	{"g0", PacketReadRegisters, 1},
	{"G0", PacketWriteRegisters, 2},
	{"G0x", PacketWriteRegisters, 2},
	{"G00x0", PacketWriteRegisters, 3},
	{"p", PacketReadRegister, 1},
	{"p1;", PacketReadRegister, 2},
	{"pffffffff", PacketReadRegister, 1},
	{"P1", PacketWriteRegister, 2},
	{"P1=", PacketWriteRegister, 3},
	{"P1=123", PacketWriteRegister, 6},
	{"m", PacketReadMemory, 1},
	{"m1000", PacketReadMemory, 5},
	{"m1000,", PacketReadMemory, 6},
	{"m1000,4,", PacketReadMemory, 7},
	{"m,4", PacketReadMemory, 1},
	{"m10000000000000000,4", PacketReadMemory, 1},
	{"m-1,4", PacketReadMemory, 1},
	{"x1000 4", PacketReadMemoryBinary, 5},
	{"M1000,2:ca", PacketWriteMemory, 10},
	{"M1000,2:cafe00", PacketWriteMemory, 14},
	{"M1000,2:caf", PacketWriteMemory, 11},
	{"M1000,2", PacketWriteMemory, 7},
	{"X1000,2:a", PacketWriteMemoryBinary, 9},
	{"X1000,1:ab", PacketWriteMemoryBinary, 10},
	{"X1000,1:}", PacketWriteMemoryBinary, 9},
	{"X1000,1", PacketWriteMemoryBinary, 7},
	{"H", PacketSetThread, 1},
	{"Hg", PacketSetThread, 2},
	{"Hg-2", PacketSetThread, 2},
	{"Hgp1.", PacketSetThread, 5},
	{"Hgp-1.5", PacketSetThread, 2},
	{"Hg1x", PacketSetThread, 3},
	{"T", PacketThreadAlive, 1},
	{"Tp1.2.3", PacketThreadAlive, 5},
	{"T80000000", PacketThreadAlive, 1},
	{"cx", PacketContinue, 1},
	{"C", PacketContinueSignal, 1},
	{"C05;", PacketContinueSignal, 4},
	{"C100", PacketContinueSignal, 1},
	{"s1x", PacketStep, 2},
	{"S05:1", PacketStepSignal, 3},
	{"vCont", PacketVCont, 5},
	{"vCont;", PacketVCont, 6},
	{"vCont;c;", PacketVCont, 8},
	{"vCont;;c", PacketVCont, 6},
	{"vCont;x", PacketVCont, 6},
	{"vCont;C", PacketVCont, 7},
	{"vCont;c:", PacketVCont, 8},
	{"vCont;c:p1.1x", PacketVCont, 12},
	{"vCont;r1", PacketVCont, 8},
	{"vCont;r5,4", PacketVCont, 7},
	{"vCont:c", PacketVCont, 5},
	{"vCont?;", PacketVContQuery, 6},
	{"vCtrlC;", PacketCtrlC, 6},
	{"vStopped;", PacketStopAcknowledgment, 8},
	{"Z", PacketInsertBreakpoint, 1},
	{"Z0", PacketInsertBreakpoint, 2},
	{"Z00000000000000005,1,1", PacketInsertBreakpoint, 1},
	{"Z0,1", PacketInsertBreakpoint, 4},
	{"Z0,1,", PacketInsertBreakpoint, 5},
	{"Z0,1,1;", PacketInsertBreakpoint, 7},
	{"Z0,1,1;X2,27", PacketInsertBreakpoint, 10},
	{"Z0,1,1;X1,2g", PacketInsertBreakpoint, 11},
	{"Z0,1,1;X1,27Y", PacketInsertBreakpoint, 12},
	{"Z0,1,1;Xffffffffffffffff,27", PacketInsertBreakpoint, 25},
	{"Z0,1,1;cmds:", PacketInsertBreakpoint, 12},
	{"Z0,1,1;cmds:1", PacketInsertBreakpoint, 13},
	{"z0,1,1;X1,27", PacketRemoveBreakpoint, 6},
	{"qAttached:", PacketAttached, 10},
	{"qAttached;1", PacketAttached, 9},
	{"qC:", PacketCurrentThread, 2},
	{"qCRC", PacketChecksumMemory, 4},
	{"qCRC:1000", PacketChecksumMemory, 9},
	{"qCRC:1000,1,", PacketChecksumMemory, 11},
	{"qExecAndArgs:", PacketExecAndArgs, 12},
	{"qfThreadInfo,", PacketFirstThreadInfo, 12},
	{"qsThreadInfo?", PacketNextThreadInfo, 12},
	{"qGetTLSAddr", PacketTLSAddress, 11},
	{"qGetTLSAddr:p1.2", PacketTLSAddress, 16},
	{"qGetTLSAddr:p1.2,0", PacketTLSAddress, 18},
	{"qGetTLSAddr:p1.2,0,0,", PacketTLSAddress, 20},
	{"qOffsets;", PacketOffsets, 8},
	{"qRcmd", PacketMonitor, 5},
	{"qRcmd:00", PacketMonitor, 5},
	{"qRcmd,0", PacketMonitor, 7},
	{"qSearch:memory:1000", PacketSearchMemory, 19},
	{"qSearch:memory:1000;1", PacketSearchMemory, 21},
	{"qSearch:memory:1000;1;", PacketSearchMemory, 22},
	{"qSearch:memory:1000;1;}", PacketSearchMemory, 23},
	{"qSupported;x", PacketSupported, 10},
	{"qSymbol", PacketSymbol, 7},
	{"qSymbol:", PacketSymbol, 8},
	{"qSymbol:1:", PacketSymbol, 10},
	{"qSymbol::6", PacketSymbol, 10},
	{"qThreadExtraInfo", PacketThreadExtraInfo, 16},
	{"qThreadExtraInfo,", PacketThreadExtraInfo, 17},
	{"qXfer", PacketTransferRead, 5},
	{"qXfer:auxv:read:", PacketTransferRead, 16},
	{"qXfer:auxv:read::", PacketTransferRead, 17},
	{"qXfer:auxv:read::0", PacketTransferRead, 18},
	{"qXfer:auxv:read::0,1000;", PacketTransferRead, 23},
	{"qXfer:siginfo:write:", PacketTransferWrite, 20},
	{"qXfer:siginfo:write::0", PacketTransferWrite, 22},
	{"qXfer:siginfo:write::0:}", PacketTransferWrite, 24},
	{"QCatchSyscalls", PacketCatchSyscalls, 14},
	{"QCatchSyscalls:2", PacketCatchSyscalls, 15},
	{"QCatchSyscalls:0;1", PacketCatchSyscalls, 16},
	{"QCatchSyscalls:1;", PacketCatchSyscalls, 17},
	{"QDisableRandomization:", PacketDisableRandomization, 22},
	{"QDisableRandomization:11", PacketDisableRandomization, 23},
	{"QEnvironmentHexEncoded:", PacketEnvironmentSet, 23},
	{"QEnvironmentHexEncoded:3d61", PacketEnvironmentSet, 27},
	{"QEnvironmentHexEncoded:6100", PacketEnvironmentSet, 27},
	{"QEnvironmentUnset:", PacketEnvironmentUnset, 18},
	{"QEnvironmentReset:", PacketEnvironmentReset, 17},
	{"QNonStop", PacketNonStop, 8},
	{"QPassSignals", PacketPassSignals, 12},
	{"QPassSignals:e;;f", PacketPassSignals, 15},
	{"QPassSignals:e,f", PacketPassSignals, 14},
	{"QProgramSignals:100", PacketProgramSignals, 16},
	{"QSetWorkingDir", PacketSetWorkingDir, 14},
	{"QSetWorkingDir:2f7", PacketSetWorkingDir, 18},
	{"QStartNoAckMode:1", PacketStartNoAckMode, 15},
	{"QStartupWithShell:x", PacketStartupWithShell, 18},
	{"QAllow", PacketAllow, 6},
	{"QAllow:Stop", PacketAllow, 11},
	{"QAllow:Stop:2", PacketAllow, 12},
	{"QAllow:Stop:1;", PacketAllow, 14},
	{"QThreadEvents;1", PacketThreadEvents, 13},
	{"QThreadOptions", PacketThreadOptions, 14},
	{"QThreadOptions;", PacketThreadOptions, 15},
	{"QThreadOptions;4", PacketThreadOptions, 15},
	{"QThreadOptions;1:", PacketThreadOptions, 17},
	{"QThreadOptions;1;", PacketThreadOptions, 17},
	{"QThreadOptions:1", PacketThreadOptions, 14},
	{"vAttach", PacketAttach, 7},
	{"vAttach;", PacketAttach, 8},
	{"vAttach;1;", PacketAttach, 9},
	{"vKill", PacketKillProcess, 5},
	{"vMustReplyEmpty;", PacketMustReplyEmpty, 15},
	{"vRun", PacketRun, 4},
	{"vRun;6", PacketRun, 6},
	{"vRun;61;6g", PacketRun, 9},
	{"vRun;610062", PacketRun, 11},
	{"vFile:setfs:", PacketFileSetfs, 12},
	{"vFile:setfs", PacketFileSetfs, 11},
	{"vFile:open:61", PacketFileOpen, 13},
	{"vFile:open:61,0", PacketFileOpen, 15},
	{"vFile:open:61,0,0,", PacketFileOpen, 17},
	{"vFile:open:61,100000000,0", PacketFileOpen, 14},
	{"vFile:close:-1", PacketFileClose, 12},
	{"vFile:pread:3,10", PacketFilePread, 16},
	{"vFile:pread:3,10,8000000000000000", PacketFilePread, 17},
	{"vFile:pwrite:3,0", PacketFilePwrite, 16},
	{"vFile:pwrite:3,0,a}", PacketFilePwrite, 19},
	{"vFile:fstat:6,", PacketFileFstat, 13},
	{"vFile:stat:6", PacketFileStat, 12},
	{"vFile:lstat:61,", PacketFileLstat, 14},
	{"vFile:unlink:610062", PacketFileUnlink, 19},
	{"vFile:readlink", PacketFileReadlink, 14},
}

func TestParseMalformed(t *testing.T) {
	var p Parser
	for _, test := range malformedTests {
		r, err := p.Parse([]byte(test.payload))
		var m *MalformedError
		if !errors.As(err, &m) || r != nil {
			t.Errorf("%q: %#v, %v; want a *MalformedError and nothing else", test.payload, r, err)
			continue
		}
		if m.Packet != test.name || m.Offset != test.offset || m.Reason == "" {
			t.Errorf("%q: %v at %d, want %v at %d (%s)", test.payload, m.Packet, m.Offset, test.name, test.offset, m.Reason)
		}
		if !strings.Contains(m.Error(), test.name.String()) {
			t.Errorf("%q: the message does not name %v: %s", test.payload, test.name, m)
		}
	}
}

// A failed parse must leave nothing of itself in the next request.
func TestParseAfterMalformed(t *testing.T) {
	var p Parser
	for _, bad := range malformedTests {
		p.Parse([]byte(bad.payload))
		for _, test := range requestTests {
			if got, err := p.Parse([]byte(test.payload)); err != nil || !same(got, test.want) {
				t.Fatalf("%q after %q: %#v, %v", test.payload, bad.payload, got, err)
			}
		}
	}
}

func TestPacketNames(t *testing.T) {
	seen := make(map[string]bool)
	for n := PacketUnknown; n < PacketCount; n++ {
		name := n.String()
		if name == "" || seen[name] {
			t.Errorf("packet %d is called %q, which is empty or taken", n, name)
		}
		seen[name] = true
		found, ok := LookupPacketName(name)
		if wantOK := n != PacketUnknown; ok != wantOK || found != n {
			t.Errorf("LookupPacketName(%q) is %v, %v", name, found, ok)
		}
	}
	if PacketCount.String() != "unknown" {
		t.Errorf("PacketCount is called %q", PacketCount)
	}
}

func TestThreadID(t *testing.T) {
	tests := []struct {
		text         string
		want         ThreadID
		multi, plain string
	}{
		{"p1.-1", ThreadID{1, All}, "p1.-1", "-1"},
		{"p1", ThreadID{1, All}, "p1.-1", "-1"},
		{"p-1", ThreadID{All, All}, "p-1.-1", "-1"},
		{"p-1.-1", ThreadID{All, All}, "p-1.-1", "-1"},
		{"p-1.0", ThreadID{All, Any}, "p-1.0", "0"},
		{"p0.0", ThreadID{Any, Any}, "p0.0", "0"},
		{"-1", ThreadID{NoProcess, All}, "-1", "-1"},
		{"0", ThreadID{NoProcess, Any}, "0", "0"},
		{"1a", ThreadID{NoProcess, 0x1a}, "1a", "1a"},
		{"p40EA.40eb", ThreadID{0x40ea, 0x40eb}, "p40ea.40eb", "40eb"},
	}
	for _, test := range tests {
		got, err := ParseThreadID([]byte(test.text))
		if err != nil || got != test.want {
			t.Errorf("%q: %#v, %v; want %#v", test.text, got, err, test.want)
		}
		if s := got.String(); s != test.multi {
			t.Errorf("%q: String is %q, want %q", test.text, s, test.multi)
		}
		if s := string(got.AppendTo(nil, false)); s != test.plain {
			t.Errorf("%q: without the process it is %q, want %q", test.text, s, test.plain)
		}
	}
	for _, text := range []string{"", "p", "p.", "p1.", "p-1.5", "-2", "-", "-11", "80000000", "1.2", "p1.2.3", " 1", "1 "} {
		if got, err := ParseThreadID([]byte(text)); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
}

func TestFeatures(t *testing.T) {
	f := ParseFeatures([]byte("a+;b-;c=1=2;d?;a-"))
	if f.Has("a") || f.Has("b") || !f.Has("c") || f.Has("d") || f.Has("e") {
		t.Errorf("Has is wrong for %v", f)
	}
	if v, ok := f.Value("c"); v != "1=2" || !ok {
		t.Errorf("the value of c is %q, %v", v, ok)
	}
	if v, ok := f.Value("a"); v != "" || ok {
		t.Errorf("the value of a is %q, %v", v, ok)
	}
	text := "PacketSize=20000;QStartNoAckMode+;x-;y?"
	if got := string((Supported{ParseFeatures([]byte(text))}).AppendTo(nil)); got != text {
		t.Errorf("%q is written %q", text, got)
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range requestTests {
		f.Add([]byte(test.payload))
	}
	for _, test := range malformedTests {
		f.Add([]byte(test.payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var p Parser
		before := bytes.Clone(payload)
		r, err := p.Parse(payload)
		if !bytes.Equal(before, payload) {
			t.Fatalf("Parse changed %q to %q", before, payload)
		}
		if err != nil {
			var m *MalformedError
			if !errors.As(err, &m) || r != nil {
				t.Fatalf("%q: %v, %v", payload, r, err)
			}
			if m.Offset < 0 || m.Offset > len(payload) || m.Packet == PacketUnknown || m.Packet >= PacketCount {
				t.Fatalf("%q: %#v", payload, m)
			}
			return
		}
		if name := r.Packet(); name != PacketUnknown {
			// The packet begins with its name, but for qXfer.
			wire, _, _ := strings.Cut(name.String(), ":read")
			wire, _, _ = strings.Cut(wire, ":write")
			for second, first := range secondNames {
				if bytes.HasPrefix(payload, []byte(second)) {
					wire = strings.Replace(wire, first, second, 1)
				}
			}
			if !bytes.HasPrefix(payload, []byte(wire)) {
				t.Fatalf("%q is taken for %v", payload, name)
			}
		}
		again, err := p.Parse(payload)
		if err != nil || !same(again, mustParse(t, before)) {
			t.Fatalf("%q parses differently the second time: %#v, %v", payload, again, err)
		}
	})
}

func mustParse(t *testing.T, payload []byte) Request {
	var p Parser
	r, err := p.Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
