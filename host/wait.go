package host

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// HungUp tells whether the other end of a connection is closed, or the descriptor
// itself. Data may be there to read all the same.
func HungUp(descriptor int) bool {
	const ends = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR | unix.POLLNVAL
	poll := []unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&ends != 0
}

// lookInterval is how often it is looked whether a wait is to go on.
const lookInterval = 10 * time.Millisecond

// OpenWaiting is os.OpenFile, which waits at a named pipe until somebody opens the
// other end (fifo(7)). The wait is given up when gone reports true; nil never does.
func OpenWaiting(name string, flags int, mode fs.FileMode, gone func() bool) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil || info.Mode().Type() != fs.ModeNamedPipe || gone == nil {
		return os.OpenFile(name, flags, mode)
	}
	var file *os.File
	opened := make(chan struct{})
	go func() {
		file, err = os.OpenFile(name, flags, mode)
		close(opened)
	}()
	for {
		select {
		case <-opened:
			return file, err
		case <-time.After(lookInterval):
		}
		if !gone() {
			continue
		}
		// Both ends at once, for which nobody has to come, end the wait.
		if both, err := os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0); err == nil {
			<-opened
			_ = both.Close()
		}
		if file != nil {
			_ = file.Close()
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("nobody has opened the other end of the pipe")}
	}
}

// openRegular opens a file for reading unless that could be waited for, or read
// without an end.
func openRegular(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("it is no regular file")}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
