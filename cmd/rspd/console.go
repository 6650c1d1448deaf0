package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

const consoleHelp = `Type a packet's payload, without $ and checksum, and see the reply:
  qSupported:multiprocess+    m 7ffe1000,10 is written m7ffe1000,10
\xNN stands for a byte, \\ for a backslash.  TAB completes packet names.
  monitor TEXT   run a command of the server (qRcmd)
  ^C             stop the program: type it, or press the keys
  help, quit     also Ctrl-D
`

// packetPeer is the server at the other end of a console.
type packetPeer interface {
	// Send transmits one packet with this payload.
	Send(payload []byte) error

	// Receive waits for the next packet and returns its payload, which is
	// the caller's to keep. It fails with io.EOF when the server has gone.
	Receive() ([]byte, error)

	// Interrupt sends the byte that stops a running program.
	Interrupt() error
}

// consoleInput is what a typed line asks for.
type consoleInput struct {
	kind    inputKind
	payload []byte
}

type inputKind int

const (
	nothingInput inputKind = iota
	packetInput
	monitorInput
	interruptInput
	helpInput
	quitInput
)

// parseInput reads a line of the console.
func parseInput(line string) (consoleInput, error) {
	line = strings.TrimSpace(line)
	switch line {
	case "":
		return consoleInput{}, nil
	case "^C", "\x03":
		return consoleInput{kind: interruptInput}, nil
	case "help":
		return consoleInput{kind: helpInput}, nil
	case "quit":
		return consoleInput{kind: quitInput}, nil
	}
	if command, ok := strings.CutPrefix(line, "monitor "); ok {
		payload := "qRcmd," + hex.EncodeToString([]byte(strings.TrimSpace(command)))
		return consoleInput{monitorInput, []byte(payload)}, nil
	}
	payload, err := unescape(line)
	if err != nil {
		return consoleInput{}, err
	}
	return consoleInput{packetInput, payload}, nil
}

// unescape reads \xNN and \\ in what was typed: the way that replies are
// printed.
func unescape(text string) ([]byte, error) {
	var out []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			out = append(out, text[i])
		case strings.HasPrefix(text[i:], `\\`):
			out = append(out, '\\')
			i++
		default:
			if !strings.HasPrefix(text[i:], `\x`) || len(text) < i+4 {
				return nil, fmt.Errorf(`%q is neither \xNN nor \\`, text[i:min(len(text), i+4)])
			}
			b, err := strconv.ParseUint(text[i+2:i+4], 16, 8)
			if err != nil {
				return nil, fmt.Errorf(`%q is neither \xNN nor \\`, text[i:i+4])
			}
			out = append(out, byte(b))
			i += 3
		}
	}
	return out, nil
}

// complete returns the lines that a beginning may become.
func complete(beginning string, names []string) []string {
	var lines []string
	for _, name := range append([]string{"monitor ", "help", "quit"}, names...) {
		if len(name) > 1 && strings.HasPrefix(name, beginning) {
			lines = append(lines, name)
		}
	}
	slices.Sort(lines)
	return lines
}

// conversation is a console's exchange with a server.
type conversation struct {
	peer packetPeer
	out  io.Writer

	// interrupts are Ctrl-C's while a reply is awaited.
	interrupts <-chan os.Signal

	// packets arrive from the server; failure is why there are no more.
	packets <-chan []byte
	failure error
}

// newConversation starts receiving. The receiver ends when the connection
// under the peer is closed.
func newConversation(peer packetPeer, out io.Writer, interrupts <-chan os.Signal) *conversation {
	packets := make(chan []byte, 64)
	c := &conversation{peer: peer, out: out, interrupts: interrupts, packets: packets}
	go func() {
		defer close(packets) // after failure is set
		for {
			payload, err := peer.Receive()
			if err != nil {
				c.failure = err
				return
			}
			packets <- payload
		}
	}()
	return c
}

// errQuit ends a console because the person at it says so.
var errQuit = errors.New("quit")

// run reads lines until the input or the connection ends. Prompt gives a
// line, or errInterrupted for a Ctrl-C.
func (c *conversation) run(prompt func() (string, error)) error {
	for {
		err := c.showArrived()
		if err == nil {
			err = c.turn(prompt)
		}
		if err == errQuit {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// turn is one line and its reply.
func (c *conversation) turn(prompt func() (string, error)) error {
	line, err := prompt()
	switch {
	case errors.Is(err, errInterrupted):
		line = "^C"
	case errors.Is(err, io.EOF):
		return errQuit
	case err != nil:
		return err
	}
	return c.do(line)
}

// errInterrupted is a prompt's Ctrl-C.
var errInterrupted = errors.New("interrupted")

// do carries one line out.
func (c *conversation) do(line string) error {
	input, err := parseInput(line)
	if err != nil {
		fmt.Fprintln(c.out, err)
		return nil
	}
	switch input.kind {
	case nothingInput:
		return nil
	case helpInput:
		fmt.Fprint(c.out, consoleHelp)
		return nil
	case quitInput:
		return errQuit
	case interruptInput:
		if err := c.peer.Interrupt(); err != nil {
			return err
		}
	default:
		if err := c.peer.Send(input.payload); err != nil {
			return err
		}
	}
	return c.await(input.kind == monitorInput)
}

// await shows packets up to the reply. What the program or a monitor command
// prints comes before it. A first Ctrl-C stops the program, which then
// replies; a second gives the prompt back without a reply.
func (c *conversation) await(monitor bool) error {
	interrupted := false
	for {
		select {
		case payload, ok := <-c.packets:
			if !ok {
				return c.ended()
			}
			if text, ok := consoleOutput(payload); ok {
				fmt.Fprintf(c.out, "%s", text)
				continue
			}
			if monitor && string(payload) == "OK" {
				return nil
			}
			c.show(payload)
			return nil
		case <-c.interrupts:
			if interrupted {
				fmt.Fprintln(c.out, "No reply yet. It will show when it comes.")
				return nil
			}
			interrupted = true
			if err := c.peer.Interrupt(); err != nil {
				return err
			}
		}
	}
}

// showArrived shows what came without being asked for.
func (c *conversation) showArrived() error {
	for {
		select {
		case payload, ok := <-c.packets:
			if !ok {
				return c.ended()
			}
			c.show(payload)
		default:
			return nil
		}
	}
}

func (c *conversation) ended() error {
	if errors.Is(c.failure, io.EOF) {
		fmt.Fprintln(c.out, "The server has closed the connection.")
		return errQuit
	}
	return c.failure
}

func (c *conversation) show(payload []byte) {
	if len(payload) == 0 {
		fmt.Fprintln(c.out, "<- (empty: the server doesn't know that)")
		return
	}
	fmt.Fprintf(c.out, "<- %s\n", printable(payload))
}

// consoleOutput is the text of an "O" packet (GDB manual, "Stop Reply
// Packets").
func consoleOutput(payload []byte) ([]byte, bool) {
	if len(payload) < 3 || payload[0] != 'O' {
		return nil, false
	}
	text, err := hex.DecodeString(string(payload[1:]))
	return text, err == nil
}
