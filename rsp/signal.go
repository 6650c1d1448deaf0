package rsp

import "strconv"

// A Signal is a signal in the protocol's numbering, which is GDB's own and
// not that of any system ("Stop Reply Packets"; include/gdb/signals.def in
// GDB's source).
type Signal int

// The signals of the protocol that Linux has, and those with a meaning in
// the protocol itself.
const (
	Signal0       Signal = 0 // no signal
	SIGHUP        Signal = 1
	SIGINT        Signal = 2
	SIGQUIT       Signal = 3
	SIGILL        Signal = 4
	SIGTRAP       Signal = 5
	SIGABRT       Signal = 6
	SIGEMT        Signal = 7
	SIGFPE        Signal = 8
	SIGKILL       Signal = 9
	SIGBUS        Signal = 10
	SIGSEGV       Signal = 11
	SIGSYS        Signal = 12
	SIGPIPE       Signal = 13
	SIGALRM       Signal = 14
	SIGTERM       Signal = 15
	SIGURG        Signal = 16
	SIGSTOP       Signal = 17
	SIGTSTP       Signal = 18
	SIGCONT       Signal = 19
	SIGCHLD       Signal = 20
	SIGTTIN       Signal = 21
	SIGTTOU       Signal = 22
	SIGIO         Signal = 23
	SIGXCPU       Signal = 24
	SIGXFSZ       Signal = 25
	SIGVTALRM     Signal = 26
	SIGPROF       Signal = 27
	SIGWINCH      Signal = 28
	SIGLOST       Signal = 29
	SIGUSR1       Signal = 30
	SIGUSR2       Signal = 31
	SIGPWR        Signal = 32
	SIGPOLL       Signal = 33
	SIG33         Signal = 45 // 45 to 75 are the real-time signals 33 to 63
	SIG63         Signal = 75
	SIGCANCEL     Signal = 76
	SIG32         Signal = 77
	SIG64         Signal = 78 // 78 to 141 are the real-time signals 64 to 127
	SIG127        Signal = 141
	SIGINFO       Signal = 142
	SignalUnknown Signal = 143 // one that has no number of its own
)

var signalNames = [...]string{
	0: "0",
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT",
	7: "SIGEMT", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGBUS", 11: "SIGSEGV", 12: "SIGSYS",
	13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGURG", 17: "SIGSTOP",
	18: "SIGTSTP", 19: "SIGCONT", 20: "SIGCHLD", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGIO", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF",
	28: "SIGWINCH", 29: "SIGLOST", 30: "SIGUSR1", 31: "SIGUSR2", 32: "SIGPWR",
	33: "SIGPOLL", 34: "SIGWIND", 35: "SIGPHONE", 36: "SIGWAITING", 37: "SIGLWP",
	38: "SIGDANGER", 39: "SIGGRANT", 40: "SIGRETRACT", 41: "SIGMSG", 42: "SIGSOUND",
	43: "SIGSAK", 44: "SIGPRIO", 76: "SIGCANCEL", 142: "SIGINFO", 143: "unknown",
	145: "EXC_BAD_ACCESS", 146: "EXC_BAD_INSTRUCTION", 147: "EXC_ARITHMETIC",
	148: "EXC_EMULATION", 149: "EXC_SOFTWARE", 150: "EXC_BREAKPOINT", 151: "SIGLIBRT",
}

// String returns the signal's name as GDB prints it, "SIGSEGV" or "SIG34",
// "0" for no signal, and "signal N" for a number that has no name.
func (s Signal) String() string {
	switch {
	case s >= SIG33 && s <= SIG63:
		return "SIG" + strconv.Itoa(int(s-SIG33)+33)
	case s == SIG32:
		return "SIG32"
	case s >= SIG64 && s <= SIG127:
		return "SIG" + strconv.Itoa(int(s-SIG64)+64)
	case s >= 0 && int(s) < len(signalNames) && signalNames[s] != "":
		return signalNames[s]
	}
	return "signal " + strconv.Itoa(int(s))
}

// linuxSignals maps the signals 1 to 31 of Linux on x86-64 (signal(7)).
// Number 16, SIGSTKFLT, has none in the protocol.
var linuxSignals = [32]Signal{
	1: SIGHUP, 2: SIGINT, 3: SIGQUIT, 4: SIGILL, 5: SIGTRAP, 6: SIGABRT, 7: SIGBUS,
	8: SIGFPE, 9: SIGKILL, 10: SIGUSR1, 11: SIGSEGV, 12: SIGUSR2, 13: SIGPIPE,
	14: SIGALRM, 15: SIGTERM, 16: SignalUnknown, 17: SIGCHLD, 18: SIGCONT,
	19: SIGSTOP, 20: SIGTSTP, 21: SIGTTIN, 22: SIGTTOU, 23: SIGURG, 24: SIGXCPU,
	25: SIGXFSZ, 26: SIGVTALRM, 27: SIGPROF, 28: SIGWINCH, 29: SIGIO, 30: SIGPWR,
	31: SIGSYS,
}

// protocolSignals is the way back.
var protocolSignals = func() (t [SIGPOLL + 1]uint8) {
	for linux, s := range linuxSignals {
		if linux != 0 && s != SignalUnknown {
			t[s] = uint8(linux)
		}
	}
	t[SIGPOLL] = t[SIGIO]
	return t
}()

// SignalFromLinux returns the protocol's number for a Linux signal number,
// Signal0 for 0. The real-time signals are 32 to 64. A number that is no
// signal, and SIGSTKFLT, become SignalUnknown.
func SignalFromLinux(n int) Signal {
	switch {
	case n >= 0 && n < len(linuxSignals):
		return linuxSignals[n]
	case n == 32:
		return SIG32
	case n >= 33 && n <= 63:
		return SIG33 + Signal(n-33)
	case n == 64:
		return SIG64
	}
	return SignalUnknown
}

// Linux returns the Linux signal number, and whether Linux has the signal.
// Signal0 is 0.
func (s Signal) Linux() (int, bool) {
	switch {
	case s == Signal0:
		return 0, true
	case s > 0 && int(s) < len(protocolSignals):
		n := int(protocolSignals[s])
		return n, n != 0
	case s >= SIG33 && s <= SIG63:
		return int(s-SIG33) + 33, true
	case s == SIG32:
		return 32, true
	case s == SIG64:
		return 64, true
	}
	return 0, false
}
