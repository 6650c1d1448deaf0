package main

// programName is how the program calls itself.
const programName = "rspd"

// usageText goes to stderr when a command line can't be used, and begins
// --help.
const usageText = `Usage:	rspd [OPTIONS] COMM PROG [ARGS ...]
	rspd [OPTIONS] --attach COMM PID
	rspd [OPTIONS] --multi COMM
	rspd gdbserver [OPTIONS] [HOST]:PORT [-- PROG [ARGS ...]]
	rspd platform [OPTIONS]
	rspd doctor
	rspd console COMM

COMM is where the client connects:
  :PORT, localhost:PORT  TCP, from this machine only; port 0 picks a free one
  HOST:PORT, [IPv6]:PORT TCP on that address of this machine; 0.0.0.0 and [::]
                         are all of them, and tcp: tcp4: tcp6: may stand before
  unix:PATH              a Unix socket that only you may use
  - or stdio             standard input and output
  /dev/tty...            a serial line
PROG is the executable program.  ARGS are arguments passed to inferior.
PID is the process ID to attach to, when --attach is specified.

Operating modes:

  --attach              Attach to running process PID.
  --multi               Start server without a specific program, and
                        only quit when explicitly commanded.
  --once                Exit after the first connection has closed.
  --help                Print this message and then exit.
  --version             Display version information and exit.

Other options:

  --wrapper WRAPPER --  Run WRAPPER to start new programs.
  --disable-randomization
                        Run PROG with address space randomization disabled.
                        (default)
  --no-disable-randomization
                        Leave address space randomization as it is.
  --startup-with-shell
                        Start PROG by a shell that then execs it.  (default)
  --no-startup-with-shell
                        Exec PROG directly.
  --jump-patches=auto|off|FILE
                        Describe the stubs of jump patches to the client, those
                        that are found (auto, the default) and those that FILE
                        tells of (JSON), or none (off).

Debug options:

  --debug[=OPT1,OPT2,...]
                        Report what the server does: all, threads (the
                        default), event-loop, remote.  -OPT leaves one out.
  --debug-format=OPT1[,OPT2,...]
                        What each line begins with: none, timestamp, all.
  --remote-debug        Print the packets, with time and direction.
  --event-loop-debug    Report clients that come and go.
  --debug-file=PATH     Write reports there instead of stderr.
  --disable-packet=OPT1[,OPT2,...]
                        Do without packets or features: vCont, T, Tthread,
                        qC, qfThreadInfo, threads (all but T).
                        Without a value, list them.
`

const helpTail = `
rspd gdbserver and rspd platform take lldb-server's command line, as does this
program when it is called by that name; debugserver's, as Delve calls it, is
known by its options.  rspd doctor says whether this machine lets programs be
debugged, and what to do if not.  rspd console COMM talks to a server packet by
packet.
`
