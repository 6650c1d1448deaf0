package main

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// endpointKind is how a client and the server are connected.
type endpointKind int

const (
	tcpEndpoint endpointKind = iota
	unixEndpoint
	stdioEndpoint
	serialEndpoint
)

// endpoint is COMM, taken apart.
type endpoint struct {
	kind endpointKind

	// network is "tcp", "tcp4" or "tcp6" for TCP.
	network string

	// host and port are as written, without brackets. An empty host is this
	// machine's loopback.
	host, port string

	// path is a Unix socket's or a serial device's file name.
	path string
}

// parseEndpoint reads COMM: HOST:PORT with an optional tcp:, tcp4: or tcp6:
// before it, unix:PATH, "-" or "stdio", or else a serial device's path. As
// in gdb's parse_connection_spec the last colon ends the host, and an
// address that has colons itself may stand in brackets.
func parseEndpoint(comm string) (endpoint, error) {
	if comm == "-" || comm == "stdio" {
		return endpoint{kind: stdioEndpoint}, nil
	}
	if path, ok := strings.CutPrefix(comm, "unix:"); ok {
		if path == "" {
			return endpoint{}, complaintf("unix: needs the path of a socket: unix:PATH")
		}
		return endpoint{kind: unixEndpoint, path: path}, nil
	}
	if strings.HasPrefix(comm, "udp:") || strings.HasPrefix(comm, "udp4:") || strings.HasPrefix(comm, "udp6:") {
		return endpoint{}, complaintf("%s: UDP is not supported, use TCP", comm)
	}
	e := endpoint{kind: tcpEndpoint, network: "tcp"}
	address := comm
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		if rest, ok := strings.CutPrefix(comm, network+":"); ok {
			e.network, address = network, rest
			if !strings.Contains(rest, ":") {
				address = ":" + rest
			}
			break
		}
	}
	if address == comm && (strings.HasPrefix(comm, "/") || !strings.Contains(comm, ":")) {
		if comm == "" {
			return endpoint{}, complaintf("COMM is empty")
		}
		return endpoint{kind: serialEndpoint, path: comm}, nil
	}

	if strings.HasPrefix(address, "[") {
		end := strings.IndexByte(address, ']')
		if end < 0 {
			return endpoint{}, complaintf("Missing close bracket in hostname '%s'", comm)
		}
		e.host = address[1:end]
		after, ok := strings.CutPrefix(address[end+1:], ":")
		if !ok {
			return endpoint{}, complaintf("Missing port on hostname '%s'", comm)
		}
		e.port = after
	} else {
		colon := strings.LastIndexByte(address, ':')
		e.host, e.port = address[:colon], address[colon+1:]
	}
	if e.port == "" {
		return endpoint{}, complaintf("Missing port on hostname '%s'", comm)
	}
	return e, nil
}

// portNumber is the port as a number, 0 for any free one. A name is looked
// up in /etc/services.
func (e endpoint) portNumber() (int, error) {
	if n, err := strconv.Atoi(e.port); err == nil {
		if n < 0 || n > 65535 || e.port[0] == '+' {
			return 0, complaintf("port %s is not between 0 and 65535", e.port)
		}
		return n, nil
	}
	n, err := net.LookupPort("tcp", e.port)
	if err != nil {
		return 0, complaintf("cannot resolve name: no service is called %q", e.port)
	}
	return n, nil
}

// addresses are where to listen for the endpoint, and whether only this
// machine reaches them. An empty host and localhost are the loopback
// addresses, whatever the resolver thinks; "*" is every address there is.
func (e endpoint) addresses() ([]netip.Addr, error) {
	v4, v6 := e.network != "tcp6", e.network != "tcp4"
	var all []netip.Addr
	switch e.host {
	case "", "localhost":
		all = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	case "*":
		all = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	default:
		if literal, err := netip.ParseAddr(e.host); err == nil {
			all = []netip.Addr{literal.Unmap()}
			if literal == netip.IPv6Unspecified() {
				all = append(all, netip.IPv4Unspecified()) // as a dual-stack socket would
			}
			break
		}
		ips, err := net.LookupIP(e.host)
		if err != nil {
			return nil, complaintf("cannot resolve name: %s", lookupSentence(err))
		}
		for _, ip := range ips {
			if a, ok := netip.AddrFromSlice(ip); ok {
				all = append(all, a.Unmap())
			}
		}
	}
	var fit []netip.Addr
	for _, a := range all {
		if a.Is4() && v4 || a.Is6() && v6 {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, complaintf("cannot resolve name: %s has no address for %s", e.host, e.network)
	}
	return fit, nil
}

// lookupSentence is the resolver's complaint without its "lookup HOST:".
func lookupSentence(err error) string {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return dns.Err
	}
	return err.Error()
}
