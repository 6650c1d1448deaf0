package libraries

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// compile builds a C file. Without a compiler the test is skipped, except in
// continuous integration.
func compile(t *testing.T, output string, arguments ...string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("gcc is not installed")
		}
		t.Skip("gcc is not installed")
	}
	if text, err := exec.Command("gcc", append(arguments, "-o", output)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
}

// processMemory is the memory of a child.
type processMemory struct{ *os.File }

func (m processMemory) Read(address uint64, buffer []byte) (int, error) {
	return m.ReadAt(buffer, int64(address))
}

// child is a process whose memory and auxiliary vector can be read.
type child struct {
	memory processMemory
	auxv   []byte
	output *bufio.Scanner
}

// start executes a program and stops it before its first instruction. resume
// lets it go. The test's goroutine keeps its thread, which is the tracer.
func start(t *testing.T, path string, arguments ...string) (c child, resume func()) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	cmd := exec.Command(path, arguments...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	traced := true
	t.Cleanup(func() {
		if traced {
			cmd.Process.Kill()
			cmd.Wait()
			return
		}
		input.Close()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("%s: %v\n%s", path, err, complaints.Bytes())
		}
	})
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil || !status.Stopped() {
		t.Fatalf("waiting for execve: %v, status %#x", err, status)
	}
	proc := fmt.Sprintf("/proc/%d/", cmd.Process.Pid)
	memory, err := os.Open(proc + "mem")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memory.Close() })
	auxv, err := os.ReadFile(proc + "auxv")
	if err != nil {
		t.Fatal(err)
	}
	return child{processMemory{memory}, auxv, bufio.NewScanner(output)}, func() {
		t.Helper()
		if err := syscall.PtraceDetach(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		traced = false
	}
}

// said is what testdata/loader.c writes.
type said struct {
	debug     uint64
	maps      []Library // with the main program
	objects   []string
	namespace int
}

func (c child) said(t *testing.T) said {
	t.Helper()
	var s said
	seen := map[uint64]bool{}
	for c.output.Scan() {
		line := c.output.Text()
		kind, rest, _ := strings.Cut(line, " ")
		var err error
		switch kind {
		case "debug":
			_, err = fmt.Sscanf(rest, "%x", &s.debug)
		case "map":
			var l Library
			fields := strings.SplitN(rest, " ", 5)
			_, err = fmt.Sscanf(strings.Join(fields[:4], " "), "%x %x %x %x", &l.Namespace, &l.LinkMap, &l.Bias, &l.Dynamic)
			l.Name = fields[4]
			s.maps = append(s.maps, l)
			seen[l.Namespace] = true
		case "object":
			s.objects = append(s.objects, rest)
		case "ready":
			s.namespace = len(seen)
			return s
		default:
			err = errors.New("not known")
		}
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
	}
	t.Fatalf("the program ended: %v", c.output.Err())
	return s
}

// countedMemory counts reads.
type countedMemory struct {
	Memory
	reads int
}

func (m *countedMemory) Read(address uint64, buffer []byte) (int, error) {
	m.reads++
	return m.Memory.Read(address, buffer)
}

