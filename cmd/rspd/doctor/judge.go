package doctor

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// errUntried marks what was not tried because something before it failed.
var errUntried = errors.New("not tried")

// judge says what the facts mean for debugging.
func judge(f facts) []Finding {
	findings := []Finding{
		judgeKernel(f),
		judgePtrace(f),
		judgeYama(f),
		judgeCapability(f),
		judgeSeccomp(f),
		judgeContainer(f),
		judgeDebugRegisters(f),
		judgeXstate(f),
		judgeMemory(f),
		judgeOpenat2(f),
		judgeProc(f),
	}
	return findings
}

// ptraceWorks reports whether a program could be started and stopped.
func (f facts) ptraceWorks() bool {
	return f.launch == nil && f.seize == nil && f.interrupt == nil
}

func ok(check, meaning string) Finding { return Finding{check, OK, meaning, ""} }

func judgeKernel(f facts) Finding {
	const check = "kernel"
	var major, minor int
	if _, err := fmt.Sscanf(f.kernelRelease, "%d.%d", &major, &minor); err != nil {
		return Finding{check, Warn, fmt.Sprintf("Linux %s: a release that can't be read.", f.kernelRelease), ""}
	}
	older := func(a, b int) bool { return major < a || major == a && minor < b }
	switch {
	case older(3, 8):
		return Finding{check, Fail,
			fmt.Sprintf("Linux %s: too old, PTRACE_SEIZE and PTRACE_O_EXITKILL came with 3.8.", f.kernelRelease),
			"Use a newer kernel."}
	case older(5, 3):
		return Finding{check, Warn,
			fmt.Sprintf("Linux %s: without PTRACE_GET_SYSCALL_INFO (5.3), system call catchpoints may confuse entry and return.", f.kernelRelease),
			"Use a newer kernel if that matters to you."}
	}
	return ok(check, fmt.Sprintf("Linux %s has all that is needed.", f.kernelRelease))
}

func judgePtrace(f facts) Finding {
	const check = "ptrace"
	if f.ptraceWorks() {
		return ok(check, "A program could be started, seized and stopped.")
	}
	var what string
	err := f.launch
	switch {
	case f.launch != nil:
		what = "starting a program under ptrace"
	case f.seize != nil:
		what, err = "PTRACE_SEIZE of our own child", f.seize
	default:
		what, err = "PTRACE_INTERRUPT of our own child", f.interrupt
	}
	advice := "See the checks below for the cause."
	switch {
	case f.seccompMode != 0:
		advice = "The seccomp filter of this process is the likely cause, see below."
	case f.yamaScope >= 2:
		advice = "Yama is the likely cause, see below."
	case errors.Is(err, unix.EPERM):
		advice = "A security module (SELinux deny_ptrace, AppArmor) may forbid it, or this process is itself traced: look in the kernel's log."
	}
	return Finding{check, Fail, fmt.Sprintf("Failed at %s: %v.", what, err), advice}
}

func judgeYama(f facts) Finding {
	const check = "Yama"
	switch {
	case f.yamaScope < 0:
		return ok(check, "Not in this kernel: it restricts nothing.")
	case f.yamaScope == 0:
		return ok(check, "ptrace_scope is 0: it restricts nothing.")
	case f.yamaScope >= 3:
		return Finding{check, Fail, "ptrace_scope is 3: nobody may trace anything until the next boot.",
			"Set kernel.yama.ptrace_scope to 0 or 1 in /etc/sysctl.d and restart the machine."}
	case f.sysPtrace:
		return ok(check, fmt.Sprintf("ptrace_scope is %d, but CAP_SYS_PTRACE is exempt from it.", f.yamaScope))
	case f.yamaScope == 1:
		return Finding{check, Warn, "ptrace_scope is 1: programs that the server starts can be debugged, others that run already can't be attached to.",
			"To attach: run the server as root, or `sysctl kernel.yama.ptrace_scope=0`, or have the program call prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)."}
	}
	level := Warn
	if !f.ptraceWorks() {
		level = Fail
	}
	return Finding{check, level, "ptrace_scope is 2: only a process with CAP_SYS_PTRACE may trace.",
		"Run the server as root, or `sysctl kernel.yama.ptrace_scope=1` (0 to attach to running programs as well)."}
}

func judgeCapability(f facts) Finding {
	const check = "CAP_SYS_PTRACE"
	switch {
	case f.sysPtrace && f.userNamespace:
		return ok(check, "Held in this user namespace: any program of it can be attached to.")
	case f.sysPtrace:
		return ok(check, "Held: any program can be attached to.")
	case f.root:
		return Finding{check, Warn, "Root, but without it: programs of other users, and those that changed their user, can't be attached to.",
			"In a container, start it with --cap-add=SYS_PTRACE (Kubernetes: securityContext.capabilities.add: [SYS_PTRACE])."}
	}
	return Finding{check, Warn, "Not held: only your own programs can be debugged, and not those that are set-user-ID or not dumpable.",
		"To debug others, run the server as root or give it `setcap cap_sys_ptrace=ep`."}
}

