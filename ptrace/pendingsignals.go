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

// callValue is call for the requests whose result is a number.
//
//go:uintptrescapes
func callValue(request, tid int, address, data uintptr) (uintptr, unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0)
	return r, errno
}
