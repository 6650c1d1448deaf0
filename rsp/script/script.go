// Package script plays packet sessions that are written down: text files
// that say what a client sends and what the server must answer.
//
// Each line is one of
//
//	# comment, as are empty lines
//	-> payload      send a packet
//	-> ^C           send an interrupt
//	<- payload      the next packet is exactly this
//	<- /regexp/     the next packet matches this as a whole
//	<% payload      the next notification is this; /regexp/ as well
//	eof             the server closes the connection
//
// Space around a payload does not count. In a payload \xNN is the byte NN
// and \\ a backslash; a payload that begins with '/' or '^' is written with
// \x2f or \x5e. Payloads are compared with their run-length encoding
// expanded and their escapes of binary data as they are. A regular
// expression is Go's, over bytes: \xNN and "." are one byte each, line ends
// included.
//
// A named group of a regular expression, (?P<name>...), sets a variable,
// which ${name} stands for in later lines, where in a regular expression it
// means its value literally. A variable that was never set is an error.
package script

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"rspd/rsp"
)

// An Error says which line of a script is at fault, or was not answered as
// it says.
type Error struct {
	// Line counts from 1.
	Line int
	// Text is the line.
	Text string
	// Err says what differed.
	Err error
}

// Error returns the line's number, its text and what differed.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d: %s: %v", e.Line, e.Text, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

type operation uint8

const (
	send operation = iota
	interrupt
	expectPacket
	expectNotification
	expectEOF
)

type step struct {
	operation operation
	line      int
	text      string
	body      string // as written
	isRegexp  bool
}

// A Script is a parsed session.
type Script struct {
	steps []step
}

// Parse reads a script. The error is that of reading, or an *Error for a
// line that can't be understood. Regular expressions that need variables are
// not compiled before Run.
func Parse(r io.Reader) (*Script, error) {
	s := &Script{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		st, err := parseLine(text)
		if err != nil {
			return nil, &Error{Line: n, Text: text, Err: err}
		}
		st.line, st.text = n, text
		s.steps = append(s.steps, st)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the script: %w", err)
	}
	return s, nil
}

func parseLine(text string) (step, error) {
	if text == "eof" {
		return step{operation: expectEOF}, nil
	}
	var st step
	switch {
	case strings.HasPrefix(text, "->"):
		st.operation = send
	case strings.HasPrefix(text, "<-"):
		st.operation = expectPacket
	case strings.HasPrefix(text, "<%"):
		st.operation = expectNotification
	default:
		return st, errors.New("a line begins with #, ->, <-, <% or is eof")
	}
	st.body = strings.TrimSpace(text[2:])
	switch {
	case st.operation == send && st.body == "^C":
		st.operation = interrupt
		return st, nil
	case st.operation == send && strings.HasPrefix(st.body, "/"):
		return st, errors.New("a regular expression can't be sent; a '/' in front is written \\x2f")
	case strings.HasPrefix(st.body, "/"):
		if len(st.body) < 2 || !strings.HasSuffix(st.body, "/") {
			return st, errors.New("the regular expression has no '/' at its end")
		}
		st.isRegexp = true
		st.body = st.body[1 : len(st.body)-1]
		if !strings.Contains(st.body, "${") {
			if _, err := compile(st.body, nil); err != nil {
				return st, err
			}
		}
		return st, nil
	}
	_, err := literal(st.body, nil, false)
	return st, err
}

// Run plays the script that r holds with client. Variables that vars holds
// are set at the start, and those that the script sets are put there, unless
// vars is nil. It stops at the first line that fails; the error is an
// *Error, or that of reading. When ctx ends, the line that was waited for
// fails. After QStartNoAckMode is answered with OK, client sends no more
// acknowledgments.
func Run(ctx context.Context, client *rsp.Client, r io.Reader, vars map[string]string) error {
	s, err := Parse(r)
	if err != nil {
		return err
	}
	return s.Run(ctx, client, vars)
}

// Run plays the script with client; see the function Run.
func (s *Script) Run(ctx context.Context, client *rsp.Client, vars map[string]string) error {
	if vars == nil {
		vars = make(map[string]string)
	}
	p := player{client: client, vars: vars}
	for _, st := range s.steps {
		if err := p.play(ctx, st); err != nil {
			return &Error{Line: st.line, Text: st.text, Err: err}
		}
	}
	return nil
}

