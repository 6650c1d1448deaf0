package osdata

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

var socketColumns = []string{"local address", "local port", "remote address", "remote port", "state", "user", "family", "protocol"}

// socketStates are those of include/net/tcp_states.h, which UDP has too.
var socketStates = []string{"(unknown)", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
	"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"}

func (r *reader) sockets(d *document) error {
	for _, kind := range []struct{ file, family, protocol string }{
		{"net/tcp", "INET", "STREAM"}, {"net/udp", "INET", "DGRAM"},
		{"net/tcp6", "INET6", "STREAM"}, {"net/udp6", "INET6", "DGRAM"},
	} {
		lines, err := r.lines(kind.file)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if s, ok := parseSocket(line); ok {
				d.item(socketColumns, s.local.Addr().String(), strconv.Itoa(int(s.local.Port())),
					s.remote.Addr().String(), strconv.Itoa(int(s.remote.Port())),
					s.state, r.user(s.user), kind.family, kind.protocol)
			}
		}
	}
	return nil
}

type socket struct {
	local, remote netip.AddrPort
	state, user   string
}

// parseSocket reads a line of /proc/net/tcp or one of its likes: number, local
// and remote address, state, queues, timer, retransmissions, user and more.
// The first line, of headings, is no socket.
func parseSocket(line string) (socket, bool) {
	fields := strings.Fields(line)
	const local, remote, state, user = 1, 2, 3, 7
	if len(fields) <= user {
		return socket{}, false
	}
	from, ok1 := parseEndpoint(fields[local])
	to, ok2 := parseEndpoint(fields[remote])
	number, err := strconv.ParseUint(fields[state], 16, 8)
	if !ok1 || !ok2 || err != nil {
		return socket{}, false
	}
	if number >= uint64(len(socketStates)) {
		number = 0
	}
	return socket{from, to, socketStates[number], fields[user]}, true
}

// parseEndpoint reads an address and a port in hex. The address is made of
// numbers of 32 bits, each of which the kernel has as it lies in memory, in
// network order, and prints as a number of the machine.
func parseEndpoint(text string) (netip.AddrPort, bool) {
	digits, number, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(number, 16, 16)
	if err != nil || len(digits) != 8 && len(digits) != 32 {
		return netip.AddrPort{}, false
	}
	var bytes []byte
	for ; digits != ""; digits = digits[8:] {
		word, err := strconv.ParseUint(digits[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		bytes = binary.NativeEndian.AppendUint32(bytes, uint32(word))
	}
	address, ok := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(address, uint16(port)), ok
}
