package hint

import (
	"strings"
	"testing"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

func TestParse(t *testing.T) {
	hints, warnings, err := Parse(strings.NewReader(`{
	  "version": 1,
	  "patches": [
	    {"site": 4198964},
	    {
	      "site": "0x401000", "length": 8, "entry": "0x7f0000000010", "stub": ["0x7f0000000000", "0x7f0000000080"],
	      "return": "0x401008",
	      "rows": [
	        {"start": "0x7f0000000020", "end": "0x7f0000000030", "cfa": "[rsp+8]+16", "registers": {"rbx": "[cfa-24]", "r12": "same", "r13": "lost"}},
	        {"start": "0x7f0000000010", "end": "0x7f0000000020", "cfa": "rsp+128"}
	      ]
	    }
	  ]
	}`))
	if err != nil || len(warnings) > 0 || len(hints) != 2 {
		t.Fatal(hints, warnings, err)
	}
	h := hints[0]
	if h.Site != 0x401000 || h.Length != 8 || h.Entry != 0x7f0000000010 || h.Return != 0x401008 ||
		h.Stub != (unwind.Extent{Start: 0x7f0000000000, End: 0x7f0000000080}) || len(h.Rows) != 2 {
		t.Errorf("the hint is %+v", h)
	}
	if row := h.Rows[0]; row.Start != 0x7f0000000010 || row.CFA != (cfi.Rule{Kind: cfi.InRegister, Register: cfi.RSP, Offset: 128}) {
		t.Errorf("the first row is %+v", row)
	}
	want := cfi.Row{Start: 0x7f0000000020, End: 0x7f0000000030, CFA: cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(cfi.RegisterPlus(cfi.RSP, 8), 16)}}
	want.Rules[cfi.RBX] = cfi.Rule{Kind: cfi.SavedAt, Offset: -24}
	want.Rules[cfi.R12] = cfi.Rule{Kind: cfi.SameValue}
	want.Rules[cfi.R13] = cfi.Rule{Kind: cfi.Undefined}
	if h.Rows[1] != want {
		t.Errorf("the second row is %v, want %v", h.Rows[1], want)
	}
	if hints[1].Site != 4198964 {
		t.Errorf("the other hint is %+v", hints[1])
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "EOF"},
		{"another version", `{"version": 2}`, "version 2"},
		{"no version", `{}`, "version 0"},
		{"an unknown field", `{"version": 1, "patch": []}`, "patch"},
		{"a negative address", `{"version": 1, "patches": [{"site": -1}]}`, "no address"},
		{"a fraction", `{"version": 1, "patches": [{"site": 1.5}]}`, "no address"},
		{"more after it", `{"version": 1} {}`, "goes on"},
	} {
		hints, _, err := Parse(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || len(hints) > 0 {
			t.Errorf("%s: %v, %v", test.name, hints, err)
		}
	}
}

func TestParseWarns(t *testing.T) {
	for _, test := range []struct {
		name, patches string
		left          int
		want          string
	}{
		{"no site", `{"length": 5}`, 0, "no site"},
		{"a site that is no address", `{"site": "0x8000000000000000"}`, 0, "no address of a program"},
		{"a stub that is no address", `{"site": 1, "stub": [2, "0xffffffffffffffff"]}`, 0, "no address of a program"},
		{"a stub that ends before it starts", `{"site": 1, "stub": [9, 8]}`, 0, "before its start"},
		{"a site in its stub", `{"site": 5, "stub": [2, 8]}`, 0, "in its stub"},
		{"rows without a stub", `{"site": 1, "rows": [{"start": 1, "end": 2, "cfa": "rsp"}]}`, 0, "where the stub is"},
		{"a row outside of the stub", `{"site": 1, "stub": [16, 32], "rows": [{"start": 16, "end": 33, "cfa": "rsp"}]}`, 0, "within the stub"},
		{"rows that overlap", `{"site": 1, "stub": [16, 32], "rows": [{"start": 16, "end": 20, "cfa": "rsp"}, {"start": 18, "end": 22, "cfa": "rsp"}]}`, 0, "overlaps"},
		{"a rule that makes no sense", `{"site": 1, "stub": [16, 32], "rows": [{"start": 16, "end": 20, "cfa": "rip"}]}`, 0, "makes no sense"},
		{"a register that is none", `{"site": 1, "stub": [16, 32], "rows": [{"start": 16, "end": 20, "cfa": "rsp", "registers": {"rsp": "same"}}]}`, 0, "no register"},
		{"the same site twice", `{"site": 1, "length": 5}, {"site": 1, "length": 6}`, 1, "several hints"},
		{"stubs that overlap", `{"site": 1, "stub": [16, 32]}, {"site": 2, "stub": [24, 40]}`, 1, "overlaps another"},
	} {
		hints, warnings, err := Parse(strings.NewReader(`{"version": 1, "patches": [` + test.patches + `]}`))
		if err != nil || len(hints) != test.left || len(warnings) != 1 || !strings.Contains(warnings[0].Text, test.want) {
			t.Errorf("%s: %v, %v, %v", test.name, hints, warnings, err)
		}
	}
}

func TestRule(t *testing.T) {
	rsp8 := cfi.RegisterPlus(cfi.RSP, 8)
	for _, test := range []struct {
		text  string
		isCFA bool
		want  cfi.Rule
	}{
		{"rsp", true, cfi.Rule{Kind: cfi.InRegister, Register: cfi.RSP}},
		{" r15 - 0x10 + 4", true, cfi.Rule{Kind: cfi.InRegister, Register: cfi.R15, Offset: -12}},
		{"[rsp+8]", true, cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(rsp8, 0)}},
		{"[ rsp + 8 ] - 1", false, cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(rsp8, -1)}},
		{"[[rsp+8]+24]", true, cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(cfi.Load(rsp8, 24), 0)}},
		{"[0x70001010]", true, cfi.Rule{Kind: cfi.ByExpression, Expression: cfi.Load(cfi.Constant(0x70001010), 0)}},
		{"cfa-16", false, cfi.Rule{Kind: cfi.CFAPlus, Offset: -16}},
		{"[cfa]", false, cfi.Rule{Kind: cfi.SavedAt}},
		{"same", false, cfi.Rule{Kind: cfi.SameValue}},
		{"lost", false, cfi.Rule{Kind: cfi.Undefined}},
	} {
		got, err := Rule(test.text, test.isCFA)
		if err != nil || got != test.want {
			t.Errorf("%q is %+v, %v; want %+v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{
		"", "rsp+", "rsp+rbx", "[rsp", "rsp]", "eax", "rip", "xmm0", "[cfa-8]+1", "[[cfa]]", "rsp 8", "0x", "99999999999999999999",
		strings.Repeat("[", 150) + "rsp", strings.Repeat("[", 300),
	} {
		if got, err := Rule(text, false); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
	for _, text := range []string{"same", "lost", "cfa", "[cfa-8]"} {
		if got, err := Rule(text, true); err == nil {
			t.Errorf("the CFA %q is %+v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"version": 1, "patches": [{"site": "0x401000", "stub": [16, 32], "rows": [{"start": 16, "end": 20, "cfa": "[rsp+8]", "registers": {"rbx": "[cfa-8]"}}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		hints, _, err := Parse(strings.NewReader(text))
		if err != nil && hints != nil {
			t.Error("hints in spite of", err)
		}
		for i, h := range hints {
			if h.Site == 0 || h.Site >= maxAddress || i > 0 && hints[i-1].Site >= h.Site {
				t.Errorf("hint %d is %+v", i, h)
			}
		}
	})
}
