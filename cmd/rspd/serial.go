package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// openSerial opens a terminal device as an 8-bit line that changes no byte
// (termios(3), "Raw mode") and ignores modem control. The speed stays what
// stty(1) made it. Restore gives the line its old settings back.
func openSerial(path string) (fd int, restore func() error, err error) {
	// Non-blocking only for the open: a line without carrier would hold it.
	fd, err = unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, nil, complaintf("Could not open remote device %s: %s.", path, errnoText(err))
	}
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		unix.Close(fd)
		return -1, nil, complaintf("Could not open remote device %s: it is not a terminal or serial line.", path)
	}
	raw := *old
	raw.Iflag, raw.Oflag, raw.Lflag = 0, 0, 0
	raw.Cflag &^= unix.CSIZE | unix.PARENB
	raw.Cflag |= unix.CLOCAL | unix.CREAD | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	err = errors.Join(
		unix.IoctlSetTermios(fd, unix.TCSETS, &raw),
		unix.SetNonblock(fd, false))
	if err != nil {
		unix.Close(fd)
		return -1, nil, complaintf("Could not set up remote device %s: %s.", path, errnoText(err))
	}
	return fd, func() error { return unix.IoctlSetTermios(fd, unix.TCSETS, old) }, nil
}

// serialConnection is a line that openSerial opened, whose settings Close
// gives back.
func serialConnection(fd int, restore func() error) *Connection {
	return &Connection{in: fd, out: fd, release: func() error {
		err := restore()
		if err == unix.EIO {
			err = nil // the other end hung up: there is nothing to restore
		}
		return errors.Join(err, unix.Close(fd))
	}}
}

// hungUp reports whether nobody is at the other end of a line any more.
func hungUp(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n == 1 && poll[0].Revents&unix.POLLHUP != 0
}
