package test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// The offsets in a siginfo_t of x86-64 (<asm-generic/siginfo.h>).
const (
	siginfoSize    = 128
	siginfoNumber  = 0
	siginfoCode    = 8
	siginfoAddress = 16
	siginfoPID     = 16
	siginfoPayload = 24
)

// siginfo reads the whole siginfo of the stop.
func (c *client) siginfo() []byte {
	c.s.Helper()
	part, err := rsp.ParseTransfer([]byte(c.ask("qXfer:siginfo:read::0,1000")))
	if err != nil {
		c.s.Fatal(err)
	}
	if part.More || len(part.Data) != siginfoSize {
		c.s.Fatalf("siginfo has %d bytes, more %t", len(part.Data), part.More)
	}
	return part.Data
}

// writeSiginfo writes a siginfo as a whole.
func (c *client) writeSiginfo(info []byte) {
	c.s.Helper()
	packet := string(rsp.AppendEscaped([]byte("qXfer:siginfo:write::0:"), info))
	if reply := c.ask(packet); reply != fmt.Sprintf("%x", len(info)) {
		c.s.Fatalf("writing siginfo is answered %q", reply)
	}
}

// siginfoKinds are the signals of siginfokinds.c, with what is to be in the siginfo.
var siginfoKinds = []struct {
	kind   string
	signal rsp.Signal
	code   int32
	// address is si_addr, 0 where the program's place decides.
	address uint64
	payload uint64
	// reason is what the manual wants said also of breakpoints that the program
	// has of itself ("swbreak feature").
	reason rsp.StopEvent
}{
	{kind: "mapped", signal: rsp.SIGSEGV, code: 1, address: 0x1234},
	{kind: "protected", signal: rsp.SIGSEGV, code: 2, address: 0x20000000},
	{kind: "noncanonical", signal: rsp.SIGSEGV, code: 128},
	{kind: "illegal", signal: rsp.SIGILL, code: 2},
	{kind: "divide", signal: rsp.SIGFPE, code: 1},
	{kind: "beyond", signal: rsp.SIGBUS, code: 2, address: 0x30000000},
	{kind: "int3", signal: rsp.SIGTRAP, code: 128, reason: rsp.StopSoftBreak},
	{kind: "icebp", signal: rsp.SIGTRAP, code: 1},
	{kind: "sigqueue", signal: rsp.SIGUSR1, code: -1, payload: 0x123456789},
	{kind: "realtime", signal: rsp.SignalFromLinux(39), code: -1, payload: 0xfffffffffffffffe},
	{kind: "tgkill", signal: rsp.SIGUSR2, code: -6},
}

// TestSiginfo has the whole siginfo of each kind of signal reach the client,
// and reach the program's handler as it does without a debugger.
func TestSiginfo(t *testing.T) {
	notAgain(t, "it reads the layout of 64 bits")
	for _, kind := range siginfoKinds {
		t.Run(kind.kind, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "siginfokinds.c", inferiors.PIE)
			v := s.launch(program, kind.kind)
			c := s.client(v, childEvents...)
			stop, stopped := c.resume("vCont;c").(*rsp.StopReply)
			if !stopped || stop.Reason != kind.reason || stop.Signal != kind.signal {
				t.Fatalf("%+v, want %v", stop, kind.signal)
			}
			info := c.siginfo()
			number, _ := kind.signal.Linux()
			if got := binary.LittleEndian.Uint32(info[siginfoNumber:]); int(got) != number {
				t.Errorf("si_signo %d, want %d", got, number)
			}
			if got := int32(binary.LittleEndian.Uint32(info[siginfoCode:])); got != kind.code {
				t.Errorf("si_code %d, want %d", got, kind.code)
			}
			if got := binary.LittleEndian.Uint64(info[siginfoAddress:]); kind.address != 0 && got != kind.address {
				t.Errorf("si_addr %#x, want %#x", got, kind.address)
			}
			if got := binary.LittleEndian.Uint64(info[siginfoPayload:]); kind.payload != 0 && got != kind.payload {
				t.Errorf("si_value %#x, want %#x", got, kind.payload)
			}
			if got := binary.LittleEndian.Uint32(info[siginfoPID:]); kind.code == -6 && int(got) != v.inferior {
				t.Errorf("si_pid %d, want %d", got, v.inferior)
			}
			end, exited := c.resume(fmt.Sprintf("vCont;C%02x:%v;c", int(kind.signal), stop.Thread)).(*rsp.Exited)
			if !exited || end.Status != 0 {
				t.Errorf("%+v, want an exit with 0", end)
			}
			c.vanish()
			v.wait()
			if got, want := v.stdout.all(t), s.alone(program, kind.kind); got != want {
				t.Errorf("the handler got %q, alone %q", got, want)
			}
		})
	}
}

// TestSiginfoWrite gives handlers another siginfo than the kernel made.
func TestSiginfoWrite(t *testing.T) {
	notAgain(t, "it reads the layout of 64 bits")
	for _, c := range []struct {
		kind    string
		offset  int
		value   uint64
		printed string
	}{
		{"mapped", siginfoAddress, 0xabcdef012345, "signal 11 code 1 address abcdef012345\n"},
		{"sigqueue", siginfoPayload, 0xfedcba9876543210, "signal 10 code -1 payload fedcba9876543210\n"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newSession(t)
			v := s.launch(native(t, "siginfokinds.c", inferiors.PIE), c.kind)
			client := s.client(v, childEvents...)
			stop, stopped := client.resume("vCont;c").(*rsp.StopReply)
			if !stopped {
				t.Fatal("no stop")
			}
			info := client.siginfo()
			binary.LittleEndian.PutUint64(info[c.offset:], c.value)
			client.writeSiginfo(info)
			if got := client.siginfo(); string(got) != string(info) {
				t.Errorf("read back %x, written %x", got, info)
			}
			client.resume(fmt.Sprintf("vCont;C%02x:%v;c", int(stop.Signal), stop.Thread))
			client.vanish()
			v.wait()
			if got := v.stdout.all(t); got != c.printed {
				t.Errorf("the handler got %q, want %q", got, c.printed)
			}
		})
	}
}
