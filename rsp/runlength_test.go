package rsp

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRunLength(t *testing.T) {
	tests := []struct{ plain, encoded string }{
		{"", ""},
		{"a", "a"},
		{"000", "000"},
		{"0000", "0* "},
		{"00000", "0*!"},
		{"000000", "0*\""},
		{"0000000", "0*\"0"},      // 6 repeats would be '#'
		{"00000000", "0*\"00"},    // 7 repeats would be '$'
		{"000000000", "0*%"},      // 8 repeats
		{"0000000000000", "0*)"},  // 12
		{"00000000000000", "0**"}, // 13
		{"x0000y1111z", "x0* y1* z"},
		{strings.Repeat("0", 97), "0*}"},
		{strings.Repeat("0", 98), "0*~"},
		{strings.Repeat("0", 99), "0*~0"},
		{strings.Repeat("0", 101), "0*~000"},
		{strings.Repeat("0", 102), "0*~0* "},
		{strings.Repeat("0", 98+7), "0*~0*\"0"},
		{strings.Repeat("0", 98+97), "0*~0*}"},
		{"0123456789abcdef0000123456789abcdef", "0123456789abcdef0* 123456789abcdef"},
		{"****", "****"},
		{"}]]]]", "}]* "},
	}
	for _, test := range tests {
		got, sum := AppendRunLength([]byte("pre"), []byte(test.plain))
		if string(got) != "pre"+test.encoded {
			t.Errorf("%q is encoded %q, want %q", test.plain, got[3:], test.encoded)
		}
		if want := slowChecksum(got[3:]); sum != want {
			t.Errorf("%q: sum %#02x, want %#02x", test.plain, sum, want)
		}
		if strings.Contains(test.plain, "*") {
			continue
		}
		if plain, ok := AppendExpanded([]byte("pre"), got[3:]); !ok || string(plain) != "pre"+test.plain {
			t.Errorf("%q expands to %q, %v", got[3:], plain, ok)
		}
	}
}

func TestExpandInvalid(t *testing.T) {
	for _, text := range []string{"*", "* ", "a*", "a*\x1f", "a*\x7f", "a*\x00", "a* *"} {
		if got, ok := AppendExpanded([]byte("pre"), []byte(text)); ok {
			t.Errorf("%q is expanded to %q", text, got)
		}
	}
	// The count may itself be '*', and what was expanded may be repeated on.
	if got, ok := AppendExpanded(nil, []byte("a* * ")); !ok || string(got) != "aaaaaaa" {
		t.Errorf("a run on a run: %q, %v", got, ok)
	}
}

func slowChecksum(data []byte) (sum byte) {
	for _, c := range data {
		sum += c
	}
	return sum
}

// slowRunLength is the encoding as the manual describes it, byte by byte.
func slowRunLength(src []byte) []byte {
	var dst []byte
	for len(src) > 0 {
		n := 1
		for n < len(src) && n < 98 && src[n] == src[0] {
			n++
		}
		switch {
		case n <= 3 || src[0] == '*':
			dst = append(dst, src[0])
			n = 1
		default:
			if n == 7 || n == 8 {
				n = 6
			}
			dst = append(dst, src[0], '*', byte(n-1+29))
		}
		src = src[n:]
	}
	return dst
}

// runs makes data of runs of bytes from a small alphabet.
func runs(r *rand.Rand, size int) []byte {
	var data []byte
	for len(data) < size {
		c := "0123456789abcdef}]m;:, *\x00\xff"[r.IntN(26)]
		n := 1
		switch r.IntN(4) {
		case 0:
			n = 1 + r.IntN(10)
		case 1:
			n = 1 + r.IntN(300)
		}
		for range n {
			data = append(data, c)
		}
	}
	return data[:size]
}

func TestRunLengthAgainstSlow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		data := runs(r, i%400)
		got, sum := AppendRunLength(nil, data)
		if want := slowRunLength(data); !bytes.Equal(got, want) {
			t.Fatalf("%q is encoded %q, want %q", data, got, want)
		}
		if sum != slowChecksum(got) {
			t.Fatalf("%q: wrong sum", data)
		}
		if Checksum(data) != slowChecksum(data) {
			t.Fatalf("Checksum of %q is wrong", data)
		}
	}
}

