package gdbserver

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rspd/gdbserver/description"
	"rspd/gdbserver/jumppatch"
	"rspd/host"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// errFinished ends a session from within: the client asked for it.
var errFinished = errors.New("the session is over")

// client is what was agreed on with the client (qSupported).
type client struct {
	multiprocess, softwareBreak, hardwareBreak, errorMessage bool
	forkEvents, vforkEvents, execEvents, noResumed           bool
	singleArgument                                           bool
	targetDescription                                        bool
	// delve says that it speaks LLDB's dialect as Delve does.
	delve bool
}

// session is one client's time on the server.
type session struct {
	server *Server
	table  *threads.Table
	line   Connection
	conn   *rsp.Conn
	parser rsp.Parser
	client client
	// epoll watches the client and the program's terminal, where there is one.
	epoll int
	// extended is what LLDB's dialect has agreed on besides.
	extended extended
	// firstReason says that the stop that was told last is the first answer to
	// "?" in non-stop.
	firstReason bool
	// refused are the operations that the client may not ask for.
	refused rsp.Allowances
	// modeChosen says that the client has chosen between all-stop and non-stop.
	// In between the mode is that of the client before.
	modeChosen bool

	handlers [rsp.PacketCount]handler
	// packet is the one that is being handled.
	packet rsp.PacketName
	// general and resumed are the threads that Hg and Hc chose.
	general, resumed rsp.ThreadID
	// host answers for the machine.
	host *host.Client
	// actions are the resumption under way, leftmost first.
	actions []matchedAction
	// decide is the method value chooseAction, made once.
	decide func(*threads.LWP) threads.Action
	// threadList is what qfThreadInfo began to list.
	threadList []rsp.ThreadID
	// document is the object that is being transferred in parts.
	document transferred
	// librariesRead says that the client has read a list of libraries, and
	// unannounced has the jump patches of which there is news that it hasn't read.
	librariesRead bool
	unannounced   map[*jumppatch.Set]bool
	// held is a stop that the client is told of when it has read that list
	// again, if holds says that there is one.
	held  threads.Stop
	holds bool
	// temporary are files that were made for the client to fetch.
	temporary []string
	// afterReply runs once the reply is on its way.
	afterReply func() error

	// What follows is room for replies, used again for each.
	stopReply rsp.StopReply
	expedited []rsp.RegisterValue
	values    []byte
	memory    []byte
	hexReply  rsp.Hex
	binary    rsp.BinaryMemory
	registers rsp.Registers
	unknown   []bool
	state     description.State
	transfer  rsp.Transfer
}

func newSession(server *Server, line Connection) (*session, error) {
	s := &session{server: server, table: server.table, line: line,
		conn:    rsp.NewConn(line, rsp.DefaultPacketSize),
		general: rsp.ThreadID{PID: rsp.Any, TID: rsp.Any},
		resumed: rsp.ThreadID{PID: rsp.All, TID: rsp.All}}
	s.unannounced = map[*jumppatch.Set]bool{}
	s.decide = s.chooseAction
	s.handlers = handlers
	for _, name := range server.options.Disabled {
		s.handlers[name] = nil
	}
	s.host = host.NewClient(s.conn.MaxPacket())
	s.stopReply.Core = -1
	s.conn.SetTrace(func(direction rsp.Direction, packet []byte) {
		if remote := server.options.Remote; remote.Enabled() {
			remote.Packet(direction == rsp.Sent, packet)
		}
	})
	if err := server.table.TakeBack(); err != nil {
		return nil, err
	}
	if last := server.table.Last(); last != nil {
		s.selectLWP(last)
	}
	s.speak(server.options.Dialect)
	s.applyClient()
	if err := s.watch(); err != nil {
		return nil, err
	}
	return s, nil
}

// close ends what belongs to the client alone. The error is the kernel's.
func (s *session) close() error {
	s.unwatch()
	_ = s.host.Close()
	for _, name := range s.temporary {
		// The client may have removed it.
		_ = os.Remove(name)
	}
	s.table.Pass = 0
	s.table.Program = threads.AllSignals
	return s.table.ForgetInterrupt()
}

