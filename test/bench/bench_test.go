package main

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values samples
		want   float64
	}{{samples{3}, 3}, {samples{9, 1, 5}, 5}, {samples{4, 1, 3, 2}, 2.5}} {
		if got := c.values.median(); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	var text strings.Builder
	err := printTable(&text, []measure{{name: "steps", unit: "1/s"}, {name: "start", unit: "ms", lower: true}, {name: "x"}}, [][2]samples{
		{{200, 100, 300}, {100}}, {{5}, {10}}, {{1}, nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for i, want := range []string{"ratio", "200 (100 to 300)", "2.00x", "not offered"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %q has no %q", lines[i], want)
		}
	}
	if !strings.Contains(lines[1], "2.00x") {
		t.Errorf("line %q: want 2.00x", lines[1])
	}
}

func TestWire(t *testing.T) {
	if got := string(frame(nil, "OK")); got != "$OK#9a" {
		t.Errorf("frame: %s", got)
	}
	if got := string(expand([]byte(`0* 1`))); got != "00001" {
		t.Errorf("expand: %s", got)
	}
	const reply = "T0506:0000000000000000;07:20e5ffffff7f0000;10:5010400000000000;thread:p1.2;core:1;"
	if pc, err := stopPC(reply); err != nil || pc != 0x401050 {
		t.Errorf("pc %#x, %v", pc, err)
	}
	if id, err := stopThread(reply); err != nil || id != "p1.2" {
		t.Errorf("thread %s, %v", id, err)
	}
	if _, err := stopPC("W00"); err == nil {
		t.Error("a program counter in W00")
	}
}
