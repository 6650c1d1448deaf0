package description

import "slices"

// ForDelve is the description as Delve has it: ForLLDB's registers, but each
// vector register once and whole, as zmmN, ymmN or xmmN by what the machine has, in
// the place of xmmN. Delve shows the bytes of any of them as XMMN.
func (d *Description) ForDelve() *Description {
	a := d.inLLDBDialect()
	joinVectors(a.features, noneKept)
	widest := map[string]Register{}
	for _, f := range a.features {
		for _, r := range f.registers {
			widest[r.Name] = r
		}
	}
	for i := range a.features {
		a.features[i].registers = slices.DeleteFunc(a.features[i].registers, func(r Register) bool {
			number, _ := vectorNumber(r.Name)
			return number >= 0 && r.Name[0] != 'x'
		})
		for j := range a.features[i].registers {
			if r := &a.features[i].registers[j]; r.Within != "" {
				*r = widest[r.Within]
			}
		}
	}
	delve := build(a)
	delve.XML = delve.documentForLLDB()
	return delve
}
