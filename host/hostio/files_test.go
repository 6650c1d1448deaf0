package hostio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func readAll(f *Files, name string) (string, error) {
	fd, err := f.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	buf := make([]byte, 1<<20)
	n, err := f.ReadAt(fd, buf, 0)
	if cerr := f.Close(fd); err == nil {
		err = cerr
	}
	return string(buf[:n]), err
}

func TestReadAndWrite(t *testing.T) {
	dir := t.TempDir()
	var f Files
	name := filepath.Join(dir, "new")
	fd, err := f.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil || fd != firstDescriptor {
		t.Fatalf("Open = %d, %v; want %d", fd, err, firstDescriptor)
	}
	if n, err := f.WriteAt(fd, []byte("hello"), 3); n != 5 || err != nil {
		t.Fatalf("WriteAt = %d, %v", n, err)
	}
	st, err := f.Fstat(fd)
	if err != nil || st.Size != 8 || st.Mode != unix.S_IFREG|0o600 {
		t.Fatalf("Fstat = size %d mode %o, %v", st.Size, st.Mode, err)
	}

	huge := make([]byte, 64<<20)
	for _, c := range []struct {
		dst  []byte
		off  int64
		want string
		err  error
	}{
		{huge, 0, "\x00\x00\x00hello", nil},
		{huge[:2], 3, "he", nil},
		{huge, 8, "", nil},
		{huge, 1 << 40, "", nil},
		{huge[:0], 0, "", nil},
		{huge, -1, "", unix.EINVAL},
	} {
		n, err := f.ReadAt(fd, c.dst, c.off)
		if err != c.err || string(c.dst[:n]) != c.want {
			t.Errorf("ReadAt(%d bytes at %d) = %q, %v; want %q, %v", len(c.dst), c.off, c.dst[:n], err, c.want, c.err)
		}
	}

	if _, err := f.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600); err != unix.EEXIST {
		t.Errorf("second exclusive Open: %v, want EEXIST", err)
	}
	if err := f.Unlink(name); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Stat(name); err != unix.ENOENT {
		t.Errorf("Stat after Unlink: %v, want ENOENT", err)
	}
	if err := f.Unlink(dir); err != unix.EISDIR {
		t.Errorf("Unlink of a directory: %v, want EISDIR", err)
	}
	if err := f.Close(fd); err != nil {
		t.Fatal(err)
	}
}

