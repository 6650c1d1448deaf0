// Package hostio is the engine behind the remote protocol's vFile packets
// (GDB manual, "Host I/O Packets"): it opens, reads, writes and examines
// files on the machine the inferiors run on, as one of those inferiors sees
// them.
//
// The package knows nothing of the wire. Open flags, modes and
// unix.Stat_t are Linux's own; errors are unix.Errno values. Turning them
// into File-I/O numbers and back is the protocol's business.
package hostio

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// firstDescriptor is the number of a session's first open file: a
	// client that treats 0, 1 and 2 as its standard streams is not misled.
	firstDescriptor = 3

	// MaxOpen is how many files one session may hold open at once. The
	// next Open fails with EMFILE.
	MaxOpen = 512
)

// openFlags are the open(2) flags a client may give. Everything else is
// refused with EINVAL, as openat2(2) refuses what it doesn't know.
const openFlags = unix.O_ACCMODE | unix.O_APPEND | unix.O_CREAT | unix.O_EXCL |
	unix.O_TRUNC | unix.O_NONBLOCK | unix.O_SYNC | unix.O_DSYNC |
	unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NOATIME | unix.O_NOCTTY |
	unix.O_CLOEXEC | largeFile

// largeFile is O_LARGEFILE as i386 has it. On x86-64 it is always on and the
// constant is 0, but clients built for 32 bits send the bit.
const largeFile = 0o100000

// Files is what one client session has open, and the root its names are
// seen from. The zero value is ready, with the server's own filesystem.
// It is not safe for concurrent use.
type Files struct {
	pid   int
	table []file

	// walkOnly forces the resolver for kernels without openat2(2).
	walkOnly bool
}

type file struct {
	fd int // -1 when the slot is free

	// refill says that a short read does not mean the end: regular files,
	// among them procfs's, which return at most a page at a time.
	refill bool
}

// SetFilesystem makes the names given from now on be those that process pid
// sees: its root directory in its mount namespace (vFile:setfs). Pid 0 is
// the server's own root. Files that are already open stay as they are.
//
// It fails with ESRCH if there is no such process, with EACCES if the
// server may not look at its root (proc_pid_root(5): PTRACE_MODE_READ), and
// with EINVAL for a negative pid. A failure leaves the root that was set.
func (f *Files) SetFilesystem(pid int) error {
	if pid < 0 {
		return unix.EINVAL
	}
	was := f.pid
	f.pid = pid
	r, err := f.root()
	if err != nil {
		f.pid = was
		return err
	}
	r.close()
	return nil
}

// Open opens name with Linux open(2) flags and, where the flags have
// O_CREAT, the permission bits of mode less the server's umask. It returns
// the session's number for the file, which is not a descriptor of the
// server.
//
// The file is always opened with O_CLOEXEC, O_NOCTTY and O_NONBLOCK, so
// that a FIFO or a device can't hold the server up: opening a FIFO for
// writing that nobody reads fails with ENXIO, and a read that would wait
// fails with EAGAIN. Regular files and directories don't care.
func (f *Files) Open(name string, flags int, mode uint32) (int, error) {
	if flags&^openFlags != 0 {
		return -1, unix.EINVAL
	}
	slot, err := f.freeSlot()
	if err != nil {
		return -1, err
	}
	r, err := f.root()
	if err != nil {
		return -1, err
	}
	defer r.close()

	flags &^= largeFile
	flags |= unix.O_CLOEXEC | unix.O_NOCTTY | unix.O_NONBLOCK
	if flags&unix.O_CREAT == 0 {
		mode = 0
	}
	fd, err := r.open(name, flags, mode&0o7777)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, err
	}
	f.table[slot] = file{fd: fd, refill: st.Mode&unix.S_IFMT == unix.S_IFREG}
	return slot + firstDescriptor, nil
}

// OpenOwn opens a file of the server's for reading: the name is seen from the
// server's own root, whatever process was set.
func (f *Files) OpenOwn(name string) (int, error) {
	pid := f.pid
	f.pid = 0
	defer func() { f.pid = pid }()
	return f.Open(name, unix.O_RDONLY, 0)
}

