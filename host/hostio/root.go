package hostio

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links one name may lead through, the
// kernel's MAXSYMLINKS (include/linux/namei.h).
const maxLinks = 40

// maxRaces bounds the retries of openat2(2)'s EAGAIN: a ".." that could not
// be proven to stay under the root because something was renamed meanwhile.
const maxRaces = 32

// root is a place names are resolved from: with dir -1 the server's own root
// and working directory, otherwise the directory behind that O_PATH
// descriptor, which no name leads out of. Name is what the server calls that
// directory, if it can see it.
type root struct {
	dir  int
	name string
	walk bool
}

// root opens the root of the session's process.
func (f *Files) root() (root, error) {
	if f.pid == 0 {
		return root{dir: -1}, nil
	}
	link := fmt.Sprintf("/proc/%d/root", f.pid)
	var dir int
	err := retry(func() (err error) {
		dir, err = unix.Open(link, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	switch err {
	case nil:
	case unix.ENOENT:
		return root{}, unix.ESRCH // gone, or a zombie, which has no root
	default:
		return root{}, err
	}
	if sameRoot(dir, f.pid) {
		unix.Close(dir)
		return root{dir: -1}, nil
	}
	name, err := readlinkat(unix.AT_FDCWD, link)
	if err != nil {
		unix.Close(dir)
		return root{}, err
	}
	return root{dir: dir, name: name, walk: f.walkOnly || !haveOpenat2()}, nil
}

func (r root) close() {
	if r.dir >= 0 {
		unix.Close(r.dir)
	}
}

// sameRoot reports whether the root dir of process pid is the server's own.
// Mount IDs are unique over all namespaces (fs/namespace.c, mnt_id_ida), so
// the same directory of the same mount is the same root in the same mount
// namespace. Kernels before 5.8 have no mount ID to tell; there the
// namespace is compared too, and a bind mount of / onto itself is missed.
func sameRoot(dir, pid int) bool {
	const mask = unix.STATX_INO | unix.STATX_MNT_ID
	var theirs, ours unix.Statx_t
	if unix.Statx(dir, "", unix.AT_EMPTY_PATH, mask, &theirs) != nil ||
		unix.Statx(unix.AT_FDCWD, "/", 0, mask, &ours) != nil {
		return false
	}
	if theirs.Ino != ours.Ino || theirs.Dev_major != ours.Dev_major || theirs.Dev_minor != ours.Dev_minor {
		return false
	}
	if theirs.Mask&ours.Mask&unix.STATX_MNT_ID != 0 {
		return theirs.Mnt_id == ours.Mnt_id
	}
	var theirNS, ourNS unix.Stat_t
	return unix.Stat(fmt.Sprintf("/proc/%d/ns/mnt", pid), &theirNS) == nil &&
		unix.Stat("/proc/self/ns/mnt", &ourNS) == nil &&
		theirNS.Dev == ourNS.Dev && theirNS.Ino == ourNS.Ino
}

// haveOpenat2 reports whether openat2(2) works here: it needs Linux 5.6, and
// seccomp filters older than it answer ENOSYS or EPERM.
var haveOpenat2 = sync.OnceValue(func() bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(unix.AT_FDCWD, ".", &how)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
})

// open opens a name that the process may use. A file that exists may be named
// as the server sees it as well, if it lies below the root: so the kernel names
// to the server what a process executes and maps (fs/d_path.c), and so the
// client is told.
func (r root) open(name string, flags int, mode uint32) (int, error) {
	fd, err := r.openInside(name, flags, mode)
	if err == unix.ENOENT && r.dir >= 0 && flags&unix.O_CREAT == 0 && len(r.name) > 1 {
		if inside, ok := strings.CutPrefix(name, r.name); ok && (inside == "" || inside[0] == '/') {
			return r.openInside("/"+inside, flags, mode)
		}
	}
	return fd, err
}

func (r root) openInside(name string, flags int, mode uint32) (int, error) {
	if name == "" {
		return -1, unix.ENOENT
	}
	if r.dir < 0 {
		return openat(unix.AT_FDCWD, name, flags, mode)
	}
	if !r.walk {
		fd, err := r.openat2(name, flags, mode)
		// A magic link of procfs, such as /proc/PID/exe, is refused with
		// EXDEV under RESOLVE_IN_ROOT (fs/namei.c, nd_jump_link); the
		// walker knows when to take one.
		if err != unix.EXDEV {
			return fd, err
		}
	}
	follow := flags&unix.O_NOFOLLOW == 0 && flags&(unix.O_CREAT|unix.O_EXCL) != unix.O_CREAT|unix.O_EXCL
	at, err := r.walkTo(name, follow)
	if err != nil {
		return -1, err
	}
	defer at.close()
	if at.base == "" {
		if flags&unix.O_CREAT != 0 {
			return -1, unix.EISDIR
		}
		return openat(at.dir, ".", flags, mode)
	}
	if !at.magic {
		flags |= unix.O_NOFOLLOW
	}
	return openat(at.dir, at.base, flags, mode)
}

func (r root) stat(name string, follow bool) (unix.Stat_t, error) {
	var st unix.Stat_t
	if name == "" {
		return st, unix.ENOENT
	}
	if r.dir < 0 {
		at := 0
		if !follow {
			at = unix.AT_SYMLINK_NOFOLLOW
		}
		err := retry(func() error { return unix.Fstatat(unix.AT_FDCWD, name, &st, at) })
		return st, err
	}
	flags := unix.O_PATH | unix.O_CLOEXEC
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := r.open(name, flags, 0)
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	err = retry(func() error { return unix.Fstat(fd, &st) })
	return st, err
}

func (r root) unlink(name string) error {
	return r.inParent(name, unix.EISDIR, func(dir int, base string) error { return unix.Unlinkat(dir, base, 0) })
}

func (r root) symlink(target, name string) error {
	return r.inParent(name, unix.EEXIST, func(dir int, base string) error { return unix.Symlinkat(target, dir, base) })
}

// inParent changes a directory's entry, which do is given with the directory's
// descriptor. Nameless is the error for what is not such an entry.
func (r root) inParent(name string, nameless unix.Errno, do func(dir int, base string) error) error {
	if name == "" {
		return unix.ENOENT
	}
	if r.dir < 0 {
		return retry(func() error { return do(unix.AT_FDCWD, name) })
	}
	dir, base := splitLast(name)
	if base == "" {
		return nameless
	}
	parent, err := r.open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	return retry(func() error { return do(parent, base) })
}

func (r root) readlink(name string) (string, error) {
	if name == "" {
		return "", unix.ENOENT
	}
	dir, base := unix.AT_FDCWD, name
	if r.dir >= 0 {
		var parent string
		parent, base = splitLast(name)
		if base == "" {
			return "", unix.EINVAL
		}
		fd, err := r.open(parent, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		dir = fd
	}
	return readlinkat(dir, base)
}

func (r root) openat2(name string, flags int, mode uint32) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags), Mode: uint64(mode), Resolve: unix.RESOLVE_IN_ROOT}
	for races := 0; ; {
		fd, err := unix.Openat2(r.dir, name, &how)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && races < maxRaces:
			races++
		default:
			return fd, err
		}
	}
}