func TestBadNumbers(t *testing.T) {
	var f Files
	fd, err := f.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(fd); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []int{-1, 0, 1, 2, fd, fd + 1, 1 << 40, -1 << 62} {
		_, rerr := f.ReadAt(bad, make([]byte, 1), 0)
		_, werr := f.WriteAt(bad, []byte("x"), 0)
		_, serr := f.Fstat(bad)
		for what, err := range map[string]error{"ReadAt": rerr, "WriteAt": werr, "Fstat": serr, "Close": f.Close(bad)} {
			if err != unix.EBADF {
				t.Errorf("%s(%d): %v, want EBADF", what, bad, err)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	var f Files
	for _, c := range []struct {
		name  string
		flags int
		err   error
	}{
		{"", unix.O_RDONLY, unix.ENOENT},
		{dir + "/none", unix.O_RDONLY, unix.ENOENT},
		{dir + "/file/x", unix.O_RDONLY, unix.ENOTDIR},
		{dir, unix.O_WRONLY, unix.EISDIR},
		{dir + "/loop", unix.O_RDONLY, unix.ELOOP},
		{dir + "/" + strings.Repeat("n", 300), unix.O_RDONLY, unix.ENAMETOOLONG},
		{dir + "/file", 1 << 30, unix.EINVAL},
		{dir + "/file", unix.O_PATH, unix.EINVAL},
		{dir + "/fi\x00le", unix.O_RDONLY, unix.EINVAL},
	} {
		if fd, err := f.Open(c.name, c.flags, 0); err != c.err {
			t.Errorf("Open(%q, %#x) = %d, %v; want %v", c.name, c.flags, fd, err, c.err)
		}
	}
	if len(openSlots(&f)) != 0 {
		t.Errorf("failed opens left %v open", openSlots(&f))
	}
}

func openSlots(f *Files) (open []int) {
	for i := range f.table {
		if f.table[i].fd >= 0 {
			open = append(open, i+firstDescriptor)
		}
	}
	return open
}

func TestDirectoryCanBeOpenedNotRead(t *testing.T) {
	var f Files
	defer f.CloseAll()
	fd, err := f.Open(t.TempDir(), unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := f.Fstat(fd); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		t.Errorf("Fstat = mode %o, %v; want a directory", st.Mode, err)
	}
	if _, err := f.ReadAt(fd, make([]byte, 10), 0); err != unix.EISDIR {
		t.Errorf("ReadAt: %v, want EISDIR", err)
	}
}

func TestFIFONeverWaits(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	var f Files
	defer f.CloseAll()
	if _, err := f.Open(name, unix.O_WRONLY, 0); err != unix.ENXIO {
		t.Errorf("Open for writing with no reader: %v, want ENXIO", err)
	}
	fd, err := f.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(fd, make([]byte, 1), 0); err != unix.ESPIPE {
		t.Errorf("ReadAt: %v, want ESPIPE", err)
	}
	if st, err := f.Fstat(fd); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		t.Errorf("Fstat = mode %o, %v; want a FIFO", st.Mode, err)
	}
}

func TestLimitAndReuse(t *testing.T) {
	var f Files
	name := write(t, filepath.Join(t.TempDir(), "file"), "")
	for i := range MaxOpen {
		if fd, err := f.Open(name, unix.O_RDONLY, 0); err != nil || fd != i+firstDescriptor {
			t.Fatalf("Open %d = %d, %v", i, fd, err)
		}
	}
	if _, err := f.Open("/dev/null", unix.O_RDONLY, 0); err != unix.EMFILE {
		t.Fatalf("Open past the limit: %v, want EMFILE", err)
	}
	if n := descriptorsBelow(t, name); n != MaxOpen {
		t.Errorf("%d descriptors open, want %d", n, MaxOpen)
	}
	if err := f.Close(100); err != nil {
		t.Fatal(err)
	}
	if fd, err := f.Open("/dev/null", unix.O_RDONLY, 0); fd != 100 || err != nil {
		t.Errorf("Open after Close(100) = %d, %v; want 100", fd, err)
	}
	if err := f.CloseAll(); err != nil {
		t.Fatal(err)
	}
	if n := descriptorsBelow(t, name); n != 0 {
		t.Errorf("%d descriptors open after CloseAll", n)
	}
	if fd, err := f.Open("/dev/null", unix.O_RDONLY, 0); fd != firstDescriptor || err != nil {
		t.Errorf("Open after CloseAll = %d, %v", fd, err)
	}
	f.CloseAll()
}

// descriptorsBelow counts this process's open descriptors whose file's name
// begins with prefix.
func descriptorsBelow(t *testing.T, prefix string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func TestDescriptorsAreClosedOnExec(t *testing.T) {
	var f Files
	defer f.CloseAll()
	if _, err := f.Open("/dev/null", unix.O_RDONLY, 0); err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(f.table[0].fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("F_GETFD = %#x, %v; want FD_CLOEXEC", flags, err)
	}
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "content")
	link := filepath.Join(dir, "link")
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	var f Files
	if text, err := f.Readlink(link); text != "file" || err != nil {
		t.Errorf("Readlink = %q, %v", text, err)
	}
	if _, err := f.Readlink(filepath.Join(dir, "file")); err != unix.EINVAL {
		t.Errorf("Readlink of a file: %v, want EINVAL", err)
	}
	if st, err := f.Lstat(link); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		t.Errorf("Lstat = mode %o, %v", st.Mode, err)
	}
	if st, err := f.Stat(link); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != 7 {
		t.Errorf("Stat = mode %o size %d, %v", st.Mode, st.Size, err)
	}
}

// A maps file longer than the page procfs hands out at a time arrives whole,
// from the server's own root.
func TestProcFilesAreReadWhole(t *testing.T) {
	name := fmt.Sprintf("/proc/%d/task/%d/smaps", os.Getpid(), os.Getpid())
	var f Files
	if err := f.SetFilesystem(0); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(&f, name)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) <= os.Getpagesize() || !strings.Contains(got, "[stack]") {
		t.Errorf("%s: %d bytes, [stack] in it: %v", name, len(got), strings.Contains(got, "[stack]"))
	}
}

