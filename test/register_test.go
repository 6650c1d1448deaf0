package test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

func (s *session) atLoaded() (*server, *gdb) {
	s.Helper()
	program := native(s.T, "registers.S", inferiors.NoPIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("break loaded")
	if hit := g.resume("continue"); hit.reason != "breakpoint-hit" || hit.pc != g.value("&loaded") {
		s.Fatalf("%v", hit)
	}
	return v, g
}

func TestRegisters(t *testing.T) {
	notAgain(t, "its program is assembly")
	s := newSession(t)
	_, g := s.atLoaded()
	for name, want := range map[string]string{
		"$rax": "0x1111111111111111", "$rbx": "0x42", "$rcx": "0x3333333333333333", "$rdx": "0x4444444444444444",
		"$rsi": "0x5555555555555555", "$rdi": "0x6666666666666666", "$r8": "0x8888888888888888", "$r15": "0xffffffffffffffff",
		"$fs_base": "0x0", "$gs_base": "0x0", "$eax": "0x11111111", "$bl": "0x42",
	} {
		g.prints("/x "+name, want)
	}
	g.prints("/x $xmm0.v2_int64", "{0x101010101010101, 0x202020202020202}")
	g.matches("print $st0", `= 3\.14159265358979323\d*`)
	g.matches("info registers eflags", `IF`)
	if info := g.run("info all-registers"); !strings.Contains(info, "mxcsr") || strings.Contains(info, "<unavailable>") {
		t.Errorf("%s", info)
	}
	g.prints("$orig_rax", "-1")
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for feature, register := range map[string]string{"avx": "ymm15", "avx512f": "zmm31", "pku": "pkru"} {
		has := strings.Contains(string(cpu), " "+feature+" ")
		if shown := g.run("info all-registers " + register); has && !strings.Contains(shown, register) {
			t.Errorf("%s: %q", register, shown)
		}
	}
	g.exits("continue", 0x42)
}

// TestWriteRegisters writes registers and has the program store what it finds
// in them.
func TestWriteRegisters(t *testing.T) {
	notAgain(t, "its program is assembly")
	s := newSession(t)
	_, g := s.atLoaded()
	g.runs(
		"set $rax = 0xfeedface12345678",
		"set $rbx = 7",
		"set $xmm0.v2_int64[0] = 0x1122334455667788",
		"set $eflags = $eflags | 1",
		"set $fs_base = 0x7654321000",
		"set $st0 = 2.5",
	)
	g.prints("$st0", "2.5")
	g.run("break done")
	g.resume("continue")
	g.prints("/x (unsigned long) saved_rax", "0xfeedface12345678")
	g.prints("/x (unsigned long) saved_fs", "0x7654321000")
	g.prints("(unsigned long) saved_flags & 1", "1")
	g.prints("/x *(unsigned long *) &saved_vector", "0x1122334455667788")
	g.prints("/x *((unsigned long *) &saved_vector + 1)", "0x202020202020202")
	g.exits("continue", 7)
}

func TestWriteVectorRegisters(t *testing.T) {
	notAgain(t, "its program is assembly")
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(cpu), " avx ") {
		t.Skip("this CPU has no AVX")
	}
	s := newSession(t)
	_, g := s.atLoaded()
	for i := range 16 {
		g.run(fmt.Sprintf("set $ymm%d.v4_int64 = {%d, %d, %d, %d}", i, i+1, i+2, i+3, i+4))
	}
	g.resume("stepi")
	for i := range 16 {
		g.prints(fmt.Sprintf("$ymm%d.v4_int64", i), fmt.Sprintf("{%d, %d, %d, %d}", i+1, i+2, i+3, i+4))
	}
	g.prints("$xmm3.v2_int64", "{4, 5}")
}

func TestJump(t *testing.T) {
	notAgain(t, "its program is assembly")
	s := newSession(t)
	_, g := s.atLoaded()
	g.run("set $r12 = 3")
	g.exits("jump done", 3)
}

func TestMemory(t *testing.T) {
	s := newSession(t)
	program := native(t, "watch.c", inferiors.NoPIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("break stores")
	g.stopsIn("continue", "breakpoint-hit", "stores")
	g.runs("set variable byte = 0xab", "set variable quad = 0x0123456789abcdef", "set variable neighbours.inside = 77")
	g.prints("/x byte", "0xab")
	g.matches("x/8xb &quad", `0xef\s+0xcd\s+0xab\s+0x89\s+0x67\s+0x45\s+0x23\s+0x01`)
	g.prints("neighbours", "{before = 0, inside = 77, behind = 0}")
	g.matches("x/3i $pc", `(?s)=> 0x[0-9a-f]+ <stores\+\d+>:.*<stores\+\d+>:`)
	g.fails("x/x 0x10", "Cannot access memory at address 0x10")
	g.fails("set variable *(int *) 0x10 = 1", "Cannot access memory at address 0x10")
	text := g.run("x/64xb stores")
	g.run("break *stores")
	g.run("break *stores+4")
	if again := g.run("x/64xb stores"); again != text {
		t.Errorf("memory under breakpoints shows\n%s\nwas\n%s", again, text)
	}
	g.run("delete")
	g.matches("find /b &byte, +1, 0xab", "1 pattern found")
	g.matches("compare-sections .text", `Section \.text.*: matched`)
	file := s.TempDir() + "/stack"
	g.run("dump binary memory " + file + " $sp-4096 $sp+256")
	g.run("restore " + file + " binary $sp-4096")
	g.exits("continue", 0)
}

// TestWithoutTargetDescription has a gdb that reads none: it gets the registers
// that it then expects.
func TestWithoutTargetDescription(t *testing.T) {
	notAgain(t, "it has 32-bit programs anyway")
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.PIE32} {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "watch.c", link)
			v := s.launch(program)
			g := s.connected(v, program, "set remote target-features-packet off")
			g.run("break summed")
			g.stopsIn("continue", "breakpoint-hit", "summed")
			g.prints("$ymm0", "void")
			g.matches("print $xmm0", "v4_float")
			g.matches("info registers pc", `<summed\+`)
			g.run("set $xmm1.v4_int32[2] = 12")
			g.resume("stepi")
			g.prints("$xmm1.v4_int32[2]", "12")
			g.run("delete")
			g.prints("summed(4)", "10")
			g.exits("continue", 0)
		})
	}
}
