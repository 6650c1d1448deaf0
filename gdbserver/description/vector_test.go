package description

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestVectorsForLLDB finds the vector registers that lldb cannot join itself: the
// others are parts of the widest, have their place in the g packet's data there, and
// are written without the rest.
func TestVectorsForLLDB(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, m := range machines() {
		full := m.description()
		d := full.ForLLDB()
		for half, name := range map[string]string{"ymm0h": "ymm0h", "ymm16h": "ymm16", "zmm0h": "zmm0", "zmm16h": "zmm16"} {
			if has := d.ByName(name) != nil; has != (full.ByName(half) != nil) {
				t.Errorf("%s: %s: %v", m.name, name, has)
			}
		}
		for _, absent := range []string{"ymm0", "ymm16h", "zmm0h"} {
			if d.ByName(absent) != nil {
				t.Errorf("%s: there is a register %s", m.name, absent)
			}
		}
		s := randomState(random, &m.layout)
		parts := 0
		for i := range d.Registers {
			r := &d.Registers[i]
			if r.Within == "" {
				continue
			}
			parts++
			container := d.ByName(r.Within)
			if container == nil || container.Within != "" || container.Bits <= r.Bits || container.Offset+r.Start != r.Offset {
				t.Errorf("%s: %s is within %+v", m.name, r.Name, container)
				continue
			}
			value := randomValue(random, r)
			before := d.AppendAll(nil, s)
			if _, err := d.SetRegister(r, value, s); err != nil {
				t.Errorf("%s: %s: %v", m.name, r.Name, err)
			}
			copy(before[r.Offset:], value)
			if after := d.AppendAll(nil, s); len(after) != d.Size || !bytes.Equal(after, before) {
				t.Errorf("%s: a write of %s changed another register", m.name, r.Name)
			}
			if got := d.AppendRegister(nil, container, s)[r.Start:][:r.Size()]; !bytes.Equal(got, value) {
				t.Errorf("%s: %s has %x after a write of %x to %s", m.name, container.Name, got, value, r.Name)
			}
		}
		if has := full.ByName("zmm0h") != nil; has != (parts > 0) {
			t.Errorf("%s: %d registers are within others", m.name, parts)
		}
		// The processor has every mxcsr without bits.
		if _, err := d.SetRegister(d.ByName("mxcsr"), make([]byte, 4), s); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		values := d.AppendAll(nil, s)
		other := randomState(random, &m.layout)
		if _, err := d.SetAll(values, other); err != nil || !bytes.Equal(d.AppendAll(nil, other), values) {
			t.Errorf("%s: what was written is not read: %v", m.name, err)
		}
	}
}
