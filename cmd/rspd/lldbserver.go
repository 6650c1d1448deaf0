package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/gdbserver"
	"rspd/host"
	"rspd/rsp"
)

// lldbServerName is the name by which this program takes lldb-server's command
// line.
const lldbServerName = "lldb-server"

// asLLDBServer tells whether the program was called by lldb-server's name, which
// may have a version behind it.
func asLLDBServer(name string) bool {
	return strings.HasPrefix(filepath.Base(name), lldbServerName)
}

const lldbServerUsage = `Usage:	lldb-server gdbserver [OPTIONS] [[HOST]:PORT | PATH | URL] [-- PROG [ARGS ...]]
	lldb-server platform [OPTIONS] --listen [HOST]:PORT [-- PROG [ARGS ...]]
	lldb-server version

  --attach=PID          Attach to a process, or to the one with that name.
  --fd=N                Use the connected socket that is descriptor N.
  --reverse-connect     Connect to HOST:PORT instead of waiting there.
  --named-pipe=PATH     Write the port, and a NUL, to a named pipe.
  --pipe=N              Write them to descriptor N.
  --setsid, -S          Run in a session of its own.
  --native-regs         Accepted; there are no other registers.
  --log-file=PATH       Write reports there instead of stderr.
  --log-channels=LIST   What to report: "gdb-remote packets", "posix process".
  --jump-patches=auto|off|FILE
                        Describe the stubs of jump patches to the client, those
                        that are found (auto, the default) and those that FILE
                        tells of (JSON), or none (off).
A URL begins with tcp://, serial://, unix:// or connect://.

Options of the platform, which also takes --log-file, --log-channels and
--jump-patches:

  --listen [HOST]:PORT|PATH|URL
                          Where clients connect; no HOST is this machine alone.
  --server                Serve any number of clients rather than one.
  --socket-file PATH      Write the port, or the socket's path, to a file.
  --min-gdbserver-port N, --max-gdbserver-port N, --gdbserver-port N
                          Ports for debugging: from the first to below the
                          second, and each of the third.
  --port-offset N         Add N to the ports that clients are told.
  --allow-shell           Execute what "platform shell" asks for.
`

// lldbServerOptions is what lldb-server's command line asks for.
type lldbServerOptions struct {
	comm           string
	program        []string
	attach         string
	fd             int
	reverseConnect bool
	namedPipe      string
	pipe           int
	setsid         bool
	logFile        string
	logChannels    string
	jumpPatches    gdbserver.JumpPatches

	// listener and lifeline are what a platform gives the servers that it starts:
	// a socket that listens already, and a pipe that is closed when the platform
	// has gone. Each is -1 for none.
	listener, lifeline int
}

// lldbUsage answers arguments that cannot be used.
func lldbUsage(err error, command string) error {
	return complaintf("%v\nUse '%s %c[%s] --help' for a complete list of options.", err, os.Args[0], command[0], command[1:])
}

// asksForHelp tells whether the arguments ask for the usage, and prints it then.
func asksForHelp(args []string) bool {
	asks := slices.Contains([]string{"--help", "-help", "-h"}, first(args))
	if asks {
		fmt.Print(lldbServerUsage)
	}
	return asks
}

// withoutDescriptors are the options before any are given: descriptor 0 is one too.
var withoutDescriptors = lldbServerOptions{fd: -1, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches}

// parseLLDBServer reads the arguments behind "gdbserver".
func parseLLDBServer(args []string) (lldbServerOptions, error) {
	o := withoutDescriptors
	nothing := false
	words, err := llvmOptions{
		complaints: lldbServerComplaints,
		valued: map[string]func(string) error{
			"attach": text(&o.attach), "fd": descriptor(&o.fd), "named-pipe": text(&o.namedPipe), "pipe": descriptor(&o.pipe),
			"log-file": text(&o.logFile), "log-channels": text(&o.logChannels),
			"jump-patches": func(value string) error { return setJumpPatches(&o.jumpPatches, value) },
			listenerOption: descriptor(&o.listener), lifelineOption: descriptor(&o.lifeline),
		},
		alone: map[string]*bool{"reverse-connect": &o.reverseConnect, "setsid": &o.setsid, "native-regs": &nothing},
		short: map[string]string{"l": "log-file", "c": "log-channels", "P": "named-pipe", "S": "setsid", "r": "native-regs"},
	}.parse(args)
	if err != nil {
		return o, err
	}
	o.comm, o.program = words.address, words.program
	if o.listener >= 0 {
		return o, nil
	}
	if o.comm == "" && o.fd < 0 {
		return o, complaint("error: no connection arguments")
	}
	if o.comm != "" && o.fd >= 0 {
		return o, complaint("error: HOST:PORT and --fd=N exclude each other")
	}
	return o, nil
}

