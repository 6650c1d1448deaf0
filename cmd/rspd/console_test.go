package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseInput(t *testing.T) {
	for _, c := range []struct {
		line string
		want string
		err  string
	}{
		{"", `0 ""`, ""},
		{"  ", `0 ""`, ""},
		{" g ", `1 "g"`, ""},
		{`X10,2:\x7d\\`, `1 "X10,2:}\\"`, ""},
		{"vRun;/bin/my prog", `1 "vRun;/bin/my prog"`, ""},
		{"monitor  help ", `2 "qRcmd,68656c70"`, ""},
		{"^C", `3 ""`, ""},
		{"\x03", `3 ""`, ""},
		{"help", `4 ""`, ""},
		{"quit", `5 ""`, ""},
		{`a\n`, "", `"\\n" is neither \xNN nor \\`},
		{`a\x4`, "", `"\\x4" is neither \xNN nor \\`},
		{`a\xzz0`, "", `"\\xzz" is neither \xNN nor \\`},
		{`a\`, "", `"\\" is neither \xNN nor \\`},
	} {
		input, err := parseInput(c.line)
		got := fmt.Sprintf("%d %q", input.kind, input.payload)
		if err != nil && err.Error() != c.err || err == nil && got != c.want || (err == nil) != (c.err == "") {
			t.Errorf("%q: %s, %v; want %s, %s", c.line, got, err, c.want, c.err)
		}
	}
}

// What a reply is printed as can be typed again.
func FuzzUnescape(f *testing.F) {
	f.Add([]byte("X10:\x00\xff\\}\x03"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > packetLimit {
			return
		}
		back, err := unescape(printable(payload))
		if err != nil || !bytes.Equal(back, payload) {
			t.Errorf("%q is printed as %q and read back as %q, %v", payload, printable(payload), back, err)
		}
	})
}

func TestComplete(t *testing.T) {
	names := []string{"g", "qC", "qSupported", "vCont", "vCont?"}
	for beginning, want := range map[string]string{
		"q": "qC,qSupported,quit", "vC": "vCont,vCont?", "m": "monitor ", "zz": "", "g": "",
	} {
		if got := strings.Join(complete(beginning, names), ","); got != want {
			t.Errorf("%q becomes %s, want %s", beginning, got, want)
		}
	}
}

// scriptedPeer answers what it is sent from a table.
type scriptedPeer struct {
	replies     map[string][]string
	sent        []string
	packets     chan []byte
	onInterrupt func(p *scriptedPeer)
}

func newScriptedPeer(replies map[string][]string) *scriptedPeer {
	return &scriptedPeer{replies: replies, packets: make(chan []byte, 100)}
}

func (p *scriptedPeer) Send(payload []byte) error {
	p.sent = append(p.sent, string(payload))
	for _, reply := range p.replies[string(payload)] {
		if reply == "hang up" {
			close(p.packets)
			break
		}
		p.packets <- []byte(reply)
	}
	return nil
}

func (p *scriptedPeer) Receive() ([]byte, error) {
	payload, ok := <-p.packets
	if !ok {
		return nil, io.EOF
	}
	return payload, nil
}

func (p *scriptedPeer) Interrupt() error {
	p.sent = append(p.sent, "\x03")
	if p.onInterrupt != nil {
		p.onInterrupt(p)
	}
	return nil
}

func lines(all ...string) func() (string, error) {
	return func() (string, error) {
		if len(all) == 0 {
			return "", io.EOF
		}
		line := all[0]
		all = all[1:]
		if line == "press ^C" {
			return "", errInterrupted
		}
		return line, nil
	}
}

func TestConversation(t *testing.T) {
	peer := newScriptedPeer(map[string][]string{
		"qSupported":   {"PacketSize=20000;multiprocess+"},
		"vNone":        {""},
		"m0,4":         {"\x00}\\"},
		"qRcmd,68":     {"O" + "6869", "O" + "0a", "OK"},
		"qRcmd,626164": {"E01"},
		"vCont;c":      {"O" + "6f75740a", "T05thread:p1.1;"},
		"OK":           {"OK"},
		"D":            {"OK", "hang up"},
	})
	peer.onInterrupt = func(p *scriptedPeer) { p.packets <- []byte("T02") }
	var out output
	c := newConversation(peer, &out, nil)
	err := c.run(lines("qSupported", "", "vNone", "m0,4", "monitor h", "monitor bad", "vCont;c", "OK",
		"press ^C", "^C", `a\q`, "D", "never"))
	if err != nil {
		t.Fatal(err)
	}
	want := `<- PacketSize=20000;multiprocess+
<- (empty: the server doesn't know that)
<- \x00}\\
hi
<- E01
out
<- T05thread:p1.1;
<- OK
<- T02
<- T02
"\\q" is neither \xNN nor \\
<- OK
The server has closed the connection.
`
	if got := out.take(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	wantSent := []string{"qSupported", "vNone", "m0,4", "qRcmd,68", "qRcmd,626164", "vCont;c", "OK", "\x03", "\x03", "D"}
	if strings.Join(peer.sent[:len(wantSent)], "|") != strings.Join(wantSent, "|") {
		t.Errorf("sent %q, want %q", peer.sent, wantSent)
	}
}

func TestInterruptWhileWaiting(t *testing.T) {
	peer := newScriptedPeer(nil)
	interrupts := make(chan os.Signal, 1)
	interrupts <- unix.SIGINT
	peer.onInterrupt = func(p *scriptedPeer) { p.packets <- []byte("T02") }
	var out output
	if err := newConversation(peer, &out, interrupts).run(lines("vCont;c")); err != nil {
		t.Fatal(err)
	}
	if got := out.take(); got != "<- T02\n" || strings.Join(peer.sent, "|") != "vCont;c|\x03" {
		t.Errorf("said %q, sent %q", got, peer.sent)
	}
}

// A server that doesn't stop must not hold the person at the console.
func TestSecondInterruptGivesThePromptBack(t *testing.T) {
	peer := newScriptedPeer(nil)
	interrupts := make(chan os.Signal, 2)
	interrupts <- unix.SIGINT
	interrupts <- unix.SIGINT
	var out output
	if err := newConversation(peer, &out, interrupts).run(lines("vCont;c")); err != nil {
		t.Fatal(err)
	}
	if got := out.take(); got != "No reply yet. It will show when it comes.\n" {
		t.Errorf("said %q", got)
	}
}

func TestConversationFails(t *testing.T) {
	boom := errors.New("boom")
	c := newConversation(newScriptedPeer(nil), io.Discard, nil)
	if err := c.run(func() (string, error) { return "", boom }); err != boom {
		t.Errorf("run: %v, want the prompt's error", err)
	}
}

func TestDial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	tcp, _ := mustListen(t, ":0")
	socket, _ := mustListen(t, "unix:"+path)
	for comm, l := range map[string]*Listener{
		fmt.Sprintf(":%d", tcp.Port()):               tcp,
		fmt.Sprintf("tcp4:localhost:%d", tcp.Port()): tcp,
		"unix:" + path: socket,
	} {
		client, err := dial(comm)
		if err != nil {
			t.Errorf("%s: %v", comm, err)
			continue
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, server, client)
		client.Close()
		server.Close()
	}

	master, line := openPseudoTerminal(t)
	client, err := dial(line)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("\x03\n")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(master, got); err != nil || string(got) != "\x03\n" {
		t.Errorf("the other end of the line read %q, %v", got, err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}

	if _, err := dial("-"); err == nil {
		t.Error("the console can be dialled by standard input")
	}
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	comm := closed.Addr().String()
	closed.Close()
	if _, err := dial(comm); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("dialling a closed port: %v", err)
	}
}
