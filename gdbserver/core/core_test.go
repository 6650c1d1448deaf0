package core

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// memory is what is mapped, by the address of each page.
type memory map[uint64][]byte

func (m memory) Read(address uint64, buffer []byte) (int, error) {
	n := 0
	for n < len(buffer) {
		at := address + uint64(n)
		page, found := m[at&^(pageSize-1)]
		if !found {
			break
		}
		n += copy(buffer[n:], page[at%pageSize:])
	}
	if n == 0 {
		return 0, errors.New("not mapped")
	}
	return n, nil
}

func page(fill byte) []byte { return bytes.Repeat([]byte{fill}, pageSize) }

func area(start uint64, pages int, flags string) ptrace.MemoryArea {
	return ptrace.MemoryArea{Mapping: ptrace.Mapping{Start: start, End: start + uint64(pages)*pageSize,
		Read: flags[0] == 'r', Write: flags[1] == 'w', Execute: flags[2] == 'x', Shared: flags[3] == 's'}}
}

// TestDumped chooses memory as fs/coredump.c does.
func TestDumped(t *testing.T) {
	file := func(a ptrace.MemoryArea, name string, offset uint64) ptrace.MemoryArea {
		a.Inode, a.Name, a.Offset = 7, name, offset
		return a
	}
	with := func(a ptrace.MemoryArea, anonymous bool, flags ...string) ptrace.MemoryArea {
		a.Anonymous, a.Flags = anonymous, flags
		return a
	}
	named := func(a ptrace.MemoryArea, name string, flags ...string) ptrace.MemoryArea {
		a.Name, a.Flags = name, flags
		return a
	}
	elfFile := append([]byte("\x7fELF"), make([]byte, pageSize-4)...)
	p := &Process{Memory: memory{0x1000: elfFile, 0x5000: page(1)}}
	const whole = 2 * pageSize
	for _, test := range []struct {
		name   string
		area   ptrace.MemoryArea
		filter uint64
		want   uint64
	}{
		{"heap", with(area(0x8000, 2, "rw-p"), true), 1 << anonymousPrivate, whole},
		{"heap, not wanted", with(area(0x8000, 2, "rw-p"), true), 0, 0},
		{"anonymous memory that was not touched", area(0x8000, 2, "rw-p"), defaultFilter, 0},
		{"text", file(area(0x5000, 2, "r-xp"), "/a", 0x1000), defaultFilter, 0},
		{"text, wanted", file(area(0x5000, 2, "r-xp"), "/a", 0x1000), 1 << mappedPrivate, whole},
		{"text that was written to", with(file(area(0x5000, 2, "r-xp"), "/a", 0x1000), true), defaultFilter, whole},
		{"an ELF file's header", file(area(0x1000, 2, "r--p"), "/a", 0), defaultFilter, pageSize},
		{"not ELF", file(area(0x5000, 2, "r--p"), "/a", 0), defaultFilter, 0},
		{"not its beginning", file(area(0x1000, 2, "r--p"), "/a", 0x1000), defaultFilter, 0},
		{"not readable", file(area(0x1000, 2, "---p"), "/a", 0), defaultFilter, 0},
		{"an ELF file's header, not wanted", file(area(0x1000, 2, "r--p"), "/a", 0), 1 << anonymousPrivate, 0},
		{"shared memory", file(area(0x8000, 2, "rw-s"), "/dev/zero (deleted)", 0), 1 << anonymousShared, whole},
		{"shared memory, not wanted", file(area(0x8000, 2, "rw-s"), "/dev/zero (deleted)", 0), 1 << mappedShared, 0},
		{"a file that is shared", file(area(0x8000, 2, "rw-s"), "/a", 0), 1 << mappedShared, whole},
		{"a file that is shared, not wanted", file(area(0x8000, 2, "rw-s"), "/a", 0), defaultFilter, 0},
		{"told to be left out", with(area(0x8000, 2, "rw-p"), true, "rd", "dd"), 0xff, 0},
		{"of a device", with(area(0x8000, 2, "rw-p"), true, "rd", "io"), 0xff, 0},
		{"huge pages", with(area(0x8000, 2, "rw-p"), true, "ht"), 1 << hugePrivate, whole},
		{"huge pages, not wanted", with(area(0x8000, 2, "rw-p"), true, "ht"), 1 << anonymousPrivate, 0},
		{"shared huge pages", with(area(0x8000, 2, "rw-s"), true, "ht"), 1 << hugeShared, whole},
		{"the vdso", named(area(0x8000, 2, "r-xp"), "[vdso]", "rd", "dd"), 0, whole},
		{"vvar", named(area(0x8000, 2, "r--p"), "[vvar]", "rd", "io", "dd"), 0xff, 0},
	} {
		p.Filter = test.filter
		if got := p.dumped(&test.area); got != test.want {
			t.Errorf("%s: %d bytes, want %d", test.name, got, test.want)
		}
	}
}

