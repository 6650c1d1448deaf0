package ptrace

import (
	"os"
	"slices"
	"testing"
	"unsafe"
)

func TestParseMappings(t *testing.T) {
	const text = `00400000-00401000 r-xp 00000000 fe:00 123                                /tmp/a name
7ffff7fc6000-7ffff7fc8000 rw-p 00000000 00:00 0 
7ffff7fc8000-7ffff7fca000 r--p 00000000 00:00 0                          [vvar]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`
	want := []Mapping{
		{0x400000, 0x401000, true, false, true, "/tmp/a name"},
		{0x7ffff7fc6000, 0x7ffff7fc8000, true, true, false, ""},
		{0x7ffff7fc8000, 0x7ffff7fca000, true, false, false, "[vvar]"},
		{0xffffffffff600000, 0xffffffffff601000, false, false, true, "[vsyscall]"},
	}
	got, err := parseMappings(text)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"x\n", "1-2 r\n", "1_2 r-xp 0 0 0\n", "g-2 r-xp 0 0 0\n"} {
		if _, err := parseMappings(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestMappingsOfThisProcess(t *testing.T) {
	mappings, err := Mappings(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	here := uint64(uintptr(unsafe.Pointer(unsafe.StringData(t.Name()))))
	if !slices.ContainsFunc(mappings, func(m Mapping) bool { return m.Read && m.Start <= here && here < m.End }) {
		t.Errorf("no mapping has %#x: %v", here, mappings)
	}
}
