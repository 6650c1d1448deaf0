package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"rspd/gdbserver"
	"rspd/host"
	"rspd/platform"
)

// platformOptions is what lldb-server's command line for a platform asks for.
type platformOptions struct {
	listen     string
	server     bool
	socketFile string
	// from and to are --min-gdbserver-port and --max-gdbserver-port, of which the
	// latter is not used any more; 0 for none.
	from, to int
	// ports are those of --gdbserver-port.
	ports       []int
	portOffset  int
	allowShell  bool
	program     []string
	logFile     string
	logChannels string
	// jumpPatches is what the servers that debug are told of them, "" for nothing.
	jumpPatches string
	// client is the connected socket of the one client that this process is for,
	// -1 where they come to listen.
	client int
}

const (
	// The ports that lldb-server takes: those for users (RFC 6335, section 6).
	lowestPort, highestPort = 1024, 49151
	// platformQueue is how many clients may wait for being served.
	platformQueue = 100
	// clientOption gives the process of one client its socket.
	clientOption = "child-platform-fd"
)

// parsePlatform reads the arguments behind "platform".
func parsePlatform(args []string) (platformOptions, error) {
	o := platformOptions{client: -1}
	port := func(what string, take func(int)) func(string) error {
		return func(value string) error {
			n, err := strconv.Atoi(value)
			if err != nil {
				return complaintf("error: invalid %s string %s", what, value)
			}
			if n < lowestPort || n > highestPort {
				return complaintf("error: %s %d is not in the valid user port range of %d - %d", what, n, lowestPort, highestPort)
			}
			take(n)
			return nil
		}
	}
	nothing := false
	words, err := llvmOptions{
		complaints: lldbServerComplaints,
		valued: map[string]func(string) error{
			"listen": text(&o.listen), "socket-file": text(&o.socketFile),
			"log-file": text(&o.logFile), "log-channels": text(&o.logChannels),
			"jump-patches": func(value string) error {
				o.jumpPatches = value
				return setJumpPatches(new(gdbserver.JumpPatches), value)
			},
			"min-gdbserver-port": port("port number", func(n int) { o.from = n }),
			"max-gdbserver-port": port("port number", func(n int) { o.to = n }),
			"gdbserver-port":     port("port number", func(n int) { o.ports = append(o.ports, n) }),
			"port-offset":        port("port offset", func(n int) { o.portOffset = n }),
			clientOption:         descriptor(&o.client),
		},
		alone: map[string]*bool{"server": &o.server, "allow-shell": &o.allowShell, "debug": &nothing, "verbose": &nothing},
		short: map[string]string{"L": "listen", "f": "socket-file", "l": "log-file", "c": "log-channels",
			"m": "min-gdbserver-port", "M": "max-gdbserver-port", "P": "gdbserver-port", "p": "port-offset"},
	}.parse(args)
	if err != nil {
		return o, err
	}
	if o.program = words.program; words.address != "" {
		o.program = append([]string{words.address}, o.program...)
	}
	if (o.from != 0 || o.to != 0) && o.from >= o.to {
		return o, complaintf("error: --min-gdbserver-port (%d) is not lower than --max-gdbserver-port (%d)", o.from, o.to)
	}
	if o.listen == "" && o.client < 0 {
		return o, complaint("error: where clients come from is missing: --listen [HOST]:PORT")
	}
	for n := o.from; n < o.to; n++ {
		if !slices.Contains(o.ports, n) {
			o.ports = append(o.ports, n)
		}
	}
	return o, nil
}

