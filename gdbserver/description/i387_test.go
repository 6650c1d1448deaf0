package description

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"rspd/ptrace"
)

// The kinds of 80-bit values, in memory order.
var (
	one          = []byte{0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f}
	minusOne     = []byte{0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0xbf}
	zero         = make([]byte, 10)
	minusZero    = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}
	infinity     = []byte{0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f}
	quietNaN     = []byte{0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff}
	denormal     = []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	pseudoDenorm = []byte{0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0}
	unnormal     = []byte{0, 0, 0, 0, 0, 0, 0, 0x40, 0xff, 0x3f}
)

func TestTagOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		value []byte
		want  uint16
	}{
		{"one", one, tagValid},
		{"minus one", minusOne, tagValid},
		{"zero", zero, tagZero},
		{"minus zero", minusZero, tagZero},
		{"infinity", infinity, tagSpecial},
		{"quiet NaN", quietNaN, tagSpecial},
		{"denormal", denormal, tagSpecial},
		{"pseudo-denormal", pseudoDenorm, tagSpecial},
		{"unnormal", unnormal, tagSpecial},
	} {
		if got := tagOf(c.value); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTagWord(t *testing.T) {
	for _, c := range []struct {
		name     string
		top      int
		abridged byte
		stack    [][]byte
		want     uint16
	}{
		{"empty", 0, 0x00, nil, 0xffff},
		{"empty, values left behind", 3, 0x00, [][]byte{one, zero, infinity}, 0xffff},
		{"one pushed", 7, 0x80, [][]byte{one}, 0x3fff},
		{"zero pushed", 7, 0x80, [][]byte{zero}, 0x7fff},
		{"infinity pushed", 7, 0x80, [][]byte{infinity}, 0xbfff},
		{"three pushed", 5, 0xe0, [][]byte{zero, one, quietNaN}, 0x87ff},
		{"full, top 0", 0, 0xff, [][]byte{one, zero, infinity, one, one, one, one, zero}, 0x4024},
		{"full, top 6", 6, 0xff, [][]byte{one, zero, infinity, one, one, one, one, one}, 0x4002},
	} {
		fxsave := make([]byte, ptrace.LegacySize)
		binary.LittleEndian.PutUint16(fxsave[2:], uint16(c.top<<11)|0xc7ff)
		fxsave[4] = c.abridged
		for i, value := range c.stack {
			copy(fxsave[32+16*i:], value)
		}
		got := tagWord(fxsave)
		if got != c.want {
			t.Errorf("%s: %#04x, want %#04x", c.name, got, c.want)
		}
		if back := abridgedTag(got); back != c.abridged {
			t.Errorf("%s: back to %#02x, want %#02x", c.name, back, c.abridged)
		}
	}
}

func TestAbridgedTagComesBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	fxsave := make([]byte, ptrace.LegacySize)
	for abridged := range 256 {
		for top := range 8 {
			fill(random, fxsave)
			binary.LittleEndian.PutUint16(fxsave[2:], uint16(top<<11))
			fxsave[4] = byte(abridged)
			if back := abridgedTag(tagWord(fxsave)); back != byte(abridged) {
				t.Fatalf("%#x with top %d comes back as %#x", abridged, top, back)
			}
		}
	}
}
