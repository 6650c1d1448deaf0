package ptrace

import (
	"os"
	"slices"
	"testing"
	"unsafe"
)

func TestParseMappings(t *testing.T) {
	const text = `00400000-00401000 r-xp 00000000 fe:00 123                                /tmp/a name
00500000-00501000 rw-s 0001f000 00:17 124                                /dev/shm/b (deleted)
7ffff7fc6000-7ffff7fc8000 rw-p 00000000 00:00 0 
7ffff7fc8000-7ffff7fca000 r--p 00000000 00:00 0                          [vvar]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`
	want := []Mapping{
		{Start: 0x400000, End: 0x401000, Read: true, Execute: true, Inode: 123, Name: "/tmp/a name"},
		{Start: 0x500000, End: 0x501000, Read: true, Write: true, Shared: true, Offset: 0x1f000, Inode: 124, Name: "/dev/shm/b (deleted)"},
		{Start: 0x7ffff7fc6000, End: 0x7ffff7fc8000, Read: true, Write: true},
		{Start: 0x7ffff7fc8000, End: 0x7ffff7fca000, Read: true, Name: "[vvar]"},
		{Start: 0xffffffffff600000, End: 0xffffffffff601000, Execute: true, Name: "[vsyscall]"},
	}
	got, err := parseMappings(text)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"x\n", "1-2 r\n", "1-2 r-x\n", "1_2 r-xp 0 0 0\n", "g-2 r-xp 0 0 0\n", "1-2 r-xp g 0 0\n", "1-2 r-xp 0 0 g\n"} {
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

func TestParseMemoryAreas(t *testing.T) {
	const text = `00400000-00401000 r-xp 00000000 fe:00 123                                /tmp/a
Size:                  4 kB
Anonymous:             4 kB
VmFlags: rd ex mr mw me sd
7ffff7fc8000-7ffff7fca000 r--p 00000000 00:00 0                          [vvar]
Anonymous:             0 kB
VmFlags: rd mr pf io de dd sd
`
	areas, err := parseMemoryAreas(text)
	if err != nil || len(areas) != 2 {
		t.Fatalf("%v, %v", areas, err)
	}
	if first := areas[0]; first.Name != "/tmp/a" || !first.Anonymous || !slices.Equal(first.Flags, []string{"rd", "ex", "mr", "mw", "me", "sd"}) {
		t.Errorf("%+v", first)
	}
	if second := areas[1]; second.Start != 0x7ffff7fc8000 || second.Anonymous || !slices.Contains(second.Flags, "dd") {
		t.Errorf("%+v", second)
	}
	for _, bad := range []string{"VmFlags: rd\n", "x\n"} {
		if _, err := parseMemoryAreas(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
