package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const consoleHelp = `Type a packet's payload, without $ and checksum, and see the reply:
  qSupported:multiprocess+    m 7ffe1000,10 is written m7ffe1000,10
\xNN stands for a byte, \\ for a backslash.  TAB completes packet names.
  monitor TEXT   run a command of the server (qRcmd)
  ^C             typed: send an interrupt; wait then shows what comes of it
  wait           wait for a packet or notification
  help, quit     also Ctrl-D
While a reply is awaited, Ctrl-C interrupts the program, and a second one
leaves the console.
`

// packetPeer is the server at the other end of a console.
type packetPeer interface {
	// Send transmits one packet with this payload.
	Send(payload []byte) error

	// Receive waits for the next packet or notification, whose payload is
	// good until the next call. While it waits, Ctrl-C stops the program,
	// and a second one gives up with errImpatient. It fails with io.EOF when
	// the server has gone.
	Receive() (payload []byte, notification bool, err error)

	// Interrupt sends the byte that stops a running program.
	Interrupt() error
}

// errImpatient is a second Ctrl-C without a reply to the first.
var errImpatient = errors.New("no reply")

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
	waitInput
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
	case "wait":
		return consoleInput{kind: waitInput}, nil
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
	for _, name := range append([]string{"monitor ", "wait", "help", "quit"}, names...) {
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
}

// errQuit ends a console because the person at it says so.
var errQuit = errors.New("quit")

// run reads lines until the input or the connection ends. Prompt gives a
// line, or errInterrupted for a Ctrl-C.
func (c *conversation) run(prompt func() (string, error)) error {
	for {
		err := c.turn(prompt)
		switch {
		case err == nil:
		case err == errQuit:
			return nil
		case errors.Is(err, errImpatient):
			fmt.Fprintln(c.out, "The server did not reply. A reply that comes late would be taken for another's, so this ends here.")
			return nil
		case errors.Is(err, io.EOF):
			fmt.Fprintln(c.out, "The server has closed the connection.")
			return nil
		default:
			return err
		}
	}
}

// turn is one line and its reply.
func (c *conversation) turn(prompt func() (string, error)) error {
	line, err := prompt()
	switch {
	case errors.Is(err, errInterrupted):
		return nil // nothing waits for a reply, so nothing is to be stopped
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
		// A server whose program is stopped doesn't answer to this.
		return c.peer.Interrupt()
	case waitInput:
	default:
		if err := c.peer.Send(input.payload); err != nil {
			return err
		}
	}
	return c.await(input.kind)
}

// await shows what comes up to the reply. Notifications, and what the program
// or a monitor command prints, may come before it.
func (c *conversation) await(asked inputKind) error {
	for {
		payload, notification, err := c.peer.Receive()
		if err != nil {
			return err
		}
		text, output := consoleOutput(payload)
		switch {
		case notification:
			fmt.Fprintf(c.out, "<- %%%s\n", printable(payload))
			if asked == waitInput {
				return nil
			}
		case output:
			fmt.Fprintf(c.out, "%s", text)
		case asked == monitorInput && string(payload) == "OK":
			return nil
		default:
			c.show(payload)
			return nil
		}
	}
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
