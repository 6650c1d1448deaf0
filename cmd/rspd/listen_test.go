package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// output is a writer that tests read while the code under test writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.text.String()
	o.text.Reset()
	return s
}

func mustListen(t *testing.T, comm string) (*Listener, *output) {
	t.Helper()
	out := &output{}
	l, err := listen(comm, standardIO{-1, -1, -1}, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close of %s: %v", comm, err)
		}
	})
	if said := out.take(); said != "" {
		t.Errorf("listening on %s already says %q", comm, said)
	}
	return l, out
}

// echo has both ends of a connection exchange bytes in both directions.
func exchange(t *testing.T, server *Connection, client io.ReadWriter) {
	t.Helper()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(big)
		sent <- err
	}()
	got := make([]byte, len(big))
	if _, err := io.ReadFull(server, got); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, big) {
		t.Error("what arrived at the server is not what was sent")
	}
	go func() {
		n, err := server.Write(big)
		if err == nil && n != len(big) {
			err = fmt.Errorf("Write took %d of %d bytes", n, len(big))
		}
		sent <- err
	}()
	clear(got)
	if _, err := io.ReadFull(client, got); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, big) {
		t.Error("what arrived at the client is not what was sent")
	}
}

func haveIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func TestListenTCP(t *testing.T) {
	for _, c := range []struct {
		comm, dial string
		exposed    bool
	}{
		{":0", "127.0.0.1", false},
		{":0", "::1", false},
		{"localhost:0", "127.0.0.1", false},
		{"tcp::0", "127.0.0.1", false},
		{"tcp4:localhost:0", "127.0.0.1", false},
		{"127.0.0.1:0", "127.0.0.1", false},
		{"tcp6:localhost:0", "::1", false},
		{"[::1]:0", "::1", false},
		{"0.0.0.0:0", "127.0.0.1", true},
		{"[::]:0", "::1", true},
		{"[::]:0", "127.0.0.1", true},
	} {
		t.Run(c.comm+" "+c.dial, func(t *testing.T) {
			if strings.Contains(c.comm+c.dial, "::1") && !haveIPv6(t) {
				t.Skip("skipped: this machine has no IPv6 loopback")
			}
			l, out := mustListen(t, c.comm)
			l.Announce()
			want := fmt.Sprintf("Listening on port %d\n", l.Port())
			said := out.take()
			if !strings.HasPrefix(said, want) || l.Port() == 0 {
				t.Errorf("Announce says %q, want %q", said, want)
			}
			if warned := strings.Contains(said, "Warning: other machines can connect."); warned != c.exposed {
				t.Errorf("Announce says %q; a warning is due: %v", said, c.exposed)
			}
			for range 2 {
				client, err := net.Dial("tcp", net.JoinHostPort(c.dial, fmt.Sprint(l.Port())))
				if err != nil {
					t.Fatal(err)
				}
				server, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				local := client.LocalAddr().(*net.TCPAddr)
				if want, said := fmt.Sprintf("Remote debugging from host %s, port %d\n", c.dial, local.Port), out.take(); said != want {
					t.Errorf("Accept says %q, want %q", said, want)
				}
				exchange(t, server, client)
				for _, option := range [][2]int{{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}} {
					if v, err := unix.GetsockoptInt(server.Fd(), option[0], option[1]); err != nil || v == 0 {
						t.Errorf("socket option %v is %d, %v", option, v, err)
					}
				}
				checkBlockingAndCloseOnExec(t, server.Fd())
				client.Close()
				if n, err := server.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("Read after the client left: %d, %v; want EOF", n, err)
				}
				if err := server.Close(); err != nil {
					t.Error(err)
				}
				if err := server.Close(); err != nil {
					t.Errorf("second Close: %v", err)
				}
			}
		})
	}
}

func checkBlockingAndCloseOnExec(t *testing.T, fd int) {
	t.Helper()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("F_GETFL = %#x, %v; want blocking", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("F_GETFD = %#x, %v; want FD_CLOEXEC", flags, err)
	}
}

// A loopback listener is not to be reached by the machine's other names.
func TestLoopbackIsNotExposed(t *testing.T) {
	l, _ := mustListen(t, ":0")
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", l.Port()))
	if err == nil {
		conn.Close()
		t.Error("127.0.0.2 reaches a listener on 127.0.0.1: it is bound to every address")
	}
}