// serve answers requests until the client goes or the session is finished.
func (s *session) serve() error {
	for {
		if s.server.quitting.Load() {
			return errFinished
		}
		input, err := s.receive()
		var malformed *rsp.MalformedError
		switch {
		case errors.As(err, &malformed):
			if err := s.conn.Send(malformed.Reply()); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if input.Kind != rsp.Packet {
			// The person pressed the key between two packets that resume;
			// gdb waits for the stop that the next one ends in.
			if err := s.interrupt(); err != nil {
				return err
			}
			continue
		}
		if err := s.answer(input.Payload); err != nil {
			return err
		}
	}
}

// answer handles one packet. Its error ends the session; what the client is to
// be told goes to the client.
func (s *session) answer(payload []byte) error {
	reply, err := s.handle(payload)
	if err != nil {
		if errors.Is(err, errFinished) || isConnectionError(err) {
			return err
		}
		reply = s.errorReply(err)
	}
	if reply != nil {
		if err := s.conn.Send(reply); err != nil {
			return err
		}
	}
	if after := s.afterReply; after != nil {
		s.afterReply = nil
		return after()
	}
	return nil
}

func (s *session) handle(payload []byte) (rsp.Reply, error) {
	s.packet = rsp.PacketUnknown
	request, err := s.parser.Parse(payload)
	if err != nil {
		return nil, err
	}
	s.packet = request.Packet()
	if spokenByLLDB[s.packet] {
		s.speak(rsp.LLDB)
	}
	handler := s.handlers[s.packet]
	if handler == nil {
		return rsp.Empty{}, nil
	}
	if !s.modeChosen && concernsMode[s.packet] {
		if err := s.chooseMode(false); err != nil {
			return nil, err
		}
	}
	if err := s.permit(s.packet); err != nil {
		return nil, err
	}
	if s.lldb() {
		return s.handleSuffixed(handler, request)
	}
	return handler(s, request)
}

// connectionError marks an error that came from the connection in the middle
// of a request.
type connectionError struct{ err error }

func (e connectionError) Error() string { return e.err.Error() }
func (e connectionError) Unwrap() error { return e.err }

func isConnectionError(err error) bool {
	var connection connectionError
	return errors.As(err, &connection)
}

// errorReply says what went wrong, as a sentence where the client takes one.
// gdb takes "E.text" in answer to any packet, but before it said error-message+
// it read the answers to m, x and qRcmd as data unless they were "Enn"
// (gdb 13, remote.c: remote_read_bytes_1 and remote_rcmd).
func (s *session) errorReply(err error) rsp.Reply {
	told := rsp.Error{Code: 1, Text: err.Error()}
	if !errors.As(err, &told) {
		var malformed *rsp.MalformedError
		if errors.As(err, &malformed) {
			if s.lldb() {
				return s.lldbError(malformedForLLDB(malformed))
			}
			return malformed.Reply()
		}
	}
	if s.lldb() {
		return s.lldbError(told)
	}
	if s.client.errorMessage {
		return told
	}
	switch s.packet {
	case rsp.PacketReadMemory, rsp.PacketReadMemoryBinary, rsp.PacketMonitor:
		told.Text = ""
	}
	return told
}

// refusal makes an error for the client of a sentence.
func refusal(format string, arguments ...any) error {
	return rsp.Error{Code: 1, Text: fmt.Sprintf(format, arguments...)}
}

var errNoProcess = rsp.Error{Code: 1, Text: "no process is being debugged"}

// selectLWP makes an LWP the one that registers and memory are asked of.
func (s *session) selectLWP(lwp *threads.LWP) {
	s.general = rsp.ThreadID{PID: lwp.Process.PID, TID: lwp.TID}
}

// lwp is the selected LWP; where that has ended, another of its process.
func (s *session) lwp() (*threads.LWP, error) {
	if lwp := s.table.LWP(s.general.TID); lwp != nil && !lwp.Ending() {
		return lwp, nil
	}
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	if s.general.TID > 0 && s.general.TID != process.PID && s.table.LWP(s.general.TID) == nil {
		return nil, refusal("thread %d does not exist any more", s.general.TID)
	}
	lwp := process.FirstLWP()
	if lwp == nil {
		return nil, refusal("process %d is ending", process.PID)
	}
	return lwp, nil
}

// anyLWP is one that is not ending, of the first process that has any; nil if none
// is left.
func (s *session) anyLWP() *threads.LWP {
	for _, process := range s.table.Processes() {
		if lwp := process.FirstLWP(); lwp != nil {
			return lwp
		}
	}
	return nil
}

// process is the selected process: the selected thread's, or where none is
// selected the first.
func (s *session) process() (*threads.Process, error) {
	if process := s.table.Process(s.general.PID); process != nil {
		return process, nil
	}
	if s.general.PID > 0 {
		return nil, refusal("process %d does not exist any more", s.general.PID)
	}
	if processes := s.table.Processes(); len(processes) > 0 {
		return processes[0], nil
	}
	return nil, errNoProcess
}

// find resolves a thread id of the client's: nil for none or any.
func (s *session) find(id rsp.ThreadID) (*threads.LWP, error) {
	if id.TID == rsp.Any || id.TID == rsp.All {
		if id.PID == rsp.Any || id.PID == rsp.All || id.PID == rsp.NoProcess {
			return nil, nil
		}
		process := s.table.Process(id.PID)
		if process == nil {
			return nil, coded(codeUnknownProcess, "process %d is not being debugged", id.PID)
		}
		if lwp := process.FirstLWP(); lwp != nil {
			return lwp, nil
		}
		return nil, refusal("process %d is ending", id.PID)
	}
	lwp := s.table.LWP(id.TID)
	if id.PID > 0 && s.table.Process(id.PID) == nil {
		return nil, coded(codeUnknownProcess, "process %d is not being debugged", id.PID)
	}
	if lwp == nil || id.PID > 0 && lwp.Process.PID != id.PID {
		return nil, coded(codeUnknownThread, "thread %v is not being debugged", id)
	}
	return lwp, nil
}

func threadID(lwp *threads.LWP) rsp.ThreadID {
	return rsp.ThreadID{PID: lwp.Process.PID, TID: lwp.TID}
}

// awaitStop lets the program run until there is something to report, and looks
// at what the client sends meanwhile.
func (s *session) awaitStop() (rsp.Reply, error) {
	if err := s.inputWhileRunning(false); err != nil {
		return nil, err
	}
	for !s.table.Over() {
		stop, err := s.table.Wait()
		switch {
		case errors.Is(err, ptrace.ErrInput):
			if err := s.forwardOutput(); err != nil {
				return nil, err
			}
			if err := s.inputWhileRunning(s.inputReady()); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		default:
			// What it wrote before comes before the stop.
			if err := s.forwardOutput(); err != nil {
				return nil, err
			}
			return s.stopped(stop), nil
		}
	}
	// The client has let go of, or ended, all that it had waited for.
	return nil, nil
}

// gone tells whether nobody waits for an answer any more.
func (s *session) gone() bool { return s.server.quitting.Load() || host.HungUp(s.line.Fd()) }

func (s *session) inputReady() bool { return wouldRead(s.line.Fd()) }

// wouldRead tells whether a read of a descriptor would not block.
func wouldRead(descriptor int) bool {
	poll := []unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLIN | unix.POLLRDHUP}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0
}

