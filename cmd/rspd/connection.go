package main

import (
	"io"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Connection is a client's line: a blocking descriptor that is read and
// written by read(2) and write(2) themselves, on the thread that calls. The
// runtime's poller has no part in it, so that the thread that traces can
// wait for a packet where it stands.
type Connection struct {
	in, out int
	release func() error

	// socket says that both descriptors are one socket.
	socket  bool
	closing sync.Once

	// quick says that the last bytes came in less time than putting the
	// thread to sleep and waking it takes.
	quick bool
}

// wakeTime is about how long putting a thread to sleep and waking it takes, and
// spins how often Read asks a socket in that time before it goes to sleep. It
// does so only while the client has been answering that fast.
const (
	wakeTime = 20 * time.Microsecond
	spins    = 60
)

// spin reads what is there without sleeping; zero bytes mean that nothing came.
func (c *Connection) spin(p []byte) int {
	for range spins {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.in), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
		if errno == 0 && int(n) > 0 {
			return int(n)
		}
		if errno != unix.EAGAIN {
			break // the blocking read says what it is
		}
	}
	return 0
}

// Fd is the descriptor that bytes arrive on, for poll(2). Write to the
// connection with Write: on standard input and output, what is sent goes
// out by another descriptor.
func (c *Connection) Fd() int { return c.in }

// Read waits for bytes and returns what is there. The end of the line, also
// one that was reset, is io.EOF; a serial line's is the hang-up.
func (c *Connection) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.quick {
		if n := c.spin(p); n > 0 {
			return n, nil
		}
	}
	asleep := time.Now()
	for {
		n, err := unix.Read(c.in, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			// Whoever gave us the descriptor may share it non-blocking.
			if err := wait(c.in, unix.POLLIN); err != nil {
				return 0, err
			}
		case err == unix.ECONNRESET, err == unix.EIO, err == nil && n == 0:
			return 0, io.EOF
		case err != nil:
			return 0, err
		default:
			c.quick = c.socket && time.Since(asleep) < wakeTime
			return n, nil
		}
	}
}

// Write sends all of p, waiting as long as the other end doesn't take it.
// EPIPE says that it has gone.
func (c *Connection) Write(p []byte) (int, error) {
	sent := c.send(p)
	for sent < len(p) {
		n, err := unix.Write(c.out, p[sent:])
		switch err {
		case nil:
			sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			if err := wait(c.out, unix.POLLOUT); err != nil {
				return sent, err
			}
		default:
			return sent, err
		}
	}
	return sent, nil
}

// send writes to a socket as much as there is room for. Not having to wait, it
// need not tell the scheduler of a system call, which costs as much as the call.
func (c *Connection) send(p []byte) int {
	if !c.socket || len(p) == 0 {
		return 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(c.out), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
		uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0 // the blocking write says what it is
	}
	return int(n)
}

// Close ends the connection, also for a thread that waits in Read. Only the
// first call does anything.
func (c *Connection) Close() (err error) {
	c.closing.Do(func() {
		unix.Shutdown(c.in, unix.SHUT_RDWR) // ENOTSOCK for a line that is no socket
		if c.release != nil {
			err = c.release()
		}
	})
	return err
}

func wait(fd int, events int16) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1)
		if err != unix.EINTR {
			return err
		}
	}
}
