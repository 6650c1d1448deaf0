package ptrace

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AnyThread makes [Tracer.Wait] report whichever tracee has something to tell.
const AnyThread = -1

// ErrInput interrupts [Tracer.Wait]: the watched descriptor may have input or
// have been hung up. It can come without cause.
var ErrInput = errors.New("input is waiting")

// ErrNoTracees says that there is nothing to wait for (ECHILD).
var ErrNoTracees = errors.New("no process is being traced")

// Tracer is the one thread that may trace. It also launches programs, so that
// it is their parent and its waits see them.
type Tracer struct {
	thread  int
	watcher *inputWatcher
	watched bool
	// waits counts the calls of Wait.
	waits uint32
}

// NewTracer makes the calling goroutine's thread a tracer. The goroutine has
// to be locked to its thread already and to stay so.
func NewTracer() (*Tracer, error) {
	t := &Tracer{thread: unix.Gettid()}
	if err := silenceStops(); err != nil {
		return nil, err
	}
	watcher, err := newInputWatcher(t.thread)
	if err != nil {
		return nil, err
	}
	t.watcher = watcher
	return t, nil
}

// WatchInput makes input on a descriptor interrupt Wait; -1 ends it. The
// descriptor has to be one that epoll(7) takes, else EPERM is returned.
func (t *Tracer) WatchInput(descriptor int) error {
	t.watched = descriptor >= 0
	return t.watcher.watch(descriptor)
}

// Wake breaks a blocking call of the tracer's thread: Wait returns ErrInput, and
// a read(2) fails with EINTR. Alone of the methods it may be called from any
// goroutine.
func (t *Tracer) Wake() {
	// A thread that has ended needs no waking.
	_ = unix.Tgkill(unix.Getpid(), t.thread, wakeSignal)
	t.watcher.wake()
}

// Close ends the watching thread. The tracees are not touched.
func (t *Tracer) Close() { t.watcher.close() }

// waitFlags limit every wait to this thread's own children and tracees, so
// that children of other parts of the program are never reaped here.
const waitFlags = unix.WALL | unix.WNOTHREAD

// Poll is Wait without blocking; its event is NoEvent when there is none.
func (t *Tracer) Poll(tid int) (Event, error) {
	var status uint32
	for {
		r, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(&status)),
			waitFlags|unix.WNOHANG, 0, 0, 0)
		switch errno {
		case 0:
			if r == 0 {
				return Event{}, nil
			}
			return DecodeStatus(int(r), status), nil
		case unix.EINTR:
		default:
			return Event{}, waitFailure(errno)
		}
	}
}

// spins is how often Wait asks without blocking before it goes to sleep. Most
// single steps are done by then, which saves putting this thread to sleep and
// waking it; on one processor the tracee could not run meanwhile.
var spins = func() int {
	if runtime.NumCPU() > 1 {
		return 60
	}
	return 0
}()

// pauses is how many PAUSE instructions lie between two of them, some 100
// nanoseconds.
const pauses = 8

// inputTurn is after how many reports Wait looks at the input although there
// are more: tracees that never stop reporting do not keep the client out.
const inputTurn = 64

// Wait blocks until a tracee reports an event, or until the watched descriptor
// has input (ErrInput). It fails with ErrNoTracees when there is nothing left
// to wait for. A thread that is likely to be the next one may be named: it is
// asked first, which does not get slower with the number of tracees as asking
// for any does.
func (t *Tracer) Wait(likely int) (Event, error) {
	if t.waits++; t.watched && t.waits%inputTurn == 0 && t.watcher.readable() {
		return Event{}, ErrInput
	}
	for range spins {
		event, err := t.Poll(likely)
		if err != nil {
			break // that one is gone; the others are asked below
		}
		if event.Kind != NoEvent {
			return event, nil
		}
		pause(pauses)
	}
	if t.watched {
		t.watcher.arm()
		defer t.watcher.disarm()
	}
	for {
		if t.watched && t.watcher.noticed() {
			// A report that is there goes first, or a client that keeps
			// talking would keep it from being seen.
			event, err := t.Poll(AnyThread)
			if err == nil && event.Kind == NoEvent {
				err = ErrInput
			}
			return event, err
		}
		event, errno := block(AnyThread)
		switch errno {
		case 0:
			return event, nil
		case unix.EINTR:
		default:
			return Event{}, waitFailure(errno)
		}
	}
}

// WaitFor blocks until one thread reports an event, whatever the input does.
func (t *Tracer) WaitFor(tid int) (Event, error) {
	for {
		event, errno := block(tid)
		switch errno {
		case 0:
			return event, nil
		case unix.EINTR:
		default:
			return Event{}, waitFailure(errno)
		}
	}
}

func block(tid int) (Event, unix.Errno) {
	var status uint32
	r, _, errno := unix.Syscall6(unix.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(&status)),
		waitFlags, 0, 0, 0)
	if errno != 0 {
		return Event{}, errno
	}
	return DecodeStatus(int(r), status), 0
}

func waitFailure(errno unix.Errno) error {
	if errno == unix.ECHILD {
		return ErrNoTracees
	}
	return fmt.Errorf("cannot wait for the inferior: %w", errno)
}
