package gdbserver

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
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
		{lldb: []string{"qEcho"}, packets: map[rsp.PacketName]handler{
			rsp.PacketEcho: on(func(_ *session, request *rsp.Echo) (rsp.Reply, error) { return rsp.Raw(request.Payload), nil }),
		}},
		{lldb: []string{"MultiMemRead"}, packets: map[rsp.PacketName]handler{
			rsp.PacketMultiMemRead: on((*session).multiMemRead),
		}},
		{lldb: []string{"jMultiBreakpoint"}, packets: map[rsp.PacketName]handler{
			rsp.PacketMultiBreakpoint: on((*session).multiBreakpoint),
		}},
		{packets: map[rsp.PacketName]handler{
			rsp.PacketEnableErrorStrings: func(s *session, _ rsp.Request) (rsp.Reply, error) {
				s.extended.errorStrings = true
				return rsp.OK{}, nil
			},
			rsp.PacketSpeedTest: on(speedTest),

			rsp.PacketHostInfo:              on(hostInfo),
			rsp.PacketProcessInfo:           on((*session).processInfo),
			rsp.PacketRegisterInfo:          on((*session).registerInfo),
			rsp.PacketThreadsInfo:           on((*session).threadsInfo),
			rsp.PacketThreadStopInfo:        on((*session).threadStopInfo),
			rsp.PacketSignalsInfo:           on(signalsInfo),
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

			rsp.PacketModuleInfo:  on((*session).moduleInfo),
			rsp.PacketModulesInfo: on((*session).modulesInfo),

			rsp.PacketFileExists: on((*session).fileExists),
			rsp.PacketFileMode:   on((*session).fileMode),
			rsp.PacketFileSize:   on((*session).fileSize),

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

// speedTest answers qSpeedTest.
func speedTest(s *session, request *rsp.SpeedTest) (rsp.Reply, error) {
	const label = "data:"
	return rsp.Text(label + strings.Repeat("a", min(request.Size, s.conn.MaxPacket()-len(label)))), nil
}

// triples are LLVM's names for the kinds of programs that there are.
func triple(bits int) string {
	if bits == 32 {
		return "i386-pc-linux-gnu"
	}
	return "x86_64-pc-linux-gnu"
}

// hostInfo answers qHostInfo.
func hostInfo(*session, rsp.Extension) (rsp.Reply, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	release := unix.ByteSliceToString(name.Release[:])
	version := strings.TrimRightFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if i := strings.IndexFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		version = release[:i]
	}
	info := rsp.KeyValues{
		{Key: "triple", Value: rsp.HexText(triple(64))},
		{Key: "ptrsize", Value: "8"},
		{Key: "watchpoint_exceptions_received", Value: "after"},
		{Key: "endian", Value: "little"},
		{Key: "os_version", Value: version},
		{Key: "os_build", Value: rsp.HexText(release)},
		{Key: "os_kernel", Value: rsp.HexText(unix.ByteSliceToString(name.Version[:]))},
		{Key: "hostname", Value: rsp.HexText(unix.ByteSliceToString(name.Nodename[:]))},
		{Key: "vm-page-size", Value: strconv.Itoa(os.Getpagesize())},
	}
	if distribution := distribution("/etc/os-release"); distribution != "" {
		info = append(info, rsp.KeyValue{Key: "distribution_id", Value: rsp.HexText(distribution)})
	}
	return info, nil
}

// distribution is the ID of os-release(5), "" where there is none.
func distribution(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if id, found := strings.CutPrefix(strings.TrimSpace(line), "ID="); found {
			return strings.Trim(id, `"'`)
		}
	}
	return ""
}

// processInfo answers qProcessInfo. Its numbers are in hex but for ptrsize.
func (s *session) processInfo(rsp.Extension) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, coded(codeNoProcess, "%v", err)
	}
	status, err := ptrace.ReadProcessStatus(process.PID)
	if err != nil {
		return nil, err
	}
	bits := 64
	if lwp := process.FirstLWP(); lwp != nil && s.describe(lwp).ByName("rip") == nil {
		bits = 32
	}
	hex := func(n int) string { return strconv.FormatInt(int64(n), 16) }
	return rsp.KeyValues{
		{Key: "pid", Value: hex(process.PID)},
		{Key: "parent-pid", Value: hex(status.Parent)},
		{Key: "real-uid", Value: hex(status.Users[0])},
		{Key: "real-gid", Value: hex(status.Groups[0])},
		{Key: "effective-uid", Value: hex(status.Users[1])},
		{Key: "effective-gid", Value: hex(status.Groups[1])},
		{Key: "triple", Value: rsp.HexText(triple(bits))},
		{Key: "ostype", Value: "linux"},
		{Key: "endian", Value: "little"},
		{Key: "ptrsize", Value: strconv.Itoa(bits / 8)},
	}, nil
}

// watchpointSupport answers qWatchpointSupportInfo: the processor has four debug
// registers (Intel SDM volume 3, section 18.2).
func watchpointSupport(*session, rsp.Extension) (rsp.Reply, error) {
	return rsp.KeyValues{{Key: "num", Value: "4"}}, nil
}

// workingDir answers qGetWorkingDir: where programs are started.
func (s *session) workingDir(rsp.Extension) (rsp.Reply, error) {
	directory := s.server.startup.Directory
	if directory == "" {
		var err error
		if directory, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	return rsp.Hex(directory), nil
}

// signalsInfo answers jSignalsInfo: the signals of the machine and what lldb is
// to do with each unless its user says otherwise. Those that programs use among
// themselves, and that the C library does, are passed in silence.
func signalsInfo(*session, rsp.Extension) (rsp.Reply, error) {
	type signal struct {
		Number      int    `json:"signo"`
		Name        string `json:"name"`
		Suppress    bool   `json:"suppress"`
		Stop        bool   `json:"stop"`
		Notify      bool   `json:"notify"`
		Description string `json:"description,omitempty"`
	}
	const first, last, realTime = 1, 64, 32
	list := make([]signal, 0, last)
	for number := first; number <= last; number++ {
		description := signal{Number: number, Name: signalName(number), Stop: true, Notify: true}
		switch unix.Signal(number) {
		case unix.SIGTRAP, unix.SIGSTOP:
			description.Suppress = true
		case unix.SIGALRM, unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGPROF, unix.SIGVTALRM, unix.SIGIO:
			description.Stop, description.Notify = false, unix.Signal(number) == unix.SIGCHLD
		}
		if number >= realTime {
			description.Stop, description.Notify = false, false
		}
		list = append(list, description)
	}
	return document(list)
}

func signalName(number int) string {
	if name := unix.SignalName(unix.Signal(number)); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", number)
}
