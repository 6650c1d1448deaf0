package osdata

import (
	"bytes"
	"encoding/xml"
)

// document is a table in the form of gdb's osdata.dtd.
type document struct{ text bytes.Buffer }

func newDocument(name string) *document {
	d := &document{}
	d.text.WriteString(`<osdata type="`)
	d.escape(name)
	d.text.WriteString("\">\n")
	return d
}

// item writes a row; there is a value for each column.
func (d *document) item(columns []string, values ...string) {
	d.text.WriteString("<item>")
	for i, column := range columns {
		d.text.WriteString(`<column name="`)
		d.escape(column)
		d.text.WriteString(`">`)
		d.escape(values[i])
		d.text.WriteString("</column>")
	}
	d.text.WriteString("</item>\n")
}

func (d *document) end() []byte {
	d.text.WriteString("</osdata>\n")
	return d.text.Bytes()
}

// escape writes text; what XML cannot have becomes U+FFFD, for gdb refuses a
// whole document for one such byte.
func (d *document) escape(text string) {
	// Writing to a buffer does not fail.
	_ = xml.EscapeText(&d.text, []byte(text))
}
