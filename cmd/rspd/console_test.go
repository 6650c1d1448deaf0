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
		{"help", `5 ""`, ""},
		{"wait", `4 ""`, ""},
		{"quit", `6 ""`, ""},
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

// scriptedPeer answers what it is sent from a table. A reply that begins
// with "%" is a notification.
type scriptedPeer struct {
	replies map[string][]string
	sent    []string
	coming  []string
}

func (p *scriptedPeer) Send(payload []byte) error {
	p.sent = append(p.sent, string(payload))
	p.coming = append(p.coming, p.replies[string(payload)]...)
	return nil
}

func (p *scriptedPeer) Interrupt() error { return p.Send([]byte("\x03")) }

func (p *scriptedPeer) Receive() (payload []byte, notification bool, err error) {
	if len(p.coming) == 0 {
		return nil, false, io.EOF
	}
	next := p.coming[0]
	p.coming = p.coming[1:]
	if next == "impatient" {
		return nil, false, errImpatient
	}
	text, notification := strings.CutPrefix(next, "%")
	return []byte(text), notification, nil
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
	peer := &scriptedPeer{replies: map[string][]string{
		"qSupported":   {"PacketSize=20000;multiprocess+"},
		"vNone":        {""},
		"m0,4":         {"\x00}\\"},
		"qRcmd,68":     {"O" + "6869", "O" + "0a", "OK"},
		"qRcmd,626164": {"E01"},
		"vCont;c":      {"O" + "6f75740a", "%Stop:T05", "T05thread:p1.1;"},
		"QNonStop:1":   {"OK", "%Stop:W00"},
		"\x03":         {"T02"},
	}}
	var out output
	c := conversation{peer, &out}
	err := c.run(lines("qSupported", "", "vNone", "m0,4", "monitor h", "monitor bad", "vCont;c", "QNonStop:1", "wait",
		"press ^C", "^C", "wait", `a\q`, "D", "never"))
	if err != nil {
		t.Fatal(err)
	}
	want := `<- PacketSize=20000;multiprocess+
<- (empty: the server doesn't know that)
<- \x00}\\
hi
<- E01
out
<- %Stop:T05
<- T05thread:p1.1;
<- OK
<- %Stop:W00
<- T02
"\\q" is neither \xNN nor \\
The server has closed the connection.
`
	if got := out.take(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	wantSent := "qSupported|vNone|m0,4|qRcmd,68|qRcmd,626164|vCont;c|QNonStop:1|\x03|D"
	if got := strings.Join(peer.sent, "|"); got != wantSent {
		t.Errorf("sent %q, want %q", got, wantSent)
	}
}

func TestImpatienceEndsTheConversation(t *testing.T) {
	var out output
	c := conversation{&scriptedPeer{replies: map[string][]string{"vCont;c": {"impatient"}}}, &out}
	if err := c.run(lines("vCont;c", "never")); err != nil {
		t.Fatal(err)
	}
	if got := out.take(); !strings.HasPrefix(got, "The server did not reply.") {
		t.Errorf("said %q", got)
	}
}

// wire is a server's end of a console's connection, read and written as
// bytes.
type wire struct {
	t *testing.T
	net.Conn
}

func (w wire) expect(want string) {
	w.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(w, got); err != nil || string(got) != want {
		w.t.Errorf("the server received %q, %v; want %q", got, err, want)
	}
}

func (w wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Error(err)
	}
}

// The whole console over real bytes: acknowledgments, their end, run-length
// encoding, and both Ctrl-C's while nothing comes.
func TestConsoleOnTheWire(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	interrupts := make(chan os.Signal)
	var out output
	done := make(chan error, 1)
	go func() {
		c := conversation{newWirePeer(near, interrupts), &out}
		done <- c.run(lines("qA", "QStartNoAckMode", "m0,8", "vCont;c", "vCont;c"))
	}()
	server := wire{t, far}
	server.expect("$qA#b2")
	server.send("+$1#31")
	server.expect("+$QStartNoAckMode#b0")
	server.send("+$OK#9a")
	server.expect("+$m0,8#01")
	server.send("$0*,#86")
	server.expect("$vCont;c#a8")
	interrupts <- unix.SIGINT
	server.expect("\x03")
	server.send("$T02#b6")
	server.expect("$vCont;c#a8")
	interrupts <- unix.SIGINT
	server.expect("\x03")
	interrupts <- unix.SIGINT
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := "<- 1\n<- OK\n<- 0000000000000000\n<- T02\nThe server did not reply."
	if got := out.take(); !strings.HasPrefix(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestHistoryFile(t *testing.T) {
	for _, c := range []struct{ state, home, want string }{
		{"/s", "/h", "/s/rspd/history"},
		{"relative", "/h", "/h/.local/state/rspd/history"},
		{"", "/h", "/h/.local/state/rspd/history"},
		{"", "", ""},
	} {
		got := historyFile(func(name string) string {
			return map[string]string{"XDG_STATE_HOME": c.state, "HOME": c.home}[name]
		})
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestConversationFails(t *testing.T) {
	boom := errors.New("boom")
	c := conversation{&scriptedPeer{}, io.Discard}
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
	if _, err := dial(comm); err == nil || err.Error() != comm+": Can't connect: Connection refused." {
		t.Errorf("dialling a closed port: %v", err)
	}
}
