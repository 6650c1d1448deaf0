package test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// A record is one line of gdb's machine interface (GDB manual, "GDB/MI Output
// Syntax"): kind is '^', '*', '+', '=', '~', '@' or '&'. A stream record has its
// text in text, the others a class and results, whose values are string,
// map[string]any for a tuple, or []any for a list. Elements of a list of
// results lose their names, which repeat.
type record struct {
	kind    byte
	token   string
	class   string
	text    string
	results map[string]any
}

// parseRecord reads one line of output. A line that is no record, such as what
// an inferior writes to the same terminal, gives an error.
func parseRecord(line string) (*record, error) {
	p := &miParser{rest: line}
	digits := 0
	for digits < len(line) && line[digits] >= '0' && line[digits] <= '9' {
		digits++
	}
	r := &record{token: line[:digits], results: map[string]any{}}
	p.rest = line[digits:]
	if p.rest == "" {
		return nil, fmt.Errorf("no record: %q", line)
	}
	r.kind = p.rest[0]
	p.rest = p.rest[1:]
	switch r.kind {
	case '~', '@', '&':
		text, err := p.string()
		r.text = text
		return r, err
	case '^', '*', '+', '=':
	default:
		return nil, fmt.Errorf("no record: %q", line)
	}
	end := strings.IndexByte(p.rest, ',')
	if end < 0 {
		r.class = p.rest
		return r, nil
	}
	r.class, p.rest = p.rest[:end], p.rest[end:]
	for p.take(',') {
		name, value, err := p.result()
		if err != nil {
			return nil, err
		}
		r.results[name] = value
	}
	if p.rest != "" {
		return nil, fmt.Errorf("rest %q in %q", p.rest, line)
	}
	return r, nil
}

type miParser struct{ rest string }

func (p *miParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *miParser) result() (string, any, error) {
	name, rest, found := strings.Cut(p.rest, "=")
	if !found {
		return "", nil, fmt.Errorf("no name in %q", p.rest)
	}
	p.rest = rest
	value, err := p.value()
	return name, value, err
}

func (p *miParser) value() (any, error) {
	switch {
	case strings.HasPrefix(p.rest, `"`):
		return p.string()
	case p.take('{'):
		tuple := map[string]any{}
		for !p.take('}') {
			name, value, err := p.result()
			if err != nil {
				return nil, err
			}
			tuple[name] = value
			if !p.take(',') && !strings.HasPrefix(p.rest, "}") {
				return nil, fmt.Errorf("no end of tuple in %q", p.rest)
			}
		}
		return tuple, nil
	case p.take('['):
		list := []any{}
		for !p.take(']') {
			var value any
			var err error
			if strings.ContainsAny(p.rest[:min(1, len(p.rest))], `"{[`) {
				value, err = p.value()
			} else {
				_, value, err = p.result()
			}
			if err != nil {
				return nil, err
			}
			list = append(list, value)
			if !p.take(',') && !strings.HasPrefix(p.rest, "]") {
				return nil, fmt.Errorf("no end of list in %q", p.rest)
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("no value in %q", p.rest)
}

func (p *miParser) string() (string, error) {
	if !p.take('"') {
		return "", fmt.Errorf("no string in %q", p.rest)
	}
	var text strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return text.String(), nil
		case '\\':
			i++
			if i == len(p.rest) {
				return "", fmt.Errorf("no end of string")
			}
			switch c := p.rest[i]; c {
			case 'n':
				text.WriteByte('\n')
			case 't':
				text.WriteByte('\t')
			case 'r':
				text.WriteByte('\r')
			case '0', '1', '2', '3':
				if i+3 > len(p.rest) {
					return "", fmt.Errorf("short escape in %q", p.rest)
				}
				var b byte
				for _, d := range []byte(p.rest[i : i+3]) {
					b = b<<3 | d&7
				}
				text.WriteByte(b)
				i += 2
			default:
				text.WriteByte(c)
			}
		default:
			text.WriteByte(c)
		}
	}
	return "", fmt.Errorf("no end of string in %q", p.rest)
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		line string
		want record
	}{
		{`^running`, record{kind: '^', class: "running", results: map[string]any{}}},
		{`12^done,value="a\"b\n"`, record{kind: '^', token: "12", class: "done", results: map[string]any{"value": "a\"b\n"}}},
		{`~"x\t\303\251\n"`, record{kind: '~', text: "x\t\303\251\n", results: map[string]any{}}},
		{`*stopped,frame={addr="0x1",args=[]},thread-id="1",stopped-threads="all"`, record{kind: '*', class: "stopped", results: map[string]any{
			"frame": map[string]any{"addr": "0x1", "args": []any{}}, "thread-id": "1", "stopped-threads": "all"}}},
		{`^done,stack=[frame={level="0"},frame={level="1"}]`, record{kind: '^', class: "done", results: map[string]any{
			"stack": []any{map[string]any{"level": "0"}, map[string]any{"level": "1"}}}}},
		{`^done,threads=[{id="1"}],changed=["0","1"]`, record{kind: '^', class: "done", results: map[string]any{
			"threads": []any{map[string]any{"id": "1"}}, "changed": []any{"0", "1"}}}},
	} {
		got, err := parseRecord(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		} else if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.line, *got, c.want)
		}
	}
	for _, line := range []string{"", "hello", `~"open`, `^done,a`, `^done,a={b="c"`, `^done,a=["b"`, `^done,a="b"x`} {
		if got, err := parseRecord(line); err == nil {
			t.Errorf("%q: no error but %+v", line, got)
		}
	}
}
