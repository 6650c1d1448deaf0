package rsp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// A line is an io.ReadWriter whose input is given and whose output is kept.
type line struct {
	io.Reader
	bytes.Buffer
	reads, writes int
	shortWrites   bool
}

func (l *line) Read(p []byte) (int, error) {
	l.reads++
	return l.Reader.Read(p)
}

func (l *line) Write(p []byte) (int, error) {
	l.writes++
	if l.shortWrites && len(p) > 1 {
		p = p[:1]
	}
	return l.Buffer.Write(p)
}

func frame(payload string) string {
	return fmt.Sprintf("$%s#%02x", payload, slowChecksum([]byte(payload)))
}

// receiveAll describes all that comes until the end.
func receiveAll(c *Conn) (events []string, end error) {
	for {
		in, err := c.Receive()
		var m *MalformedError
		switch {
		case errors.As(err, &m):
			events = append(events, "too long")
		case err != nil:
			return events, err
		case in.Kind == Interrupt:
			events = append(events, "interrupt")
		case in.Kind == Notification:
			events = append(events, "notification "+string(in.Payload))
		default:
			events = append(events, "packet "+string(in.Payload))
		}
	}
}

var receiveTests = []struct {
	name   string
	noAck  bool
	input  string
	events []string
	output string
	end    error
}{
	{name: "nothing", end: io.EOF},
	{name: "one packet", input: "$OK#9a", events: []string{"packet OK"}, output: "+", end: io.EOF},
	{name: "upper case checksum", input: "$OK#9A", events: []string{"packet OK"}, output: "+", end: io.EOF},
	{name: "empty packet", input: "$#00", events: []string{"packet "}, output: "+", end: io.EOF},
	{name: "acknowledged packets", input: "+" + frame("?") + "+++" + frame("g") + "+", events: []string{"packet ?", "packet g"}, output: "++", end: io.EOF},
	{name: "interrupts", input: "\x03" + frame("g") + "\x03\x03", events: []string{"interrupt", "packet g", "interrupt", "interrupt"}, output: "+", end: io.EOF},
	{name: "0x03 in a packet is data", input: frame("X0,1:\x03"), events: []string{"packet X0,1:\x03"}, output: "+", end: io.EOF},
	{name: "noise", input: "abc\x00#00" + frame("g") + "\r\n", events: []string{"packet g"}, output: "+", end: io.EOF},
	{name: "notification", input: "%Stop:T05#" + fmt.Sprintf("%02x", slowChecksum([]byte("Stop:T05"))) + frame("OK"),
		events: []string{"notification Stop:T05", "packet OK"}, output: "+", end: io.EOF},
	{name: "bad notification is dropped", input: "%Stop:T05#00" + frame("OK"), events: []string{"packet OK"}, output: "+", end: io.EOF},
	{name: "bad checksum", input: "$OK#9b" + frame("OK"), events: []string{"packet OK"}, output: "-+", end: io.EOF},
	{name: "checksum that is none", input: "$OK#zz" + frame("OK"), events: []string{"packet OK"}, output: "-+", end: io.EOF},
	{name: "packet without its end", input: "$vCon" + frame("g"), events: []string{"packet g"}, output: "+", end: io.EOF},
	{name: "packet without its end and a bad one", input: "$vCon$g#00" + frame("g"), events: []string{"packet g"}, output: "-+", end: io.EOF},
	{name: "nothing to send again", input: "-" + frame("g"), events: []string{"packet g"}, output: "+", end: io.EOF},
	{name: "no acknowledgments", noAck: true, input: "+-$OK#9b" + frame("g") + "$g#zz", events: []string{"packet OK", "packet g", "packet g"}, end: io.EOF},
	{name: "end within a packet", input: frame("g") + "$vCont", events: []string{"packet g"}, output: "+", end: io.ErrUnexpectedEOF},
	{name: "end within a checksum", input: "$g#6", end: io.ErrUnexpectedEOF},
	{name: "longest packet", input: frame(strings.Repeat("a", 100)), events: []string{"packet " + strings.Repeat("a", 100)}, output: "+", end: io.EOF},
	{name: "too long by one", input: frame(strings.Repeat("a", 101)) + frame("g"), events: []string{"too long", "packet g"}, output: "++", end: io.EOF},
	{name: "much too long", input: "+" + frame(strings.Repeat("ab", 5000)) + frame("g"), events: []string{"too long", "packet g"}, output: "++", end: io.EOF},
	{name: "too long and bad", input: "$" + strings.Repeat("ab", 5000) + "#00" + frame("g"), events: []string{"packet g"}, output: "-+", end: io.EOF},
	{name: "too long without acknowledgments", noAck: true, input: "$" + strings.Repeat("ab", 5000) + "#00" + frame("g"), events: []string{"too long", "packet g"}, end: io.EOF},
	{name: "end within one too long", input: "$" + strings.Repeat("ab", 5000), end: io.ErrUnexpectedEOF},
	{name: "many", input: strings.Repeat(frame("m0,0")+"+", 100), events: slices.Repeat([]string{"packet m0,0"}, 100), output: strings.Repeat("+", 100), end: io.EOF},
	{name: "many long ones", input: strings.Repeat(frame(strings.Repeat("x", 99))+"+", 50), events: slices.Repeat([]string{"packet " + strings.Repeat("x", 99)}, 50), output: strings.Repeat("+", 50), end: io.EOF},
}

