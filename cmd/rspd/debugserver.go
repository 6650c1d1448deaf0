package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rspd/gdbserver"
	"rspd/rsp"
)

// debugserverName is the name by which this program takes the command line of
// debugserver, LLVM's server on macOS. Delve starts what DELVE_DEBUGSERVER_PATH
// names by it on any system, and can redirect a program's files only so.
const debugserverName = "debugserver"

// asDebugserver tells whether the arguments, the program's name first, are
// debugserver's: called by that name, or with an option in front that neither GNU
// gdbserver nor this program has.
func asDebugserver(args []string) bool {
	if strings.HasPrefix(filepath.Base(args[0]), debugserverName) {
		return true
	}
	name, _, _ := strings.Cut(first(args[1:]), "=")
	switch name {
	case "-e", "-g", "-D", "-F", "-R", "--stdio-path", "--stdin-path", "--stdout-path", "--stderr-path",
		"--unmask-signals", "--waitfor":
		return true
	}
	return false
}

const debugserverUsage = `Usage:	debugserver [OPTIONS] HOST:PORT [-- PROG [ARGS ...]]
	debugserver [OPTIONS] HOST:PORT --attach=PID

  -R                    Connect to HOST:PORT instead of waiting there.
  --attach=PID          Attach to a process.
  --waitfor=PREFIX      Attach to the first process whose command line begins so.
  --waitfor-interval=N  Look every N microseconds.
  --waitfor-duration=N  Give up after N seconds.
  -e NAME=VALUE         Put a variable into the program's environment.
  -F                    Give it this server's environment besides.
  -D                    Disable the randomization of its addresses.
  --stdin-path=FILE, --stdout-path=FILE, --stderr-path=FILE, --stdio-path=FILE
                        Its standard files; without any it has a terminal, whose
                        output the client gets.
  -g                    Report packets and what happens to threads.
  -l FILE               Write reports to FILE; stdout and stderr are these.
  --unmask-signals      Accepted; signals are never masked.
`

// debugserverOptions is what debugserver's command line asks for.
type debugserverOptions struct {
	comm             string
	program          []string
	attach           string
	waitFor          string
	interval, during time.Duration
	reverseConnect   bool
	environment      []string
	forward          bool
	disableASLR      bool
	// files are the program's standard files, "" where none is named.
	files   [3]string
	debug   bool
	logFile string
}

func parseDebugserver(args []string) (debugserverOptions, error) {
	o := debugserverOptions{interval: time.Millisecond}
	number := func(target *time.Duration, unit time.Duration) func(string) error {
		return func(value string) error {
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return complaintf("%q is not a number.", value)
			}
			*target = time.Duration(n) * unit
			return nil
		}
	}
	nothing := false
	words, err := llvmOptions{
		complaints: debugserverComplaints,
		valued: map[string]func(string) error{
			"attach": text(&o.attach), "waitfor": text(&o.waitFor), "log-file": text(&o.logFile),
			"waitfor-interval": number(&o.interval, time.Microsecond), "waitfor-duration": number(&o.during, time.Second),
			"stdin-path": text(&o.files[0]), "stdout-path": text(&o.files[1]), "stderr-path": text(&o.files[2]),
			"stdio-path": func(value string) error { o.files = [3]string{value, value, value}; return nil },
			"env":        func(value string) error { o.environment = append(o.environment, value); return nil },
		},
		alone: map[string]*bool{"reverse-connect": &o.reverseConnect, "forward-env": &o.forward, "debug": &o.debug,
			"disable-aslr": &o.disableASLR, "unmask-signals": &nothing},
		short: map[string]string{"R": "reverse-connect", "F": "forward-env", "D": "disable-aslr", "e": "env", "g": "debug",
			"l": "log-file"},
	}.parse(args)
	if err != nil {
		return o, err
	}
	o.comm, o.program = words.address, words.program
	if o.comm == "" {
		return o, complaint("debugserver: where the client is is missing: HOST:PORT")
	}
	return o, nil
}

