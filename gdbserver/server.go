package gdbserver

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// Connection is a client's line. Reads and writes block; Fd is the descriptor
// that epoll(7) is asked about while the program runs.
type Connection interface {
	io.ReadWriter
	Fd() int
}

// Log takes what the server has to say of its work; see Options.
type Log interface {
	// Enabled tells whether Debug and Packet write anything.
	Enabled() bool
	// SetEnabled is for monitor commands that switch logs.
	SetEnabled(on bool)
	// SetTimestamps says whether each line begins with the time.
	SetTimestamps(on bool)
	// Debug writes a message and pairs of keys and values.
	Debug(message string, pairs ...any)
	// Packet writes raw bytes of the connection.
	Packet(sent bool, packet []byte)
}

// Options is how a server is to behave.
type Options struct {
	// Messages takes the lines that people and tools wait for, such as
	// "Process PROG created; pid = N".
	Messages io.Writer
	// EndsUntold leaves out the messages of how processes ended, for a server
	// whose messages come out among those of the client, which tells it too.
	EndsUntold bool
	// Threads, Connections and Remote are the logs of process control, of
	// clients that come and go, and of packets; none may be nil.
	Threads, Connections, Remote Log
	// Version is a line for people.
	Version string
	// Disabled are packets to leave unanswered, as if they were not known.
	Disabled []rsp.PacketName
	// ShortStopReplies leaves everything but the signal out of stop replies,
	// NoThreadInStopReply the thread: both to try clients with.
	ShortStopReplies, NoThreadInStopReply bool
	// Extended keeps the server when no process is left (--multi).
	Extended bool
	// Startup is how programs are started.
	Startup Startup
	// Dialect is what clients are taken to speak until they say something that
	// tells.
	Dialect rsp.Dialect
	// JumpPatches says whether they are looked for.
	JumpPatches JumpPatches
}

// Server debugs programs for one client at a time.
type Server struct {
	options Options
	tracer  *ptrace.Tracer
	table   *threads.Table
	startup Startup
	// extended says that the server stays when no process is left: it was
	// told so, or a client has said "!".
	extended bool
	// exiting says that a client asked the server to end (monitor exit).
	exiting bool
	// quitting says that the server itself is to end, whatever clients want.
	quitting atomic.Bool
	terminal *foreground
	// programTerminal is the terminal that the client has the other end of.
	programTerminal *pseudoterminal
	descriptions    descriptions
	// evaluator runs the bytecode of breakpoints.
	evaluator evaluator
	// lingering is the process id of a launched program that was let go: its
	// parent, this server, stays until it ends, as a shell expects.
	lingering int
	patches   patches
}

// New makes a server. The calling goroutine has to be locked to its thread, on
// which every method but Quit is to be called.
func New(options Options) (*Server, error) {
	tracer, err := ptrace.NewTracer()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, tracer: tracer, startup: options.Startup, extended: options.Extended,
		patches: patches{options: options.JumpPatches}}
	s.evaluator.server = s
	s.table = threads.NewTable(loggedKernel{threads.Live{Tracer: tracer}, options.Threads})
	return s, nil
}

func (s *Server) printf(format string, arguments ...any) {
	fmt.Fprintf(s.options.Messages, format, arguments...)
}

// Ending says how a client's session ended.
type Ending uint8

const (
	// Disconnected: the client has gone, and the processes are as it left them.
	Disconnected Ending = iota
	// Finished: nothing is left to debug, or the client asked for the end.
	Finished
)

// Serve debugs for one client until it goes. The error is one of the
// connection or the kernel.
func (s *Server) Serve(connection Connection) (Ending, error) {
	session, err := newSession(s, connection)
	if err != nil {
		return Disconnected, err
	}
	s.options.Connections.Debug("client connected", "descriptor", connection.Fd())
	err = session.serve()
	forgetting := session.close()
	s.options.Connections.Debug("client gone", "reason", err)
	if forgetting != nil {
		return Disconnected, errors.Join(err, forgetting)
	}
	if errors.Is(err, errFinished) || s.exiting || !s.extended && s.over() {
		return Finished, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return Disconnected, err
}

// over tells whether no process is left for a client to come for.
func (s *Server) over() bool { return s.table.Over() && !s.table.LeftBehind() }

// Quit makes Serve end. The connection has to be closed before, so that nothing
// more is read from it. It may be called from any goroutine.
func (s *Server) Quit() {
	s.quitting.Store(true)
	s.tracer.Wake()
}

// Close kills the programs that were launched and lets go of those that were
// attached to. After it the server can do no more.
func (s *Server) Close() error {
	var failures []error
	failures = append(failures, s.table.SetNonStop(false), s.table.StopAll(), s.table.TakeBack())
	for _, attached := range []bool{false, true} {
		said := false
		// A vfork child goes before its parent, which waits for it.
		for _, process := range slices.Backward(slices.Clone(s.table.Processes())) {
			if process.Attached != attached {
				continue
			}
			if !said && attached {
				s.printf("Detaching process(es):")
			} else if !said {
				s.printf("Killing process(es):")
			}
			said = true
			s.printf(" %d", process.PID)
			if attached {
				failures = append(failures, s.table.Detach(process))
			} else {
				failures = append(failures, s.table.Kill(process))
			}
		}
		if said {
			s.printf("\n")
		}
	}
	if s.quitting.Load() && s.table.Parting() {
		// It would keep its debug registers, and the step that it was to make.
		s.printf("Waiting for the vfork child of a process that was let go; a second signal ends rspd at once\n")
	}
	failures = append(failures, s.table.Finish())
	if !s.quitting.Load() && s.lingering != 0 {
		failures = append(failures, s.linger())
	}
	s.terminal.giveBack()
	s.closeTerminal()
	s.tracer.Close()
	failures = append(failures, s.patches.folder.Remove())
	return errors.Join(failures...)
}

// linger waits for the end of a launched program that is no longer traced. It
// waits for every thread, because those that were dying when they were to be let
// go are still this server's, and the kernel holds back the end of a process
// until they are reaped (kernel/exit.c, delay_group_leader).
func (s *Server) linger() error {
	for {
		event, err := s.tracer.WaitFor(ptrace.AnyThread)
		switch {
		case errors.Is(err, ptrace.ErrNoTracees):
			return nil
		case err != nil:
			return err
		case !event.Ended():
			// It died before the detach and stops once more on its way out.
			if err := s.tracer.Detach(event.TID, 0); err != nil && !errors.Is(err, ptrace.ErrGone) {
				return err
			}
		case event.TID == s.lingering:
			return nil
		}
	}
}

// Launch starts a program with its arguments, for the first client. The error is
// an ENOENT if there is no such program.
func (s *Server) Launch(arguments []string) error {
	s.startup.Program, s.startup.Arguments = arguments[0], quoteAll(arguments[1:])
	_, err := s.launch(nil)
	return err
}

// Attach takes over a running process, for the first client.
func (s *Server) Attach(pid int) error {
	_, err := s.attach(pid)
	return err
}

func (s *Server) attach(pid int) (*threads.Process, error) {
	process, err := s.table.Attach(pid)
	if err != nil {
		return nil, err
	}
	s.printf("Attached; pid = %d\n", pid)
	return process, nil
}
