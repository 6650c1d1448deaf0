package jumppatch

import (
	"encoding/xml"
	"fmt"
	"strings"

	"rspd/unwind"
)

// The elements of the document, which docs/jump-patches.md describes.
type (
	document struct {
		XMLName  xml.Name         `xml:"jump-patches"`
		Version  string           `xml:"version,attr"`
		Files    []fileElement    `xml:"image"`
		Patches  []patchElement   `xml:"patch"`
		Warnings []warningElement `xml:"warning"`
	}
	fileElement struct {
		Name string  `xml:"name,attr"`
		Base address `xml:"base,attr"`
	}
	patchElement struct {
		Site     address          `xml:"site,attr"`
		Length   int              `xml:"length,attr"`
		Kind     unwind.Kind      `xml:"kind,attr"`
		Source   string           `xml:"source,attr"`
		Name     string           `xml:"name,attr"`
		Path     string           `xml:"path,attr,omitempty"`
		Original string           `xml:"original,attr,omitempty"`
		Regions  []regionElement  `xml:"region"`
		Warnings []warningElement `xml:"warning"`
	}
	regionElement struct {
		Entry         address              `xml:"entry,attr"`
		Return        *address             `xml:"return,attr,omitempty"`
		Shape         unwind.Shape         `xml:"shape,attr,omitempty"`
		Frame         string               `xml:"frame,attr"`
		SwitchesStack string               `xml:"switches-stack,attr"`
		Same          *address             `xml:"same,attr,omitempty"`
		Instructions  []instructionElement `xml:"instruction"`
	}
	instructionElement struct {
		Address     address `xml:"address,attr"`
		Length      int     `xml:"length,attr"`
		Original    address `xml:"original,attr"`
		Confidence  string  `xml:"confidence,attr"`
		Assumptions string  `xml:"assumptions,attr,omitempty"`
		Row         string  `xml:"row,attr,omitempty"`
	}
	warningElement struct {
		Address address `xml:"address,attr"`
		Text    string  `xml:",chardata"`
	}
	address uint64
)

func (a address) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint64(a)), nil }

// Document is the object qXfer:jump-patches:read, in UTF-8.
func (s *Set) Document() ([]byte, error) {
	d := document{Version: "1.0", Warnings: warningElements(s.warnings)}
	for _, f := range s.images {
		d.Files = append(d.Files, fileElement{f.Path, address(f.Base)})
	}
	described := map[*unwind.Instruction]address{} // by the first one, the sites
	for _, p := range s.patches {
		f := p.found
		e := patchElement{Site: address(f.Site), Length: f.Length, Kind: f.Kind, Source: p.source(), Name: f.Name(),
			Path: f.Path, Original: fmt.Sprintf("%x", f.Original)}
		for _, r := range p.regions {
			element := describe(r)
			if len(r.Instructions) > 0 {
				if site, ok := described[&r.Instructions[0]]; ok {
					element.Same, element.Instructions = &site, nil
				} else {
					described[&r.Instructions[0]] = e.Site
				}
			}
			e.Regions = append(e.Regions, element)
			e.Warnings = append(e.Warnings, warningElements(r.Warnings)...)
		}
		d.Patches = append(d.Patches, e)
	}
	body, err := xml.Marshal(d)
	return append([]byte(xml.Header), body...), err
}

func describe(r *unwind.Region) regionElement {
	e := regionElement{Entry: address(r.Target), Shape: r.Shape, Frame: "own", SwitchesStack: "no"}
	if r.StandsIn {
		e.Frame = "function"
	}
	if r.SwitchesStack {
		e.SwitchesStack = "yes"
	}
	if r.Return != 0 {
		at := address(r.Return)
		e.Return = &at
	}
	for _, in := range r.Instructions {
		i := instructionElement{Address: address(in.Address), Length: in.Length, Original: address(in.Original),
			Confidence: in.Confidence.String(), Assumptions: strings.Join(in.Assumptions.List(), "; ")}
		if in.Confidence != unwind.Unknown {
			i.Row = in.Row.String()
		}
		e.Instructions = append(e.Instructions, i)
	}
	return e
}

func warningElements(warnings []unwind.Warning) []warningElement {
	var list []warningElement
	for _, w := range warnings {
		list = append(list, warningElement{address(w.Address), w.Text})
	}
	return list
}

// source says how a patch is known.
func (p *patch) source() string {
	if p.hint != nil {
		return "hint"
	}
	return "found"
}