func TestSetFilesystemErrors(t *testing.T) {
	var f Files
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if err := f.SetFilesystem(gone.Process.Pid); err != unix.ESRCH {
		t.Errorf("of a process that is gone: %v, want ESRCH", err)
	}
	if err := f.SetFilesystem(-1); err != unix.EINVAL {
		t.Errorf("of -1: %v, want EINVAL", err)
	}
	if f.pid != 0 {
		t.Errorf("a failure left pid %d", f.pid)
	}
	if err := f.SetFilesystem(os.Getpid()); err != nil {
		t.Errorf("of this process: %v", err)
	}
	if r, err := f.root(); err != nil || r.dir != -1 {
		t.Errorf("root of this process = %+v, %v; want the plain one", r, err)
	}
}

// elsewhereEnv makes the test binary a process that lives in another root or
// mount namespace: "chroot:DIR", or "tmpfs:DIR" for one of its own that has
// a tmpfs with a file of other contents at DIR.
const elsewhereEnv = "HOSTIO_TEST_ELSEWHERE"

func TestMain(m *testing.M) {
	where := os.Getenv(elsewhereEnv)
	if where == "" {
		os.Exit(m.Run())
	}
	kind, dir, _ := strings.Cut(where, ":")
	err := map[string]func(string) error{"chroot": unix.Chroot, "tmpfs": mountElsewhere}[kind](dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

func mountElsewhere(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	return os.WriteFile(dir+"/file", []byte("theirs"), 0o644)
}

// elsewhere starts such a process and returns its pid. It lives until the
// test ends.
func elsewhere(t *testing.T, kind, dir string) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root may change its root directory or mount namespace")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), elsewhereEnv+"="+kind+":"+dir)
	if kind == "tmpfs" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); errors.Is(err, unix.EPERM) {
		t.Skip("skipped: a new mount namespace is not permitted here (needs CAP_SYS_ADMIN)")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	switch {
	case line == unix.EPERM.Error()+"\n":
		t.Skipf("skipped: %s is not permitted here", kind)
	case line != "ready\n":
		t.Fatalf("the process elsewhere says %q, %v", line, err)
	}
	return cmd.Process.Pid
}

// jail makes a directory with the traps a root must hold against, and the
// same names with other contents outside it.
func jail(t *testing.T) (inside string) {
	t.Helper()
	outside := t.TempDir()
	inside = filepath.Join(outside, "jail")
	write(t, outside+"/secret", "outside")
	write(t, inside+"/secret", "inside")
	write(t, inside+"/sub/deep/file", "deep")
	for link, text := range map[string]string{
		"/abs":         "/secret",
		"/up":          "../secret",
		"/sub/upup":    "../../../../secret",
		"/sub/dir":     "/sub/deep",
		"/sub/chain":   "../abs",
		"/dangling":    "/created",
		"/loop":        "/loop",
		"/rootlink":    "/",
		"/sub/uplink":  "..",
		"/trail":       "sub//deep/",
		"/outsideabs":  outside + "/secret",
		"/sub/dotlink": "./deep/../deep",
	} {
		if err := os.Symlink(text, inside+link); err != nil {
			t.Fatal(err)
		}
	}
	return inside
}

func TestRootHolds(t *testing.T) {
	for _, walk := range []bool{false, true} {
		t.Run(map[bool]string{false: "openat2", true: "walked"}[walk], func(t *testing.T) {
			if !walk && !haveOpenat2() {
				t.Skip("skipped: no openat2(2) on this kernel")
			}
			inside := jail(t)
			f := Files{walkOnly: walk}
			if err := f.SetFilesystem(elsewhere(t, "chroot", inside)); err != nil {
				t.Fatal(err)
			}
			defer f.CloseAll()
			if r, err := f.root(); err != nil || r.dir < 0 || r.walk != walk {
				t.Fatalf("root = %+v, %v", r, err)
			} else {
				r.close()
			}
			if n := descriptorsBelow(t, inside); n != 0 {
				t.Fatalf("%d descriptors below the root at the start", n)
			}

			for _, c := range []struct {
				name, want string
				err        error
			}{
				{"/secret", "inside", nil},
				{"secret", "inside", nil},
				{"/../secret", "inside", nil},
				{"../../../../../secret", "inside", nil},
				{"/sub/../../secret", "inside", nil},
				{"/abs", "inside", nil},
				{"/up", "inside", nil},
				{"/sub/upup", "inside", nil},
				{"/sub/chain", "inside", nil},
				{"/sub/dir/file", "deep", nil},
				{"/sub/dir/../deep/file", "deep", nil},
				{"/sub/dotlink/file", "deep", nil},
				{"//sub///deep//./file", "deep", nil},
				{"/trail/file", "deep", nil},
				{"/rootlink/secret", "inside", nil},
				{"/rootlink/../rootlink/secret", "inside", nil},
				{"/sub/uplink/uplink", "", unix.ENOENT},
				{"/sub/uplink/secret", "inside", nil},
				{"/outsideabs", "", unix.ENOENT},
				{"/dangling", "", unix.ENOENT},
				{"/loop", "", unix.ELOOP},
				{"/secret/", "", unix.ENOTDIR},
				{"/secret/..", "", unix.ENOTDIR},
				{"/none/../secret", "", unix.ENOENT},
				{"", "", unix.ENOENT},
				{"/", "", unix.EISDIR},
				{"/..", "", unix.EISDIR},
			} {
				if got, err := readAll(&f, c.name); got != c.want || err != c.err {
					t.Errorf("%q: %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
				}
			}

			var rootStat unix.Stat_t
			if err := unix.Stat(inside, &rootStat); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"/", "..", "/sub/../..", "/rootlink", "/sub/uplink", "/rootlink/../.."} {
				if st, err := f.Stat(name); err != nil || st.Ino != rootStat.Ino {
					t.Errorf("Stat(%q) = inode %d, %v; want the root, %d", name, st.Ino, err, rootStat.Ino)
				}
			}
			if st, err := f.Lstat("/abs"); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
				t.Errorf("Lstat(/abs) = mode %o, %v; want a link", st.Mode, err)
			}
			if st, err := f.Lstat("/.."); err != nil || st.Ino != rootStat.Ino {
				t.Errorf("Lstat(/..) = inode %d, %v; want the root", st.Ino, err)
			}
			if text, err := f.Readlink("/sub/chain"); text != "../abs" || err != nil {
				t.Errorf("Readlink = %q, %v", text, err)
			}
			if _, err := f.Readlink("/sub/.."); err != unix.EINVAL {
				t.Errorf("Readlink(/sub/..): %v, want EINVAL", err)
			}
			if _, err := f.Readlink("/none"); err != unix.ENOENT {
				t.Errorf("Readlink(/none): %v, want ENOENT", err)
			}

			fd, err := f.Open("/dangling", unix.O_WRONLY|unix.O_CREAT, 0o640)
			if err != nil {
				t.Fatalf("creating through a link: %v", err)
			}
			if _, err := f.WriteAt(fd, []byte("made"), 0); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(fd); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(inside + "/created"); string(got) != "made" || err != nil {
				t.Errorf("created file holds %q, %v", got, err)
			}
			if _, err := f.Open("/dangling", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o640); err != unix.EEXIST {
				t.Errorf("exclusive Open of a link: %v, want EEXIST", err)
			}
			if err := f.Unlink("/abs"); err != nil {
				t.Errorf("Unlink(/abs): %v", err)
			}
			if _, err := os.Lstat(inside + "/secret"); err != nil {
				t.Errorf("Unlink followed the link: %v", err)
			}
			for _, name := range []string{"/..", "/", "/sub/.", "/sub"} {
				if err := f.Unlink(name); err != unix.EISDIR {
					t.Errorf("Unlink(%q): %v, want EISDIR", name, err)
				}
			}
			if n := descriptorsBelow(t, inside); n != 0 {
				t.Errorf("%d descriptors below the root are still open", n)
			}
		})
	}
}