func FuzzRunLength(f *testing.F) {
	f.Add([]byte("0000000"))
	f.Add([]byte(strings.Repeat("0", 200) + "1234567890" + strings.Repeat("\xff", 17)))
	f.Add([]byte("#$}*#$}*\x00\x00\x00\x00\x00"))
	f.Add([]byte("a* * "))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Any data, as binary data in a frame and back.
		escaped := AppendEscaped(nil, data)
		encoded, sum := AppendRunLength(nil, escaped)
		if bytes.ContainsAny(encoded, "#$") {
			t.Fatalf("%q becomes %q, which no frame can hold", data, encoded)
		}
		if len(encoded) > len(escaped) {
			t.Fatalf("%q grows to %q", escaped, encoded)
		}
		if sum != slowChecksum(encoded) {
			t.Fatalf("%q: wrong sum", encoded)
		}
		if want := slowRunLength(escaped); !bytes.Equal(encoded, want) {
			t.Fatalf("%q is encoded %q, want %q", escaped, encoded, want)
		}
		expanded, ok := AppendExpanded(nil, encoded)
		if !ok || !bytes.Equal(expanded, escaped) {
			t.Fatalf("%q expands to %q, %v; want %q", encoded, expanded, ok, escaped)
		}
		plain, ok := AppendUnescaped(nil, expanded)
		if !ok || !bytes.Equal(plain, data) {
			t.Fatalf("%q is unescaped to %q, %v; want %q", expanded, plain, ok, data)
		}
		// Anything a server may send is expanded or refused.
		AppendExpanded(nil, data)
		AppendUnescaped(nil, data)
	})
}

func TestEscape(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	escaped := AppendEscaped([]byte("pre"), all)
	if len(escaped) != 3+256+4 {
		t.Errorf("%d bytes for 256 of which 4 are escaped", len(escaped)-3)
	}
	plain, ok := AppendUnescaped(nil, escaped[3:])
	if !ok || !bytes.Equal(plain, all) {
		t.Errorf("%q comes back as %q", all, plain)
	}
	if got := string(AppendEscaped(nil, []byte("a#b$c}d*"))); got != "a}\x03b}\x04c}]d}\x0a" {
		t.Errorf("escaped as %q", got)
	}
	if got, ok := AppendUnescaped(nil, []byte("ab}")); ok {
		t.Errorf("an escape of nothing is accepted as %q", got)
	}
}

func TestEscapedPrefix(t *testing.T) {
	tests := []struct {
		data  string
		limit int
		want  int
	}{
		{"abc", 100, 3}, {"abc", 3, 3}, {"abc", 2, 2}, {"abc", 0, 0}, {"", 0, 0},
		{"a}c", 4, 3}, {"a}c", 3, 2}, {"a}c", 2, 1}, {"}}}", 5, 2}, {"}}}", 6, 3}, {"abc", -1, 0},
	}
	for _, test := range tests {
		got := EscapedPrefix([]byte(test.data), test.limit)
		if got != test.want {
			t.Errorf("of %q %d bytes fit %d, want %d", test.data, got, test.limit, test.want)
		}
		if n := len(AppendEscaped(nil, []byte(test.data[:got]))); n > max(test.limit, 0) {
			t.Errorf("%q cut to %d takes %d bytes", test.data, got, n)
		}
	}
}

func TestHex(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	text := Hex(all).AppendTo([]byte("pre"))
	if string(text[:9]) != "pre000102" || string(text[len(text)-4:]) != "feff" {
		t.Errorf("hex is %q", text)
	}
	if back, bad := decodeHex([]byte("pre"), text[3:]); bad >= 0 || string(back) != "pre"+string(all) {
		t.Errorf("%q does not come back: %q, %d", text, back, bad)
	}
	if back, bad := decodeHex(nil, []byte("AbCd")); bad >= 0 || string(back) != "\xab\xcd" {
		t.Errorf("upper case digits: %q, %d", back, bad)
	}
	for text, want := range map[string]int{"0": 1, "x0": 0, "0x": 1, "00x": 2, "000": 3, "00:0": 2, "0g0": 1} {
		if _, bad := decodeHex(nil, []byte(text)); bad != want {
			t.Errorf("%q: the byte in the way is %d, want %d", text, bad, want)
		}
	}
	for v, want := range map[uint64]string{0: "0", 0xf: "f", 0x10: "10", 1<<64 - 1: "ffffffffffffffff"} {
		if got := string(appendHexNumber(nil, v)); got != want {
			t.Errorf("%d is written %q, want %q", v, got, want)
		}
	}
}
