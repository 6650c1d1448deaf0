package gdbserver

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/host"
	"rspd/rsp"
	"rspd/threads"
)

// Clients of gdb's and of LLDB's kind want different things of the same
// packets. Which of them a client is shows in what it asks; here is where that
// is decided, and what follows from it:
//
//   - Stop replies have LLDB's keys, the thread first (threadstop.go). The pc of
//     a thread at a breakpoint is always the breakpoint's, swbreak or not: lldb
//     before version 20 does not offer swbreak and yet does not adjust it.
//   - Signals have the machine's numbers: lldb is told native-signals.
//   - Errors are "Enn", with the sentence in hex behind it once the client has
//     sent QEnableErrorStrings. The codes are those of lldb-server, which LLDB's
//     own tests look at.
//   - x has no 'b' before the data, and g, G, p and P may name their thread.
//   - In all-stop vCont is for one process, where gdb's schedule-multiple needs
//     several, and all threads of a process learn at once what they stopped for:
//     lldb steps over a breakpoint where it has not heard of a hit.
//   - In non-stop a process stops as a whole, and all its threads are reported
//     (nonstoplldb.go).
//   - Nothing is run-length encoded: Delve does not decode that in binary data.
//   - execve is reported without having been asked for.
//   - The kill of what is debugged is answered.
//   - An interrupt is for the resumption under way, whatever it is, and for no later
//     one.
//   - "?" is not answered while the program runs: Delve sends it after ten seconds
//     of silence, in case that the stop was forgotten, and takes any answer for a
//     stop.
//
// Delve speaks LLDB's dialect, but for what it does not do as lldb does:
//
//   - It asks for no signal to be passed, and gives each but those that a debugger
//     makes back to the program, whatever they are: they are passed without a
//     report. The Go runtime interrupts its threads with hundreds of SIGURG a
//     second, each of which would stop the program. As a client of debugserver it
//     takes signal 17, Linux's SIGCHLD, for macOS's SIGSTOP and would keep it.
//   - A vector register is one register, which it shows by the name of its SSE
//     part; of several that overlap it would show and write one after the other.

// extended is what was agreed on in LLDB's dialect alone.
type extended struct {
	// threadLists and errorStrings are QListThreadsInStopReply and
	// QEnableErrorStrings.
	threadLists, errorStrings bool
	// saved are the register states of QSaveRegisterState.
	saved     map[int]*savedRegisters
	lastSaved int
	// allocations are the sizes of the memory of _M, by process and address.
	allocations map[allocation]uint64
	// stops and outputs are the notifications of non-stop.
	stops, outputs notifications
	// launchFailure is why the last A packet started nothing.
	launchFailure error
}

// spokenByLLDB has the packets that only a client of LLDB's dialect sends.
var spokenByLLDB = func() (spoken [rsp.PacketCount]bool) {
	for _, packet := range []rsp.PacketName{rsp.PacketThreadSuffixSupported, rsp.PacketListThreadsInStopReply,
		rsp.PacketEnableErrorStrings, rsp.PacketRegisterInfo, rsp.PacketThreadsInfo, rsp.PacketThreadStopInfo} {
		spoken[packet] = true
	}
	return spoken
}()

// dialectOf tells the client's dialect by its qSupported. gdb says vContSupported
// since version 7.11. lldb names, wherever it runs, the same architectures in the
// same order; "arc" came with version 12.
func dialectOf(request *rsp.SupportedQuery, before rsp.Dialect) rsp.Dialect {
	architectures, _ := request.Value("xmlRegisters")
	switch {
	case request.Has("vContSupported"), request.Has("qRelocInsn"):
		return rsp.GDB
	case strings.HasPrefix(architectures, "i386,arm,mips"):
		return rsp.LLDB
	}
	return before
}

// isDelve tells whether a client that speaks LLDB's dialect is Delve: it says
// no-resumed, as gdb does, which lldb never did.
func isDelve(request *rsp.SupportedQuery) bool { return request.Has("no-resumed") }

// keptByDelve are the signals that Delve looks at: those that breakpoints, steps
// and interrupts end in.
var keptByDelve = func() (kept threads.SignalSet) {
	kept.Add(unix.SIGTRAP)
	kept.Add(unix.SIGSTOP)
	return kept
}()

