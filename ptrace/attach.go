package ptrace

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ExplainAttach turns a refused attach into a sentence that names the cause
// and what to do. The rules are those of "Ptrace access mode checking" in
// ptrace(2) and of Documentation/admin-guide/LSM/Yama.rst in the kernel.
func ExplainAttach(pid int, cause error) error {
	refusal := func(format string, arguments ...any) error {
		return fmt.Errorf("cannot attach to process %d: %s", pid, fmt.Sprintf(format, arguments...))
	}
	if pid <= 0 {
		return fmt.Errorf("cannot attach to process %d: not a process id", pid)
	}
	status, err := ReadProcessStatus(pid)
	if err != nil {
		return refusal("no such process")
	}
	if status.Group != pid {
		return refusal("it is a thread of process %d; attach to that", status.Group)
	}
	if pid == os.Getpid() {
		return refusal("it is this server itself")
	}
	if stat, err := ReadTaskStat(pid, pid); err == nil {
		switch {
		case stat.KernelThread:
			return refusal("it is a thread of the kernel")
		case stat.State == 'Z' || stat.State == 'X':
			if tasks, err := Tasks(pid); err == nil && len(tasks) <= 1 {
				return refusal("it is a zombie: it has ended already, and its parent %d has not collected it", stat.Parent)
			}
		}
	}
	if status.Tracer != 0 {
		// The kernel names the thread that traces.
		group, err := ThreadGroup(status.Tracer, 0)
		if err != nil {
			group = status.Tracer
		}
		tracer := fmt.Sprint(group)
		if stat, err := ReadTaskStat(group, group); err == nil {
			tracer += " (" + stat.Name + ")"
		}
		return refusal("it is already traced by process %s", tracer)
	}
	if !errors.Is(cause, unix.EPERM) && !errors.Is(cause, unix.EACCES) {
		return fmt.Errorf("cannot attach to process %d: %w", pid, cause)
	}
	capable := hasTraceCapability()
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil {
		switch strings.TrimSpace(string(scope)) {
		case "1":
			if !capable {
				return refusal("Yama's ptrace_scope is 1, and it is not a child of this server; " +
					"run the server as root or with CAP_SYS_PTRACE, or write 0 to /proc/sys/kernel/yama/ptrace_scope")
			}
		case "2":
			if !capable {
				return refusal("Yama's ptrace_scope is 2, which asks for CAP_SYS_PTRACE")
			}
		case "3":
			return refusal("Yama's ptrace_scope is 3: attaching is switched off until the next boot")
		}
	}
	if capable {
		return refusal("permission was denied although this server has CAP_SYS_PTRACE: " +
			"it is in another user namespace, or a security module or seccomp filter forbids it")
	}
	if user := os.Getuid(); status.Users[0] != user || status.Users[1] != user || status.Users[2] != user {
		return refusal("it belongs to user %d and this server runs as user %d without CAP_SYS_PTRACE",
			status.Users[0], user)
	}
	if owner, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid)); err == nil {
		if stat, ok := owner.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Getuid() {
			return refusal("it is not dumpable (prctl PR_SET_DUMPABLE, or its program may not be read), " +
				"and this server has no CAP_SYS_PTRACE")
		}
	}
	return refusal("permission denied; it may not be dumpable, be in another user namespace or be protected by a security module")
}

// hasTraceCapability tells whether CAP_SYS_PTRACE is effective in this
// thread's own user namespace (capabilities(7)).
func hasTraceCapability() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
}
