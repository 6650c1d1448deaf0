package ptrace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Program is what to launch.
type Program struct {
	// Path is the file to execute; it is not searched for.
	Path string
	// Arguments are argv, the program's own name first.
	Arguments []string
	// Environment holds NAME=VALUE strings.
	Environment []string
	// Directory is where it starts; "" for this process's own.
	Directory string
	// DisableRandomization gives it the same addresses at each start
	// (personality(2), ADDR_NO_RANDOMIZE).
	DisableRandomization bool
	// Input, Output and Errors are its descriptors 0, 1 and 2.
	Input, Output, Errors *os.File
	// Terminal is a terminal whose foreground process group the new process
	// becomes; nil for none.
	Terminal *os.File
}

// LaunchError says that a program could not be started.
type LaunchError struct {
	Path  string
	Errno unix.Errno
}

func (e *LaunchError) Error() string {
	return fmt.Sprintf("cannot run %s: %v", e.Path, e.Errno)
}

// Unwrap gives the errno.
func (e *LaunchError) Unwrap() error { return e.Errno }

// launcherName is argv[0] of this program when it is its own child that waits
// to be seized before it turns into the inferior. The kernel has no other way
// to hold a child before its first instruction that leaves it seized.
const launcherName = "rspd: launcher"

const (
	launcherDescriptor = 3 // the launcher's end of the socket pair
	launcherFixed      = "fixed"
	launcherRandom     = "random"
)

// Launch starts a program in a process group of its own, seized, and returns
// with it stopped before its first instruction (an Execed event). The error is
// a *LaunchError when the program cannot be executed; then nothing is left.
func (t *Tracer) Launch(program Program) (pid int, err error) {
	for {
		pid, err := t.launchOnce(program)
		if err != nil {
			return 0, err
		}
		preempted, err := t.preempted(pid)
		if err != nil {
			t.abandon(pid)
			return 0, err
		}
		if !preempted {
			return pid, nil
		}
		// It has not executed anything, and nobody knows of it.
		t.abandon(pid)
	}
}

// preempted tells whether a SIGURG waits for a program that was just executed,
// which the Go runtime of the launcher has sent to its thread too late for
// discardPreemption: the kernel keeps what a tracee ignores for its tracer to
// see (kernel/signal.c, sig_ignored).
func (t *Tracer) preempted(pid int) (bool, error) {
	var infos [8]Siginfo
	n, err := t.PendingSignals(pid, 0, infos[:])
	return slices.ContainsFunc(infos[:n], func(info Siginfo) bool { return info.Signal() == unix.SIGURG }), err
}

// launchOnce is Launch, but for what the launcher may leave to the program.
func (t *Tracer) launchOnce(program Program) (pid int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot run %s: %w", program.Path, err)
	}
	ours := os.NewFile(uintptr(pair[0]), "launcher")
	defer ours.Close()
	randomization := launcherRandom
	if program.DisableRandomization {
		randomization = launcherFixed
	}
	attributes := syscall.ProcAttr{
		Dir: program.Directory,
		Env: program.Environment,
		Files: []uintptr{program.Input.Fd(), program.Output.Fd(), program.Errors.Fd(),
			uintptr(pair[1])},
		Sys: &syscall.SysProcAttr{Setpgid: true},
	}
	if program.Terminal != nil {
		attributes.Sys.Foreground = true
		attributes.Sys.Ctty = int(program.Terminal.Fd())
	}
	arguments := append([]string{launcherName, randomization, program.Path}, program.Arguments...)
	pid, err = syscall.ForkExec("/proc/self/exe", arguments, &attributes)
	unix.Close(pair[1])
	if err != nil {
		return 0, launchFailure(program, err)
	}
	// Only once the launcher speaks is its own execve over for good: the pipe
	// that ForkExec waits on closes before the kernel reports the event.
	if _, err := io.ReadFull(ours, make([]byte, 1)); err != nil {
		t.abandon(pid)
		return 0, fmt.Errorf("cannot run %s: its launcher ended: %w", program.Path, err)
	}
	if err := t.Seize(pid, unix.PTRACE_O_TRACEEXEC|KillOnExit); err != nil {
		t.abandon(pid)
		return 0, err
	}
	if _, err := ours.Write([]byte{1}); err != nil {
		t.abandon(pid)
		return 0, fmt.Errorf("cannot run %s: %w", program.Path, err)
	}
	for {
		event, err := t.WaitFor(pid)
		if err != nil {
			t.abandon(pid)
			return 0, err
		}
		switch {
		case event.Kind == Execed:
			if err := t.SetOptions(pid, LeaderOptions|KillOnExit); err != nil {
				t.abandon(pid)
				return 0, err
			}
			return pid, nil
		case event.Ended():
			var answer [4]byte
			if _, err := io.ReadFull(ours, answer[:]); err == nil {
				return 0, &LaunchError{program.Path, unix.Errno(binary.NativeEndian.Uint32(answer[:]))}
			}
			return 0, fmt.Errorf("cannot run %s: it ended before it began: %v", program.Path, event)
		case event.Kind == SignalStop:
			err = t.Continue(pid, event.Signal)
		default:
			err = t.Continue(pid, 0)
		}
		if err != nil && !errors.Is(err, ErrGone) {
			t.abandon(pid)
			return 0, err
		}
	}
}

