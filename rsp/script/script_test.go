package script

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"rspd/rsp"
)

// start returns a client whose server answers some packets in fixed ways.
func start(t *testing.T) *rsp.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := rsp.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer conn.Close()
		c := rsp.NewConn(conn, 0)
		for {
			in, err := c.Receive()
			if err != nil {
				return
			}
			if in.Kind == rsp.Interrupt {
				c.Send(rsp.Text("T02thread:p1a.1b;"))
				continue
			}
			switch payload := string(in.Payload); payload {
			case "QStartNoAckMode":
				c.Send(rsp.OK{})
				c.SetNoAck(true)
			case "qC":
				c.Send(rsp.Text("QCp1a.1b"))
			case "zeros":
				c.Send(rsp.Hex(make([]byte, 100)))
			case "binary":
				c.Send(rsp.BinaryMemory("\x00\xff\\#\n\xc3"))
			case "notify":
				c.SendNotification("Stop", rsp.Text("T05"))
				c.Send(rsp.OK{})
			case "silence", "vCont;c":
			case "k":
				return
			default:
				c.Send(rsp.Text(payload))
			}
		}
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

func TestRun(t *testing.T) {
	const session = `
# A comment, and an empty line.

-> QStartNoAckMode
<- OK
-> qC
<- /QC(?P<thread>p(?P<pid>[0-9a-f]+)\.[0-9a-f]+)/
-> Hg${thread}
<- Hg${thread}
	-> D;${pid}  
<- D;1a
-> ${given}x${empty}
<- /${given}x(?P<rest>.*)/
-> ${rest}
<-
->
<- 
-> zeros
<- /0{200}/
-> binary
<- b\x00\xff\\}\x03\x0a\xc3
-> binary
<- /b\x00(?P<byte>\xff)\\.\x03.\xc3/
-> ${byte}\x5e
<- /${byte}\^/
-> \x2fslash/
<- \x2fslash/
-> notify
<- OK
<% Stop:T05
-> notify
<- OK
<% /Stop:T0[5]/
-> vCont;c
-> ^C
<- /T02thread:${thread};/
-> k
eof
`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	vars := map[string]string{"given": "a+(b)", "empty": ""}
	if err := Run(ctx, start(t), strings.NewReader(session), vars); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"given": "a+(b)", "empty": "", "thread": "p1a.1b", "pid": "1a", "rest": "", "byte": "\xff"}
	if !maps.Equal(vars, want) {
		t.Errorf("the variables are %q, want %q", vars, want)
	}
	if err := Run(ctx, start(t), strings.NewReader("-> qC\n<- /QC(?P<t>.*)/\n-> T${t}\n<- Tp1a.1b"), nil); err != nil {
		t.Errorf("without variables: %v", err)
	}
}

func TestRunFails(t *testing.T) {
	tests := []struct {
		name, session string
		line          int
		message       string
	}{
		{"other payload", "-> qC\n<- QCp1a.1c", 2, `got "QCp1a.1b", want "QCp1a.1c"`},
		{"longer payload", "-> qC\n<- QCp1a", 2, "got"},
		{"empty reply wanted", "-> qC\n<-", 2, `want ""`},
		{"no match", "-> qC\n\n# comment\n<- /QC1/", 4, "does not match"},
		{"match of a part only", "-> qC\n<- /p1a/", 2, "does not match"},
		{"match of a prefix in an alternative", "-> qC\n<- /QC|x/", 2, "does not match"},
		{"where long ones differ", "-> zeros\n<- " + strings.Repeat("0", 199) + "1", 2, "from byte 199"},
		{"unset variable sent", "-> ${nothing}", 1, "nothing is not set"},
		{"unset variable wanted", "-> qC\n<- ${nothing}", 2, "nothing is not set"},
		{"unset variable in a pattern", "-> qC\n<- /${nothing}/", 2, "nothing is not set"},
		{"variable is literal in a pattern", "-> QC.{6}\n<- /(?P<v>.*)/\n-> qC\n<- /${v}/", 4, "does not match"},
		{"packet for a notification", "-> qC\n<% Stop:T05", 2, "instead of a notification"},
		{"other notification", "-> notify\n<- OK\n<% Stop:T06", 3, `got "Stop:T05"`},
		{"packet at the end", "-> qC\neof", 2, `got packet "QCp1a.1b"`},
		{"end for a packet", "-> k\n<- OK", 2, "EOF"},
		{"end for a notification", "-> k\n<% Stop:T05", 2, "EOF"},

		{"no such line", "-> qC\nxx", 2, "a line begins with"},
		{"escape", `-> \n`, 1, "escapes"},
		{"short escape", `<- \x1`, 1, "two hex digits"},
		{"wrong escape", `<- \xg0`, 1, "two hex digits"},
		{"open pattern", "<- /abc", 1, "at its end"},
		{"one slash", "<- /", 1, "at its end"},
		{"bad pattern", "<- /(/", 1, "missing closing"},
		{"bad pattern with variables", "-> qC\n<- /(?P<a>.*)/\n-> qC\n<- /(${a}/", 4, "missing closing"},
		{"pattern sent", "-> /abc/", 1, "can't be sent"},
		{"open variable", "-> ${a", 1, "${name}"},
		{"variable without a name", "-> ${}", 1, "${name}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := Run(ctx, start(t), strings.NewReader(test.session), nil)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v", err)
			}
			if e.Line != test.line || !strings.Contains(e.Error(), test.message) {
				t.Errorf("line %d: %v; want line %d and %q", e.Line, e, test.line, test.message)
			}
		})
	}
}

// A server that says nothing fails the line that waits for it.
func TestRunTimeLimit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := Run(ctx, start(t), strings.NewReader("-> silence\n<- OK"), nil)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestRunReadError(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("-> qC\n"), iotest.ErrReader(broken))
	if err := Run(t.Context(), start(t), r, nil); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

func FuzzScript(f *testing.F) {
	f.Add("-> qC\n<- /QC(?P<t>.*)/\n-> T${t}\n<- OK\neof", "QCp1.1")
	f.Add("# c\n<% Stop:\\x00\\\\\n-> ^C", "a")
	f.Add("<- /${v}[^\\xff]/", "\xff\x00")
	f.Fuzz(func(t *testing.T, text, payload string) {
		s, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		p := player{vars: map[string]string{"v": payload}}
		for _, st := range s.steps {
			if st.operation == expectPacket {
				p.match(st, payload)
			}
		}
		// A payload that is quoted as the messages do is matched by itself.
		quoted := quote(payload)
		quoted = quoted[1 : len(quoted)-1]
		if strings.Contains(payload, "${") {
			return
		}
		if got, err := literal(quoted, nil, true); err != nil || got != payload {
			t.Fatalf("%q is quoted %s, which is %q, %v", payload, quoted, got, err)
		}
		p.vars["v"] = payload
		if err := p.match(step{body: "${v}", isRegexp: true}, payload); err != nil {
			t.Fatalf("%q does not match itself: %v", payload, err)
		}
	})
}
