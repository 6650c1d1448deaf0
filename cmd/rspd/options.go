package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"rspd/gdbserver"
)

// options is what a command line asks for, GNU gdbserver's spellings read.
type options struct {
	// comm is where the client comes from; see parseEndpoint.
	comm string

	// program is PROG and its ARGS, empty when nothing is to be started.
	program []string

	// attachPID is the process to attach to, 0 for none.
	attachPID int

	// multi keeps the server running without a program, for
	// target extended-remote; once ends it with its first connection.
	multi, once bool

	// wrapper is the command that starts programs, empty for none.
	wrapper []string

	// disableRandomization and startupWithShell are on unless switched off.
	disableRandomization, startupWithShell bool

	jumpPatches gdbserver.JumpPatches

	disabled disabledPackets
	logging  loggingOptions
}

// disabledPackets are the packets the server must not know, for a client
// that is to be tried without them (--disable-packet).
type disabledPackets struct {
	vCont        bool // vCont
	stopThread   bool // Tthread: no thread in a T stop reply
	stopReplyT   bool // T: S stop replies instead
	qC           bool
	qfThreadInfo bool
}

// ending is a command line's answer when the program is not to go on: what
// to print where, and the exit status.
type ending struct {
	stdout, stderr string
	status         int
}

// endNow is the error by which a flag ends the parse where it stands, as
// gdbserver acts on --version before it looks at what follows.
type endNow struct{ ending }

func (endNow) Error() string { return "the command line has been answered" }

// absent is what an option given without "=VALUE" has for a value. No
// argument of a program can hold it.
const absent = "\x00"

// parseOptions reads the arguments after the program's name. It returns an
// ending if there is nothing to serve.
func parseOptions(args []string) (options, *ending) {
	o := options{disableRandomization: true, startupWithShell: true, jumpPatches: defaultJumpPatches}
	var attach bool
	flags := o.flags(&attach)

	rest := args
	for {
		// --wrapper takes everything up to a lone "--", which is more
		// than a flag can, so options are read in the stretches between.
		stretch, wrapper, after, err := cutWrapper(rest)
		if err != nil {
			return o, usage(err.Error())
		}
		if err := flags.Parse(stretch); err != nil {
			return o, flagEnding(err, stretch)
		}
		if wrapper == nil {
			rest = flags.Args()
			break
		}
		o.wrapper = wrapper
		rest = after
	}

	if len(rest) == 0 {
		return o, usage("COMM is missing: where does the client connect?")
	}
	o.comm, rest = rest[0], rest[1:]
	if !attach && len(rest) > 0 && rest[0] == "--attach" {
		attach, rest = true, rest[1:]
	}
	switch {
	case attach:
		if len(rest) != 1 {
			return o, usage("--attach takes one process ID after COMM.")
		}
		pid, err := strconv.ParseInt(rest[0], 0, 32)
		if err != nil || pid <= 0 || strings.ContainsAny(rest[0], "_+") {
			return o, usage(fmt.Sprintf("%q is not a process ID.", rest[0]))
		}
		o.attachPID = int(pid)
	case len(rest) == 0 && !o.multi:
		return o, usage("PROG is missing: name a program to run, or use --attach or --multi.")
	case len(rest) > 0:
		o.program = rest
	}
	return o, nil
}