func TestReceive(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"at once":     func(r io.Reader) io.Reader { return r },
		"bytewise":    iotest.OneByteReader,
		"halved":      iotest.HalfReader,
		"end at once": iotest.DataErrReader,
	}
	for _, test := range receiveTests {
		for how, reader := range readers {
			t.Run(test.name+"/"+how, func(t *testing.T) {
				l := &line{Reader: reader(strings.NewReader(test.input))}
				c := NewConn(l, 100)
				c.SetNoAck(test.noAck)
				events, end := receiveAll(c)
				if !slices.Equal(events, test.events) {
					t.Errorf("received %q, want %q", events, test.events)
				}
				if end != test.end {
					t.Errorf("it ends with %v, want %v", end, test.end)
				}
				if l.String() != test.output {
					t.Errorf("sent %q, want %q", l.String(), test.output)
				}
			})
		}
	}
}

// However the bytes of a stream are cut into two reads, the same arrives.
func TestReceiveEverySplit(t *testing.T) {
	input := "+" + frame("vCont;c") + "\x03" + frame("X0,3:a}\x03") + "$bad#00" + frame(strings.Repeat("z", 150)) + "+" + frame("g")
	want := []string{"packet vCont;c", "interrupt", "packet X0,3:a}\x03", "too long", "packet g"}
	for i := range len(input) + 1 {
		l := &line{Reader: io.MultiReader(strings.NewReader(input[:i]), strings.NewReader(input[i:]))}
		events, end := receiveAll(NewConn(l, 100))
		if !slices.Equal(events, want) || end != io.EOF || l.String() != "++-++" {
			t.Errorf("cut at %d: %q, %v, sent %q", i, events, end, l.String())
		}
	}
}

// Wherever the end of the buffer falls in a frame that is too long, the frame
// is taken.
func TestReceiveTooLong(t *testing.T) {
	for size := range 400 {
		want := []string{"too long", "packet g"}
		if size <= 100 {
			want[0] = "packet " + strings.Repeat("a", size)
		}
		l := &line{Reader: strings.NewReader(frame(strings.Repeat("a", size)) + frame("g"))}
		if events, end := receiveAll(NewConn(l, 100)); !slices.Equal(events, want) || end != io.EOF || l.String() != "++" {
			t.Errorf("%d bytes: %q, %v, sent %q", size, events, end, l.String())
		}
	}
}