// runAsDebugserver serves one client by debugserver's command line.
func runAsDebugserver(args []string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o, err := parseDebugserver(args)
	if err != nil {
		return fail(errors.Join(err, complaint(debugserverUsage)))
	}
	common, err := o.common()
	if err != nil {
		return fail(err)
	}
	files, err := o.openFiles()
	if err != nil {
		return fail(err)
	}
	source := withoutDescriptors
	source.reverseConnect = o.reverseConnect
	return serveFrom(common, func() (clients, error) { return source.source(common.comm) }, func(options *gdbserver.Options) {
		options.Dialect = rsp.LLDB
		options.Startup.Environment = o.environmentFrom(os.Environ())
		options.Startup.OwnTerminal = files == nil
		if files != nil {
			options.Startup.Input, options.Startup.Output, options.Startup.Errors = files[0], files[1], files[2]
		}
	})
}

// common are the options in the terms of the common ones.
func (o debugserverOptions) common() (options, error) {
	common := options{comm: lldbComm(o.comm), program: o.program, once: true, disableRandomization: o.disableASLR, jumpPatches: defaultJumpPatches,
		logging: loggingOptions{remote: o.debug, threads: o.debug, file: o.logFile, timestamps: true}}
	if o.logFile == "stdout" || o.logFile == "stderr" {
		common.logging.file = "/dev/" + o.logFile
	}
	if o.attach != "" {
		pid, err := strconv.Atoi(o.attach)
		if err != nil || pid <= 0 {
			return common, complaintf("debugserver: %q is not a process ID.", o.attach)
		}
		common.attachPID = pid
	}
	if o.waitFor != "" {
		pid, err := o.awaitProcess()
		if err != nil {
			return common, err
		}
		common.attachPID = pid
	}
	return common, nil
}

// awaitProcess waits for a process whose arguments, joined by spaces, begin as
// asked for. One that is there already counts, as for Delve without a server.
func (o debugserverOptions) awaitProcess() (int, error) {
	for start := time.Now(); o.during == 0 || time.Since(start) < o.during; time.Sleep(max(o.interval, time.Millisecond)) {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return 0, err
		}
		for _, entry := range entries {
			pid, err := strconv.Atoi(entry.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			// A process that is gone, or begins just now, has no arguments.
			arguments, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
			if strings.HasPrefix(strings.ReplaceAll(string(arguments), "\x00", " "), o.waitFor) {
				return pid, nil
			}
		}
	}
	return 0, complaintf("debugserver: no process began with %q in %v.", o.waitFor, o.during)
}

// environmentFrom is the program's environment on a server that has that one.
// Later entries take the place of earlier ones of the same name.
func (o debugserverOptions) environmentFrom(own []string) []string {
	if !o.forward {
		own = nil
	}
	var environment []string
	at := map[string]int{}
	for _, entry := range append(append([]string{}, own...), o.environment...) {
		name, _, _ := strings.Cut(entry, "=")
		if i, has := at[name]; has {
			environment[i] = entry
			continue
		}
		at[name] = len(environment)
		environment = append(environment, entry)
	}
	return environment
}

// openFiles opens the program's standard files, /dev/null for those that are not
// named beside others; nil if none is.
func (o debugserverOptions) openFiles() (*[3]*os.File, error) {
	if o.files == [3]string{} {
		return nil, nil
	}
	// Opening the names in /dev anew would fail for a socket, and begin at the
	// start of a file.
	own := map[string]*os.File{"/dev/stdin": os.Stdin, "/dev/stdout": os.Stdout, "/dev/stderr": os.Stderr}
	var files [3]*os.File
	for i, name := range o.files {
		flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		if i == 0 {
			flags = os.O_RDONLY
		}
		switch {
		case own[name] != nil:
			files[i] = own[name]
			continue
		case name == "":
			name = os.DevNull
		case i == 2 && name == o.files[1]:
			files[2] = files[1]
			continue
		}
		file, err := os.OpenFile(name, flags|unix.O_NOCTTY, 0o666)
		if err != nil {
			return nil, complaintf("debugserver: the program can't have %s: %s.", name, errnoText(err))
		}
		files[i] = file
	}
	return &files, nil
}
