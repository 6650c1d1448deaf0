package rsp

import (
	"bytes"
	"testing"
)

func init() {
	for payload, name := range map[string]PacketName{
		"jSignalsInfo": PacketSignalsInfo, "jThreadsInfo": PacketThreadsInfo, "qGetWorkingDir": PacketWorkingDirQuery,
		"qHostInfo": PacketHostInfo, "qLaunchSuccess": PacketLaunchSuccess, "qProcessInfo": PacketProcessInfo,
		"qShlibInfoAddr": PacketLibraryInfoAddress, "qVAttachOrWaitSupported": PacketAttachOrWaitSupported,
		"qWatchpointSupportInfo:": PacketWatchpointSupportInfo, "QEnableErrorStrings": PacketEnableErrorStrings,
		"QLaunchArch:x86_64": PacketLaunchArch, "QListThreadsInStopReply": PacketListThreadsInStopReply,
		"QSetDetachOnError:1": PacketSetDetachOnError, "QThreadSuffixSupported": PacketThreadSuffixSupported,
	} {
		extensionTests = append(extensionTests, requestTest{payload, Extension(name), name})
	}
	requestTests = append(requestTests, extensionTests...)
	malformedTests = append(malformedTests, malformedExtensions...)
}

var extensionTests = []requestTest{
	{"A6,0,616263,0,1,,4,2,6465", &LaunchArguments{Arguments: []string{"abc", "", "de"}}, PacketLaunchArguments},
	{"_M1000,rwx", &AllocateMemory{Size: 0x1000, Read: true, Write: true, Execute: true}, PacketAllocateMemory},
	{"_M1,", &AllocateMemory{Size: 1}, PacketAllocateMemory},
	{"_m7ffff7fbf000", &DeallocateMemory{Address: 0x7ffff7fbf000}, PacketDeallocateMemory},
	{`jModulesInfo:[{"file":"a"}]]`, &ModulesInfo{JSON: []byte(`[{"file":"a"}]`)}, PacketModulesInfo},
	{`jMultiBreakpoint: {}]`, &MultiBreakpoint{JSON: []byte(" {}")}, PacketMultiBreakpoint},
	{"I6869", &StandardInput{Data: []byte("hi")}, PacketInput},
	{"MultiMemRead:ranges:1000,8,2000,10;", &MultiMemRead{Ranges: []MemoryRange{{0x1000, 8}, {0x2000, 16}}}, PacketMultiMemRead},
	{"MultiMemRead:ranges:1,2;options:;", &MultiMemRead{Ranges: []MemoryRange{{1, 2}}}, PacketMultiMemRead},
	{"qEcho:7", &Echo{Payload: []byte("qEcho:7")}, PacketEcho},
	{"qSpeedTest:response_size:31;", &SpeedTest{Size: 31}, PacketSpeedTest},
	{"qMemoryRegionInfo:7fff", &MemoryRegionQuery{Address: 0x7fff, HasAddress: true}, PacketMemoryRegionInfo},
	{"qMemoryRegionInfo", &MemoryRegionQuery{}, PacketMemoryRegionInfo},
	{"qFileLoadAddress:2f78", &FileLoadAddress{Path: "/x"}, PacketFileLoadAddress},
	{"QSaveRegisterState", &SaveRegisterState{}, PacketSaveRegisterState},
	{"QSaveRegisterState;thread:1a;", &SaveRegisterState{ThreadSuffix{ThreadID{NoProcess, 0x1a}, true}}, PacketSaveRegisterState},
	{"QRestoreRegisterState:12;thread:p1.2;", &RestoreRegisterState{12, ThreadSuffix{ThreadID{1, 2}, true}}, PacketRestoreRegisterState},
	{"QSetSTDIN:2f78", &SetStandardFile{PacketSetStandardInput, "/x"}, PacketSetStandardInput},
	{"QSetSTDOUT:2f78", &SetStandardFile{PacketSetStandardOutput, "/x"}, PacketSetStandardOutput},
	{"QSetSTDERR:", &SetStandardFile{PacketSetStandardErrors, ""}, PacketSetStandardErrors},
	{"QEnvironment:A=b=c", &EnvironmentSet{Name: "A", Value: "b=c"}, PacketEnvironmentSet},
	{"QSetDisableASLR:1", &DisableRandomization{Enable: true}, PacketDisableRandomization},
	{"qModuleInfo:2f78;616d64", &ModuleInfo{Path: "/x", Triple: "amd"}, PacketModuleInfo},
	{"vStdio", &OutputAcknowledgment{}, PacketOutputAcknowledgment},
	{"qSaveCore", &SaveCore{}, PacketSaveCore},
	{"qSaveCore;path-hint:2f78;", &SaveCore{Path: "/x"}, PacketSaveCore},
	{"qRegisterInfo1f", &RegisterInfoQuery{Number: 31}, PacketRegisterInfo},
	{"qThreadStopInfo1f", &ThreadStopInfo{Thread: ThreadID{NoProcess, 31}}, PacketThreadStopInfo},
	{"qThreadStopInfop1.2", &ThreadStopInfo{Thread: ThreadID{1, 2}}, PacketThreadStopInfo},
	{"vAttachName;61", &AttachNamed{PacketAttachName, "a"}, PacketAttachName},
	{"vAttachWait;61", &AttachNamed{PacketAttachWait, "a"}, PacketAttachWait},
	{"vAttachOrWait;61", &AttachNamed{PacketAttachOrWait, "a"}, PacketAttachOrWait},
	{"vFile:exists:61", &FileQuestion{PacketFileExists, "a"}, PacketFileExists},
	{"vFile:mode:61", &FileQuestion{PacketFileMode, "a"}, PacketFileMode},
	{"vFile:size:61", &FileQuestion{PacketFileSize, "a"}, PacketFileSize},
	{"jNoSuch:x", &Unknown{Name: "jNoSuch"}, PacketUnknown},
	{"_x", &Unknown{Name: "_"}, PacketUnknown},
	{"qRegisterInfo", &Unknown{Name: "qRegisterInfo"}, PacketUnknown},
}