func TestReceiveErrors(t *testing.T) {
	broken := errors.New("broken")
	c := NewConn(&line{Reader: io.MultiReader(strings.NewReader("$g#"), iotest.ErrReader(broken))}, 100)
	if _, err := c.Receive(); err != broken {
		t.Errorf("a read error becomes %v", err)
	}
	c = NewConn(&line{Reader: noProgress{}}, 100)
	if _, err := c.Receive(); err != io.ErrNoProgress {
		t.Errorf("reads of nothing become %v", err)
	}
	c = NewConn(struct {
		io.Reader
		io.Writer
	}{strings.NewReader("$g#67"), failingWriter{broken}}, 100)
	if _, err := c.Receive(); err != broken {
		t.Errorf("a write error becomes %v", err)
	}
	if err := c.Send(OK{}); err != broken {
		t.Errorf("a write error becomes %v", err)
	}
	c = NewConn(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), failingWriter{nil}}, 100)
	if err := c.Send(OK{}); err != io.ErrShortWrite {
		t.Errorf("a write of nothing becomes %v", err)
	}
}

type noProgress struct{}

func (noProgress) Read([]byte) (int, error) { return 0, nil }

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestSend(t *testing.T) {
	tests := []struct {
		reply      Reply
		encoded    string
		notEncoded string
	}{
		{OK{}, "$OK#9a", "$OK#9a"},
		{Empty{}, "$#00", "$#00"},
		{Hex{0, 0, 0, 0, 0}, "$0*&#80", "$0000000000#e0"},
		{BinaryMemory("#"), "$b}\x03#e2", "$b}\x03#e2"},
	}
	for _, test := range tests {
		for _, short := range []bool{false, true} {
			l := &line{shortWrites: short}
			c := NewConn(l, 100)
			for range 3 {
				if err := c.Send(test.reply); err != nil {
					t.Fatal(err)
				}
			}
			c.SetRunLength(false)
			for range 3 {
				if err := c.Send(test.reply); err != nil {
					t.Fatal(err)
				}
			}
			if want := strings.Repeat(test.encoded, 3) + strings.Repeat(test.notEncoded, 3); l.String() != want {
				t.Errorf("sent %q, want %q", l.String(), want)
			}
			if !short && l.writes != 6 {
				t.Errorf("%d writes for 6 packets", l.writes)
			}
		}
	}
}

func TestSendNotification(t *testing.T) {
	l := &line{Reader: strings.NewReader("-")}
	c := NewConn(l, 100)
	if err := c.Send(OK{}); err != nil {
		t.Fatal(err)
	}
	stop := &StopReply{Signal: SIGTRAP, Registers: []RegisterValue{{6, make([]byte, 8)}}, Core: -1}
	if err := c.SendNotification("Stop", stop); err != nil {
		t.Fatal(err)
	}
	c.SetRunLength(false)
	if err := c.SendNotification("Stop", stop); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(); err != io.EOF {
		t.Fatal(err)
	}
	encoded, plain := "Stop:T0506:0*,;", "Stop:T0506:0000000000000000;"
	want := "$OK#9a" + "%" + frame(encoded)[1:] + "%" + frame(plain)[1:] + "$OK#9a"
	if l.String() != want {
		t.Errorf("sent %q, want %q: what is sent again is the packet", l.String(), want)
	}
}

func TestResend(t *testing.T) {
	l := &line{Reader: strings.NewReader("--+" + frame("g"))}
	c := NewConn(l, 100)
	c.Send(Text("first"))
	c.Send(Hex{0, 0, 0, 0})
	if in, err := c.Receive(); err != nil || string(in.Payload) != "g" {
		t.Fatalf("%q, %v", in.Payload, err)
	}
	if want := frame("first") + strings.Repeat(frame("0*\"00"), 3) + "+"; l.String() != want {
		t.Errorf("sent %q, want %q", l.String(), want)
	}
}

func TestOneReadAndWriteAPacket(t *testing.T) {
	request := frame("vCont;s:p1.1")
	l := &line{Reader: &chunks{data: []byte(strings.Repeat(request, 100)), size: len(request)}}
	c := NewConn(l, 0)
	c.SetNoAck(true)
	for range 100 {
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
		if in, whole, err := c.ReceiveReady(false); whole || err != nil {
			t.Fatalf("between packets there is %q, %v", in.Payload, err)
		}
		if err := c.Send(OK{}); err != nil {
			t.Fatal(err)
		}
	}
	if l.reads != 100 || l.writes != 100 {
		t.Errorf("%d reads and %d writes for 100 packets", l.reads, l.writes)
	}
}

