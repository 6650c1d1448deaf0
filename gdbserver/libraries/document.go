package libraries

import (
	"bytes"
	"encoding/xml"
	"strconv"
)

// Document is the list in the form of the GDB manual's appendix "Library List
// Format for SVR4 Targets", in UTF-8. Addresses are hexadecimal with 0x.
//
// Bytes of a name that are not UTF-8, and characters that XML cannot have,
// become U+FFFD: gdb would refuse the whole document for one of them.
func (l List) Document() []byte {
	var b bytes.Buffer
	b.WriteString(`<library-list-svr4 version="1.0"`)
	if l.MainLinkMap != 0 {
		address(&b, "main-lm", l.MainLinkMap)
	}
	b.WriteString(">")
	for _, library := range l.Libraries {
		b.WriteString(`<library name="`)
		xml.EscapeText(&b, []byte(library.Name))
		b.WriteString(`"`)
		address(&b, "lm", library.LinkMap)
		address(&b, "l_addr", library.Bias)
		address(&b, "l_ld", library.Dynamic)
		if !l.WithoutNamespaces {
			address(&b, "lmid", library.Namespace)
		}
		b.WriteString("/>")
	}
	b.WriteString("</library-list-svr4>")
	return b.Bytes()
}

func address(b *bytes.Buffer, attribute string, value uint64) {
	b.WriteString(" " + attribute + `="0x`)
	b.Write(strconv.AppendUint(b.AvailableBuffer(), value, 16))
	b.WriteString(`"`)
}
