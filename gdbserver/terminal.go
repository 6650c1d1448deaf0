package gdbserver

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// foreground is the terminal that a launched program becomes the foreground
// process group of, so that it can read it and gets the keys that make
// signals. nil stands for no terminal.
type foreground struct {
	terminal *os.File
	group    int
}

// takeForeground finds out whether this process is in the foreground of the
// terminal on a descriptor, and may hand it on.
func takeForeground(file *os.File) *foreground {
	if file == nil {
		return nil
	}
	group, err := unix.IoctlGetInt(int(file.Fd()), unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return nil
	}
	return &foreground{terminal: file, group: group}
}

func (f *foreground) file() *os.File {
	if f == nil {
		return nil
	}
	return f.terminal
}

// giveBack makes this process's group the foreground one again.
func (f *foreground) giveBack() {
	if f == nil {
		return
	}
	// A background process is stopped for this by SIGTTOU unless the thread
	// that does it blocks that (tcsetpgrp(3)). The group may be gone, which
	// leaves nothing to do.
	block := uint64(1) << (unix.SIGTTOU - 1)
	var before uint64
	const size = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&block)),
		uintptr(unsafe.Pointer(&before)), size, 0, 0)
	_ = unix.IoctlSetPointerInt(int(f.terminal.Fd()), unix.TIOCSPGRP, f.group)
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&before)), 0, size, 0, 0)
}