func launchFailure(program Program, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		if program.Directory != "" {
			if _, statErr := os.Stat(program.Directory); statErr != nil {
				return fmt.Errorf("cannot run %s in the directory %s: %w", program.Path, program.Directory, errno)
			}
		}
		return &LaunchError{program.Path, errno}
	}
	return err
}

// abandon kills and reaps a child that never became an inferior.
func (t *Tracer) abandon(pid int) {
	if t.Kill(pid) != nil {
		return
	}
	for {
		event, err := t.WaitFor(pid)
		if err != nil || event.Ended() {
			return
		}
		// A killed thread still stops once on its way out (Exiting).
		_ = t.Continue(pid, 0)
	}
}

// init turns this program into the launcher when Launch started it as one. It
// runs on the main thread, whose id is the process's own, so that execve keeps
// the thread id that was seized.
func init() {
	if len(os.Args) < 4 || os.Args[0] != launcherName {
		return
	}
	runtime.LockOSThread()
	os.Exit(launcher(os.Args[1], os.Args[2], os.Args[3:]))
}

// launcher says that it runs, waits for the word to go on and executes the program. When that
// fails it sends the errno back and returns the status to exit with, the one
// that a shell gives.
func launcher(randomization, path string, arguments []string) int {
	const failed = 127
	unix.CloseOnExec(launcherDescriptor)
	if _, err := unix.Write(launcherDescriptor, []byte{1}); err != nil {
		return failed
	}
	if n, err := unix.Read(launcherDescriptor, make([]byte, 1)); n != 1 || err != nil {
		return failed
	}
	if randomization == launcherFixed {
		const addressNoRandomize = 0x0040000 // linux/personality.h
		if persona, _, errno := unix.Syscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0); errno == 0 {
			// Where a container forbids it the program runs all the same.
			_, _, _ = unix.Syscall(unix.SYS_PERSONALITY, persona|addressNoRandomize, 0, 0)
		}
	}
	environment := launcherEnvironment()
	discardPreemption()
	err := unix.Exec(path, arguments, environment)
	var errno unix.Errno
	if errors.As(err, &errno) {
		_, _ = unix.Write(launcherDescriptor, binary.NativeEndian.AppendUint32(nil, uint32(errno)))
	}
	return failed
}

// discardPreemption forgets a SIGURG that the Go runtime has sent to this thread
// to preempt it and that would otherwise wait for the program: to give a signal
// its default action drops those that are pending if that is to ignore them
// (POSIX, sigaction).
func discardPreemption() {
	var action [4]uint64 // struct kernel_sigaction: SIG_DFL, no flags
	const maskSize = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGURG), uintptr(unsafe.Pointer(&action)), 0, maskSize, 0, 0)
}

// launcherEnvironment is the environment as it was given, to the byte:
// os.Environ would be the same but for entries without a name.
func launcherEnvironment() []string {
	text, err := os.ReadFile("/proc/self/environ")
	if err != nil || len(text) == 0 {
		return os.Environ()
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
