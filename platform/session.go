package platform

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"rspd/host"
	"rspd/rsp"
)

// Log takes what the platform has to say of its work.
type Log interface {
	// Enabled tells whether the others write anything.
	Enabled() bool
	// Debug writes a message and pairs of keys and values.
	Debug(message string, pairs ...any)
	// Packet writes raw bytes of the connection.
	Packet(sent bool, packet []byte)
}

// Endpoint is where a server that debugs is to wait for its client.
type Endpoint struct {
	// Socket listens.
	Socket *os.File
	// Port is that of TCP, 0 for others, and Path the file of a Unix socket.
	Port int
	Path string
}

// Options is how a platform is to behave.
type Options struct {
	// Messages takes the lines for people.
	Messages io.Writer
	// Remote and Processes are the logs of packets, and of what is started and
	// ended; neither may be nil.
	Remote, Processes Log
	// AllowShell has qPlatform_shell execute commands.
	AllowShell bool
	// Ports are those that servers that debug may listen on; none leaves it to
	// the kernel.
	Ports []int
	// PortOffset is added to what clients are told of ports, for those that reach
	// this machine by a way that does so.
	PortOffset int
	// Listen opens where a server that debugs is to listen: on a port, or for 0
	// on one that the kernel chooses. The error is an EADDRINUSE where the port is
	// taken. A Unix socket's client gets a Unix socket, whatever the port.
	Listen func(port int) (Endpoint, error)
	// Debugger is the command for a server that debugs. It gets the listening
	// socket as descriptor 3 and as 4 the one that closes with this platform.
	Debugger func(arguments []string) *exec.Cmd
	// Debugged is a program and its arguments that is debugged from the
	// beginning; nil for none.
	Debugged []string
	// Gone tells whether nobody waits for an answer any more: the client has
	// gone, or the platform is to end. nil never does.
	Gone func() bool
}

// Session is the time of one client.
type Session struct {
	options Options
	conn    *rsp.Conn
	parser  rsp.Parser
	host    *host.Client

	errorStrings bool
	// startsNoAck says that the reply on its way is the last to be acknowledged.
	startsNoAck bool

	// startup is how the next program is started, and launched the last one, nil
	// once the client has been told of it.
	startup       startup
	launched      *host.Process
	launchFailure error

	children children
	// waiting is the server that was started for Debugged.
	waiting *debugger
}

// NewSession makes a session of a client that is connected. Close is to be called.
func NewSession(line io.ReadWriter, options Options) (*Session, error) {
	s := &Session{options: options, conn: rsp.NewConn(line, rsp.DefaultPacketSize), parser: rsp.Parser{Dialect: rsp.LLDB}}
	s.conn.SetRunLength(false)
	s.conn.SetTrace(func(direction rsp.Direction, packet []byte) {
		if options.Remote.Enabled() {
			options.Remote.Packet(direction == rsp.Sent, packet)
		}
	})
	s.host = host.NewClient(s.conn.MaxPacket())
	s.host.Dialect = rsp.LLDB
	if err := s.children.begin(); err != nil {
		return nil, err
	}
	if len(options.Debugged) > 0 {
		waiting, err := s.startDebugger(0, options.Debugged)
		if err != nil {
			fmt.Fprintf(options.Messages, "failed to start gdbserver: %v\n", err)
		}
		s.waiting = waiting
	}
	return s, nil
}

// Serve answers requests until the client goes. The error is one of the
// connection.
func (s *Session) Serve() error {
	for {
		input, err := s.conn.Receive()
		var malformed *rsp.MalformedError
		switch {
		case errors.As(err, &malformed):
			err = s.conn.Send(s.errorReply(malformed))
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err == nil && input.Kind == rsp.Packet:
			err = s.answer(input.Payload)
		}
		if err != nil {
			return err
		}
	}
}

// Close ends what belongs to the client: its files, and the servers that wait for
// it to connect. Programs that were launched go on, and so does what is being
// debugged. With end, the servers end all the same.
func (s *Session) Close(end bool) error { return errors.Join(s.host.Close(), s.children.end(end)) }

func (s *Session) answer(payload []byte) error {
	reply, err := s.handle(payload)
	if err != nil {
		reply = s.errorReply(err)
	}
	if err := s.conn.Send(reply); err != nil {
		return err
	}
	if s.startsNoAck {
		s.startsNoAck = false
		s.conn.SetNoAck(true)
	}
	return nil
}

func (s *Session) handle(payload []byte) (rsp.Reply, error) {
	request, err := s.parser.Parse(payload)
	if err != nil {
		return nil, err
	}
	if answer := answers[request.Packet()]; answer != nil {
		return answer(s, request)
	}
	return s.host.Answer(request)
}