// inputWhileRunning takes what the client has sent while it awaits a stop
// reply. It waits for nothing, or a frame that never ends would keep the stop
// from being noticed.
func (s *session) inputWhileRunning(readable bool) error {
	for {
		input, whole, err := s.conn.ReceiveReady(readable)
		readable = false
		var malformed *rsp.MalformedError
		if errors.As(err, &malformed) {
			continue
		}
		if err != nil {
			return s.lost(err)
		}
		if !whole {
			return nil
		}
		if err := s.takeWhileRunning(input); err != nil {
			return err
		}
	}
}

// takeWhileRunning takes one input, which may only be a wish for the end of the
// waiting.
func (s *session) takeWhileRunning(input rsp.Input) error {
	s.server.options.Connections.Debug("input while the program runs", "kind", input.Kind)
	if input.Kind == rsp.Interrupt {
		return s.interrupt()
	}
	request, err := s.parser.Parse(input.Payload)
	if err != nil {
		return s.sendWhileRunning(s.errorReply(err))
	}
	switch request := request.(type) {
	case *rsp.CtrlC:
		if err := s.sendWhileRunning(rsp.OK{}); err != nil {
			return err
		}
		return s.interrupt()
	case *rsp.Kill:
		if err := s.table.StopAll(); err != nil {
			return err
		}
		return s.killAll()
	case *rsp.KillProcess, *rsp.Detach:
		if err := s.table.StopAll(); err != nil {
			return err
		}
		reply, err := s.handlers[request.Packet()](s, request)
		if err != nil {
			reply = s.errorReply(err)
		}
		return s.sendWhileRunning(reply)
	case *rsp.StandardInput:
		reply, err := s.standardInput(request)
		if err != nil {
			reply = s.errorReply(err)
		}
		return s.sendWhileRunning(reply)
	case *rsp.StopReasonQuery:
		if s.lldb() {
			return nil
		}
	case *rsp.Unknown:
		return s.sendWhileRunning(rsp.Empty{})
	}
	return s.sendWhileRunning(rsp.Error{Code: 1, Text: "the program is running: interrupt it first"})
}

func (s *session) sendWhileRunning(reply rsp.Reply) error {
	if err := s.conn.Send(reply); err != nil {
		return connectionError{err}
	}
	return nil
}

// lost deals with a connection that ends while the program runs: the program
// is stopped, so that the next client finds it as all-stop has it.
func (s *session) lost(err error) error {
	if stopErr := s.table.StopAll(); stopErr != nil && !errors.Is(stopErr, ptrace.ErrNoTracees) {
		return connectionError{errors.Join(err, stopErr)}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return connectionError{err}
}
