package description

import (
	"fmt"
	"strings"
)

// typeDefinition is a type that a feature defines for its registers (GDB
// manual, "Target Description Format", "Types"). A register's type is one of
// these or one that gdb predefines.
type typeDefinition interface{ write(*strings.Builder) }

// vectorType is an array of count elements.
type vectorType struct {
	id, element string
	count       int
}

// unionType is a set of views of the same bytes.
type unionType struct {
	id     string
	fields []unionField
}

type unionField struct{ name, fieldType string }

// flagsType is an integer of size bytes of which single bits have names. A
// bit without a name is one that always has the same value.
type flagsType struct {
	id   string
	size int
	bits []flagBit
}

type flagBit struct {
	name string
	bit  int
}

func (t vectorType) write(b *strings.Builder) {
	fmt.Fprintf(b, "    <vector id=%q type=%q count=\"%d\"/>\n", t.id, t.element, t.count)
}

func (t unionType) write(b *strings.Builder) {
	fmt.Fprintf(b, "    <union id=%q>\n", t.id)
	for _, f := range t.fields {
		fmt.Fprintf(b, "      <field name=%q type=%q/>\n", f.name, f.fieldType)
	}
	b.WriteString("    </union>\n")
}

func (t flagsType) write(b *strings.Builder) {
	fmt.Fprintf(b, "    <flags id=%q size=\"%d\">\n", t.id, t.size)
	for _, f := range t.bits {
		fmt.Fprintf(b, "      <field name=%q start=\"%d\" end=\"%[2]d\" type=\"bool\"/>\n", f.name, f.bit)
	}
	b.WriteString("    </flags>\n")
}

// document is target.xml. Every name in the tables is a plain identifier or
// path, so that nothing needs escaping.
func document(a architecture, registers []Register) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n")
	fmt.Fprintf(&b, "  <architecture>%s</architecture>\n", a.name)
	fmt.Fprintf(&b, "  <osabi>%s</osabi>\n", a.osabi)
	for _, f := range a.features {
		fmt.Fprintf(&b, "  <feature name=%q>\n", f.name)
		for _, t := range f.types {
			t.write(&b)
		}
		for range f.registers {
			r := &registers[0]
			registers = registers[1:]
			fmt.Fprintf(&b, "    <reg name=%q bitsize=\"%d\" type=%q regnum=\"%d\"", r.Name, r.Bits, r.Type, r.Number)
			if r.Group != "" {
				fmt.Fprintf(&b, " group=%q", r.Group)
			}
			b.WriteString("/>\n")
		}
		b.WriteString("  </feature>\n")
	}
	b.WriteString("</target>\n")
	return b.String()
}