// lldbComm turns an address as lldb-server takes it into a COMM.
func lldbComm(address string) string {
	for scheme, before := range map[string]string{"tcp://": "", "connect://": "", "listen://": "", "accept://": "",
		"serial://": "", "unix://": "unix:", "unix-accept://": "unix:", "unix-connect://": "unix:"} {
		if rest, found := strings.CutPrefix(address, scheme); found {
			return before + strings.TrimSuffix(rest, "/")
		}
	}
	switch {
	case strings.Trim(address, "0123456789") == "":
		return ":" + address
	case strings.HasPrefix(address, "/"):
		return "unix:" + address
	}
	return address
}

// setChannels reads --log-channels: groups of a log's name and its categories.
func (l *loggingOptions) setChannels(channels string) {
	for channel := range strings.SplitSeq(channels, ":") {
		words := strings.Fields(channel)
		l.remote = l.remote || slices.Contains(words, "packets")
		l.threads = l.threads || slices.Contains(words, "process") || slices.Contains(words, "thread")
		l.eventLoop = l.eventLoop || slices.Contains(words, "comm") || slices.Contains(words, "connection")
	}
}

// common are the options in the terms of the common ones.
func (o lldbServerOptions) common() (options, error) {
	common := options{comm: lldbComm(o.comm), program: o.program, once: true, disableRandomization: true, jumpPatches: o.jumpPatches,
		logging: loggingOptions{file: o.logFile, timestamps: true}}
	common.logging.setChannels(o.logChannels)
	if o.attach == "" {
		return common, nil
	}
	pid, err := strconv.Atoi(o.attach)
	if err != nil {
		var found []int
		if found, err = host.NamedProcesses(o.attach); err != nil {
			return common, err
		}
		if len(found) != 1 {
			return common, complaintf("lldb-server: %d processes execute %s.", len(found), o.attach)
		}
		pid = found[0]
	}
	common.attachPID = pid
	return common, nil
}

// runAsLLDBServer is this program called by lldb-server's name.
func runAsLLDBServer(args []string) int {
	switch first(args) {
	case "gdbserver", "g":
		return runLLDBServer(args[1:])
	case "platform", "p":
		return runPlatform(args[1:])
	case "version", "v":
		fmt.Print(versionText())
		return 0
	}
	fmt.Fprint(os.Stderr, lldbServerUsage)
	return 1
}

// runLLDBServer is the command "gdbserver": rspd in the place of lldb-server.
func runLLDBServer(args []string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if asksForHelp(args) {
		return 0
	}
	o, err := parseLLDBServer(args)
	if err != nil {
		return fail(lldbUsage(err, "gdbserver"))
	}
	common, err := o.common()
	if err != nil {
		return fail(err)
	}
	if o.setsid {
		// EPERM: it leads a session already.
		if _, err := unix.Setsid(); err != nil && err != unix.EPERM {
			return fail(complaintf("Can't begin a session: %s.", errnoText(err)))
		}
	}
	return serveFrom(common, func() (clients, error) { return o.source(common.comm) }, func(options *gdbserver.Options) {
		options.Dialect = rsp.LLDB
		options.Startup.OwnTerminal = true
	})
}

// source is where the one client comes from.
func (o lldbServerOptions) source(comm string) (clients, error) {
	switch {
	case o.listener >= 0:
		return o.inherited()
	case o.fd >= 0:
		return connectedClient(&Connection{in: o.fd, out: o.fd, release: func() error { return unix.Close(o.fd) }}), nil
	case o.reverseConnect:
		connection, err := reverseConnect(comm)
		if err != nil {
			return nil, err
		}
		return connectedClient(connection), nil
	}
	listener, err := listen(comm, standardIO{0, 1, 2}, os.Stderr)
	if err != nil {
		return nil, err
	}
	if err := o.tellPort(listener.Port()); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// tellPort writes the port that is listened on, and a NUL, where it was asked
// for.
func (o lldbServerOptions) tellPort(port int) error {
	tell := func(w io.WriteCloser) error {
		_, err := fmt.Fprintf(w, "%d\x00", port)
		return errors.Join(err, w.Close())
	}
	if o.namedPipe != "" {
		file, err := os.OpenFile(o.namedPipe, os.O_WRONLY, 0)
		if err != nil {
			return complaintf("%s: Can't write the port: %s.", o.namedPipe, errnoText(err))
		}
		if err := tell(file); err != nil {
			return complaintf("%s: Can't write the port: %s.", o.namedPipe, errnoText(err))
		}
	}
	if o.pipe >= 0 {
		if err := tell(os.NewFile(uintptr(o.pipe), "pipe")); err != nil {
			return complaintf("Can't write the port to descriptor %d: %s.", o.pipe, errnoText(err))
		}
	}
	return nil
}
