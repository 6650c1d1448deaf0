package gdbserver

import (
	"encoding/binary"
	"testing"

	"rspd/ptrace"
)

func TestDescribeRegion(t *testing.T) {
	mappings := []ptrace.Mapping{
		{Start: 0x1000, End: 0x3000, Read: true, Execute: true, Name: "/a"},
		{Start: 0x3000, End: 0x4000, Read: true, Name: "[vvar]"},
		{Start: 0x8000, End: 0x9000, Read: true, Write: true},
	}
	for address, want := range map[uint64]string{
		0:      "start:0;size:1000;",
		0x1000: "start:1000;size:2000;permissions:rx;flags:;name:2f61;",
		0x2fff: "start:1000;size:2000;permissions:rx;flags:;name:2f61;",
		0x3000: "start:3000;size:1000;permissions:;flags:;name:5b767661725d;",
		0x4001: "start:4001;size:3fff;",
		0x8fff: "start:8000;size:1000;permissions:rw;flags:;",
		0x9000: "start:9000;size:ffffffffffff6fff;",
	} {
		if got := string(describeRegion(mappings, address).AppendTo(nil)); got != want {
			t.Errorf("%#x: %s, want %s", address, got, want)
		}
	}
}

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
