package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// peekSiginfo is struct ptrace_peeksiginfo_args (linux/ptrace.h).
type peekSiginfo struct {
	offset uint64
	flags  uint32
	count  int32
}

// PendingSignals reads the signals that wait for one stopped thread, without
// those that wait for its whole process, from number first of the queue on
// (PTRACE_PEEKSIGINFO). It returns how many there were, at most len(infos).
//
// A trap can be among them: a thread meets an interrupt or a job-control stop
// before the signal of an int3 or a step that it has already executed
// (kernel/signal.c, get_signal).
func (t *Tracer) PendingSignals(tid, first int, infos []Siginfo) (int, error) {
	if len(infos) == 0 {
		return 0, nil
	}
	arguments := peekSiginfo{offset: uint64(first), count: int32(len(infos))}
	n, errno := callValue(unix.PTRACE_PEEKSIGINFO, tid, uintptr(unsafe.Pointer(&arguments)),
		uintptr(unsafe.Pointer(unsafe.SliceData(infos))))
	if errno != 0 {
		return 0, failure("read the pending signals", tid, errno)
	}
	return int(n), nil
}

// TakesSignal tells whether a stopped thread meets a signal before it executes
// anything once it goes on. Signals of job control do not count: each kind takes
// the other out of the queue (kernel/signal.c, prepare_signal), and nothing else
// takes any while the whole process is stopped.
func TakesSignal(pid, tid int) (bool, error) {
	record, err := ReadTaskRecord(pid, tid)
	if err != nil {
		return false, err
	}
	return record.takesSignal(), nil
}

func (r *TaskRecord) takesSignal() bool {
	const jobControl = 1<<(unix.SIGSTOP-1) | 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGTTIN-1) | 1<<(unix.SIGTTOU-1) | 1<<(unix.SIGCONT-1)
	return (r.Pending|r.ProcessPending)&^r.Blocked&^jobControl != 0
}

// callValue is call for the requests whose result is a number.
//
//go:uintptrescapes
func callValue(request, tid int, address, data uintptr) (uintptr, unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0)
	return r, errno
}
