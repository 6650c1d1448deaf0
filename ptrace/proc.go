package ptrace

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// TaskStat is what a debugger wants of /proc/PID/task/TID/stat (proc(5)).
type TaskStat struct {
	// Name is the thread's name, at most 15 bytes (field comm).
	Name string
	// State is the letter of the scheduler's state: R S D T t Z X I.
	State byte
	// Parent is the process id of the parent.
	Parent int
	// Processor is the number of the CPU that it last ran on.
	Processor int
	// Start is when the process or thread was made, on the clock of [SinceBoot],
	// rounded down to 1/100 s (field starttime).
	Start time.Duration
	// KernelThread is PF_KTHREAD of the flags field.
	KernelThread bool
	// Doomed says that it is ending: a zombie, PF_EXITING or PF_SIGNALED of the
	// flags field, or SIGKILL waiting for it, which the end of the process sends
	// to each of its threads (kernel/signal.c, zap_other_threads).
	Doomed bool
}

// ReadTaskStat reads the state of one thread.
func ReadTaskStat(pid, tid int) (TaskStat, error) {
	var buffer [1024]byte
	descriptor, err := unix.Open(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return TaskStat{}, err
	}
	n, err := unix.Read(descriptor, buffer[:])
	unix.Close(descriptor)
	if err != nil {
		return TaskStat{}, err
	}
	return parseTaskStat(buffer[:n])
}

// statFields takes a stat file apart: the name and the fields behind it, of which
// the first is field 3 in proc(5).
func statFields(text []byte) (name string, fields []string, err error) {
	// The name stands in parentheses and may itself hold any of them.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", nil, errors.New("a stat file of /proc has no name in it")
	}
	const processor = 39 - 3
	if fields = strings.Fields(string(text[end+1:])); len(fields) <= processor {
		return "", nil, errors.New("a stat file of /proc is too short")
	}
	return string(text[open+1 : end]), fields, nil
}

func parseTaskStat(text []byte) (TaskStat, error) {
	name, fields, err := statFields(text)
	if err != nil {
		return TaskStat{}, err
	}
	// Fields 3, 4, 9, 22, 31 and 39.
	const state, parent, flags, start, pending, processor = 0, 1, 6, 19, 28, 36
	stat := TaskStat{Name: name, State: fields[state][0]}
	var err1, err2, err3, err4, err5 error
	stat.Parent, err1 = strconv.Atoi(fields[parent])
	stat.Processor, err2 = strconv.Atoi(fields[processor])
	bits, err3 := strconv.ParseUint(fields[flags], 10, 64)
	signals, err4 := strconv.ParseUint(fields[pending], 10, 64)
	ticks, err5 := strconv.ParseInt(fields[start], 10, 64)
	// USER_HZ is 100 (include/asm-generic/param.h).
	stat.Start = time.Duration(ticks) * (time.Second / 100)
	// include/linux/sched.h
	const exiting, signalled, kernelThread = 0x4, 0x400, 0x00200000
	stat.KernelThread = bits&kernelThread != 0
	stat.Doomed = stat.State == 'Z' || stat.State == 'X' || bits&(exiting|signalled) != 0 || signals&(1<<(unix.SIGKILL-1)) != 0
	return stat, errors.Join(err1, err2, err3, err4, err5)
}

// SinceBoot is the time since the machine was started, as the process's time
// namespace has it (clock_gettime(2), CLOCK_BOOTTIME).
func SinceBoot() time.Duration {
	var now unix.Timespec
	// It fails for a clock that there is not alone.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return time.Duration(now.Nano())
}

// Doomed tells whether a thread has been killed or is gone.
func Doomed(pid, tid int) bool {
	stat, err := ReadTaskStat(pid, tid)
	return err != nil || stat.Doomed
}

