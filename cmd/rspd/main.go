// Command rspd is a GDB remote serial protocol server for Linux: it starts
// or attaches to programs and lets gdb, lldb and others debug them over a
// connection, with GNU gdbserver's command line.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"rspd/gdbserver"
)

// The main goroutine stays on the process's first thread, which becomes the
// tracer: the TracerPid that the kernel shows is then this process's id, as
// programs that look for it expect.
func init() { runtime.LockOSThread() }

func main() {
	if asLLDBServer(os.Args[0]) {
		os.Exit(runAsLLDBServer(os.Args[1:]))
	}
	if asDebugserver(os.Args) {
		os.Exit(runAsDebugserver(os.Args[1:]))
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if command, ok := commands[first(args)]; ok {
		return command(args[1:])
	}
	options, end := parseOptions(args)
	if end != nil {
		fmt.Fprint(os.Stdout, end.stdout)
		fmt.Fprint(os.Stderr, end.stderr)
		return end.status
	}
	return serveFrom(options, func() (clients, error) { return listen(options.comm, standardIO{0, 1, 2}, os.Stderr) }, nil)
}

// serveFrom serves the clients of a source, with options that adjust may change.
func serveFrom(options options, open func() (clients, error), adjust func(*gdbserver.Options)) int {
	// Nobody reading our messages any more must not end a debugging session.
	// The signal is received rather than ignored, because what is ignored
	// stays so in the programs that are started.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	logs := openLogs(options.logging, os.Stderr)
	defer logs.close()

	source, err := open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	signals := listenForEnd()
	defer signals.dieOfSignal()
	defer source.Close()
	if source.Stdio() && len(options.program) > 0 {
		fmt.Fprintln(os.Stderr, "stdin/stdout redirected")
	}
	if err := serve(options, logs, source, signals, adjust); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// ender ends the program in good order when a signal says so: what it started
// is killed, what it attached to is let go without a trace, and then it dies of
// the signal as it would have. A second signal does not wait for that.
type ender struct {
	lock   sync.Mutex
	closer []func()
	caught os.Signal
}

// listenForEnd begins to take signals. One that was ignored at the start, as
// by nohup(1), stays ignored.
func listenForEnd() *ender {
	e := &ender{}
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		s := <-signals
		signal.Reset(s)
		e.lock.Lock()
		defer e.lock.Unlock()
		e.caught = s
		for _, closer := range e.closer {
			closer()
		}
	}()
	return e
}

// add has a function called when a signal comes, or at once if one has.
func (e *ender) add(closer func()) {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.caught != nil {
		closer()
	}
	e.closer = append(e.closer, closer)
}

// dieOfSignal ends the program by the signal that came, if one did.
func (e *ender) dieOfSignal() {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.caught != nil {
		unix.Kill(unix.Getpid(), e.caught.(unix.Signal))
	}
}
