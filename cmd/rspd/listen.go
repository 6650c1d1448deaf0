package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Listener is where clients come from. Opening it claims the port, socket
// or device, so that a COMM that can't be had fails before any program is
// started; nothing is said until Announce.
type Listener struct {
	endpoint endpoint
	messages io.Writer

	// sockets are the listening ones, non-blocking; wake is an eventfd that
	// ends a waiting Accept.
	sockets []int
	wake    int

	// ready is an epoll(7) of the sockets and wake.
	ready int

	port    int
	exposed bool // another machine may reach it

	// socketInode is the Unix socket file that was made, to remove no other.
	socketInode uint64

	// line is a standard or serial line that is open and not yet accepted,
	// and accepted says that one was.
	line     *Connection
	accepted bool

	accepting sync.Mutex
	closed    bool // guarded by state
	state     sync.Mutex
}

// standardIO are the descriptors that "-" stands for. They become
// /dev/null and stderr, so that neither the server nor a program it starts
// speaks into the protocol.
type standardIO struct{ in, out, err int }

// listen claims what COMM names. Messages, which is stderr, receives what
// gdbserver prints there.
func listen(comm string, std standardIO, messages io.Writer) (*Listener, error) {
	e, err := parseEndpoint(comm)
	if err != nil {
		return nil, err
	}
	l := &Listener{endpoint: e, messages: messages, wake: -1, ready: -1}
	switch e.kind {
	case tcpEndpoint:
		err = l.listenTCP(comm)
	case unixEndpoint:
		err = l.listenUnix()
	case stdioEndpoint:
		err = l.takeStandardIO(std)
	case serialEndpoint:
		err = l.openLine()
	}
	if err == nil && len(l.sockets) > 0 {
		if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err == nil {
			err = l.makeReady()
		}
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// makeReady makes the descriptor for Fd.
func (l *Listener) makeReady() (err error) {
	if l.ready, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for _, fd := range append([]int{l.wake}, l.sockets...) {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(l.ready, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return err
		}
	}
	return nil
}

// Fd is a descriptor that is readable when Accept would not wait, or -1 where
// Accept never waits.
func (l *Listener) Fd() int { return l.ready }

// Port is the TCP port listened on, 0 for other endpoints.
func (l *Listener) Port() int { return l.port }

// Stdio reports whether the client is on standard input and output, so that
// there can be only one.
func (l *Listener) Stdio() bool { return l.endpoint.kind == stdioEndpoint }

// Announce says where the server listens. Tools wait for this line, and
// take it to mean that the program has been started.
func (l *Listener) Announce() {
	switch l.endpoint.kind {
	case tcpEndpoint:
		fmt.Fprintf(l.messages, "Listening on port %d\n", l.port)
	case unixEndpoint:
		fmt.Fprintf(l.messages, "Listening on socket %s\n", l.endpoint.path)
	}
	if l.exposed {
		fmt.Fprintf(l.messages, "Warning: other machines can connect. "+
			"Anyone who reaches port %d controls the program and can do what you can do here. "+
			"Use localhost:%d to let in this machine alone.\n", l.port, l.port)
	}
}

// Queue lets that many clients wait for being accepted, rather than one.
func (l *Listener) Queue(length int) error {
	for _, fd := range l.sockets {
		if err := unix.Listen(fd, length); err != nil {
			return err
		}
	}
	return nil
}

// Accept waits for a client. It fails with net.ErrClosed after Close, and
// with io.EOF if there can be no further client: standard input and output
// have only one, and a serial line none once it hung up.
func (l *Listener) Accept() (*Connection, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	if l.isClosed() {
		return nil, net.ErrClosed
	}
	switch l.endpoint.kind {
	case stdioEndpoint, serialEndpoint:
		return l.acceptLine()
	}
	return l.acceptSocket()
}

// Close gives up the port, socket or device, and removes the socket file.
// Accepted connections go on.
func (l *Listener) Close() error {
	l.state.Lock()
	if l.closed {
		l.state.Unlock()
		return nil
	}
	l.closed = true
	l.state.Unlock()
	if l.wake >= 0 {
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	l.accepting.Lock()
	defer l.accepting.Unlock()
	var err error
	for _, fd := range l.sockets {
		err = errors.Join(err, unix.Close(fd))
	}
	for _, fd := range []int{l.wake, l.ready} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	if l.line != nil {
		err = errors.Join(err, l.line.Close())
	}
	if l.socketInode != 0 && socketInode(l.endpoint.path) == l.socketInode {
		err = errors.Join(err, unix.Unlink(l.endpoint.path))
	}
	return err
}

func (l *Listener) isClosed() bool {
	l.state.Lock()
	defer l.state.Unlock()
	return l.closed
}

// listenTCP binds every address of the endpoint to one port.
func (l *Listener) listenTCP(comm string) error {
	port, err := l.endpoint.portNumber()
	if err != nil {
		return complaintf("%s: %s", comm, err)
	}
	addresses, err := l.endpoint.addresses()
	if err != nil {
		return complaintf("%s: %s", comm, err)
	}
	// A port that the kernel picked for the first address may be taken on
	// the second; then another is picked.
	const picks = 10
	for pick := 1; ; pick++ {
		err = l.bindAll(addresses, port)
		if err == nil {
			break
		}
		for _, fd := range l.sockets {
			unix.Close(fd)
		}
		l.sockets = nil
		if port == 0 && pick < picks && errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		return causedComplaint{complaint(fmt.Sprintf("%s: Can't bind address: %s.", comm, errnoText(err))), err}
	}
	for _, a := range addresses {
		l.exposed = l.exposed || !a.Unmap().IsLoopback()
	}
	return nil
}

// bindAll opens a listening socket on each address. An address that this
// machine doesn't have, such as ::1 where there is no IPv6, is left out
// unless it is the only one.
func (l *Listener) bindAll(addresses []netip.Addr, port int) error {
	var missing error
	for _, a := range addresses {
		fd, err := bindTCP(a, port)
		if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
			missing = err
			continue
		}
		if err != nil {
			return err
		}
		l.sockets = append(l.sockets, fd)
		if port == 0 {
			name, err := unix.Getsockname(fd)
			if err != nil {
				return err
			}
			port = int(addrPort(name).Port())
		}
	}
	if len(l.sockets) == 0 {
		return missing
	}
	l.port = port
	return nil
}

func bindTCP(a netip.Addr, port int) (fd int, err error) {
	family, name, err := sockaddr(a, port)
	if err != nil {
		return -1, err
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, name)
	}
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func sockaddr(a netip.Addr, port int) (family int, name unix.Sockaddr, err error) {
	if a = a.Unmap(); a.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: a.As4()}, nil
	}
	in6 := &unix.SockaddrInet6{Port: port, Addr: a.As16()}
	if zone := a.Zone(); zone != "" {
		ifc, err := net.InterfaceByName(zone)
		if err != nil {
			return 0, nil, complaintf("no network interface is called %q", zone)
		}
		in6.ZoneId = uint32(ifc.Index)
	}
	return unix.AF_INET6, in6, nil
}

