package jumppatch

import (
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"rspd/unwind"
)

func TestParseMaps(t *testing.T) {
	got, err := parseMaps(`00400000-00401000 r--p 00000000 fe:01 131084                             /opt/a program (deleted)
7f0000000000-7f0000001000 rwxp 00000000 00:00 0 
7f0000001000-7f0000002000 r-xs 00003000 00:05 7                          /opt/new\012line
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`)
	want := []unwind.Mapping{
		{Start: 0x400000, End: 0x401000, Path: "/opt/a program (deleted)"},
		{Start: 0x7f0000000000, End: 0x7f0000001000, Executable: true},
		{Start: 0x7f0000001000, End: 0x7f0000002000, Offset: 0x3000, Executable: true, Path: "/opt/new\nline"},
		{Start: 0xffffffffff600000, End: 0xffffffffff601000, Executable: true, Path: "[vsyscall]"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"\n", "400000 r--p 0 0:0 0\n", "x-y r--p 0 0:0 0\n", "1-2 r--p z 0:0 0\n", "1-2 r--p\n"} {
		if got, err := parseMaps(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// own is this process's memory.
type own struct{ *os.File }

func (o own) Read(address uint64, buffer []byte) (int, error) {
	return o.ReadAt(buffer, int64(address))
}

// TestWritten writes to a page of a private mapping of a file: that page alone
// may differ from the file.
func TestWritten(t *testing.T) {
	const pages = 5
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(pages * pageSize); err != nil {
		t.Fatal(err)
	}
	memory, err := unix.Mmap(int(file.Fd()), 0, pages*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	read := memory[pageSize] // is there, but as in the file
	memory[2*pageSize], memory[4*pageSize] = read+1, 1
	start := uint64(uintptr(unsafe.Pointer(&memory[0])))
	s, err := look(os.Getpid(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := os.Stat("/proc/self/pagemap"); err != nil {
		t.Skip("the kernel was built without CONFIG_PROC_PAGE_MONITOR:", err)
	}
	if !s.useWritten() {
		t.Fatal("there is a pagemap and it isn't used")
	}
	i := slices.IndexFunc(s.Mappings, func(m unwind.Mapping) bool { return m.Start == start })
	if i < 0 {
		t.Fatalf("%#x is not among %v", start, s.Mappings)
	}
	got := s.Written(s.Mappings[i])
	want := []unwind.Extent{{Start: start + 2*pageSize, End: start + 3*pageSize}, {Start: start + 4*pageSize, End: start + 5*pageSize}}
	if !slices.Equal(got, want) {
		t.Errorf("written are %x, want %x", got, want)
	}
}

// TestRefresh maps memory of each kind and sees when the map is read again.
func TestRefresh(t *testing.T) {
	file, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var folder Folder
	s := NewSet("test", &folder, nil)
	defer s.Clear()
	if _, err := s.Update(os.Getpid(), own{file}); err != nil {
		t.Fatal(err)
	}
	scans := func(pc uint64, ran bool) bool {
		if !s.Suspect(pc, ran) {
			return false
		}
		changed, err := s.Changed(os.Getpid(), own{file})
		if err == nil && changed {
			_, err = s.Update(os.Getpid(), own{file})
		}
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	known := s.executable[0].Start
	memory, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	if scans(known, false) {
		t.Error("a step within known code has the map read")
	}
	if !scans(known, true) {
		t.Error("memory that was mapped isn't noticed")
	}
	data, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(data)
	scans(known, true)
	if err := unix.Mprotect(data, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		t.Fatal(err)
	}
	if !scans(known, true) {
		t.Error("data that was made code isn't noticed")
	}
	if err := unix.Mprotect(memory[:pageSize], unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mprotect(memory[:pageSize], unix.PROT_READ|unix.PROT_EXEC|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	if !scans(0, false) {
		t.Error("a pc in memory that wasn't executable isn't noticed")
	}
}

func TestParseSize(t *testing.T) {
	for line, want := range map[string]memorySize{
		"2048 100 90 12 0 512 0\n": {2048, 512},
		"0 0 0 0 0 0 0\n":          {},
		"":                         {},
		"7":                        {all: 7},
	} {
		if got := parseSize([]byte(line)); got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

// BenchmarkRefresh is what a stop costs when nothing is new, after a step and
// after the program ran.
func BenchmarkRefresh(b *testing.B) {
	file, err := os.Open("/proc/self/mem")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	for name, ran := range map[string]bool{"step": false, "run": true} {
		b.Run(name, func(b *testing.B) {
			s := NewSet("test", new(Folder), nil)
			defer s.Clear()
			if _, err := s.Update(os.Getpid(), own{file}); err != nil {
				b.Fatal(err)
			}
			pc := s.executable[0].Start
			b.ReportAllocs()
			for b.Loop() {
				if s.Suspect(pc, ran) {
					b.Fatal("something is suspect")
				}
			}
		})
	}
}