func example(machine elf.Machine) *Process {
	p := &Process{PID: 100, Machine: machine, Arguments: "prog one two", Auxiliary: []byte("12345678abcdefgh"), Filter: defaultFilter,
		Leader: ptrace.TaskRecord{Name: "prog", State: 't', Parent: 1, Group: 100, Session: 50, Flags: 0x400100, Nice: -3, UserID: 1000, GroupID: 100},
		Memory: memory{0x10000: page(1), 0x11000: page(0), 0x13000: page(3)}}
	written := area(0x10000, 4, "rw-p")
	written.Anonymous = true
	text := area(0x400000, 1, "r-xp")
	text.Inode, text.Name, text.Offset = 9, `/a\012b`, 0x2000
	p.Areas = []ptrace.MemoryArea{written, text}
	for i, signal := range []unix.Signal{unix.SIGSEGV, 0} {
		thread := Thread{TID: 100 + i, Record: p.Leader, Signal: signal, Siginfo: ptrace.SentSiginfo(signal), XState: make([]byte, ptrace.HostXSaveLayout().Size)}
		thread.Record.User, thread.Record.Blocked = 1500*time.Millisecond, 0x10000
		for slot := range ptrace.Slot(ptrace.Slots) {
			thread.Registers.Set(slot, 0x1000+uint64(slot))
		}
		p.Threads = append(p.Threads, thread)
	}
	p.Threads[1].ShadowStackPointer, p.Threads[1].HasShadowStack = 0x7000, true
	return p
}

// writtenFile is the core file of a process.
func writtenFile(t *testing.T, p *Process) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "core"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := Write(file, p); err != nil {
		t.Fatal(err)
	}
	return file
}

func written(t *testing.T, p *Process) (*elf.File, string) {
	t.Helper()
	file := writtenFile(t, p)
	read, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return read, file.Name()
}

type readNote struct {
	owner  string
	number uint32
	data   []byte
}

func notesOf(t *testing.T, f *elf.File) []readNote {
	t.Helper()
	data := make([]byte, f.Progs[0].Filesz)
	if f.Progs[0].Type != elf.PT_NOTE {
		t.Fatalf("the first program header is %v", f.Progs[0].Type)
	}
	if _, err := f.Progs[0].ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	var notes []readNote
	take := func(n uint32) []byte {
		piece := data[:n]
		data = data[(n+3)&^3:]
		return piece
	}
	for len(data) > 0 {
		head := take(12)
		owner := take(binary.LittleEndian.Uint32(head))
		notes = append(notes, readNote{string(owner[:len(owner)-1]), binary.LittleEndian.Uint32(head[8:]), take(binary.LittleEndian.Uint32(head[4:]))})
	}
	return notes
}

