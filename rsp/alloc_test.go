package rsp

import (
	"bytes"
	"io"
	"testing"
)

// endless reads the same bytes again and again, all of them at a time.
type endless []byte

func (e endless) Read(p []byte) (int, error)  { return copy(p, e), nil }
func (e endless) Write(p []byte) (int, error) { return len(p), nil }

func TestHotPathsDoNotAllocate(t *testing.T) {
	memory := bytes.Repeat([]byte("some memory\x00\x00\x00\x00\x00\x00}"), 200)
	hex, binary := Hex(memory), BinaryMemory(memory)
	registers := Registers{Data: make([]byte, 560)}
	stop := StopReply{Signal: SIGTRAP, Reason: StopSoftBreak, Core: 1, HasThread: true, Multiprocess: true,
		Thread:    ThreadID{0x40ea, 0x40eb},
		Registers: []RegisterValue{{6, make([]byte, 8)}, {7, make([]byte, 8)}, {16, make([]byte, 8)}}}
	transfer := Transfer{Data: memory}
	tests := []struct {
		request string
		reply   Reply
	}{
		{"m7fff4bce0600,40", &hex},
		{"x7fff4bce0600,40", &binary},
		{"M7fff4bce0600,4:00000000", OK{}},
		{"X7fff4bce0600,4:}\x03abc", OK{}},
		{"g", &registers},
		{"p10", &hex},
		{"P10=0011223344556677", OK{}},
		{"Hgp40ea.40eb", OK{}},
		{"Tp40ea.40eb", OK{}},
		{"vCont;s:p40ea.40eb;c:p40ea.-1", &stop},
		{"vCont;r401000,401020:p40ea.40eb", &stop},
		{"C05", &stop},
		{"Z0,401136,1;X3,220027", OK{}},
		{"z0,401136,1", OK{}},
		{"qXfer:siginfo:read::0,1000", &transfer},
		{"vFile:pread:3,47ff,0", OK{}},
		{"vCont?", Empty{}},
		{"?", &stop},
	}
	for _, test := range tests {
		for _, noAck := range []bool{true, false} {
			c := NewConn(endless(frame(test.request)), 0)
			c.SetNoAck(noAck)
			var p Parser
			n := testing.AllocsPerRun(100, func() {
				in, err := c.Receive()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Parse(in.Payload); err != nil {
					t.Fatal(err)
				}
				if err := c.Send(test.reply); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%s and its reply take %v allocations", test.request, n)
			}
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	stop := StopReply{Signal: SIGTRAP, Core: 1, HasThread: true, Multiprocess: true, Thread: ThreadID{0x40ea, 0x40eb},
		Registers: []RegisterValue{{6, make([]byte, 8)}, {7, make([]byte, 8)}, {16, make([]byte, 8)}}}
	c := NewConn(endless(frame("vCont;s:p40ea.40eb;c:p40ea.-1")), 0)
	c.SetNoAck(true)
	var p Parser
	for b.Loop() {
		in, err := c.Receive()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Parse(in.Payload); err != nil {
			b.Fatal(err)
		}
		if err := c.Send(&stop); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkSend(b *testing.B, r Reply, size int, runLength bool) {
	c := NewConn(struct {
		io.Reader
		io.Writer
	}{endless(nil), io.Discard}, 0)
	c.SetRunLength(runLength)
	b.SetBytes(int64(size))
	for b.Loop() {
		if err := c.Send(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	mixed := make([]byte, 64<<10)
	x := uint64(1)
	for i := range mixed {
		x = x*6364136223846793005 + 1442695040888963407
		if i%16 < 10 {
			mixed[i] = byte(x >> 56)
		}
	}
	random := make([]byte, 64<<10)
	for i := range random {
		x = x*6364136223846793005 + 1442695040888963407
		random[i] = byte(x >> 56)
	}
	zeros := make([]byte, 64<<10)
	for _, data := range []struct {
		name string
		data []byte
	}{{"random", random}, {"mixed", mixed}, {"zeros", zeros}} {
		hex, binary := Hex(data.data), BinaryMemory(data.data)
		for _, runLength := range []struct {
			name string
			on   bool
		}{{"RLE", true}, {"plain", false}} {
			b.Run("hex/"+data.name+"/"+runLength.name, func(b *testing.B) { benchmarkSend(b, &hex, len(data.data), runLength.on) })
			b.Run("binary/"+data.name+"/"+runLength.name, func(b *testing.B) { benchmarkSend(b, &binary, len(data.data), runLength.on) })
		}
	}
}

func BenchmarkParse(b *testing.B) {
	large := make([]byte, 32<<10)
	for _, payload := range []string{
		"m7fff4bce0600,40",
		"vCont;s:p40ea.40eb;c:p40ea.-1",
		"Z0,401136,1",
		"M7fff4bce0600,8000:" + string(Hex(large).AppendTo(nil)),
		"X7fff4bce0600,8000:" + string(AppendEscaped(nil, large)),
	} {
		b.Run(payload[:min(len(payload), 16)], func(b *testing.B) {
			var p Parser
			data := []byte(payload)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := p.Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
