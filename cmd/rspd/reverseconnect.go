package main

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// clients is where clients come from, one after the other.
type clients interface {
	Announce()
	// Fd is readable when one is there; -1 if nothing tells.
	Fd() int
	Accept() (*Connection, error)
	Stdio() bool
	Close() error
}

var _ clients = (*Listener)(nil)

// oneClient is a client that is there already, and the only one.
type oneClient struct{ connection *Connection }

func connectedClient(connection *Connection) clients { return &oneClient{connection} }

func (*oneClient) Announce()   {}
func (*oneClient) Fd() int     { return -1 }
func (*oneClient) Stdio() bool { return false }

// Accept gives the client, and io.EOF after that.
func (c *oneClient) Accept() (*Connection, error) {
	connection := c.connection
	c.connection = nil
	if connection == nil {
		return nil, io.EOF
	}
	return connection, nil
}

func (c *oneClient) Close() error {
	if c.connection == nil {
		return nil
	}
	return c.connection.Close()
}

// reverseConnect connects to a client that waits at COMM.
func reverseConnect(comm string) (*Connection, error) {
	e, err := parseEndpoint(comm)
	if err != nil {
		return nil, err
	}
	switch e.kind {
	case serialEndpoint:
		fd, restore, err := openSerial(e.path)
		if err != nil {
			return nil, err
		}
		return serialConnection(fd, restore), nil
	case stdioEndpoint:
		return nil, complaintf("%s: there is nobody to connect to", comm)
	case unixEndpoint:
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			if err = unix.Connect(fd, unixName(e.path)); err != nil {
				unix.Close(fd)
			}
		}
		if err != nil {
			return nil, complaintf("%s: Can't connect: %s.", comm, errnoText(err))
		}
		return socketConnection(fd), nil
	}
	port, err := e.portNumber()
	if err != nil {
		return nil, complaintf("%s: %s", comm, err)
	}
	addresses, err := e.addresses()
	if err != nil {
		return nil, complaintf("%s: %s", comm, err)
	}
	var failure error
	for _, address := range addresses {
		family, name, err := sockaddr(address, port)
		if err != nil {
			return nil, err
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			if err = unix.Connect(fd, name); err == nil {
				err = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
			}
			if err == nil {
				return socketConnection(fd), nil
			}
			unix.Close(fd)
		}
		failure = errors.Join(failure, err)
	}
	return nil, complaintf("%s: Can't connect to %s: %v.", comm, net.JoinHostPort(e.host, e.port), failure)
}

func socketConnection(fd int) *Connection {
	return &Connection{in: fd, out: fd, socket: true, release: func() error { return unix.Close(fd) }}
}