func TestPortInUse(t *testing.T) {
	first, _ := mustListen(t, "127.0.0.1:0")
	comm := fmt.Sprintf("127.0.0.1:%d", first.Port())
	_, err := listen(comm, standardIO{}, io.Discard)
	if want := comm + ": Can't bind address: Address already in use."; err == nil || err.Error() != want {
		t.Errorf("second listen: %v, want %s", err, want)
	}
	// The loopback pair fails as one: a client that tries ::1 first must
	// not meet another program there.
	if haveIPv6(t) {
		taken, _ := mustListen(t, "[::1]:0")
		comm := fmt.Sprintf(":%d", taken.Port())
		if l, err := listen(comm, standardIO{}, io.Discard); err == nil {
			l.Close()
			t.Errorf("%s could be had although [::1] has the port", comm)
		}
	}
}

func TestListenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("x", 200)
	for comm, want := range map[string]string{
		":99999":              ":99999: port 99999 is not between 0 and 65535",
		":no-such-service":    `:no-such-service: cannot resolve name: no service is called "no-such-service"`,
		"192.0.2.1:0":         "192.0.2.1:0: Can't bind address: Cannot assign requested address.",
		"[fe80::1%nosuch0]:0": `[fe80::1%nosuch0]:0: Can't bind address: no network interface is called "nosuch0".`,
		"unix:" + file:        "unix:" + file + ": Can't bind address: Address already in use.",
		"unix:/none/s":        "unix:/none/s: Can't bind address: No such file or directory.",
		"unix:" + long:        "unix:" + long + ": Can't bind address: a socket's path has at most 107 bytes, this has 201.",
		"/dev/nosuch":         "Could not open remote device /dev/nosuch: No such file or directory.",
		"/dev/null":           "Could not open remote device /dev/null: it is not a terminal or serial line.",
		"2345":                "Could not open remote device 2345: No such file or directory. Write :2345 to listen on that port.",
	} {
		l, err := listen(comm, standardIO{}, io.Discard)
		if err == nil {
			l.Close()
			t.Errorf("%s: no error", comm)
		} else if err.Error() != want {
			t.Errorf("%s:\n got %s\nwant %s", comm, err, want)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("a file that is no socket was removed: %v", err)
	}
}

func TestCloseEndsAccept(t *testing.T) {
	for _, comm := range []string{":0", "unix:" + filepath.Join(t.TempDir(), "s")} {
		l, _ := mustListen(t, comm)
		failed := make(chan error)
		go func() {
			_, err := l.Accept()
			failed <- err
		}()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; err != net.ErrClosed {
			t.Errorf("%s: Accept after Close: %v, want net.ErrClosed", comm, err)
		}
		if _, err := l.Accept(); err != net.ErrClosed {
			t.Errorf("%s: a new Accept: %v, want net.ErrClosed", comm, err)
		}
	}
}

func TestCloseEndsRead(t *testing.T) {
	l, _ := mustListen(t, ":0")
	client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// Shut down rather than closed, so that Read can't meet a descriptor
	// that was given away in between.
	go unix.Shutdown(server.Fd(), unix.SHUT_RDWR)
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v, want EOF", err)
	}
	server.Close()
}

func TestWriteToGoneClient(t *testing.T) {
	l, _ := mustListen(t, "unix:"+filepath.Join(t.TempDir(), "s"))
	client, err := net.Dial("unix", l.endpoint.path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client.Close()
	if _, err := server.Write([]byte("x")); err != unix.EPIPE {
		t.Errorf("Write: %v, want EPIPE", err)
	}
}

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, out := mustListen(t, "unix:"+path)
	if st, err := os.Lstat(path); err != nil || st.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("the socket file: %v, %v; want mode 0600", st.Mode(), err)
	}
	l.Announce()
	if said, want := out.take(), "Listening on socket "+path+"\n"; said != want {
		t.Errorf("Announce says %q, want %q", said, want)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if said, want := out.take(), "Remote debugging using "+path+"\n"; said != want {
		t.Errorf("Accept says %q, want %q", said, want)
	}
	exchange(t, server, client)
	checkBlockingAndCloseOnExec(t, server.Fd())

	if _, err := listen("unix:"+path, standardIO{}, io.Discard); err == nil || !strings.HasSuffix(err.Error(), "Can't bind address: Address already in use.") {
		t.Errorf("a second server on the socket: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after Close the file is still there: %v", err)
	}
}

// Asking whether a socket is in use must not take its one connection.
func TestSecondServerDoesNotDisturbTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, out := mustListen(t, "unix:"+path)
	if second, err := listen("unix:"+path, standardIO{}, io.Discard); err == nil {
		second.Close()
		t.Fatal("the socket of a live server was replaced")
	}
	poll := []unix.PollFd{{Fd: int32(l.sockets[0]), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, 0); n != 0 || err != nil {
		t.Errorf("the first server has %d visitors, %v", n, err)
	}
	if said := out.take(); said != "" {
		t.Errorf("the first server says %q", said)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("no stale socket to begin with: %v", err)
	}
	l, _ := mustListen(t, "unix:"+path)
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
}

