package ptrace

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wakeSignal breaks the tracer's blocking wait4(2). SIGIO is what the kernel
// itself uses to say that input has come, and nothing here asks it to.
const wakeSignal = unix.SIGIO

// inputWatcher is a thread that sleeps in epoll_wait(2) and, when the tracer
// is blocked in wait4(2), breaks that with a signal. Arming costs the tracer
// one system call, and nothing runs on the other thread until input comes:
// no other way that leaves the tracer in a blocking wait was as cheap.
//
// A signal that arrives just before wait4 begins is lost, so it is repeated
// until the tracer has noticed.
type inputWatcher struct {
	input      atomic.Bool // input was seen since the last arm
	waiting    atomic.Bool // the tracer may be blocked and has to be woken
	thread     int
	epoll      int
	quit       [2]int // a pipe; closing its write end ends the watcher
	descriptor int
}

func newInputWatcher(thread int) (*inputWatcher, error) {
	w := &inputWatcher{thread: thread, descriptor: -1}
	if err := makeSignalInterrupt(wakeSignal); err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot watch the connection: %w", err)
	}
	w.epoll = epoll
	if err := unix.Pipe2(w.quit[:], unix.O_CLOEXEC); err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("cannot watch the connection: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(w.quit[0])}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, w.quit[0], &event); err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("cannot watch the connection: %w", err)
	}
	go w.run()
	return w, nil
}

// makeSignalInterrupt has a signal break system calls. The Go runtime installs
// every handler with SA_RESTART; that flag alone is taken away again.
func makeSignalInterrupt(number unix.Signal) error {
	// Asking for the signal is what makes the runtime install its handler;
	// nobody reads the channel, and the runtime then drops the signal.
	signal.Notify(make(chan os.Signal, 1), number)
	const restart = 0x10000000 // SA_RESTART, asm/signal.h
	return changeSignalFlags(number, func(flags uintptr) uintptr { return flags &^ restart })
}

// silenceStops keeps the kernel from sending SIGCHLD for each stop of a tracee:
// wait4 does not need it, and its handler would run at every single step.
func silenceStops() error {
	const noChildStop = 0x1 // SA_NOCLDSTOP, asm/signal.h
	return changeSignalFlags(unix.SIGCHLD, func(flags uintptr) uintptr { return flags | noChildStop })
}

// changeSignalFlags alters the flags of the action that the Go runtime has
// installed for a signal, and nothing else of it.
func changeSignalFlags(number unix.Signal, change func(flags uintptr) uintptr) error {
	var action struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	const maskSize = 8
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(number), 0,
		uintptr(unsafe.Pointer(&action)), maskSize, 0, 0)
	if errno == 0 {
		action.flags = change(action.flags)
		_, _, errno = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(number),
			uintptr(unsafe.Pointer(&action)), 0, maskSize, 0, 0)
	}
	if errno != 0 {
		return fmt.Errorf("cannot set the action of %v: %w", number, errno)
	}
	return nil
}

func (w *inputWatcher) watch(descriptor int) error {
	if w.descriptor >= 0 {
		// The descriptor may be closed already, which took it out.
		_ = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, w.descriptor, nil)
	}
	w.descriptor = -1
	w.input.Store(false)
	if descriptor < 0 {
		return nil
	}
	event := unix.EpollEvent{Events: 0, Fd: int32(descriptor)}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, descriptor, &event); err != nil {
		return fmt.Errorf("cannot watch the connection: %w", err)
	}
	w.descriptor = descriptor
	return nil
}

func (w *inputWatcher) control(events uint32) {
	event := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(w.descriptor)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(w.epoll), unix.EPOLL_CTL_MOD,
		uintptr(w.descriptor), uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		// Then the descriptor is closed or never was one: the reader must
		// look, since nothing would ever wake it.
		w.input.Store(true)
	}
}

// readable tells whether there is input, or a hang-up, right now.
func (w *inputWatcher) readable() bool {
	poll := [1]unix.PollFd{{Fd: int32(w.descriptor), Events: unix.POLLIN | unix.POLLRDHUP}}
	n, _, errno := unix.RawSyscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&poll)), 1, 0)
	return errno == 0 && n > 0
}

// arm begins a time in which input breaks the tracer's wait.
func (w *inputWatcher) arm() {
	w.input.Store(false)
	w.waiting.Store(true)
	w.control(unix.EPOLLIN | unix.EPOLLRDHUP)
}

// disarm ends it. A hang-up is reported by epoll even so; the watcher then
// finds that nobody waits and does nothing.
func (w *inputWatcher) disarm() {
	w.waiting.Store(false)
	w.control(0)
}

// noticed tells whether input came since arm.
func (w *inputWatcher) noticed() bool { return w.input.Load() }

func (w *inputWatcher) run() {
	var events [2]unix.EpollEvent
	for {
		n, err := unix.EpollWait(w.epoll, events[:], -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		for _, event := range events[:n] {
			if int(event.Fd) == w.quit[0] {
				unix.Close(w.epoll)
				unix.Close(w.quit[0])
				return
			}
		}
		w.wake()
	}
}

// wake makes the tracer notice that it is wanted, now or at its next wait.
func (w *inputWatcher) wake() {
	w.input.Store(true)
	for pause := 20 * time.Microsecond; w.waiting.Load() && w.input.Load(); pause *= 2 {
		if unix.Tgkill(unix.Getpid(), w.thread, wakeSignal) != nil {
			return
		}
		time.Sleep(min(pause, time.Millisecond))
	}
}

func (w *inputWatcher) close() { unix.Close(w.quit[1]) }
