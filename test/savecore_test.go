package test

import (
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// coreLinks are the programs that core files are made of: 64-bit and 32-bit.
var coreLinks = []inferiors.Link{inferiors.PIE, inferiors.PIE32}

// general are some registers of theirs.
var general = map[inferiors.Link]string{inferiors.PIE: "rip rsp rbp rax r14 r15", inferiors.PIE32: "eip esp ebp eax esi edi"}

// frames are the addresses and functions of a backtrace of all threads that lldb
// has printed, in an order that does not depend on that of the threads, which is
// another in a core file.
func frames(text string) []string {
	_, text, _ = strings.Cut(text, "thread backtrace all\n")
	text, _, _ = strings.Cut(text, "(lldb)")
	frame := regexp.MustCompile("(?m)frame #\\d+: 0x([0-9a-f]+) [^\n`]*`?(\\w*)")
	var all []string
	for thread := range strings.SplitSeq(text, "thread #") {
		var names []string
		for _, match := range frame.FindAllStringSubmatch(thread, -1) {
			names = append(names, match[1]+" "+match[2])
		}
		if names != nil {
			all = append(all, strings.Join(names, "\n"))
		}
	}
	slices.Sort(all)
	return all
}

// TestLLDBSavesCore has lldb save a core file, and finds in it what the process
// had: the stacks of all threads, registers, variables, and the code without
// breakpoints.
func TestLLDBSavesCore(t *testing.T) {
	gnuLacks(t, "it makes no core files")
	notAgain(t, "both kinds of programs are tried")
	for _, link := range coreLinks {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "threads.c", link)
			v := s.serve(nil, program, "3")
			core := filepath.Join(t.TempDir(), "core")
			look := []string{"thread backtrace all", "register read " + general[link], "frame select 1", "p thread_count", "p worked"}
			live := s.lldb(program, append(append([]string{v.connect(), "breakpoint set --name all_ready", "process continue",
				"expression -- worked = 77"}, look...), "process save-core "+core, "breakpoint delete --force", "disassemble --name all_ready", "process kill")...)
			s.inOrder(live, `stop reason = breakpoint 1\.1`)
			dead := s.lldb("", append([]string{fmt.Sprintf("target create %s --core %s", program, core)}, append(look, "disassemble --name all_ready")...)...)
			want, got := frames(live), frames(dead)
			if link == inferiors.PIE32 {
				// lldb knows no symbol of the 32-bit vdso in a core file, and no way
				// out of it, nor does it in one that the kernel has made.
				for i := range want {
					want[i], _, _ = strings.Cut(want[i], " ")
				}
				for i := range got {
					got[i], _, _ = strings.Cut(got[i], " ")
				}
			}
			if len(want) != 3 || !slices.Equal(got, want) {
				t.Errorf("the stacks are\n%s\n\nwant\n%s", strings.Join(got, "\n\n"), strings.Join(want, "\n\n"))
			}
			s.inOrder(dead, `thread #1.*stop reason = (signal )?SIGTRAP`, `frame #1: .*main`, `\(int\).* 3$`, `\(int\).* 77$`)
			values := regexp.MustCompile(`(?m)^ +\w+ = 0x[0-9a-f]+`)
			if got, want := values.FindAllString(dead, -1), values.FindAllString(live, -1); len(want) != 6 || !slices.Equal(got, want) {
				t.Errorf("the registers are %v, want %v", got, want)
			}
			if strings.Contains(dead[strings.LastIndex(dead, "disassemble"):], "int3") {
				t.Error("there is a breakpoint in the core file")
			}
			s.nothingLeft()
		})
	}
}

