package main

import (
	"io"
	"net"
)

// dial connects to a server that listens on COMM. An empty host is this
// machine.
func dial(comm string) (io.ReadWriteCloser, error) {
	e, err := parseEndpoint(comm)
	if err != nil {
		return nil, err
	}
	network, address := e.network, net.JoinHostPort(e.host, e.port)
	switch e.kind {
	case stdioEndpoint:
		return nil, complaintf("%s: the console needs standard input for itself", comm)
	case serialEndpoint:
		fd, restore, err := openSerial(e.path)
		if err != nil {
			return nil, err
		}
		return serialConnection(fd, restore), nil
	case unixEndpoint:
		network, address = "unix", unixName(e.path).Name
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, complaintf("%s: Can't connect: %s.", comm, errnoText(err))
	}
	return conn, nil
}
