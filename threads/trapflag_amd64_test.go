package threads

import "testing"

// TestInstructionsOfFlags holds the instructions that push or set the trap flag
// against their neighbours.
func TestInstructionsOfFlags(t *testing.T) {
	for _, test := range []struct {
		code         string
		number       uint64
		pushes, sets bool
	}{
		{"\x9c", 0, true, false}, {"\x66\x9c", 0, true, false}, {"\x48\x9c", 0, true, false}, {"\x66\x48\x9c", 0, true, false},
		{"\xf3\x2e\x4f\x9c", 0, true, false}, {"", 0, false, false}, {"\x50", 0, false, false}, {"\x9c\x90", 0, false, false},
		{"\x68\x9c", 0, false, false}, {"\x6a\x9d", 0, false, false}, {"\xff\x9c", 0, false, false}, {"\x66\x66", 0, false, false},
		{"\x9d", 0, false, true}, {"\x66\x9d\x90", 0, false, true}, {"\x48\xcf", 0, false, true},
		{"\x0f\x05", 15, false, true}, {"\x0f\x05", 14, false, false}, {"\x0f", 15, false, false},
		{"\xcd\x80", 173, false, true}, {"\xcd\x80", 119, false, true}, {"\xcd\x80", 15, false, false}, {"\xcd\x03", 119, false, false},
	} {
		if got := pushesFlags([]byte(test.code)); got != test.pushes {
			t.Errorf("% x pushes the flags: %v", test.code, got)
		}
		if got := setsFlags([]byte(test.code), test.number); got != test.sets {
			t.Errorf("% x of %d sets the flags: %v", test.code, test.number, got)
		}
	}
}