// TestGDBSavesCore has gdb save a core file by a command of the server's.
func TestGDBSavesCore(t *testing.T) {
	gnuLacks(t, "it makes no core files")
	notAgain(t, "both kinds of programs are tried")
	for _, link := range coreLinks {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "threads.c", link)
			v := s.serve(nil, program, "3")
			core := filepath.Join(t.TempDir(), "core")
			g := s.connected(v, program)
			g.run("break all_ready")
			g.stopsIn("continue", "breakpoint-hit", "all_ready")
			g.run("set var worked = 77")
			stacks := g.run("thread apply all -ascending bt -frame-info short-location")
			g.matches("monitor save-core "+core, `^Saved a core file of process \d+ to `+core)
			g.fails("monitor save-core /nowhere/core", "Protocol error with Rcmd")
			registers := g.run("info registers")

			dead := s.gdb(program)
			dead.run("core-file " + core)
			// gdb names threads in another way, and version 13 warns of an XSAVE area
			// that is not laid out as Intel's.
			frame := regexp.MustCompile(`(?m)^(?:Thread|#\d+ .*)`)
			sections := func(text string) []string {
				all := strings.Split(strings.Join(frame.FindAllString(text, -1), "\n"), "Thread\n")
				for i := range all {
					all[i] = strings.TrimSpace(all[i])
				}
				slices.Sort(all)
				return all
			}
			if got := dead.run("thread apply all -ascending bt -frame-info short-location"); len(sections(stacks)) != 4 || !slices.Equal(sections(got), sections(stacks)) {
				t.Errorf("the stacks are\n%s\nwant\n%s", got, stacks)
			}
			// Which of the vector registers gdb reads depends on its version and
			// the processor.
			values := regexp.MustCompile(`(?m)^(r|e)[a-z0-9]+ .*$`)
			if got, want := values.FindAllString(dead.run("info registers"), -1), values.FindAllString(registers, -1); len(want) < 9 || !slices.Equal(got, want) {
				t.Errorf("the registers are\n%s\nwant\n%s", got, want)
			}
			dead.matches("p worked", `= 77`)
			dead.matches("p $_siginfo.si_signo", `= 5`)
			dead.matches("x/2i all_ready", `(?s)all_ready.*push`)
			dead.matches("info auxv", `AT_EXECFN .*`+filepath.Base(program))
			dead.matches("info proc mappings", `libc\.so`)
			if info, err := os.Stat(core); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			g.run("kill")
		})
	}
}

// TestSaveCoreByPackets finds the file where the client would like it, but not in
// the place of another file, and a temporary one gone with the client.
func TestSaveCoreByPackets(t *testing.T) {
	gnuLacks(t, "it makes no core files")
	s := newSession(t)
	v := s.serve(nil, native(t, "tiny.S", inferiors.NoPIE))
	c := s.client(v, strings.Split(lldbFeatures, ";")...)
	if !c.features["qSaveCore+"] {
		t.Error("it is not announced")
	}
	save := func(packet string) string {
		t.Helper()
		reply := c.ask(packet)
		digits, found := strings.CutPrefix(strings.TrimSuffix(reply, ";"), "core-path:")
		name, err := hex.DecodeString(digits)
		if !found || err != nil {
			t.Fatalf("%s: %s", packet, reply)
		}
		file, err := elf.Open(string(name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if file.Type != elf.ET_CORE || len(file.Progs) < 2 {
			t.Errorf("%s: %v with %d program headers", name, file.Type, len(file.Progs))
		}
		return string(name)
	}
	wanted := filepath.Join(t.TempDir(), "core")
	hint := fmt.Sprintf("qSaveCore;path-hint:%x;", wanted)
	if name := save(hint); name != wanted {
		t.Errorf("it is %s, not %s", name, wanted)
	}
	other, temporary := save(hint), save("qSaveCore")
	if other == wanted || temporary == wanted || other == temporary {
		t.Errorf("they are %s and %s", other, temporary)
	}
	c.vanish()
	for _, name := range []string{other, temporary} {
		s.eventually("the temporary files are gone", func() bool {
			_, err := os.Stat(name)
			return os.IsNotExist(err)
		})
	}
	if _, err := os.Stat(wanted); err != nil {
		t.Error(err)
	}
}
