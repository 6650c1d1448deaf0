package main

import (
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The options by which a platform gives its servers what it has opened for them.
const (
	listenerOption = "listener-fd"
	lifelineOption = "lifeline-fd"
)

// inherited is the source of a server that a platform has started.
func (o lldbServerOptions) inherited() (clients, error) {
	listener, err := inheritedListener(o.listener)
	if err != nil {
		return nil, err
	}
	if o.lifeline < 0 {
		return listener, nil
	}
	return clientsOfPlatform(listener, o.lifeline), nil
}

// inheritedListener takes over a socket that listens already.
func inheritedListener(fd int) (*Listener, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, complaintf("Can't use descriptor %d: %s.", fd, errnoText(err))
	}
	unix.CloseOnExec(fd)
	l := &Listener{messages: os.Stderr, sockets: []int{fd}, wake: -1, ready: -1}
	if file, is := name.(*unix.SockaddrUnix); is {
		l.endpoint = endpoint{kind: unixEndpoint, path: file.Name}
		l.socketInode = socketInode(file.Name)
	} else {
		l.port = int(addrPort(name).Port())
		l.exposed = !addrPort(name).Addr().IsLoopback()
	}
	if err = unix.SetNonblock(fd, true); err == nil {
		if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err == nil {
			err = l.makeReady()
		}
	}
	if err != nil {
		l.Close()
		return nil, complaintf("Can't use descriptor %d: %s.", fd, errnoText(err))
	}
	return l, nil
}

// platformClients are the clients of a server that ends with the platform that
// has started it, unless one has come by then.
type platformClients struct {
	clients
	came atomic.Bool
}

// clientsOfPlatform makes the server end as by a signal when the lifeline is
// closed at its other end and no client has come.
func clientsOfPlatform(source clients, lifeline int) clients {
	c := &platformClients{clients: source}
	unix.CloseOnExec(lifeline)
	file := os.NewFile(uintptr(lifeline), "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, file)
		if !c.came.Load() {
			_ = unix.Kill(unix.Getpid(), unix.SIGTERM)
		}
	}()
	return c
}

// Accept waits for a client.
func (c *platformClients) Accept() (*Connection, error) {
	connection, err := c.clients.Accept()
	if err == nil {
		c.came.Store(true)
	}
	return connection, err
}