// secondNames are LLDB's names for packets of gdb's.
var secondNames = map[string]string{"QEnvironment:": "QEnvironmentHexEncoded", "QSetDisableASLR:": "QDisableRandomization"}

var malformedExtensions = []malformedTest{
	{"A", PacketLaunchArguments, 1},
	{"A2,1,61", PacketLaunchArguments, 5},
	{"A4,0,61", PacketLaunchArguments, 5},
	{"A2,0,61,", PacketLaunchArguments, 8},
	{"A2,0,6x", PacketLaunchArguments, 6},
	{"_M", PacketAllocateMemory, 2},
	{"_M1x", PacketAllocateMemory, 3},
	{"_M1:", PacketAllocateMemory, 3},
	{"_M1,q", PacketAllocateMemory, 4},
	{"_M0,r", PacketAllocateMemory, 5},
	{"_m", PacketDeallocateMemory, 2},
	{"I6", PacketInput, 2},
	{"MultiMemRead:", PacketMultiMemRead, 13},
	{"MultiMemRead:ranges:;", PacketMultiMemRead, 21},
	{"MultiMemRead:ranges:1;", PacketMultiMemRead, 21},
	{"MultiMemRead:ranges:1,2", PacketMultiMemRead, 23},
	{"qSpeedTest:", PacketSpeedTest, 11},
	{"qMemoryRegionInfo:x", PacketMemoryRegionInfo, 18},
	{"vStdio;", PacketOutputAcknowledgment, 6},
	{"qFileLoadAddress:2", PacketFileLoadAddress, 18},
	{"QSaveRegisterState;thread:", PacketSaveRegisterState, 26},
	{"QRestoreRegisterState:x", PacketRestoreRegisterState, 22},
	{"QSetSTDIN:0", PacketSetStandardInput, 11},
	{"QEnvironment:A", PacketEnvironmentSet, 14},
	{"QEnvironment:=b", PacketEnvironmentSet, 15},
	{"qModuleInfo:61", PacketModuleInfo, 14},
	{"qRegisterInfox", PacketRegisterInfo, 13},
	{"qThreadStopInfo1x", PacketThreadStopInfo, 16},
	{"vAttachName;", PacketAttachName, 12},
}