// addrPort is a TCP socket's address; an IPv4 one is never shown as IPv6.
func addrPort(name unix.Sockaddr) netip.AddrPort {
	switch s := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port))
	}
	return netip.AddrPort{}
}

// listenUnix makes a socket file of mode 0600. A file left by a server that
// is gone is replaced.
func (l *Listener) listenUnix() error {
	path := l.endpoint.path
	fail := func(err error) error {
		return complaintf("unix:%s: Can't bind address: %s.", path, errnoText(err))
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fail(err)
	}
	l.sockets = []int{fd}
	// The file is made with the socket's own mode (unix_bind in
	// net/unix/af_unix.c), so it is never open to others for a moment.
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fail(err)
	}
	name := unixName(path)
	err = unix.Bind(fd, name)
	if err == unix.EADDRINUSE && staleSocket(path) {
		if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
			return fail(err)
		}
		err = unix.Bind(fd, name)
	}
	if err == unix.EINVAL && len(path) >= 108 {
		return complaintf("unix:%s: Can't bind address: a socket's path has at most 107 bytes, this has %d.", path, len(path))
	}
	if err != nil {
		return fail(err)
	}
	l.socketInode = socketInode(path)
	if err := unix.Listen(fd, 1); err != nil {
		return fail(err)
	}
	return nil
}

