package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	tcp := func(network, host, port string) endpoint {
		return endpoint{kind: tcpEndpoint, network: network, host: host, port: port}
	}
	for _, c := range []struct {
		comm string
		want endpoint
		err  string
	}{
		{":2345", tcp("tcp", "", "2345"), ""},
		{"localhost:2345", tcp("tcp", "localhost", "2345"), ""},
		{"tcp:host:1", tcp("tcp", "host", "1"), ""},
		{"tcp4:host:1", tcp("tcp4", "host", "1"), ""},
		{"tcp6:host:1", tcp("tcp6", "host", "1"), ""},
		{"tcp6::1", tcp("tcp6", "", "1"), ""},
		{"tcp6:::1:80", tcp("tcp6", "::1", "80"), ""},
		{"tcp:2345", tcp("tcp", "", "2345"), ""},
		{"[::1]:0", tcp("tcp", "::1", "0"), ""},
		{"tcp6:[fe80::1%eth0]:0", tcp("tcp6", "fe80::1%eth0", "0"), ""},
		{"::1:2345", tcp("tcp", "::1", "2345"), ""},
		{":ssh", tcp("tcp", "", "ssh"), ""},
		{"-", endpoint{kind: stdioEndpoint}, ""},
		{"stdio", endpoint{kind: stdioEndpoint}, ""},
		{"unix:/run/x:y", endpoint{kind: unixEndpoint, path: "/run/x:y"}, ""},
		{"/dev/ttyS0", endpoint{kind: serialEndpoint, path: "/dev/ttyS0"}, ""},
		{"/dev/serial/by-path/pci-0000:00:14.0", endpoint{kind: serialEndpoint, path: "/dev/serial/by-path/pci-0000:00:14.0"}, ""},
		{"ttyS0", endpoint{kind: serialEndpoint, path: "ttyS0"}, ""},
		{"", endpoint{}, "COMM is empty"},
		{"host:", endpoint{}, "Missing port on hostname 'host:'"},
		{"[::1]", endpoint{}, "Missing port on hostname '[::1]'"},
		{"[::1]:", endpoint{}, "Missing port on hostname '[::1]:'"},
		{"[::1:99", endpoint{}, "Missing close bracket in hostname '[::1:99'"},
		{"tcp:", endpoint{}, "Missing port on hostname 'tcp:'"},
		{"unix:", endpoint{}, "unix: needs the path of a socket: unix:PATH"},
		{"udp:host:1", endpoint{}, "udp:host:1: UDP is not supported, use TCP"},
	} {
		got, err := parseEndpoint(c.comm)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: error %v, want %s", c.comm, err, c.err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v; want %+v", c.comm, got, err, c.want)
		}
	}
}

func TestPortNumber(t *testing.T) {
	for port, want := range map[string]string{
		"0": "0", "65535": "65535",
		"65536":           "port 65536 is not between 0 and 65535",
		"-1":              "port -1 is not between 0 and 65535",
		"+1":              "port +1 is not between 0 and 65535",
		"99999":           "port 99999 is not between 0 and 65535",
		"no-such-service": `cannot resolve name: no service is called "no-such-service"`,
	} {
		n, err := endpoint{port: port}.portNumber()
		got := fmt.Sprint(n)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("port %q: %s, want %s", port, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ network, host, want string }{
		{"tcp", "", "127.0.0.1 ::1"},
		{"tcp", "localhost", "127.0.0.1 ::1"},
		{"tcp4", "", "127.0.0.1"},
		{"tcp6", "localhost", "::1"},
		{"tcp", "*", "0.0.0.0 ::"},
		{"tcp", "::", ":: 0.0.0.0"},
		{"tcp6", "::", "::"},
		{"tcp", "0.0.0.0", "0.0.0.0"},
		{"tcp", "127.0.0.2", "127.0.0.2"},
		{"tcp", "::ffff:127.0.0.1", "127.0.0.1"},
		{"tcp6", "127.0.0.1", "cannot resolve name: 127.0.0.1 has no address for tcp6"},
		{"tcp4", "::1", "cannot resolve name: ::1 has no address for tcp4"},
	} {
		addresses, err := endpoint{network: c.network, host: c.host}.addresses()
		var words []string
		for _, a := range addresses {
			words = append(words, a.String())
		}
		got := strings.Join(words, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:%s: %s, want %s", c.network, c.host, got, c.want)
		}
	}
}
