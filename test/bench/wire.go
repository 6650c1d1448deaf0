package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"syscall"
	"unsafe"
)

// A wire is a connection without acknowledgements over a blocking socket.
type wire struct {
	fd    int
	out   []byte
	in    []byte
	start int
}

// dial connects to a loopback port.
func dial(port int) (*wire, error) {
	address := &syscall.SockaddrInet4{Port: port, Addr: [4]byte(net.IPv4(127, 0, 0, 1).To4())}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Connect(fd, address); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	patience := syscall.Timeval{Sec: 120}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return &wire{fd: fd}, nil
}

func (w *wire) close() error { return syscall.Close(w.fd) }

// frame puts a packet around a payload, which the caller has escaped.
func frame(to []byte, payload string) []byte {
	var sum byte
	for i := range len(payload) {
		sum += payload[i]
	}
	to = append(append(append(to, '$'), payload...), '#')
	return append(to, "0123456789abcdef"[sum>>4], "0123456789abcdef"[sum&15])
}

// ask sends a packet and returns the payload of the next one, which is valid
// until the next call and still run-length encoded.
func (w *wire) ask(payload string) ([]byte, error) {
	w.out = frame(w.out[:0], payload)
	for rest := w.out; len(rest) > 0; {
		n, err := w.raw(syscall.SYS_WRITE, rest)
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return w.reply()
}

// raw is read(2) or write(2) without the runtime's knowledge. Told of calls that
// block, as with syscall.Read, its monitor thread wakes every 20 microseconds
// (runtime.sysmon), on the processors that the server and the inferior use.
func (w *wire) raw(call uintptr, buffer []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(call, uintptr(w.fd), uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// acknowledge sends the "+" that each reply wants until QStartNoAckMode.
func (w *wire) acknowledge() error {
	_, err := syscall.Write(w.fd, []byte("+"))
	return err
}

func (w *wire) reply() ([]byte, error) {
	w.in = append(w.in[:0], w.in[w.start:]...)
	w.start = 0
	for searched := 0; ; {
		if end := bytes.IndexByte(w.in[searched:], '#'); end >= 0 && searched+end+2 < len(w.in) {
			end += searched
			start := bytes.IndexByte(w.in[:end], '$')
			if start < 0 {
				return nil, fmt.Errorf("no packet in %q", w.in)
			}
			w.start = end + 3
			return w.in[start+1 : end], nil
		} else if end < 0 {
			searched = len(w.in)
		}
		if cap(w.in)-len(w.in) < 1<<16 {
			w.in = append(make([]byte, 0, 2*cap(w.in)+1<<17), w.in...)
		}
		n, err := w.raw(syscall.SYS_READ, w.in[len(w.in):cap(w.in)])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("the server hung up")
		}
		w.in = w.in[:len(w.in)+n]
	}
}

// expand undoes run-length encoding: a character, '*' and a count plus 29.
func expand(payload []byte) []byte {
	var all []byte
	for i := 0; i < len(payload); i++ {
		if payload[i] == '*' && i > 0 && i+1 < len(payload) {
			i++
			all = append(all, bytes.Repeat(all[len(all)-1:], int(payload[i])-29)...)
			continue
		}
		all = append(all, payload[i])
	}
	return all
}

// must asks and wants a reply that begins as given.
func (w *wire) must(payload, prefix string) (string, error) {
	reply, err := w.ask(payload)
	if err != nil {
		return "", fmt.Errorf("%.40s: %w", payload, err)
	}
	text := string(expand(reply))
	if !strings.HasPrefix(text, prefix) {
		return "", fmt.Errorf("%.40s: the reply is %.80q, not %q", payload, text, prefix)
	}
	return text, nil
}

// stopPC returns the program counter, register 16 of x86-64, in a stop reply.
func stopPC(reply string) (uint64, error) {
	_, after, found := strings.Cut(reply, "10:")
	if !found || len(after) < 16 {
		return 0, fmt.Errorf("no program counter in %q", reply)
	}
	bytes, err := hex.DecodeString(after[:16])
	if err != nil {
		return 0, err
	}
	var pc uint64
	for i := len(bytes) - 1; i >= 0; i-- {
		pc = pc<<8 | uint64(bytes[i])
	}
	return pc, nil
}

// stopThread returns the thread id in a stop reply.
func stopThread(reply string) (string, error) {
	_, after, found := strings.Cut(reply, "thread:")
	id, _, ended := strings.Cut(after, ";")
	if !found || !ended {
		return "", fmt.Errorf("no thread in %q", reply)
	}
	return id, nil
}
