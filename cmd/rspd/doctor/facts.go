package doctor

// facts are what the probes saw, without a verdict. An error is nil where
// the thing worked.
type facts struct {
	kernelRelease string // as uname -r prints it

	// What a debugger does, tried on a child in this order. Later steps are
	// skipped, and their errors are errUntried, when an earlier one fails.
	launch         error // start a program under PTRACE_TRACEME
	seize          error // PTRACE_SEIZE with the options a server needs
	interrupt      error // PTRACE_INTERRUPT and its stop
	debugRegisters [4]error
	xstate         xstate
	xstateErr      error
	memFile        error // read and write /proc/PID/mem

	// yamaScope is kernel.yama.ptrace_scope, -1 where there is no Yama.
	yamaScope int

	seccompMode int  // Seccomp of proc_pid_status(5): 0 none, 1 strict, 2 filter
	sysPtrace   bool // CAP_SYS_PTRACE in the effective set
	root        bool // effective user ID 0

	// container names the container runtime by its traces, "" for none
	// seen. The namespaces tell whether they are others than the first ones.
	container                   string
	userNamespace, pidNamespace bool

	openat2 error
	procErr error  // /proc is a mounted procfs
	hidePID string // its hidepid option, "" or "0" for none
}

// xstate is the extended register state of a program: its size in bytes, and
// which components the kernel has switched on (XCR0, Intel SDM volume 1,
// chapter 13).
type xstate struct {
	size       int
	components uint64
}