// chunks reads size bytes at a time.
type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

func TestReceiveReady(t *testing.T) {
	for _, test := range []struct {
		behind string
		whole  bool
		kind   Kind
	}{
		{"", false, 0}, {"+", false, 0}, {"++++", false, 0}, {"$", false, 0}, {"+$g", false, 0}, {"$g#6", false, 0},
		{"\x03", true, Interrupt}, {"+\x03", true, Interrupt}, {frame("g"), true, Packet},
	} {
		l := &line{Reader: strings.NewReader(frame("g") + test.behind)}
		c := NewConn(l, 100)
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
		reads := l.reads
		in, whole, err := c.ReceiveReady(false)
		if whole != test.whole || in.Kind != test.kind || err != nil || l.reads != reads {
			t.Errorf("behind a packet %q: %v %v %v, %d reads", test.behind, in, whole, err, l.reads-reads)
		}
	}
	l := &line{Reader: &chunks{data: []byte(frame("g") + "+"), size: 2}}
	c := NewConn(l, 100)
	for want := 1; want <= 3; want++ {
		if in, whole, err := c.ReceiveReady(true); whole != (want == 3) || err != nil || l.reads != want {
			t.Errorf("read %d: %v %v %v, %d reads", want, in, whole, err, l.reads)
		}
	}
}

func TestTrace(t *testing.T) {
	l := &line{Reader: strings.NewReader("+" + frame("g") + "\x03-$x#00")}
	c := NewConn(l, 100)
	var got []string
	c.SetTrace(func(direction Direction, packet []byte) {
		got = append(got, map[Direction]string{Received: "<", Sent: ">"}[direction]+string(packet))
	})
	c.Send(Hex{0, 0, 0, 0, 0})
	receiveAll(c)
	want := []string{">$0*&#80", "<+", "<$g#67", ">+", "<\x03", "<-", ">$0*&#80", "<$x#00", ">-"}
	if !slices.Equal(got, want) {
		t.Errorf("traced %q, want %q", got, want)
	}
}

// What one Conn sends of any data, another receives.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, runLength := range []bool{true, false} {
		for i := range 500 {
			data := runs(r, i)
			sender := &line{}
			c := NewConn(sender, 0)
			c.SetRunLength(runLength)
			c.Send(&Transfer{Data: data, More: i%2 == 0})
			receiver := NewConn(&line{Reader: iotest.HalfReader(&sender.Buffer)}, 0)
			in, err := receiver.Receive()
			if err != nil {
				t.Fatal(err)
			}
			payload := in.Payload
			if runLength {
				var ok bool
				if payload, ok = AppendExpanded(nil, payload); !ok {
					t.Fatalf("%q does not expand", in.Payload)
				}
			}
			got, err := ParseTransfer(payload)
			if err != nil || !bytes.Equal(got.Data, data) || got.More != (i%2 == 0) {
				t.Fatalf("%q arrives as %q, %v", data, got.Data, err)
			}
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, test := range receiveTests {
		if len(test.input) < 1000 {
			f.Add([]byte(test.input), uint8(7), test.noAck)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, size uint8, noAck bool) {
		receive := func(r io.Reader) ([]string, string, error) {
			l := &line{Reader: r}
			c := NewConn(l, 50)
			c.SetNoAck(noAck)
			c.Send(Text("last"))
			events, end := receiveAll(c)
			return events, l.String(), end
		}
		events, output, end := receive(bytes.NewReader(input))
		if end != io.EOF && end != io.ErrUnexpectedEOF {
			t.Fatalf("%q ends with %v", input, end)
		}
		for _, e := range events {
			if len(e) > len("notification ")+50 || strings.Contains(e, "#") {
				t.Fatalf("%q yields %q", input, e)
			}
		}
		// How the bytes are cut into reads makes no difference.
		again, outputAgain, endAgain := receive(&chunks{data: input, size: int(size) + 1})
		if !slices.Equal(events, again) || end != endAgain || output != outputAgain {
			t.Fatalf("%q\nat once: %q, %v, %q\nby %d: %q, %v, %q", input, events, end, output, size+1, again, endAgain, outputAgain)
		}
	})
}