// place is where the walker ended: an entry base of the directory dir, or
// dir itself if base is "". The entry need not exist. Magic says that base
// is a magic link of procfs for the kernel to follow.
type place struct {
	dir   int
	base  string
	magic bool
}

func (p place) close() { unix.Close(p.dir) }

// walkTo does what RESOLVE_IN_ROOT does, a component at a time: absolute
// links start again at the root, and ".." stops there. The directories on
// the way are kept open, so that ".." is the one that was come through and
// nothing that is renamed meanwhile leads out.
//
// A magic link of procfs (proc_pid_exe(5), proc_pid_fd(5)) names an object,
// not a path that means anything under this root. It is followed only as
// the last component, where no ".." can come after it.
func (r root) walkTo(name string, follow bool) (place, error) {
	stack := []int{}
	defer func() {
		for _, fd := range stack {
			unix.Close(fd)
		}
	}()
	top := func() int {
		if len(stack) == 0 {
			return r.dir
		}
		return stack[len(stack)-1]
	}
	closeTo := func(n int) {
		for _, fd := range stack[n:] {
			unix.Close(fd)
		}
		stack = stack[:n]
	}
	arrive := func(base string, magic bool) (place, error) {
		fd, err := openat(top(), ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return place{}, err
		}
		return place{dir: fd, base: base, magic: magic}, nil
	}

	rest := name
	for links := 0; ; {
		if strings.HasPrefix(rest, "/") {
			closeTo(0)
		}
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return arrive("", false)
		}
		component, after, more := strings.Cut(rest, "/")
		last := !more
		switch component {
		case ".":
			rest = relative(after)
			continue
		case "..":
			if len(stack) > 0 {
				closeTo(len(stack) - 1)
			}
			rest = relative(after)
			continue
		}
		if last && !follow {
			return arrive(component, false)
		}
		fd, err := openat(top(), component, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT && last {
			return arrive(component, false)
		}
		if err != nil {
			return place{}, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return place{}, err
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			stack = append(stack, fd)
			rest = relative(after)
		case unix.S_IFLNK:
			links++
			text, magic, err := readLinkAt(fd)
			unix.Close(fd)
			switch {
			case err != nil:
				return place{}, err
			case magic && last:
				return arrive(component, true)
			case magic || links > maxLinks:
				return place{}, unix.ELOOP
			case last:
				rest = text
			default:
				rest = text + "/" + after
			}
		default:
			unix.Close(fd)
			if !last {
				return place{}, unix.ENOTDIR
			}
			return arrive(component, false)
		}
	}
}

// relative keeps what follows a component from looking like an absolute
// name: "a//b" leaves "/b".
func relative(rest string) string { return strings.TrimLeft(rest, "/") }

// readLinkAt reads the link behind an O_PATH descriptor. Magic says that it
// is one of procfs's that name an object: those whose text is a path or a
// "type:[inode]", unlike /proc/self and /proc/mounts, which are relative.
func readLinkAt(fd int) (text string, magic bool, err error) {
	text, err = readlinkat(fd, "")
	if err != nil {
		return "", false, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "", false, err
	}
	magic = fs.Type == unix.PROC_SUPER_MAGIC && (strings.HasPrefix(text, "/") || strings.Contains(text, ":["))
	return text, magic, nil
}

func openat(dir int, name string, flags int, mode uint32) (int, error) {
	return retryCount(func() (int, error) { return unix.Openat(dir, name, flags, mode) })
}

func readlinkat(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := retryCount(func() (int, error) { return unix.Readlinkat(dir, name, buf) })
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
