package agent

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// format is a format of printf that was found sound.
type format struct {
	pieces []piece
	// arguments is how many values it takes.
	arguments int
}

// piece is literal text or, where conversion is set, the place of a value.
type piece struct {
	text                            []byte
	conversion                      byte
	minus, plus, space, sharp, zero bool
	width                           int
	// precision is -1 where there is none.
	precision int
	// bits is how many bits of the value count.
	bits int
}

// maxField bounds widths and precisions, so that a format cannot ask for
// memory without end.
const maxField = 4096

// maxString is how much of a string in memory is printed.
const maxString = 1 << 16

// escapes are the characters after a backslash, as in C; \e is gdb's.
var escapes = map[byte]byte{'\\': '\\', 'a': '\a', 'b': '\b', 'e': 27, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
	'v': '\v', '"': '"', '\'': '\'', '?': '?'}

// unescape replaces the escape sequences of C source, which the format of
// printf still has (manual, "printf").
func unescape(source []byte) ([]byte, error) {
	var text []byte
	for i := 0; i < len(source); i++ {
		if source[i] != '\\' {
			text = append(text, source[i])
			continue
		}
		if i++; i == len(source) {
			return nil, errors.New("the format ends in a backslash")
		}
		if escaped, found := escapes[source[i]]; found {
			text = append(text, escaped)
			continue
		}
		digits, base, start := 3, 8, i
		if source[i] == 'x' {
			digits, base, start = 2, 16, i+1
		}
		end := start
		for end < len(source) && end-start < digits && digit(source[end]) < base {
			end++
		}
		value, err := strconv.ParseUint(string(source[start:end]), base, 8)
		if err != nil {
			character, size := utf8.DecodeRune(source[i:])
			if character == utf8.RuneError && size <= 1 {
				return nil, fmt.Errorf("the format has an unknown escape sequence, a backslash and byte 0x%02x", source[i])
			}
			return nil, fmt.Errorf("the format has an unknown escape sequence, \\%c", character)
		}
		text = append(text, byte(value))
		i = end - 1
	}
	return text, nil
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 16
}

// parseFormat takes a format apart. It knows the conversions of C for integers,
// characters, strings and pointers.
func parseFormat(source []byte) (*format, error) {
	text, err := unescape(source)
	if err != nil {
		return nil, err
	}
	f := &format{}
	var literal []byte
	for i := 0; i < len(text); {
		if text[i] != '%' {
			literal = append(literal, text[i])
			i++
			continue
		}
		if i++; i < len(text) && text[i] == '%' {
			literal = append(literal, '%')
			i++
			continue
		}
		place, size, err := parsePlace(text[i:])
		if err != nil {
			return nil, err
		}
		if len(literal) > 0 {
			f.pieces = append(f.pieces, piece{text: literal})
			literal = nil
		}
		f.pieces = append(f.pieces, place)
		f.arguments++
		i += size
	}
	if len(literal) > 0 {
		f.pieces = append(f.pieces, piece{text: literal})
	}
	return f, nil
}

// parsePlace reads a conversion specification after its "%" and tells how long
// it is.
func parsePlace(text []byte) (piece, int, error) {
	p := piece{precision: -1, bits: 32}
	i := 0
	next := func() byte {
		if i < len(text) {
			return text[i]
		}
		return 0
	}
flags:
	for ; ; i++ {
		switch next() {
		case '-':
			p.minus = true
		case '+':
			p.plus = true
		case ' ':
			p.space = true
		case '#':
			p.sharp = true
		case '0':
			p.zero = true
		default:
			break flags
		}
	}
	number := func() (int, error) {
		value := 0
		for ; next() >= '0' && next() <= '9'; i++ {
			if value = 10*value + int(next()-'0'); value > maxField {
				return 0, fmt.Errorf("a width or precision is above %d", maxField)
			}
		}
		return value, nil
	}
	var err error
	if p.width, err = number(); err != nil {
		return p, 0, err
	}
	if next() == '.' {
		i++
		if p.precision, err = number(); err != nil {
			return p, 0, err
		}
	}
	long := false
	switch next() {
	case 'h':
		p.bits = 16
		if i++; next() == 'h' {
			p.bits = 8
			i++
		}
	case 'l':
		p.bits, long = 64, true
		if i++; next() == 'l' {
			i++
		}
	case 'z', 'j', 't':
		p.bits = 64
		i++
	}
	p.conversion = next()
	switch p.conversion {
	case 'd', 'i', 'u', 'o', 'x', 'X':
	case 'c', 's':
		if long {
			return p, 0, fmt.Errorf("%%l%c, for wide characters, is not supported", p.conversion)
		}
	case 'p':
		p.bits = 64
	case '*':
		return p, 0, errors.New("a width or precision that is a value, *, is not supported")
	case 'n':
		return p, 0, errors.New("%n is not supported")
	case 'e', 'f', 'g', 'a', 'E', 'F', 'G', 'A', 'L', 'H', 'D':
		return p, 0, errors.New("floating-point conversions are not supported, since agent expressions have no such values")
	case 0:
		return p, 0, errors.New("the format ends within a conversion")
	default:
		return p, 0, fmt.Errorf("there is no conversion %%%q", rune(p.conversion))
	}
	return p, i + 1, nil
}