// TestNameOfAnotherRoot: the names that the kernel gives of what a process in a
// chroot executes and maps are those of the server's root. They lead to the
// process's files too.
func TestNameOfAnotherRoot(t *testing.T) {
	for _, walk := range []bool{false, true} {
		inside := jail(t)
		f := Files{walkOnly: walk}
		if err := f.SetFilesystem(elsewhere(t, "chroot", inside)); err != nil {
			t.Fatal(err)
		}
		defer f.CloseAll()
		for _, c := range []struct {
			name, want string
			err        error
		}{
			{inside + "/secret", "inside", nil},
			{inside + "/sub/dir/file", "deep", nil},
			{inside + "/outsideabs", "", unix.ENOENT},
			{inside + "/none", "", unix.ENOENT},
			{inside + "secret", "", unix.ENOENT},
			{filepath.Dir(inside) + "/secret", "", unix.ENOENT},
			{inside + "/../secret", "inside", nil},
		} {
			if got, err := readAll(&f, c.name); got != c.want || err != c.err {
				t.Errorf("walk %v: %q: %q, %v; want %q, %v", walk, c.name, got, err, c.want, c.err)
			}
		}
		if _, err := f.Open(inside+"/made", unix.O_WRONLY|unix.O_CREAT, 0o600); err != unix.ENOENT {
			t.Errorf("walk %v: making a file by such a name: %v, want ENOENT", walk, err)
		}
		if st, err := f.Lstat(inside + "/abs"); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
			t.Errorf("walk %v: Lstat = mode %o, %v; want a link", walk, st.Mode, err)
		}
		if text, err := f.Readlink(inside + "/abs"); text != "/secret" || err != nil {
			t.Errorf("walk %v: Readlink = %q, %v", walk, text, err)
		}
		write(t, inside+inside+"/secret", "twice")
		if got, err := readAll(&f, inside+"/secret"); got != "twice" || err != nil {
			t.Errorf("walk %v: a file that the process has by that name: %q, %v", walk, got, err)
		}
	}
}