// flags defines the options that o and attach receive.
func (o *options) flags(attach *bool) *pflag.FlagSet {
	f := pflag.NewFlagSet(programName, pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.SetOutput(io.Discard)

	define := func(name string, set func(value string) error) {
		f.VarPF(action(set), name, "", "").NoOptDefVal = absent
	}
	alone := func(name string, act func() error) {
		define(name, func(value string) error {
			if value != absent {
				return unknownArgumentError{"--" + name + "=" + value}
			}
			return act()
		})
	}
	valued := func(name string, set func(value string) error) {
		define(name, func(value string) error {
			if value == absent {
				return unknownArgumentError{"--" + name}
			}
			return set(value)
		})
	}
	on := func(name string, target *bool, value bool) {
		alone(name, func() error { *target = value; return nil })
	}
	answer := func(name string, e ending) {
		alone(name, func() error { return endNow{e} })
	}

	on("attach", attach, true)
	on("multi", &o.multi, true)
	on("once", &o.once, true)
	on("disable-randomization", &o.disableRandomization, true)
	on("no-disable-randomization", &o.disableRandomization, false)
	on("startup-with-shell", &o.startupWithShell, true)
	on("no-startup-with-shell", &o.startupWithShell, false)
	on("remote-debug", &o.logging.remote, true)
	on("event-loop-debug", &o.logging.eventLoop, true)
	define("debug", o.logging.setComponents)
	define("disable-packet", o.disabled.set)
	valued("debug-format", o.logging.setFormat)
	valued("debug-file", func(path string) error { o.logging.file = path; return nil })
	valued("jump-patches", func(value string) error { return setJumpPatches(&o.jumpPatches, value) })
	answer("help", ending{stdout: usageText + helpTail})
	answer("version", ending{stdout: versionText()})
	answer("selftest", ending{stdout: "Selftests have been disabled for this build.\n", status: 1})
	return f
}

// action is a flag whose value is handed to a function.
type action func(string) error

func (a action) Set(value string) error { return a(value) }
func (action) String() string           { return "" }
func (action) Type() string             { return "" }

// cutWrapper splits leading options at the first --wrapper. Every option's
// value is joined to it by "=", so the first argument that doesn't begin
// with "-" ends them.
func cutWrapper(args []string) (before, wrapper, after []string, err error) {
	for i, arg := range args {
		if arg == "-" || arg == "--" || !strings.HasPrefix(arg, "-") {
			break
		}
		if arg != "--wrapper" {
			continue
		}
		for j := i + 1; j < len(args); j++ {
			if args[j] != "--" {
				continue
			}
			if j == i+1 {
				break
			}
			return args[:i], args[i+1 : j], args[j+1:], nil
		}
		return nil, nil, nil, complaint("--wrapper takes a command and its arguments, ended by a lone --.")
	}
	return args, nil, nil, nil
}

// flagEnding says what a failed parse of args means.
func flagEnding(err error, args []string) *ending {
	if now := (endNow{}); errors.As(err, &now) {
		return &now.ending
	}
	if unknown := (unknownArgumentError{}); errors.As(err, &unknown) {
		return unknownArgument(unknown.argument)
	}
	if packets := (unknownPacketError{}); errors.As(err, &packets) {
		return &ending{stderr: packets.Error() + "\n\n" + disableablePackets, status: 1}
	}
	if bad := complaint(""); errors.As(err, &bad) {
		return &ending{stderr: bad.Error() + "\n", status: 1}
	}
	if errors.Is(err, pflag.ErrHelp) {
		return unknownArgument("-h") // pflag's own, which gdbserver lacks
	}
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		for _, arg := range args {
			name, _, _ := strings.Cut(arg, "=")
			if name == "--"+unknown.GetSpecifiedName() ||
				unknown.GetSpecifiedShortnames() != "" && arg == "-"+unknown.GetSpecifiedShortnames() {
				return unknownArgument(arg)
			}
		}
	}
	if syntax := (*pflag.InvalidSyntaxError)(nil); errors.As(err, &syntax) {
		return unknownArgument(syntax.GetSpecifiedFlag())
	}
	return &ending{stderr: err.Error() + "\n", status: 1}
}

// unknownArgument is gdbserver's line for an option it doesn't have.
func unknownArgument(arg string) *ending {
	return &ending{stderr: "Unknown argument: " + arg + "\n", status: 1}
}

func usage(sentence string) *ending {
	return &ending{stderr: sentence + "\n" + usageText, status: 1}
}

// unknownArgumentError is an option that exists, but not written like this.
type unknownArgumentError struct{ argument string }

func (e unknownArgumentError) Error() string { return "Unknown argument: " + e.argument }

type unknownPacketError struct{ name string }

func (e unknownPacketError) Error() string {
	return fmt.Sprintf("Don't know how to disable %q.", e.name)
}

const disableablePackets = `Disableable packets:
  vCont       	All vCont packets
  qC          	Querying the current thread
  qfThreadInfo	Thread listing
  Tthread     	Passing the thread specifier in the T stop reply packet
  threads     	All of the above
  T           	All 'T' packets
`

// set reads the value of --disable-packet. Without one it lists the names.
func (d *disabledPackets) set(value string) error {
	if value == absent {
		return endNow{ending{stdout: disableablePackets}}
	}
	for _, name := range items(value) {
		switch name {
		case "vCont":
			d.vCont = true
		case "Tthread":
			d.stopThread = true
		case "T":
			d.stopReplyT = true
		case "qC":
			d.qC = true
		case "qfThreadInfo":
			d.qfThreadInfo = true
		case "threads":
			d.vCont, d.stopThread, d.qC, d.qfThreadInfo = true, true, true, true
		default:
			return unknownPacketError{name}
		}
	}
	return nil
}

// setComponents reads the value of --debug: which parts report what they
// do, or with "-" before a name, which don't.
func (l *loggingOptions) setComponents(value string) error {
	if value == absent {
		value = "threads"
	}
	for _, name := range items(value) {
		bare, off := strings.CutPrefix(name, "-")
		switch bare {
		case "all":
			l.threads, l.eventLoop, l.remote = !off, !off, !off
		case "threads":
			l.threads = !off
		case "event-loop":
			l.eventLoop = !off
		case "remote":
			l.remote = !off
		default:
			return complaintf("Unknown debug argument: %q (all, threads, event-loop and remote are known)", bare)
		}
	}
	return nil
}

// setFormat reads the value of --debug-format.
func (l *loggingOptions) setFormat(value string) error {
	l.timestamps = false
	for _, name := range items(value) {
		switch name {
		case "none":
			l.timestamps = false
		case "all", "timestamp":
			l.timestamps = true
		default:
			return complaintf("Unknown debug-format argument: %q", name)
		}
	}
	return nil
}

// items are the names of a comma-separated list, empty ones left out.
func items(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
