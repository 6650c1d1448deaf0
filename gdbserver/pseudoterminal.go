package gdbserver

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pseudoterminal is the terminal of the programs that a client of LLDB's kind
// has started: what they write to it the client gets as O packets, and what it
// sends in I packets they read.
type pseudoterminal struct {
	master *os.File
	// descriptor is master's, which has to stay non-blocking.
	descriptor int
}

// openPseudoterminal makes a terminal. The second file is its other end, for a
// program (pts(4)).
func openPseudoterminal() (*pseudoterminal, *os.File, error) {
	fail := func(err error) (*pseudoterminal, *os.File, error) {
		return nil, nil, fmt.Errorf("cannot make a terminal for the program: %w", err)
	}
	descriptor, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fail(err)
	}
	p := &pseudoterminal{os.NewFile(uintptr(descriptor), "terminal"), descriptor}
	number, err := unix.IoctlGetUint32(descriptor, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(descriptor, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		p.master.Close()
		return fail(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		p.master.Close()
		return fail(err)
	}
	return p, program, nil
}

// read gives what has been written to the terminal, without waiting; nothing
// when there is no more.
func (p *pseudoterminal) read(buffer []byte) []byte {
	for {
		n, err := unix.Read(p.descriptor, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			// EIO says that no program has it open any more.
			return nil
		}
		return buffer[:n]
	}
}

// write has a program read some bytes. What it does not take is an error: the
// terminal keeps about four thousand bytes of a line.
func (p *pseudoterminal) write(data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(p.descriptor, data)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return refusal("the program does not read its input: %d bytes are lost", len(data))
		case err != nil:
			return err
		default:
			data = data[n:]
		}
	}
	return nil
}

func (p *pseudoterminal) close() { _ = p.master.Close() }
