package jumppatch

import (
	"fmt"
	"strings"

	"rspd/unwind"
)

// List is a line for each patch, then the files and the warnings.
func (s *Set) List() string {
	if len(s.patches) == 0 && len(s.Warnings()) == 0 {
		return "No jump patches were found.\n"
	}
	var b strings.Builder
	for _, p := range s.patches {
		known, all := 0, 0
		for _, r := range p.regions {
			known += r.Known()
			all += len(r.Instructions)
		}
		fmt.Fprintf(&b, "%#x %s: %s to %#x, %d of %d instructions described%s\n",
			p.found.Site, p.found.Name(), p.found.Kind, p.found.Target, known, all, map[bool]string{true: ", by a hint"}[p.hint != nil])
	}
	for _, f := range s.images {
		fmt.Fprintf(&b, "file: add-symbol-file %s -o %#x\n", f.Path, f.Base)
	}
	for _, w := range s.Warnings() {
		fmt.Fprintf(&b, "warning: %v\n", w)
	}
	return b.String()
}

// Show tells all of the patch at a site, or whose stub an address is in. ok tells
// whether there is one.
func (s *Set) Show(at uint64) (text string, ok bool) {
	for _, p := range s.patches {
		inside := at >= p.found.Site && at-p.found.Site < uint64(max(p.found.Length, 1))
		for _, r := range p.regions {
			inside = inside || r.At(at) != nil
		}
		if inside {
			return p.text(), true
		}
	}
	return "", false
}

func (p *patch) text() string {
	var b strings.Builder
	f := p.found
	fmt.Fprintf(&b, "%s: %s at %#x, %d bytes replaced", f.Name(), f.Kind, f.Site, f.Length)
	if len(f.Original) > 0 {
		fmt.Fprintf(&b, " (% x)", f.Original)
	}
	if f.Path != "" {
		fmt.Fprintf(&b, ", in %s", f.Path)
	}
	b.WriteString(map[bool]string{true: ", known by a hint\n", false: "\n"}[p.hint != nil])
	for _, hop := range f.Hops {
		fmt.Fprintf(&b, "  by way of %#x\n", hop)
	}
	for _, r := range p.regions {
		p.region(&b, r)
	}
	return b.String()
}

func (p *patch) region(b *strings.Builder, r *unwind.Region) {
	fmt.Fprintf(b, "stub at %#x", r.Target)
	if r.Shape != "" {
		fmt.Fprintf(b, ", %s", r.Shape)
	}
	if r.Return != 0 {
		fmt.Fprintf(b, ", returns to %#x", r.Return)
	} else {
		b.WriteString(", doesn't come back")
	}
	if r.StandsIn {
		b.WriteString(", stands in for the function")
	}
	if r.SwitchesStack {
		b.WriteString(", switches stacks")
	}
	b.WriteString("\n")
	for _, in := range r.Instructions {
		fmt.Fprintf(b, "  %#x (%#x) %v", in.Address, in.Original, in.Confidence)
		if in.Confidence != unwind.Unknown {
			fmt.Fprintf(b, " %v", in.Row)
		}
		if list := in.Assumptions.List(); len(list) > 0 {
			fmt.Fprintf(b, ", if %s", strings.Join(list, ", and "))
		}
		b.WriteString("\n")
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(b, "  warning: %v\n", w)
	}
}
