package host

import (
	"encoding/binary"
	"testing"
)

func TestBuildID(t *testing.T) {
	note := func(name, content string, kind uint32) []byte {
		var b []byte
		for _, n := range []uint32{uint32(len(name)), uint32(len(content)), kind} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		for _, text := range []string{name, content} {
			b = append(b, text...)
			for len(b)%4 != 0 {
				b = append(b, 0)
			}
		}
		return b
	}
	other, id := note("GNU\x00", "abcde", 1), note("GNU\x00", "\x01\x02\x03", 3)
	for _, test := range []struct {
		notes []byte
		want  string
	}{
		{append(other, id...), "\x01\x02\x03"}, {other, ""}, {nil, ""}, {id[:14], ""}, {id[:17], ""},
		{note("XYZ\x00", "abc", 3), ""},
	} {
		if got := string(buildID(test.notes, binary.LittleEndian)); got != test.want {
			t.Errorf("%x: %x", test.notes, got)
		}
	}
}