// TestNotes has the sizes and some fields of the kernel's structures.
func TestNotes(t *testing.T) {
	xstate := ptrace.HostXSaveLayout().Size
	for _, test := range []struct {
		machine elf.Machine
		want    []string
	}{
		{elf.EM_X86_64, []string{"CORE 1 336", "CORE 3 136", "CORE 6 16", "CORE 46494c45 45", "CORE 53494749 128", "CORE 2 512",
			fmt.Sprint("LINUX 202 ", xstate), "CORE 1 336", "CORE 2 512", fmt.Sprint("LINUX 202 ", xstate), "LINUX 204 8"}},
		{elf.EM_386, []string{"CORE 1 144", "CORE 3 124", "CORE 6 16", "CORE 46494c45 25", "CORE 53494749 128", "CORE 2 108", "LINUX 46e62b7f 512",
			fmt.Sprint("LINUX 202 ", xstate), "CORE 1 144", "CORE 2 108", "LINUX 46e62b7f 512", fmt.Sprint("LINUX 202 ", xstate), "LINUX 204 8"}},
	} {
		t.Run(test.machine.String(), func(t *testing.T) {
			f, _ := written(t, example(test.machine))
			if f.Type != elf.ET_CORE || f.Machine != test.machine {
				t.Errorf("%v of %v", f.Type, f.Machine)
			}
			notes := notesOf(t, f)
			want := test.want
			if xstate == ptrace.LegacySize {
				t.Fatal("this test needs a machine with XSAVE")
			}
			if len(notes) != len(want) {
				t.Fatalf("%d notes, want %d", len(notes), len(want))
			}
			for i, note := range notes {
				if got := fmt.Sprintf("%s %x %d", note.owner, note.number, len(note.data)); got != want[i] {
					t.Errorf("note %d: %s, want %s", i, got, want[i])
				}
			}
			status, process := notes[0].data, notes[1].data
			word := func(data []byte, offset int) uint32 { return binary.LittleEndian.Uint32(data[offset:]) }
			type field struct {
				name string
				got  uint32
				want uint32
			}
			fields := []field{{"si_signo", word(status, 0), 11}, {"pr_cursig", word(status, 12) & 0xffff, 11}}
			names := 40
			if test.machine == elf.EM_X86_64 {
				fields = append(fields, field{"pr_sighold", word(status, 24), 0x10000}, field{"pr_pid", word(status, 32), 100},
					field{"pr_utime", word(status, 48), 1}, field{"microseconds", word(status, 56), 500000},
					field{"r15", word(status, 112), 0x1000}, field{"gs", word(status, 112+26*8), 0x101a}, field{"pr_fpvalid", word(status, 328), 1},
					field{"pr_uid", word(process, 16), 1000}, field{"pr_pid", word(process, 24), 100})
			} else {
				names = 28
				fields = append(fields, field{"pr_sighold", word(status, 20), 0x10000}, field{"pr_pid", word(status, 24), 100},
					field{"pr_utime", word(status, 40), 1}, field{"microseconds", word(status, 44), 500000},
					field{"ebx", word(status, 72), 0x1000 + uint32(ptrace.SlotRbx)}, field{"ss", word(status, 136), 0x1000 + uint32(ptrace.SlotSs)},
					field{"pr_fpvalid", word(status, 140), 1}, field{"pr_uid", word(process, 8), 100<<16 | 1000}, field{"pr_pid", word(process, 12), 100})
			}
			for _, field := range fields {
				if field.got != field.want {
					t.Errorf("%s is %#x, want %#x", field.name, field.got, field.want)
				}
			}
			if head := process[:4]; !bytes.Equal(head, []byte{3, 'T', 0, 0xfd}) {
				t.Errorf("the state is % x", head)
			}
			if name := process[names : names+16+13]; string(bytes.ReplaceAll(name, []byte{0}, nil)) != "progprog one two" {
				t.Errorf("the names are %q", name)
			}
			if files := notes[3].data; !bytes.HasSuffix(files, []byte("/a\nb\x00")) || files[0] != 1 {
				t.Errorf("the files are %q", files)
			}
		})
	}
}

// TestMemory finds the memory in the file, which has a hole where there is
// nothing to be written.
func TestMemory(t *testing.T) {
	f, name := written(t, example(elf.EM_X86_64))
	data := make([]byte, 4*pageSize)
	load := f.Progs[1]
	if load.Vaddr != 0x10000 || load.Memsz != 4*pageSize || load.Filesz != 4*pageSize || load.Flags != elf.PF_R|elf.PF_W || load.Off%pageSize != 0 {
		t.Errorf("%+v", load.ProgHeader)
	}
	if _, err := load.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, bytes.Join([][]byte{page(1), page(0), page(0), page(3)}, nil)) {
		t.Error("the memory is another")
	}
	if text := f.Progs[2]; text.Filesz != 0 || text.Memsz != pageSize || text.Flags != elf.PF_R|elf.PF_X {
		t.Errorf("%+v", text.ProgHeader)
	}
	var stat unix.Stat_t
	if err := unix.Stat(name, &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Size < 5*pageSize || stat.Blocks*512 >= stat.Size {
		t.Errorf("%d of %d bytes are on the disk", stat.Blocks*512, stat.Size)
	}
}

// TestManySegments counts the program headers where the ELF header cannot.
func TestManySegments(t *testing.T) {
	p := example(elf.EM_X86_64)
	one := p.Areas[1]
	p.Areas = nil
	for i := range manySegments {
		one.Start, one.End = uint64(i+1)*2*pageSize, uint64(i+1)*2*pageSize+pageSize
		p.Areas = append(p.Areas, one)
	}
	file := writtenFile(t, p)
	var header elf.Header64
	var section elf.Section64
	read := func(offset int64, into any) {
		t.Helper()
		data := make([]byte, binary.Size(into))
		if _, err := file.ReadAt(data, offset); err != nil {
			t.Fatal(err)
		}
		if _, err := binary.Decode(data, binary.LittleEndian, into); err != nil {
			t.Fatal(err)
		}
	}
	read(0, &header)
	if header.Phnum != manySegments || header.Shnum != 1 || header.Shentsize != 64 {
		t.Fatalf("%+v", header)
	}
	read(int64(header.Shoff), &section)
	if section.Info != manySegments+1 {
		t.Errorf("%d program headers", section.Info)
	}
}

func TestNoThread(t *testing.T) {
	if err := Write(nil, &Process{}); err == nil {
		t.Error("a core file without threads is written")
	}
}

// TestRead reads what /proc says of this process.
func TestRead(t *testing.T) {
	p, err := Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if p.Filter == 0 || len(p.Areas) == 0 || len(p.Auxiliary) == 0 || p.Leader.Parent != os.Getppid() || p.Arguments == "" {
		t.Errorf("%+v", p)
	}
}