func TestOtherMountNamespace(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/file", "ours")
	write(t, dir+"/only-here", "x")
	pid := elsewhere(t, "tmpfs", dir)
	for _, walk := range []bool{false, true} {
		f := Files{walkOnly: walk}
		if err := f.SetFilesystem(pid); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(&f, dir+"/file"); got != "theirs" || err != nil {
			t.Errorf("walk %v: in their namespace: %q, %v", walk, got, err)
		}
		if _, err := f.Stat(dir + "/only-here"); err != unix.ENOENT {
			t.Errorf("walk %v: a file below their mount: %v, want ENOENT", walk, err)
		}
		maps, err := readAll(&f, fmt.Sprintf("/proc/%d/maps", os.Getpid()))
		if err != nil || !strings.Contains(maps, "[stack]") {
			t.Errorf("walk %v: /proc/PID/maps: %d bytes, %v", walk, len(maps), err)
		}
		exe, err := readAll(&f, fmt.Sprintf("/proc/%d/exe", os.Getpid()))
		if err != nil || !strings.HasPrefix(exe, "\x7fELF") {
			t.Errorf("walk %v: /proc/PID/exe: %d bytes, %v", walk, len(exe), err)
		}
		if _, err := f.Stat(fmt.Sprintf("/proc/%d/root/etc", os.Getpid())); err != unix.ELOOP {
			t.Errorf("walk %v: through a magic link: %v, want ELOOP", walk, err)
		}
		if err := f.SetFilesystem(0); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(&f, dir+"/file"); got != "ours" || err != nil {
			t.Errorf("walk %v: back in ours: %q, %v", walk, got, err)
		}
	}
}

// What is opened stays open when the session looks elsewhere, and when the
// process whose root it came from has ended.
func TestOpenFileOutlivesSetFilesystem(t *testing.T) {
	inside := jail(t)
	pid := elsewhere(t, "chroot", inside)
	var f Files
	defer f.CloseAll()
	if err := f.SetFilesystem(pid); err != nil {
		t.Fatal(err)
	}
	fd, err := f.Open("/secret", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetFilesystem(0); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := f.ReadAt(fd, buf, 0); string(buf[:n]) != "inside" || err != nil {
		t.Errorf("ReadAt = %q, %v", buf[:n], err)
	}
}

func TestProcessEndsWhileItsRootIsSet(t *testing.T) {
	cat := exec.Command("/bin/cat")
	stdin, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	var f Files
	if err := f.SetFilesystem(cat.Process.Pid); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := cat.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open("/etc/passwd", unix.O_RDONLY, 0); err != unix.ESRCH {
		t.Errorf("Open: %v, want ESRCH", err)
	}
	if _, err := f.Stat("/"); err != unix.ESRCH {
		t.Errorf("Stat: %v, want ESRCH", err)
	}
}

func FuzzRootHolds(f *testing.F) {
	for _, seed := range []string{"/secret", "../up", "/sub/uplink/../../secret", "rootlink/../..", "/outsideabs", "a//b/./.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Contains(name, "\x00") || !haveOpenat2() {
			return
		}
		inside := jail(t)
		dir, err := unix.Open(inside, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(dir)
		kernel, kerr := root{dir: dir}.stat(name, true)
		walker, werr := root{dir: dir, walk: true}.stat(name, true)
		if (kerr == nil) != (werr == nil) || kernel.Ino != walker.Ino {
			t.Errorf("%q: openat2 says inode %d, %v; the walker %d, %v", name, kernel.Ino, kerr, walker.Ino, werr)
		}
	})
}