// A server removes its own socket file, not one that took its name.
func TestCloseLeavesAnothersSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, _ := mustListen(t, "unix:"+path)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	mustListen(t, "unix:"+path)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the other server's socket: %v", err)
	}
}

func TestStandardIO(t *testing.T) {
	toServer, fromServer, stderr := pipe(t), pipe(t), pipe(t)
	std := standardIO{in: dup(t, toServer.r), out: dup(t, fromServer.w), err: dup(t, stderr.w)}
	fromServer.w.Close()
	stderr.w.Close()

	out := &output{}
	l, err := listen("stdio", std, out)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Announce()
	if said := out.take(); said != "" {
		t.Errorf("Announce says %q, want nothing", said)
	}
	if !l.Stdio() {
		t.Error("Stdio is false")
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if said, want := out.take(), "Remote debugging using stdio\n"; said != want {
		t.Errorf("Accept says %q, want %q", said, want)
	}
	exchange(t, c, struct {
		io.Reader
		io.Writer
	}{fromServer.r, toServer.w})

	// What the program itself reads and prints stays out of the protocol.
	if n, err := unix.Read(std.in, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("standard input gives %d, %v; want the end of /dev/null", n, err)
	}
	if _, err := unix.Write(std.out, []byte("noise")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := stderr.r.Read(buf); string(buf[:n]) != "noise" || err != nil {
		t.Errorf("stderr got %q, %v; want what was printed", buf[:n], err)
	}

	toServer.w.Close()
	if _, err := c.Read(buf); err != io.EOF {
		t.Errorf("Read at the end: %v, want EOF", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); err != io.EOF {
		t.Errorf("second Accept: %v, want EOF", err)
	}
}

// One socket may be both standard input and output, as under inetd, and
// whoever shares it may have made it non-blocking.
func TestStandardIOIsOneNonblockingSocket(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	client := os.NewFile(uintptr(pair[1]), "client")
	defer client.Close()
	out2, err := unix.Dup(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	std := standardIO{in: pair[0], out: out2, err: dup(t, null)}
	t.Cleanup(func() { unix.Close(std.in); unix.Close(std.out) })
	l, err := listen("-", std, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, c, client)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client reads %v after Close, want EOF", err)
	}
}

func TestStandardIOClosed(t *testing.T) {
	_, err := listen("-", standardIO{in: 1 << 20, out: 1 << 20, err: 2}, io.Discard)
	if want := "Can't use standard input and output: Bad file descriptor."; err == nil || err.Error() != want {
		t.Errorf("listen: %v, want %s", err, want)
	}
}

type pipeEnds struct{ r, w *os.File }

func pipe(t *testing.T) pipeEnds {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return pipeEnds{r, w}
}

func dup(t *testing.T, f *os.File) int {
	t.Helper()
	var fd int
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// openPseudoTerminal opens a pseudo-terminal: the master, and the path of the line.
func openPseudoTerminal(t *testing.T) (master *os.File, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("skipped: no pseudo-terminal is to be had: %v", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

func TestSerialLine(t *testing.T) {
	master, path := openPseudoTerminal(t)
	before, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(before)
	old, err := unix.IoctlGetTermios(before, unix.TCGETS)
	if err != nil || old.Lflag&unix.ECHO == 0 {
		t.Fatalf("a new terminal does not echo: %+v, %v", old, err)
	}

	l, out := mustListen(t, path)
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if said, want := out.take(), "Remote debugging using "+path+"\n"; said != want {
			t.Errorf("Accept says %q, want %q", said, want)
		}
		checkBlockingAndCloseOnExec(t, c.Fd())

		// All byte values pass unchanged, both ways, and none comes back.
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		if _, err := master.Write(all); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(all))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, all) {
			t.Errorf("the server read %x, %v", got, err)
		}
		if _, err := c.Write(all); err != nil {
			t.Fatal(err)
		}
		clear(got)
		if _, err := io.ReadFull(master, got); err != nil || !bytes.Equal(got, all) {
			t.Errorf("the client read %x, %v", got, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		after, err := unix.IoctlGetTermios(before, unix.TCGETS)
		if err != nil || *after != *old {
			t.Errorf("Close left the line as %+v, %v; it was %+v", after, err, old)
		}
	}
}

func TestSerialLineHangsUp(t *testing.T) {
	master, path := openPseudoTerminal(t)
	l, _ := mustListen(t, path)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	master.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v, want EOF", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("Accept on a line whose other end is gone succeeds")
	}
}
