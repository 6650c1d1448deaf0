package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The first user and PID namespaces have fixed inode numbers
// (include/uapi/linux/nsfs.h, USER_NS_INIT_INO and PID_NS_INIT_INO).
const (
	firstUserNamespace = 0xEFFFFFFD
	firstPIDNamespace  = 0xEFFFFFFC
)

// capSysPtrace is CAP_SYS_PTRACE's bit number (capabilities(7)).
const capSysPtrace = unix.CAP_SYS_PTRACE

func probe() facts {
	f := facts{yamaScope: -1, root: os.Geteuid() == 0}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		f.kernelRelease = unix.ByteSliceToString(name.Release[:])
	}
	if text, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			f.yamaScope = n
		}
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		f.seccompMode, f.sysPtrace = readStatus(string(status))
	}
	f.container = findContainer(os.ReadFile, exists)
	f.userNamespace = namespaceIsOther("user", firstUserNamespace)
	f.pidNamespace = namespaceIsOther("pid", firstPIDNamespace)
	f.openat2 = tryOpenat2()
	f.procErr = checkProc()
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		f.hidePID = findHidePID(string(mounts))
	}

	// All ptrace calls come from one thread, which ends with the goroutine.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f.debugChild()
	}()
	<-done
	return f
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readStatus finds the seccomp mode and CAP_SYS_PTRACE in the text of
// /proc/PID/status (proc_pid_status(5)).
func readStatus(status string) (seccompMode int, sysPtrace bool) {
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Seccomp":
			seccompMode, _ = strconv.Atoi(value)
		case "CapEff":
			set, err := strconv.ParseUint(value, 16, 64)
			sysPtrace = err == nil && set&(1<<capSysPtrace) != 0
		}
	}
	return seccompMode, sysPtrace
}

// findContainer names the runtime whose traces are in the filesystem, the
// first process's environment or the control groups.
func findContainer(read func(string) ([]byte, error), exists func(string) bool) string {
	switch {
	case exists("/.dockerenv"):
		return "Docker"
	case exists("/run/.containerenv"):
		return "Podman"
	}
	if environment, err := read("/proc/1/environ"); err == nil {
		for _, entry := range bytes.Split(environment, []byte{0}) {
			if name, ok := bytes.CutPrefix(entry, []byte("container=")); ok && len(name) > 0 {
				return string(name)
			}
		}
	}
	if groups, err := read("/proc/self/cgroup"); err == nil {
		for _, trace := range []struct{ text, name string }{
			{"kubepods", "Kubernetes"},
			{"docker", "Docker"},
			{"libpod", "Podman"},
			{"containerd", "containerd"},
			{"/lxc", "LXC"},
		} {
			if bytes.Contains(groups, []byte(trace.text)) {
				return trace.name
			}
		}
	}
	return ""
}

func namespaceIsOther(kind string, first uint64) bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/"+kind, &st) == nil && st.Ino != first
}

func tryOpenat2() error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &how)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func checkProc() error {
	var fs unix.Statfs_t
	if err := unix.Statfs("/proc", &fs); err != nil {
		return err
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		return errors.New("another filesystem is there")
	}
	_, err := os.Stat("/proc/self/task")
	return err
}

// findHidePID returns the hidepid option of what is mounted last at /proc,
// in the text of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
func findHidePID(mountinfo string) (hidePID string) {
	for line := range strings.Lines(mountinfo) {
		mount, filesystem, ok := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		super := strings.Fields(filesystem)
		if !ok || len(fields) < 5 || fields[4] != "/proc" || len(super) < 3 {
			continue
		}
		hidePID = ""
		for option := range strings.SplitSeq(super[2], ",") {
			if value, ok := strings.CutPrefix(option, "hidepid="); ok {
				hidePID = value
			}
		}
	}
	return hidePID
}

// seizeOptions are those a server gives to every program.
const seizeOptions = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
	unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL

// debugChild starts this program once more and does to it what a debugger
// does. The child stops before its first instruction and is killed without
// ever running one.
func (f *facts) debugChild() {
	f.launch, f.seize, f.interrupt = errUntried, errUntried, errUntried
	f.xstateErr, f.memFile = errUntried, errUntried
	for i := range f.debugRegisters {
		f.debugRegisters[i] = errUntried
	}

	child, err := os.StartProcess("/proc/self/exe", []string{"child"}, &os.ProcAttr{
		Env: []string{},
		Sys: &unix.SysProcAttr{Ptrace: true, Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		f.launch = cause(err)
		return
	}
	pid := child.Pid
	defer func() {
		unix.Kill(pid, unix.SIGKILL)
		var status unix.WaitStatus
		for {
			_, err := unix.Wait4(pid, &status, unix.WALL, nil)
			if err == nil && (status.Exited() || status.Signaled()) || err != nil && err != unix.EINTR {
				break
			}
		}
		child.Release()
	}()

	if f.launch = waitForStop(pid, unix.SIGTRAP, 0); f.launch != nil {
		return
	}
	// Let go of it with a SIGSTOP on its way, so that it can be seized as a
	// stranger would be.
	if f.seize = ptrace(unix.PTRACE_DETACH, pid, 0, uintptr(unix.SIGSTOP)); f.seize != nil {
		return
	}
	if f.seize = waitForStop(pid, unix.SIGSTOP, unix.WUNTRACED); f.seize != nil {
		return
	}
	if f.seize = ptrace(unix.PTRACE_SEIZE, pid, 0, seizeOptions); f.seize != nil {
		return
	}
	if f.interrupt = ptrace(unix.PTRACE_INTERRUPT, pid, 0, 0); f.interrupt != nil {
		return
	}
	if f.interrupt = waitForStop(pid, 0, 0); f.interrupt != nil {
		return
	}
	stack, err := stackPointer(pid)
	if err != nil {
		f.interrupt = err
		return
	}
	f.debugRegisters = tryDebugRegisters(pid, stack)
	f.xstate, f.xstateErr = readXstate(pid)
	f.memFile = tryMemFile(pid, stack)
}

// waitForStop waits until the child stops, with the given signal unless
// that is 0.
func waitForStop(pid int, signal unix.Signal, options int) error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL|options, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if !status.Stopped() || signal != 0 && status.StopSignal() != signal {
			return fmt.Errorf("the child reported %#x instead of a stop", uint32(status))
		}
		return nil
	}
}

func ptrace(request int, pid int, address, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), address, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// tryMemFile reads a word and writes it back. The word is on the stack: the
// writing is what is tried here, not what is changed.
func tryMemFile(pid int, address uintptr) error {
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return cause(err)
	}
	defer mem.Close()
	word := make([]byte, unsafe.Sizeof(address))
	if _, err := mem.ReadAt(word, int64(address)); err != nil {
		return cause(err)
	}
	_, err = mem.WriteAt(word, int64(address))
	return cause(err)
}

// cause is the kernel's error under what package os says around it.
func cause(err error) error {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return errno
	}
	return err
}