// Close gives the number fd back. EBADF if it is not open; an error of
// close(2) itself is returned, and the number is free all the same.
func (f *Files) Close(fd int) error {
	e, err := f.entry(fd)
	if err != nil {
		return err
	}
	raw := e.fd
	e.fd = -1
	if err := unix.Close(raw); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// CloseAll closes every file and returns to the server's own filesystem: the
// end of a session. It returns the first error, having gone on after it.
func (f *Files) CloseAll() error {
	var first error
	for i := range f.table {
		if f.table[i].fd < 0 {
			continue
		}
		if err := f.Close(i + firstDescriptor); err != nil && first == nil {
			first = err
		}
	}
	f.table = nil
	f.pid = 0
	return first
}

// ReadAt reads up to len(dst) bytes from byte offset off of the open file
// fd. It returns 0 and no error at the end of the file, and fewer bytes
// than asked for only at the end, or from a file that is not a regular one,
// or when a later part can't be read. Errors are pread(2)'s: EBADF, EISDIR,
// ESPIPE for a FIFO, EINVAL for a negative offset, EAGAIN.
func (f *Files) ReadAt(fd int, dst []byte, off int64) (int, error) {
	e, err := f.entry(fd)
	if err != nil {
		return 0, err
	}
	got := 0
	for {
		n, err := retryCount(func() (int, error) { return unix.Pread(e.fd, dst[got:], off+int64(got)) })
		if err != nil {
			if got > 0 {
				return got, nil
			}
			return 0, err
		}
		got += n
		if n == 0 || got == len(dst) || !e.refill {
			return got, nil
		}
	}
}

// WriteAt writes src at byte offset off of the open file fd with one
// pwrite(2), and returns how many bytes were taken. A file opened with
// O_APPEND gets them at its end whatever off is, as pwrite(2) says of Linux.
func (f *Files) WriteAt(fd int, src []byte, off int64) (int, error) {
	e, err := f.entry(fd)
	if err != nil {
		return 0, err
	}
	n, err := retryCount(func() (int, error) { return unix.Pwrite(e.fd, src, off) })
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Fstat describes the open file fd.
func (f *Files) Fstat(fd int) (unix.Stat_t, error) {
	var st unix.Stat_t
	e, err := f.entry(fd)
	if err != nil {
		return st, err
	}
	err = retry(func() error { return unix.Fstat(e.fd, &st) })
	return st, err
}

// Stat describes the file a name leads to, symbolic links followed.
func (f *Files) Stat(name string) (unix.Stat_t, error) {
	return f.stat(name, true)
}

// Lstat describes what a name itself is: a symbolic link is not followed.
func (f *Files) Lstat(name string) (unix.Stat_t, error) {
	return f.stat(name, false)
}

func (f *Files) stat(name string, follow bool) (unix.Stat_t, error) {
	r, err := f.root()
	if err != nil {
		return unix.Stat_t{}, err
	}
	defer r.close()
	return r.stat(name, follow)
}

// Unlink removes the name of a file. Directories are refused with EISDIR.
func (f *Files) Unlink(name string) error {
	r, err := f.root()
	if err != nil {
		return err
	}
	defer r.close()
	return r.unlink(name)
}

// Readlink returns the text of the symbolic link name, EINVAL if it is not
// one.
func (f *Files) Readlink(name string) (string, error) {
	r, err := f.root()
	if err != nil {
		return "", err
	}
	defer r.close()
	return r.readlink(name)
}

// Symlink makes the symbolic link name, whose text is target.
func (f *Files) Symlink(target, name string) error {
	r, err := f.root()
	if err != nil {
		return err
	}
	defer r.close()
	return r.symlink(target, name)
}

func (f *Files) freeSlot() (int, error) {
	for i := range f.table {
		if f.table[i].fd < 0 {
			return i, nil
		}
	}
	if len(f.table) == MaxOpen {
		return -1, unix.EMFILE
	}
	f.table = append(f.table, file{fd: -1})
	return len(f.table) - 1, nil
}

func (f *Files) entry(fd int) (*file, error) {
	i := fd - firstDescriptor
	if i < 0 || i >= len(f.table) || f.table[i].fd < 0 {
		return nil, unix.EBADF
	}
	return &f.table[i], nil
}

// splitLast cuts name into the directory that holds its last component and
// that component. The component is "" when there is none to act on by name:
// the root, or a name that ends in a slash, "." or "..".
func splitLast(name string) (dir, base string) {
	dir, base = path.Split(name)
	if base == "." || base == ".." {
		return name, ""
	}
	if dir == "" {
		dir = "."
	} else if trimmed := strings.TrimRight(dir, "/"); trimmed != "" {
		dir = trimmed
	} else {
		dir = "/"
	}
	return dir, base
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func retryCount(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}