// speak changes the session's dialect.
func (s *session) speak(dialect rsp.Dialect) {
	if s.parser.Dialect == dialect {
		return
	}
	s.parser.Dialect, s.host.Dialect = dialect, dialect
	s.conn.SetRunLength(dialect != rsp.LLDB)
	s.server.options.Connections.Debug("the client's dialect", "dialect", dialect)
	if dialect == rsp.LLDB {
		s.client.takeLLDB()
	}
	s.applyClient()
}

func (s *session) lldb() bool { return s.parser.Dialect == rsp.LLDB }

// takeLLDB corrects what qSupported said for what LLDB's kind of client means:
// Delve offers words of gdb's that it has no use for.
func (c *client) takeLLDB() {
	c.errorMessage, c.noResumed, c.singleArgument, c.targetDescription = false, false, false, true
}

// words are those of a capability for qSupported.
func (s *session) words(capability capability) []string {
	if !s.lldb() {
		if s.server.patches.options.Find {
			return capability.features
		}
		return slices.DeleteFunc(slices.Clone(capability.features), func(word string) bool { return word == patchesFeature })
	}
	return slices.DeleteFunc(slices.Clone(capability.lldb), func(word string) bool {
		switch word {
		case "multiprocess":
			return !s.client.multiprocess
		case "fork-events":
			return !s.client.forkEvents || !s.client.multiprocess
		case "vfork-events":
			return !s.client.vforkEvents || !s.client.multiprocess
		case "MultiMemRead", "jMultiBreakpoint":
			// lldb 20 began to offer swbreak. The tests of earlier ones take
			// words that they do not know for failures.
			return !s.client.softwareBreak
		}
		return false
	})
}

// signal is the number that the client knows a signal by.
func (s *session) signal(signal unix.Signal) rsp.Signal {
	if s.lldb() {
		return rsp.Signal(signal)
	}
	return rsp.SignalFromLinux(int(signal))
}

// The codes of errors, as lldb-server has them. gdb is told sentences.
const (
	codeMemory         = 0x01
	codeNothingStopped = 0x02
	codeTwoProcesses   = 0x03
	codeUnknownThread  = 0x15
	codeRunning        = 0x37
	codeNoProcess      = 0x44
	codeNotThere       = 0x45
	codeUnknownProcess = 0xff

	codeProcessNotAlive = 0x01
	codeThreadNotAlive  = 0x02
)

// coded makes an error of a sentence and LLDB's code for it.
func coded(code byte, format string, arguments ...any) error {
	err := refusal(format, arguments...).(rsp.Error)
	err.Code = code
	return err
}

// malformedForLLDB is the error for a packet that is not understood. One of H is
// a process that cannot be meant.
func malformedForLLDB(malformed *rsp.MalformedError) rsp.Error {
	told := malformed.Reply()
	if malformed.Packet == rsp.PacketSetThread {
		told.Code = codeUnknownProcess
	}
	return told
}

// lldbError is what went wrong as LLDB's clients take it.
func (s *session) lldbError(told rsp.Error) rsp.Reply {
	if told == errNoProcess {
		told.Code = codeNoProcess
	}
	if s.packet == rsp.PacketThreadAlive {
		if told.Code == codeUnknownProcess {
			told.Code = codeProcessNotAlive
		} else {
			told.Code = codeThreadNotAlive
		}
	}
	return host.ErrorReply(told, s.extended.errorStrings)
}

// handleSuffixed handles a request that may name its thread, which is selected
// for that time.
func (s *session) handleSuffixed(handle handler, request rsp.Request) (rsp.Reply, error) {
	suffixed, is := request.(rsp.Suffixed)
	if !is {
		return handle(s, request)
	}
	id, has := suffixed.Suffix()
	if !has {
		return handle(s, request)
	}
	lwp, err := s.find(id)
	if err != nil {
		return nil, err
	}
	if lwp == nil {
		return nil, coded(codeUnknownThread, "one thread has to be named")
	}
	before := s.general
	s.selectLWP(lwp)
	defer func() { s.general = before }()
	return handle(s, request)
}

// oneProcess tells whether a resumption is for one process at most: LLDB's
// clients are told so where it is not.
func (s *session) oneProcess(actions []matchedAction) bool {
	count := 0
	for _, process := range s.table.Processes() {
		if process.Unreported() {
			continue
		}
		if slices.ContainsFunc(actions, func(a matchedAction) bool {
			return a.action.Kind != threads.Stay && (a.thread.PID <= 0 && a.thread.TID <= 0 || a.thread.PID == process.PID ||
				a.thread.PID <= 0 && process.LWP(a.thread.TID) != nil)
		}) {
			count++
		}
	}
	return count <= 1
}