func judgeSeccomp(f facts) Finding {
	const check = "seccomp"
	switch {
	case f.seccompMode == 0:
		return ok(check, "No filter.")
	case f.ptraceWorks():
		return ok(check, "There is a filter, and it lets ptrace through.")
	}
	return Finding{check, Fail, "There is a filter, and ptrace doesn't work.",
		"In a container, start it with --cap-add=SYS_PTRACE, or --security-opt seccomp=unconfined if the runtime or kernel is old."}
}

func judgeContainer(f facts) Finding {
	const check = "container"
	var inside []string
	if f.container != "" {
		inside = append(inside, "a container ("+f.container+")")
	}
	if f.pidNamespace {
		inside = append(inside, "a PID namespace")
	}
	if f.userNamespace {
		inside = append(inside, "a user namespace")
	}
	if len(inside) == 0 {
		return ok(check, "None: this is the machine itself.")
	}
	where := strings.Join(inside, ", ")
	if !f.pidNamespace {
		return ok(check, fmt.Sprintf("Inside %s.", where))
	}
	return Finding{check, Warn,
		fmt.Sprintf("Inside %s: only programs in here can be debugged, under the process IDs they have in here.", where),
		"To reach programs elsewhere, run the server there, or share the namespace (--pid=container:NAME, shareProcessNamespace)."}
}

func judgeDebugRegisters(f facts) Finding {
	const check = "hardware breakpoints"
	works := 0
	var err error
	for _, e := range f.debugRegisters {
		if e == nil {
			works++
		} else if err == nil {
			err = e
		}
	}
	switch {
	case works == len(f.debugRegisters):
		return ok(check, "All four debug registers could be set.")
	case errors.Is(err, errUntried):
		return Finding{check, Warn, "Not tried, because ptrace doesn't work.", ""}
	}
	return Finding{check, Warn,
		fmt.Sprintf("%d of four debug registers can be set (%v): hbreak and watch are limited to those.", works, err),
		"The hypervisor, or a perf breakpoint of another process, may hold them. Software breakpoints work."}
}

// components are the names of XCR0's bits (Intel SDM volume 1, 13.1).
var components = []struct {
	name string
	mask uint64
}{
	{"x87", 1 << 0},
	{"SSE", 1 << 1},
	{"AVX", 1 << 2},
	{"MPX", 3 << 3},
	{"AVX-512", 7 << 5},
	{"PKRU", 1 << 9},
	{"shadow stack", 3 << 11},
	{"AMX", 3 << 17},
	{"APX", 1 << 19},
}

func judgeXstate(f facts) Finding {
	const check = "registers"
	switch {
	case errors.Is(f.xstateErr, errUntried):
		return Finding{check, Warn, "Not tried, because ptrace doesn't work.", ""}
	case f.xstateErr != nil:
		return Finding{check, Warn,
			fmt.Sprintf("The extended state can't be read (%v): registers beyond SSE don't show.", f.xstateErr),
			"A CPU or hypervisor without XSAVE; nothing to be done in software."}
	}
	var names []string
	for _, c := range components {
		if f.xstate.components&c.mask == c.mask {
			names = append(names, c.name)
		}
	}
	return ok(check, fmt.Sprintf("%s (%d bytes of XSAVE state).", strings.Join(names, ", "), f.xstate.size))
}

func judgeMemory(f facts) Finding {
	const check = "memory"
	switch {
	case f.memFile == nil:
		return ok(check, "/proc/PID/mem can be read and written.")
	case errors.Is(f.memFile, errUntried):
		return Finding{check, Warn, "Not tried, because ptrace doesn't work.", ""}
	}
	return Finding{check, Fail,
		fmt.Sprintf("/proc/PID/mem can't be read and written (%v): no breakpoint can be set.", f.memFile),
		"Check the kernel's proc_mem.force_override= and CONFIG_PROC_MEM_* settings, and that /proc is not restricted."}
}

func judgeOpenat2(f facts) Finding {
	const check = "openat2"
	if f.openat2 == nil {
		return ok(check, "Works: files of programs in containers are found by the kernel.")
	}
	return Finding{check, Warn,
		fmt.Sprintf("Not usable (%v): files of programs in containers are found step by step, more slowly.", f.openat2),
		"Linux 5.6 has it; an old container runtime's filter may hide it."}
}

func judgeProc(f facts) Finding {
	const check = "/proc"
	switch {
	case f.procErr != nil:
		return Finding{check, Fail, fmt.Sprintf("Not a mounted procfs (%v): threads and memory can't be found.", f.procErr),
			"mount -t proc proc /proc"}
	case f.hidePID != "" && f.hidePID != "0" && f.hidePID != "off" && !f.sysPtrace:
		return Finding{check, Warn, fmt.Sprintf("Mounted with hidepid=%s: other users' processes don't show.", f.hidePID),
			"Run the server as root to attach to them."}
	}
	return ok(check, "Mounted, and shows what is needed.")
}