type player struct {
	client *rsp.Client
	vars   map[string]string
	sent   string
}

func (p *player) play(ctx context.Context, st step) error {
	switch st.operation {
	case send:
		payload, err := literal(st.body, p.vars, true)
		if err != nil {
			return err
		}
		p.sent = payload
		return p.client.Send(ctx, payload)
	case interrupt:
		return p.client.Interrupt(ctx)
	case expectEOF:
		got, err := p.client.Receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("got packet %s instead", quote(got))
	case expectNotification:
		got, err := p.client.Notification(ctx)
		if err != nil {
			return err
		}
		return p.match(st, got)
	}
	got, err := p.client.Receive(ctx)
	if err != nil {
		return err
	}
	if p.sent == "QStartNoAckMode" && got == "OK" {
		p.client.SetNoAck(true)
	}
	p.sent = ""
	return p.match(st, got)
}

// match compares what came with what the step expects, and takes the
// variables from it.
func (p *player) match(st step, got string) error {
	if !st.isRegexp {
		want, err := literal(st.body, p.vars, true)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("got %s, want %s%s", quote(got), quote(want), difference(got, want))
		}
		return nil
	}
	re, err := compile(st.body, p.vars)
	if err != nil {
		return err
	}
	groups := re.FindStringSubmatch(latin1(got))
	if groups == nil {
		return fmt.Errorf("got %s, which does not match", quote(got))
	}
	for i, name := range re.SubexpNames() {
		if name != "" {
			p.vars[name] = fromLatin1(groups[i])
		}
	}
	return nil
}

// difference says where two long payloads begin to differ.
func difference(got, want string) string {
	if len(got) < 32 && len(want) < 32 {
		return ""
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf(" (they differ from byte %d on; lengths %d and %d)", i, len(got), len(want))
}

// quote writes a payload as a script would have it.
func quote(payload string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(payload); i++ {
		switch c := payload[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// literal resolves the escapes and, if expand is set, the variables of a
// payload.
func literal(body string, vars map[string]string, expand bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(body); {
		switch {
		case strings.HasPrefix(body[i:], `\x`):
			if i+4 > len(body) {
				return "", errors.New(`\x needs two hex digits`)
			}
			v, err := strconv.ParseUint(body[i+2:i+4], 16, 8)
			if err != nil {
				return "", errors.New(`\x needs two hex digits`)
			}
			b.WriteByte(byte(v))
			i += 4
		case strings.HasPrefix(body[i:], `\\`):
			b.WriteByte('\\')
			i += 2
		case body[i] == '\\':
			return "", errors.New(`the escapes are \xNN and \\`)
		case strings.HasPrefix(body[i:], "${"):
			name, length, err := variable(body[i:])
			if err != nil {
				return "", err
			}
			if expand {
				value, ok := vars[name]
				if !ok {
					return "", fmt.Errorf("the variable %s is not set", name)
				}
				b.WriteString(value)
			}
			i += length
		default:
			b.WriteByte(body[i])
			i++
		}
	}
	return b.String(), nil
}

// variable reads the name of the "${name}" that text begins with, and how
// long all of it is.
func variable(text string) (name string, length int, err error) {
	name, _, found := strings.Cut(text[2:], "}")
	if !found || name == "" {
		return "", 0, errors.New("a variable is written ${name}")
	}
	return name, len(name) + 3, nil
}

// compile puts the variables into a regular expression and compiles it to
// match a whole payload in which each byte is one character.
func compile(body string, vars map[string]string) (*regexp.Regexp, error) {
	var b strings.Builder
	for i := 0; i < len(body); {
		if !strings.HasPrefix(body[i:], "${") {
			b.WriteByte(body[i])
			i++
			continue
		}
		name, length, err := variable(body[i:])
		if err != nil {
			return nil, err
		}
		value, ok := vars[name]
		if !ok {
			return nil, fmt.Errorf("the variable %s is not set", name)
		}
		b.WriteString(regexp.QuoteMeta(value))
		i += length
	}
	return regexp.Compile(latin1(`(?s)\A(?:` + b.String() + `)\z`))
}

// latin1 turns each byte into the character of that number.
func latin1(text string) string {
	runes := make([]rune, len(text))
	for i := 0; i < len(text); i++ {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

// fromLatin1 is the way back.
func fromLatin1(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(byte(r))
	}
	return b.String()
}