// ProcessStatus is what a debugger wants of /proc/TID/status (proc(5)).
type ProcessStatus struct {
	// Group is the thread group that the thread belongs to: its process id.
	Group int
	// Tracer is the process id of the tracer, 0 for none.
	Tracer int
	// Threads is how many threads the process has, those included that have
	// ended and are not reaped.
	Threads int
	// Users are the real, effective, saved and file system user ids.
	Users [4]int
	// Groups are the same kinds of group ids.
	Groups [4]int
	// Parent is the process id of the parent.
	Parent int
	// Seccomp is 0 for none, 1 strict, 2 a filter.
	Seccomp int
	// NamespacePIDs are the ids of the thread in the nested pid namespaces
	// that it is in, from the reader's inwards.
	NamespacePIDs []int
}

// ReadProcessStatus reads the status of a thread or process.
func ReadProcessStatus(tid int) (ProcessStatus, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return ProcessStatus{}, err
	}
	return parseProcessStatus(string(text)), nil
}

func parseProcessStatus(text string) ProcessStatus {
	var status ProcessStatus
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		var numbers []int
		if !slices.Contains([]string{"Tgid", "TracerPid", "Threads", "PPid", "Uid", "Gid", "Seccomp", "NSpid"}, key) {
			continue
		}
		for field := range strings.FieldsSeq(rest) {
			number, _ := strconv.Atoi(field)
			numbers = append(numbers, number)
		}
		if len(numbers) == 0 {
			continue
		}
		switch key {
		case "Tgid":
			status.Group = numbers[0]
		case "TracerPid":
			status.Tracer = numbers[0]
		case "Threads":
			status.Threads = numbers[0]
		case "PPid":
			status.Parent = numbers[0]
		case "Uid":
			copy(status.Users[:], numbers)
		case "Gid":
			copy(status.Groups[:], numbers)
		case "Seccomp":
			status.Seccomp = numbers[0]
		case "NSpid":
			status.NamespacePIDs = numbers
		}
	}
	return status
}

// ThreadGroup returns the process id of the process that a thread belongs to.
// The process that it probably is, or 0, is tried first, and then the thread as
// a leader: a signal 0 to a thread of a process costs little, /proc much.
func ThreadGroup(tid, likely int) (int, error) {
	for _, group := range [...]int{likely, tid} {
		if group <= 0 {
			continue
		}
		// tgkill(2) looks for the thread in the group before it looks at
		// permissions.
		if err := unix.Tgkill(group, tid, 0); err == nil || err == unix.EPERM {
			return group, nil
		}
	}
	status, err := ReadProcessStatus(tid)
	if err != nil {
		return 0, goneIfAbsent("find the process of", tid, err)
	}
	return status.Group, nil
}

// Tasks lists the threads of a process as /proc/PID/task does, in rising
// order. While threads end the kernel leaves others out of the directory (it
// goes on by counting, fs/proc/base.c first_tid), so it is read again until there
// are as many as the process has; where they never are, after a number of times.
func Tasks(pid int) ([]int, error) {
	const attempts = 100
	for attempt := 1; ; attempt++ {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return nil, goneIfAbsent("list the threads of", pid, err)
		}
		tids := make([]int, 0, len(entries))
		for _, entry := range entries {
			if tid, err := strconv.Atoi(entry.Name()); err == nil {
				tids = append(tids, tid)
			}
		}
		status, err := ReadProcessStatus(pid)
		if err != nil {
			return nil, goneIfAbsent("list the threads of", pid, err)
		}
		if len(tids) >= status.Threads || attempt == attempts {
			slices.Sort(tids)
			return tids, nil
		}
	}
}

// Executable returns the name of the file that a process executes.
func Executable(pid int) (string, error) {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return "", goneIfAbsent("find the program of", pid, err)
	}
	return name, nil
}

// AuxiliaryVector returns the auxv of a process as the kernel laid it out for
// the program: pairs of words, ended by AT_NULL.
func AuxiliaryVector(pid int) ([]byte, error) {
	vector, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil {
		return nil, goneIfAbsent("read the auxiliary vector of", pid, err)
	}
	return vector, nil
}

func goneIfAbsent(operation string, tid int, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return &Error{operation, tid, unix.ESRCH}
	}
	return err
}