// unixName is the address of a socket file. A leading "@" would mean the
// abstract namespace, which knows no permissions.
func unixName(path string) *unix.SockaddrUnix {
	if strings.HasPrefix(path, "@") {
		path = "." + string(filepath.Separator) + path
	}
	return &unix.SockaddrUnix{Name: path}
}

// staleSocket reports whether path is a socket file that no socket is bound
// to any more. A datagram socket asks: where a stream socket lives the
// kernel answers EPROTOTYPE, without its owner noticing a visitor.
func staleSocket(path string) bool {
	if socketInode(path) == 0 {
		return false
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Connect(fd, unixName(path)) == unix.ECONNREFUSED
}

// socketInode is the inode number of the socket file path, 0 if it is none.
func socketInode(path string) uint64 {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return 0
	}
	return st.Ino
}

func (l *Listener) acceptSocket() (*Connection, error) {
	for {
		ready := []unix.PollFd{{Fd: int32(l.wake), Events: unix.POLLIN}}
		for _, fd := range l.sockets {
			ready = append(ready, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR {
			return nil, err
		}
		if l.isClosed() {
			return nil, net.ErrClosed
		}
		for _, r := range ready[1:] {
			if r.Revents == 0 {
				continue
			}
			fd, peer, err := unix.Accept4(int(r.Fd), unix.SOCK_CLOEXEC)
			switch err {
			case nil:
				return l.connected(fd, peer)
			case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.EPERM:
				// It went away before it was taken, or a firewall said no.
			default:
				return nil, complaintf("Accept failed: %s.", errnoText(err))
			}
		}
	}
}

// connected makes a connection of an accepted socket. Replies leave at once,
// and a peer whose machine vanished is noticed in the end.
func (l *Listener) connected(fd int, peer unix.Sockaddr) (*Connection, error) {
	if l.endpoint.kind == tcpEndpoint {
		err := errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
		if err != nil {
			unix.Close(fd)
			return nil, complaintf("Can't set up the connection: %s.", errnoText(err))
		}
		from := addrPort(peer)
		if from.Addr().IsLoopback() {
			// There is nothing to control on the way, and a control that
			// paces, as BBR does, sets a timer for each packet (tcp(7),
			// TCP_CONGESTION). Where it is refused the default stays.
			_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
		}
		fmt.Fprintf(l.messages, "Remote debugging from host %s, port %d\n", from.Addr(), from.Port())
	} else {
		fmt.Fprintf(l.messages, "Remote debugging using %s\n", l.endpoint.path)
	}
	return &Connection{in: fd, out: fd, socket: true, release: func() error { return unix.Close(fd) }}, nil
}

func (l *Listener) takeStandardIO(std standardIO) error {
	fail := func(err error) error {
		return complaintf("Can't use standard input and output: %s.", errnoText(err))
	}
	in, err := unix.FcntlInt(uintptr(std.in), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fail(err)
	}
	out, err := unix.FcntlInt(uintptr(std.out), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		unix.Close(in)
		return fail(err)
	}
	l.line = &Connection{in: in, out: out, release: func() error {
		return errors.Join(unix.Close(in), unix.Close(out))
	}}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(null)
	if err := errors.Join(unix.Dup3(null, std.in, 0), unix.Dup3(std.err, std.out, 0)); err != nil {
		return fail(err)
	}
	return nil
}

func (l *Listener) openLine() error {
	fd, restore, err := openSerial(l.endpoint.path)
	if err != nil {
		if l.endpoint.path != "" && strings.Trim(l.endpoint.path, "0123456789") == "" {
			err = complaintf("%s Write :%s to listen on that port.", err, l.endpoint.path)
		}
		return err
	}
	l.line = serialConnection(fd, restore)
	return nil
}

// acceptLine hands out the line that listen opened, and after that opens a
// serial line again for as long as somebody is at its other end.
func (l *Listener) acceptLine() (*Connection, error) {
	using := "stdio"
	if l.endpoint.kind == serialEndpoint {
		using = l.endpoint.path
		if l.accepted {
			if err := l.openLine(); err != nil {
				return nil, err
			}
			if hungUp(l.line.Fd()) {
				return nil, io.EOF
			}
		}
	} else if l.accepted {
		return nil, io.EOF
	}
	c := l.line
	l.line, l.accepted = nil, true
	fmt.Fprintf(l.messages, "Remote debugging using %s\n", using)
	return c, nil
}