// errorReply says what went wrong: the sentence to clients that want it.
func (s *Session) errorReply(err error) rsp.Reply {
	told := rsp.Error{Code: 1, Text: err.Error()}
	errors.As(err, &told)
	return host.ErrorReply(told, s.errorStrings)
}

// coded is an error for the client: a sentence and lldb-server's code for it.
func coded(code byte, format string, arguments ...any) error {
	return rsp.Error{Code: code, Text: fmt.Sprintf(format, arguments...)}
}

// The codes of errors, as lldb-server has them.
const (
	codeNothingLaunched = 0x01
	codeNoDebugger      = 0x04
	codeLaunch          = 0x08
	codeLaunchDebugger  = 0x09
	codeNotSpawned      = 0x0a
	codeNotKilled       = 0x0b
)

// on makes an answer of a method that takes one type of request.
func on[R rsp.Request](answer func(s *Session, request R) (rsp.Reply, error)) func(*Session, rsp.Request) (rsp.Reply, error) {
	return func(s *Session, request rsp.Request) (rsp.Reply, error) { return answer(s, request.(R)) }
}

// answers is filled by init because the answer to qSupported is among them.
var answers [rsp.PacketCount]func(*Session, rsp.Request) (rsp.Reply, error)

func init() {
	agree := func(*Session, rsp.Request) (rsp.Reply, error) { return rsp.OK{}, nil }
	for packet, answer := range map[rsp.PacketName]func(*Session, rsp.Request) (rsp.Reply, error){
		rsp.PacketSupported:      on((*Session).supported),
		rsp.PacketStartNoAckMode: on((*Session).startNoAckMode),
		rsp.PacketEnableErrorStrings: func(s *Session, _ rsp.Request) (rsp.Reply, error) {
			s.errorStrings = true
			return rsp.OK{}, nil
		},

		rsp.PacketWorkingDirQuery: on(func(*Session, rsp.Extension) (rsp.Reply, error) { return host.WorkingDirectory("") }),
		rsp.PacketSetWorkingDir:   on((*Session).setWorkingDir),

		rsp.PacketSetStandardInput:     on((*Session).setStandardFile),
		rsp.PacketSetStandardOutput:    on((*Session).setStandardFile),
		rsp.PacketSetStandardErrors:    on((*Session).setStandardFile),
		rsp.PacketEnvironmentSet:       on((*Session).setEnvironment),
		rsp.PacketEnvironmentUnset:     on((*Session).unsetEnvironment),
		rsp.PacketEnvironmentReset:     on((*Session).resetEnvironment),
		rsp.PacketDisableRandomization: on((*Session).disableRandomization),
		rsp.PacketLaunchArch:           agree,
		rsp.PacketSetDetachOnError:     agree,
		rsp.PacketLaunchArguments:      on((*Session).launch),
		rsp.PacketLaunchSuccess:        on((*Session).launchSuccess),
		rsp.PacketProcessInfo:          on((*Session).processInfo),
		rsp.PacketCurrentThread:        on((*Session).currentProcess),

		rsp.PacketLaunchGDBServer: on((*Session).launchDebugger),
		rsp.PacketQueryGDBServer:  on((*Session).waitingDebuggers),
		rsp.PacketKillSpawned:     on((*Session).killSpawned),

		rsp.PacketShell: on((*Session).shell),

		// lldb adds what it is told here to gdb's list of signals, in which it
		// replaces nothing (PlatformRemoteGDBServer::GetRemoteUnixSignals and
		// UnixSignals::AddSignal in LLVM's source, to version 19 at least), and
		// then takes SIGSTOP for SIGCONT. Told nothing it uses Linux's.
		rsp.PacketSignalsInfo: func(*Session, rsp.Request) (rsp.Reply, error) { return rsp.Empty{}, nil },
	} {
		answers[packet] = answer
	}
}

// supported answers qSupported.
func (s *Session) supported(*rsp.SupportedQuery) (rsp.Reply, error) {
	features := rsp.Features{{Name: "PacketSize", State: rsp.FeatureValue, Value: fmt.Sprintf("%x", s.conn.MaxPacket())}}
	for _, name := range []string{"QStartNoAckMode", "qEcho", "native-signals"} {
		features = append(features, rsp.Feature{Name: name, State: rsp.FeatureYes})
	}
	return rsp.Supported{Features: features}, nil
}

func (s *Session) startNoAckMode(*rsp.StartNoAckMode) (rsp.Reply, error) {
	s.startsNoAck = true
	return rsp.OK{}, nil
}

// setWorkingDir answers QSetWorkingDir.
func (s *Session) setWorkingDir(request *rsp.SetWorkingDir) (rsp.Reply, error) {
	if err := os.Chdir(request.Directory); err != nil {
		errno := unix.EIO
		errors.As(err, &errno)
		return nil, coded(byte(errno), "%s cannot be the working directory: %v", request.Directory, errno)
	}
	return rsp.OK{}, nil
}
