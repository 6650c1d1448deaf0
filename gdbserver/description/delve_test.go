package description

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestForDelve finds each vector register once, as wide as the machine has it, and
// all the bytes that its parts have; what is written to it is in the parts.
func TestForDelve(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, m := range machines() {
		if m.program32 {
			continue
		}
		full := m.description()
		d := full.ForDelve()
		prefix, parts := "xmm", []string{"xmm#"}
		if full.ByName("ymm0h") != nil {
			prefix, parts = "ymm", append(parts, "ymm#h")
		}
		if full.ByName("zmm0h") != nil {
			prefix, parts = "zmm", append(parts, "zmm#h")
		}
		var vectors []string
		for i := range d.Registers {
			if name := d.Registers[i].Name; strings.Contains(name, "mm") {
				vectors = append(vectors, name)
			}
		}
		s := randomState(random, &m.layout)
		for i, name := range vectors {
			number := strings.TrimPrefix(name, prefix)
			if number == name || slices.Contains(vectors[:i], name) {
				t.Errorf("%s: the vector registers are %v", m.name, vectors)
				break
			}
			inParts := func() (value []byte) {
				for _, part := range parts {
					value = full.AppendRegister(value, full.ByName(strings.Replace(part, "#", number, 1)), s)
				}
				return value
			}
			r := d.ByName(name)
			if got, want := d.AppendRegister(nil, r, s), inParts(); !bytes.Equal(got, want) {
				t.Errorf("%s: %s is %x, its parts %x", m.name, name, got, want)
			}
			value := randomValue(random, r)
			others := full.AppendAll(nil, s)
			if sets, err := d.SetRegister(r, value, s); err != nil || sets != XState || !bytes.Equal(inParts(), value) {
				t.Errorf("%s: %s: %v, %v: its parts are %x after a write of %x", m.name, name, sets, err, inParts(), value)
			}
			for _, part := range parts {
				other := full.ByName(strings.Replace(part, "#", number, 1))
				copy(others[other.Offset:], full.AppendRegister(nil, other, s))
			}
			if !bytes.Equal(full.AppendAll(nil, s), others) {
				t.Errorf("%s: a write of %s changed other registers", m.name, name)
			}
		}
		if want := strings.Count(full.XML, `name="xmm`); len(vectors) != want {
			t.Errorf("%s: %d vector registers, not %d", m.name, len(vectors), want)
		}
	}
}
