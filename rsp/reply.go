package rsp

import "fmt"

// A Reply is the answer to a request. To send one without allocating, hand
// over a pointer to a value that is kept.
type Reply interface {
	// AppendTo appends the reply's payload, without frame and checksum but
	// with binary data escaped.
	AppendTo(dst []byte) []byte
}

// OK says that what was asked for is done.
type OK struct{}

// AppendTo appends "OK".
func (OK) AppendTo(dst []byte) []byte { return append(dst, "OK"...) }

// Empty says that the packet is not understood.
type Empty struct{}

// AppendTo appends nothing.
func (Empty) AppendTo(dst []byte) []byte { return dst }

// Text is a payload as it is. It must not hold '#' or '$', nor '*' or '}'
// unless they mean what they do to the protocol.
type Text string

// AppendTo appends the text.
func (t Text) AppendTo(dst []byte) []byte { return append(dst, t...) }

// Error says that a request failed ("Standard Replies"). It is an error, too.
type Error struct {
	// Code is sent when Text is empty. Clients print it and no more; it is
	// an errno by custom.
	Code byte
	// Text is a sentence for the user. Clients take it in answer to m and
	// qRcmd only when they sent error-message+ in qSupported.
	Text string
}

// AppendTo appends "E.text", or "Enn" if there is no text. Bytes of the text
// that may not stand in a packet become '?', line ends spaces.
func (e Error) AppendTo(dst []byte) []byte {
	if e.Text == "" {
		return appendHexByte(append(dst, 'E'), e.Code)
	}
	dst = append(dst, "E."...)
	for i := 0; i < len(e.Text); i++ {
		switch c := e.Text[i]; {
		case c == '\n' || c == '\t':
			dst = append(dst, ' ')
		case mustEscape[c] || c < ' ' || c == 0x7f:
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// Error returns the text, or a sentence with the code.
func (e Error) Error() string {
	if e.Text != "" {
		return e.Text
	}
	return fmt.Sprintf("the remote target reports error %02x", e.Code)
}

// ParseError reports whether payload is an error reply, and which: "Enn",
// "E.text", or LLDB's "Enn;" and the text in hex.
func ParseError(payload []byte) (Error, bool) {
	if len(payload) < 2 || payload[0] != 'E' {
		return Error{}, false
	}
	if payload[1] == '.' {
		return Error{Text: string(payload[2:])}, true
	}
	if len(payload) < 3 || hexValues[payload[1]] == notHex || hexValues[payload[2]] == notHex {
		return Error{}, false
	}
	e := Error{Code: hexValues[payload[1]]<<4 | hexValues[payload[2]]}
	if len(payload) == 3 {
		return e, true
	}
	if payload[3] != ';' {
		return Error{}, false
	}
	text, bad := decodeHex(nil, payload[4:])
	if bad >= 0 {
		return Error{}, false
	}
	e.Text = string(text)
	return e, true
}
