// Command rspd is a GDB remote serial protocol server for Linux: it starts
// or attaches to programs and lets gdb, lldb and others debug them over a
// connection, with GNU gdbserver's command line.
package main

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
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
	// Nobody reading our messages any more must not end a debugging session.
	// The signal is received rather than ignored, because what is ignored
	// stays so in the programs that are started.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	logs := openLogs(options.logging, os.Stderr)
	defer logs.close()

	listener, err := listen(options.comm, standardIO{0, 1, 2}, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer listener.Close()
	closeOnSignal(listener)
	if listener.Stdio() && len(options.program) > 0 {
		fmt.Fprintln(os.Stderr, "stdin/stdout redirected")
	}
	if err := serve(options, logs, listener); err != nil {
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

// closeOnSignal removes what the listener made when a signal ends the
// program, which then dies of it as it would have. A signal that was ignored
// at the start, as by nohup(1), stays ignored.
func closeOnSignal(l *Listener) {
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		s := <-signals
		l.Close()
		signal.Reset(s)
		unix.Kill(unix.Getpid(), s.(unix.Signal))
	}()
}