func TestProcess(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []string
		other   bool // whether it can have other namespaces
	}{
		{name: "position-independent", options: []string{"-pie", "-fPIE"}, other: true},
		{name: "at its addresses", options: []string{"-no-pie", "-fno-pie"}, other: true},
		{name: "static, position-independent", options: []string{"-static-pie", "-fPIE", "-Wl,--no-warnings"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			program := filepath.Join(dir, "loader")
			compile(t, program, append(test.options, "testdata/loader.c")...)
			library := filepath.Join(dir, `a&b <"c">'é.so`)
			compile(t, library, "-shared", "-fPIC", "-nostdlib", "testdata/library.c")
			arguments := []string{library}
			if test.other {
				arguments = append(arguments, "libm.so.6")
			}

			c, resume := start(t, program, arguments...)
			if got, err := Document(c.memory, c.auxv, ""); string(got) != empty || err != nil {
				t.Errorf("after execve: %s, %v, want an empty list", got, err)
			}
			resume()

			want := c.said(t)
			if base, err := DebugBase(c.memory, c.auxv); base != want.debug || err != nil {
				t.Errorf("DebugBase = %#x, %v, want %#x", base, err, want.debug)
			}
			memory := &countedMemory{Memory: c.memory}
			list, err := Read(memory, c.auxv, "")
			if err != nil || list.Problem != nil {
				t.Fatalf("%v, problem %v", err, list.Problem)
			}
			if list.MainLinkMap != want.maps[0].LinkMap {
				t.Errorf("main program %#x, want %#x", list.MainLinkMap, want.maps[0].LinkMap)
			}
			named := slices.DeleteFunc(slices.Clone(want.maps[1:]), func(l Library) bool { return l.Name == "" || l.Namespace == 0 })
			if !slices.Equal(list.Libraries, named) {
				t.Errorf("got\n%s\nwant\n%s", list.Document(), List{MainLinkMap: list.MainLinkMap, Libraries: named}.Document())
			}
			if !slices.ContainsFunc(list.Libraries, func(l Library) bool { return l.Name == library }) {
				t.Errorf("%s is not among the libraries", library)
			}
			t.Logf("%d libraries in %d namespaces with %d reads", len(list.Libraries), want.namespace, memory.reads)
			if limit := 10 + len(list.Libraries); memory.reads > limit {
				t.Errorf("%d reads, more than %d", memory.reads, limit)
			}

			var objects []string
			for _, l := range list.Libraries {
				if l.Namespace == want.debug {
					objects = append(objects, fmt.Sprintf("%x %s", l.Bias, l.Name))
				}
			}
			slices.Sort(objects)
			iterated := slices.DeleteFunc(want.objects, func(o string) bool { return strings.HasSuffix(o, " ") })
			slices.Sort(iterated)
			if !slices.Equal(objects, iterated) {
				t.Errorf("first namespace\n%q\nwant what dl_iterate_phdr gives\n%q", objects, iterated)
			}

			// What gdb asks for when one library is new.
			last := want.maps[len(named)]
			before := want.maps[len(named)-1]
			annex := fmt.Sprintf("start=%x;prev=%x;lmid=%x", last.LinkMap, before.LinkMap, last.Namespace)
			if before.Namespace != last.Namespace {
				t.Fatalf("%+v is the first of its namespace", last)
			}
			from, err := Read(c.memory, c.auxv, annex)
			if err != nil || from.Problem != nil || !slices.Equal(from.Libraries, []Library{last}) {
				t.Errorf("%s: %+v, %v, problem %v, want %+v", annex, from.Libraries, err, from.Problem, last)
			}
		})
	}
}

func TestProcessWithoutList(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "loader")
	library := filepath.Join(dir, "library.so")
	compile(t, library, "-shared", "-fPIC", "-nostdlib", "testdata/library.c")

	t.Run("static", func(t *testing.T) {
		compile(t, program, "-static", "-no-pie", "-Wl,--no-warnings", "testdata/loader.c")
		c, resume := start(t, program, library)
		resume()
		c.said(t)
		if got, err := Document(c.memory, c.auxv, ""); !errors.Is(err, ErrNoList) {
			t.Errorf("%s, %v, want ErrNoList", got, err)
		}
	})
	t.Run("dynamic linker run by name", func(t *testing.T) {
		compile(t, program, "-pie", "-fPIE", "testdata/loader.c")
		linker, err := exec.Command("gcc", "-print-file-name=ld-linux-x86-64.so.2").Output()
		if err != nil {
			t.Fatal(err)
		}
		c, resume := start(t, string(bytes.TrimSpace(linker)), program, library)
		resume()
		c.said(t)
		if got, err := Document(c.memory, c.auxv, ""); !errors.Is(err, ErrNoList) {
			t.Errorf("%s, %v, want ErrNoList", got, err)
		}
	})
}

// A process that is gone has no memory, which is an error and not a list.
func TestProcessGone(t *testing.T) {
	c, resume := start(t, "/proc/self/exe", "-test.run=^$")
	resume()
	// A process gives up its memory before its files, so that at the end of
	// its output it has none (kernel/exit.c, do_exit).
	for c.output.Scan() {
	}
	document, err := Document(c.memory, c.auxv, "")
	if err == nil || errors.Is(err, ErrNoList) {
		t.Errorf("got %s, %v, want an error of reading", document, err)
	}
}
