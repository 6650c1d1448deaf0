package test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

func TestFiles(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	dir := t.TempDir()
	data := make([]byte, 300_001)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	local, there, back := filepath.Join(dir, "local"), filepath.Join(dir, "there"), filepath.Join(dir, "back")
	if err := os.WriteFile(local, data, 0o600); err != nil {
		t.Fatal(err)
	}
	g.runs("remote put "+local+" "+there, "remote get "+there+" "+back)
	for _, path := range []string{there, back} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%s differs", path)
		}
	}
	g.run("remote delete " + there)
	if _, err := os.Stat(there); err == nil {
		t.Error("the file is still there")
	}
	g.fails("remote delete "+there, "No such file")
	g.fails("remote get "+there+" "+back, "No such file")
	g.fails("remote put "+local+" /no/such/directory/file", "No such file")
}

func TestProcessInformation(t *testing.T) {
	s := newSession(t)
	program := native(t, "library.c", inferiors.PIE)
	v := s.launch(program, "word")
	g := s.connected(v, program)
	g.run("break loaded")
	g.stopsIn("continue", "breakpoint-hit", "loaded")
	g.matches("info auxv", `(?s)AT_SYSINFO_EHDR.*AT_PAGESZ .* 4096.*AT_EXECFN .*`+program)
	g.matches("info proc mappings", `(?s)`+program+`.*libplugin\.so.*\[stack\]`)
	g.matches("info proc cmdline", `word`)
	g.matches("info proc exe", program)
	g.matches("info sharedlibrary", `(?s)ld-linux.*\.so\.2.*liblinked\.so.*libc\.so\.6.*libplugin\.so`)
	g.exits("continue", 0)
}

// TestCore writes a core file of a program with threads and reads it in
// another gdb.
func TestCore(t *testing.T) {
	s := newSession(t)
	v, g := s.allReady(10, inferiors.PIE)
	core := filepath.Join(t.TempDir(), "core")
	g.matches("gcore "+core, "Saved corefile")
	g.exits("continue", 0)
	v.wait()
	text := s.batch(native(t, "threads.c", inferiors.PIE), "core-file "+core, "backtrace", "thread apply all -q backtrace", "print thread_count")
	if !strings.Contains(text, "#0  all_ready ()") || !strings.Contains(text, "$1 = 10") || strings.Count(text, " worker (") != 9 {
		t.Errorf("%s", text)
	}
}

// TestThreadLocal reads thread-local variables by hand: fs_base of each thread
// is its own, and points to itself (System V ABI for x86-64, thread pointer).
func TestThreadLocal(t *testing.T) {
	notAgain(t, "there is no fs_base")
	s := newSession(t)
	_, g := s.allReady(10, inferiors.PIE)
	seen := map[uint64]bool{}
	for i := 1; i <= 10; i++ {
		g.run(fmt.Sprint("thread ", i))
		base := g.value("$fs_base")
		seen[base] = true
		if self := g.value("*(unsigned long *) $fs_base"); self != base {
			t.Errorf("thread %d: fs_base %#x holds %#x", i, base, self)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d different fs_base, want 10", len(seen))
	}
}
