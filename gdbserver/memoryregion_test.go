package gdbserver

import (
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