// runPlatform is the command "platform".
func runPlatform(args []string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if asksForHelp(args) {
		return 0
	}
	o, err := parsePlatform(args)
	if err != nil {
		return fail(lldbUsage(err, "platform"))
	}
	logging := loggingOptions{file: o.logFile, timestamps: true, add: o.client >= 0}
	logging.setChannels(o.logChannels)
	logs := openLogs(logging, os.Stderr)
	defer logs.close()
	signals := listenForEnd()
	defer signals.dieOfSignal()
	if o.client >= 0 {
		unix.CloseOnExec(o.client)
		err = servePlatform(o, logs, socketConnection(o.client), signals)
	} else {
		err = o.serve(args, logs, signals)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// serve takes clients. With --server each has a process of its own, because the
// working directory is the client's.
func (o platformOptions) serve(args []string, logs *logs, signals *ender) error {
	listener, err := listen(lldbComm(o.listen), standardIO{0, 1, 2}, os.Stderr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := listener.Queue(platformQueue); err != nil {
		return err
	}
	if o.socketFile != "" {
		if err := o.tellSocket(listener); err != nil {
			return err
		}
	}
	signals.add(func() { listener.Close() })
	listener.Announce()
	var processes clientProcesses
	defer processes.end()
	for {
		connection, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		fmt.Println("Connection established.")
		if !o.server {
			// There is no other client to come.
			listener.Close()
			err := servePlatform(o, logs, connection, signals)
			fmt.Fprintln(os.Stderr, "lldb-server exiting...")
			return err
		}
		err = processes.start(args, connection)
		connection.release()
		if err != nil {
			fmt.Fprintf(os.Stderr, "The client can't be served: %v\n", err)
		}
	}
}

// tellSocket writes where clients connect into the file that is to say so. Who
// waits for the file finds it whole.
func (o platformOptions) tellSocket(listener *Listener) error {
	text := listener.endpoint.path
	if text == "" {
		text = strconv.Itoa(listener.Port())
	}
	err := func() error {
		file, err := os.CreateTemp(filepath.Dir(o.socketFile), ".rspd-")
		if err != nil {
			return err
		}
		_, err = file.WriteString(text)
		const readable = 0o644
		if err = errors.Join(err, file.Chmod(readable), file.Close()); err == nil {
			err = os.Rename(file.Name(), o.socketFile)
		}
		if err != nil {
			_ = os.Remove(file.Name())
		}
		return err
	}()
	if err != nil {
		return complaintf("failed to write socket id to %s: %s", o.socketFile, errnoText(err))
	}
	return nil
}

// servePlatform serves one client.
func servePlatform(o platformOptions, logs *logs, connection *Connection, signals *ender) error {
	var ending sync.Once
	var quit atomic.Bool
	signals.add(func() {
		ending.Do(func() { quit.Store(true) })
		connection.Close()
	})
	session, err := platform.NewSession(connection, platform.Options{
		Messages: os.Stdout, Remote: logs.remote(), Processes: logs.threads(), AllowShell: o.allowShell,
		Ports: o.ports, PortOffset: o.portOffset, Debugged: o.program,
		Listen:   func(port int) (platform.Endpoint, error) { return listenBeside(connection, port) },
		Debugger: o.debugger,
		Gone:     func() bool { return quit.Load() || host.HungUp(connection.Fd()) },
	})
	if err != nil {
		return err
	}
	err = session.Serve()
	ending.Do(func() {})
	if quit.Load() {
		err = nil // what a closed connection reads as
	}
	connection.Close()
	return errors.Join(err, session.Close(quit.Load()))
}

// debugger is this program as a server that debugs. It reports what this one
// does, but for what goes into a file.
func (o platformOptions) debugger(arguments []string) *exec.Cmd {
	options := []string{"gdbserver", "--native-regs", "--" + listenerOption + "=3", "--" + lifelineOption + "=4"}
	if o.logChannels != "" && o.logFile == "" {
		options = append(options, "--log-channels="+o.logChannels)
	}
	if o.jumpPatches != "" {
		options = append(options, "--jump-patches="+o.jumpPatches)
	}
	return ownCommand(append(options, arguments...))
}

// ownCommand starts this program's file once more.
func ownCommand(arguments []string) *exec.Cmd {
	path, err := os.Executable()
	command := exec.Command(path, arguments...)
	if err != nil {
		command.Err = err
	}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command
}

// listenBeside listens on the address that a client has reached this machine at,
// or for the client of a Unix socket on another one.
func listenBeside(client *Connection, port int) (platform.Endpoint, error) {
	name, err := unix.Getsockname(client.Fd())
	if err != nil {
		return platform.Endpoint{}, err
	}
	comm, path := "", ""
	if _, local := name.(*unix.SockaddrUnix); local {
		directory := os.Getenv("LLDB_DEBUGSERVER_DOMAINSOCKET_DIR")
		if directory == "" {
			directory = os.TempDir()
		}
		path = filepath.Join(directory, "gdbserver."+rand.Text())
		comm = "unix:" + path
	} else {
		comm = net.JoinHostPort(addrPort(name).Addr().String(), strconv.Itoa(port))
	}
	listener, err := listen(comm, standardIO{}, io.Discard)
	if err != nil {
		return platform.Endpoint{}, err
	}
	// The file stays with the copy of the socket.
	listener.socketInode = 0
	defer listener.Close()
	fd, err := unix.FcntlInt(uintptr(listener.sockets[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return platform.Endpoint{}, err
	}
	return platform.Endpoint{Socket: os.NewFile(uintptr(fd), "listener"), Port: listener.Port(), Path: path}, nil
}

// clientProcesses are those of clients that are being served.
type clientProcesses struct {
	lock    sync.Mutex
	running map[*os.Process]bool
	all     sync.WaitGroup
}

// start gives a client a process of its own, with the arguments of this one.
func (p *clientProcesses) start(args []string, client *Connection) error {
	fd, err := unix.FcntlInt(uintptr(client.Fd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	socket := os.NewFile(uintptr(fd), "client")
	defer socket.Close()
	command := ownCommand(append([]string{"platform", "--" + clientOption + "=3"}, args...))
	command.ExtraFiles = []*os.File{socket}
	if err := command.Start(); err != nil {
		return err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.running == nil {
		p.running = map[*os.Process]bool{}
	}
	p.running[command.Process] = true
	p.all.Go(func() {
		// What was to be said, it has said itself.
		_ = command.Wait()
		p.lock.Lock()
		defer p.lock.Unlock()
		delete(p.running, command.Process)
	})
	return nil
}

// end has them end in good order and waits for that.
func (p *clientProcesses) end() {
	p.lock.Lock()
	for process := range p.running {
		_ = process.Signal(unix.SIGTERM)
	}
	p.lock.Unlock()
	p.all.Wait()
}
