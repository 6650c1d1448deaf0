package hint

import (
	"reflect"
	"strings"
	"testing"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// TestWords reads what people type.
func TestWords(t *testing.T) {
	rsp := cfi.Rule{Kind: cfi.InRegister, Register: cfi.RSP, Offset: 136}
	saved := cfi.Row{Start: 0x2010, End: 0x2020, CFA: rsp}
	saved.Rules[cfi.RBX] = cfi.Rule{Kind: cfi.SavedAt, Offset: -24}
	saved.Rules[cfi.R12] = cfi.Rule{Kind: cfi.SameValue}
	before := cfi.Row{Start: 0x2000, End: 0x2010, CFA: rsp}
	for text, want := range map[string]unwind.Hint{
		"0x1000": {Site: 0x1000},
		"4096 length=6 entry=0x2004 stub=0x2000,0x2080 return=0x1006": {Site: 0x1000, Length: 6, Entry: 0x2004,
			Stub: unwind.Extent{Start: 0x2000, End: 0x2080}, Return: 0x1006},
		"0x1000 row=0x2010,0x2020,cfa=rsp+136,rbx=[cfa-24],r12=same row=0x2000,0x2010,cfa=rsp+0x88 stub=0x2000,0x2080": {
			Site: 0x1000, Stub: unwind.Extent{Start: 0x2000, End: 0x2080}, Rows: []cfi.Row{before, saved}},
	} {
		if got, err := Words(strings.Fields(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                 "the address of the site is missing",
		"here":                             `"here" is no address`,
		"0":                                "it has no site",
		"0x1000 size=3":                    `"size=3" is none of`,
		"0x1000 length":                    `"" is no number of bytes`,
		"0x1000 length=-1":                 `"-1" is no number of bytes`,
		"0x1000 length=5 length=5":         "length is said twice",
		"0x1000 entry=-4":                  `"-4" is no address`,
		"0x1000 stub=0x2000":               `"" is no address`,
		"0x1000 stub=0x2000,0x1800":        "its stub ends at 0x1800",
		"0x1000 return=0x8000000000000000": "no address of a program",
		"0x1000 row=0x2000,0x2010,cfa=rsp": "doesn't say where the stub is",
		"0x1000 stub=0x2000,0x2010 row=0x2000,0x2010":           "is no register",
		"0x1000 stub=0x2000,0x2010 row=0x2000,0x2010,rbx=same":  "has no rule for cfa",
		"0x1000 stub=0x2000,0x2010 row=0x2000,0x2010,cfa=same":  "makes no sense",
		"0x1000 stub=0x2000,0x2010 row=0x2000,0x2020,cfa=rsp":   "isn't within the stub",
		"0x1000 stub=0x2000,0x2010 row=0x2000,0x2010,cfa=[[rsp": "makes no sense",
	} {
		if _, err := Words(strings.Fields(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}