// TestThreadSuffix reads the packets that may name their thread, which are
// malformed in gdb's dialect.
func TestThreadSuffix(t *testing.T) {
	suffix := ThreadSuffix{ThreadID{NoProcess, 0x1a}, true}
	for _, test := range []requestTest{
		{"g;thread:1a;", &ReadRegisters{suffix}, PacketReadRegisters},
		{"Gff00;thread:1a;", &WriteRegisters{[]byte{0xff, 0}, suffix}, PacketWriteRegisters},
		{"p10;thread:1a;", &ReadRegister{16, suffix}, PacketReadRegister},
		{"P10=ff;thread:1a", &WriteRegister{16, []byte{0xff}, suffix}, PacketWriteRegister},
		{"p10", &ReadRegister{16, ThreadSuffix{}}, PacketReadRegister},
		{"qSupported;multiprocess+", &SupportedQuery{Features{{Name: "multiprocess", State: FeatureYes}}}, PacketSupported},
		{"QPassSignals:a ", &PassSignals{Signals: []Signal{10}}, PacketPassSignals},
		{"qXfer:auxv:read::0,ff:", &TransferRead{Object: "auxv", Length: 255}, PacketTransferRead},
		{"P10=ff", &WriteRegister{16, []byte{0xff}, ThreadSuffix{}}, PacketWriteRegister},
	} {
		p := Parser{Dialect: LLDB}
		got, err := p.Parse([]byte(test.payload))
		if err != nil || !same(got, test.want) {
			t.Errorf("%q: %#v, %v", test.payload, got, err)
		}
		if test.payload[len(test.payload)-1] == ';' {
			p.Dialect = GDB
			if got, err := p.Parse([]byte(test.payload)); err == nil {
				t.Errorf("gdb's %q: %#v", test.payload, got)
			}
		}
	}
}

func TestExtensionReplies(t *testing.T) {
	thread := ThreadID{0x1a, 0x1b}
	for want, reply := range map[string]Reply{
		"a:1;b:;":       KeyValues{{"a", "1"}, {"b", ""}},
		"[{\"a\":1}]]":  Binary(`[{"a":1}]`),
		"qEcho:1":       Raw("qEcho:1"),
		"E0f;6e6f":      ErrorString{Code: 15, Text: "no"},
		"E0f":           ErrorString{Code: 15},
		"2,0;ab":        &MultiMemory{Lengths: []int{2, 0}, Data: []byte("ab")},
		"12":            Decimal(12),
		"T13thread:1b;": &ThreadStop{Signal: 19, Thread: thread},
		"T05thread:p1a.1b;name:a b;threads:1a,1b;jstopinfo:5b5d;thread-pcs:0000000000001000,ffffffffffffffff;" +
			"00:01;watch:1000;reason:watchpoint;description:41;": &ThreadStop{Signal: 5, Thread: thread, Multiprocess: true, Name: "a b",
			Threads: []int{0x1a, 0x1b}, Stops: []byte("[]"), PCs: []uint64{0x1000, 1<<64 - 1},
			Registers: []RegisterValue{{Number: 0, Value: []byte{1}}}, Watch: "watch", Address: 0x1000,
			Reason: "watchpoint", Description: "A"},
		"T05thread:p1a.1b;hexname:613b;reason:fork;description:31;fork:p2.2;": &ThreadStop{Signal: 5, Thread: thread,
			Multiprocess: true, Name: "a;", Reason: "fork", Description: "1", Fork: "fork", Child: ThreadID{2, 2}},
	} {
		if got := reply.AppendTo([]byte("+")); !bytes.Equal(got, []byte("+"+want)) {
			t.Errorf("%s, want %s", got[1:], want)
		}
	}
}