// append formats values, the first of which is the last of the slice, as
// printf pops them.
func (f *format) append(output []byte, values []uint64, target Target) ([]byte, error) {
	left := len(values)
	for i := range f.pieces {
		place := &f.pieces[i]
		if place.conversion == 0 {
			output = append(output, place.text...)
			continue
		}
		left--
		value := values[left]
		switch place.conversion {
		case 's':
			text, err := place.readString(value, target)
			if err != nil {
				return output, err
			}
			output = place.pad(output, nil, text, false)
		case 'c':
			output = place.pad(output, nil, []byte{byte(value)}, false)
		default:
			output = place.appendInteger(output, value)
		}
	}
	return output, nil
}

// readString reads characters up to a zero byte or the precision. No read
// crosses from one page to the next, so that a string may end where the memory
// does.
func (p *piece) readString(address uint64, target Target) ([]byte, error) {
	limit := maxString
	if p.precision >= 0 {
		limit = p.precision
	}
	if address == 0 {
		const null = "(null)"
		return []byte(null[:min(limit, len(null))]), nil
	}
	const block = 256
	var text []byte
	var buffer [block]byte
	for len(text) < limit {
		part := buffer[:min(block-int(address%block), limit-len(text))]
		if err := target.ReadMemory(address, part); err != nil {
			return nil, err
		}
		if end := bytes.IndexByte(part, 0); end >= 0 {
			return append(text, part[:end]...), nil
		}
		text = append(text, part...)
		address += uint64(len(part))
	}
	return text, nil
}

// appendInteger formats as printf of C does.
func (p *piece) appendInteger(output []byte, value uint64) []byte {
	unused := 64 - p.bits
	var prefix, digits []byte
	var buffer [24]byte
	unsigned := value << unused >> unused
	switch p.conversion {
	case 'd', 'i':
		signed := int64(value<<unused) >> unused
		unsigned = uint64(signed)
		switch {
		case signed < 0:
			prefix, unsigned = []byte("-"), -unsigned
		case p.plus:
			prefix = []byte("+")
		case p.space:
			prefix = []byte(" ")
		}
		digits = strconv.AppendUint(buffer[:0], unsigned, 10)
	case 'u':
		digits = strconv.AppendUint(buffer[:0], unsigned, 10)
	case 'o':
		digits = strconv.AppendUint(buffer[:0], unsigned, 8)
	case 'x', 'X':
		digits = strconv.AppendUint(buffer[:0], unsigned, 16)
		if p.sharp && unsigned != 0 {
			prefix = []byte("0x")
		}
		if p.conversion == 'X' {
			digits, prefix = bytes.ToUpper(digits), bytes.ToUpper(prefix)
		}
	case 'p':
		if unsigned == 0 {
			return p.pad(output, nil, []byte("(nil)"), false)
		}
		prefix = []byte("0x")
		digits = strconv.AppendUint(buffer[:0], unsigned, 16)
	}
	if unsigned == 0 && p.precision == 0 {
		digits = digits[:0]
	}
	if missing := p.precision - len(digits); missing > 0 {
		digits = append(bytes.Repeat([]byte("0"), missing), digits...)
	}
	if p.conversion == 'o' && p.sharp && (len(digits) == 0 || digits[0] != '0') {
		digits = append([]byte("0"), digits...)
	}
	return p.pad(output, prefix, digits, p.zero && p.precision < 0)
}

// pad appends a field of at least the width.
func (p *piece) pad(output, prefix, text []byte, zeros bool) []byte {
	missing := max(0, p.width-len(prefix)-len(text))
	switch {
	case p.minus:
		output = append(append(output, prefix...), text...)
		return append(output, bytes.Repeat([]byte(" "), missing)...)
	case zeros:
		output = append(append(output, prefix...), bytes.Repeat([]byte("0"), missing)...)
		return append(output, text...)
	}
	output = append(output, bytes.Repeat([]byte(" "), missing)...)
	return append(append(output, prefix...), text...)
}
