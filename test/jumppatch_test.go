package test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// inHook are the frames from the hook of jumppatch.c to main.
const inHook = `(?s)^#0 +hook .*\n#1 .* work\+0x3@jump-patch .*\n#2 .* work \(\).*\n#3 .* middle \(n=%d\).*\n#4 .* main \(.*\)[^\n]*\n$`

// The addresses in work of jumppatch.c and patchtable.c: of the instruction that is
// replaced, of the next, and in the latter of the one after that.
const (
	patchSite  = "(long)work+3"
	patchBack  = "(long)work+9"
	patchLater = "(long)work+10"
)

// patching starts jumppatch.c without address randomisation and stops it in its
// hook.
func (s *session) patching(link inferiors.Link, mode string, options []string, setup ...string) (*server, *gdb, temporary) {
	s.Helper()
	gnuLacks(s.T, "it knows nothing of jump patches")
	notAgain(s.T, "jump patches are looked for in 64-bit programs only")
	program := native(s.T, "jumppatch.c", link)
	v, folder := s.serveIn(append(options, "127.0.0.1:0", program, mode)...)
	g := s.connected(v, program, setup...)
	g.run("break hook")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	return v, g, folder
}

// temporary is a server's folder for temporary files.
type temporary string

// serveIn starts a server with such a folder of its own.
func (s *session) serveIn(arguments ...string) (*server, temporary) {
	s.Helper()
	folder := s.TempDir()
	command := exec.Command(serverPath, arguments...)
	command.Env = append(os.Environ(), "TMPDIR="+folder)
	return s.serveCmd(command), temporary(folder)
}

// files are those in it that describe jump patches.
func (f temporary) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(string(f), "rspd-jump-patches-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestJumpPatch walks out of a stub that was made after gdb had connected, by
// every step that a person takes there, and sees it vanish.
func TestJumpPatch(t *testing.T) {
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.NoPIE, inferiors.Static, inferiors.StaticPIE} {
		for _, root := range []string{"/", "target:"} {
			t.Run(fmt.Sprint(link, " ", root), func(t *testing.T) {
				s := newSession(t)
				v, g, folder := s.patching(link, "once", nil, "set sysroot "+root)
				g.matches("bt", fmt.Sprintf(inHook, 2))
				g.matches("monitor jump-patch where", `^0x[0-9a-f]+ is not in a jump patch's stub\.\n$`)
				site, page := g.value(patchSite), g.value("page")
				g.matches("monitor jump-patch list", fmt.Sprintf(`^%#x work\+0x3: jump to %#x, 10 of 10 instructions described\nfile: `, site, page))
				g.matches(fmt.Sprintf("monitor jump-patch show %#x", site), `6 bytes replaced \(81 c3 67 45 23 01\)`)
				g.stopsIn("finish", "function-finished", "work+0x3@jump-patch")
				g.matches("monitor jump-patch where", fmt.Sprintf(`is in the stub of work\+0x3 and corresponds to %#x\.`, site))
				g.matches("bt", `(?s)^#0 .* work\+0x3@jump-patch .*\n#1 .* work \(\).*\n#2 .* middle \(n=2\)`)
				g.run(fmt.Sprintf("break *%#x", page+g.value("(long)tail-(long)stub")))
				g.stopsIn("continue", "breakpoint-hit", "work+0x3@jump-patch")
				g.matches("monitor jump-patch where", fmt.Sprintf(`corresponds to %#x\.`, g.value(patchBack)))
				g.stopsIn("finish", "function-finished", "work")
				if got := g.resume("finish"); got.function != "middle" || got.line == 0 {
					t.Errorf("finish out of work: %v", got)
				}
				g.prints("worked", fmt.Sprint(0x1234567+3))
				g.run("delete")
				g.run("break marker")
				g.stopsIn("continue", "breakpoint-hit", "marker")
				if list := g.run("monitor jump-patch list"); list != "No jump patches were found.\n" {
					t.Errorf("after it was taken out: %q", list)
				}
				if list := g.run("info sharedlibrary"); strings.Contains(list, "jump-patches") || len(folder.files(t)) > 0 {
					t.Errorf("after it was taken out, gdb has %s and these are left: %v", list, folder.files(t))
				}
				g.exits("continue", 0)
				v.wait()
				if folders, _ := filepath.Glob(filepath.Join(string(folder), "*")); len(folders) > 0 {
					t.Errorf("%v are left", folders)
				}
			})
		}
	}
}

// TestJumpPatchSteps steps into a stub by instruction and out of it by line.
func TestJumpPatchSteps(t *testing.T) {
	s := newSession(t)
	_, g, _ := s.patching(inferiors.PIE, "wait", nil)
	g.run("delete")
	g.run("tbreak *(" + patchSite + ")")
	g.resume("continue")
	page := g.value("page")
	if got := g.resume("stepi"); got.pc != page || got.function != "work+0x3@jump-patch" {
		t.Fatalf("stepi from the site: %v, want %#x", got, page)
	}
	for n := 0; g.value("$pc") != g.value(patchBack); n++ {
		if n == 40 {
			t.Fatal("the stub has no end")
		}
		g.matches("bt", `(?s)work \(\).*\n#\d+ .* middle \(n=4\).*\n#\d+ .* main \(`)
		g.resume("nexti")
	}
}

// TestJumpPatchAttach attaches to a program that is patched.
func TestJumpPatchAttach(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	s := newSession(t)
	program := native(t, "jumppatch.c", inferiors.PIE)
	p := s.start(program, "wait")
	v, folder := s.serveIn("--once", "--attach", "127.0.0.1:0", strconv.Itoa(p.pid))
	g := s.connected(v, program)
	g.run("break hook if page != 0")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("bt", fmt.Sprintf(inHook, 4))
	g.run("delete")
	g.run("detach")
	v.wait()
	if len(folder.files(t)) > 0 {
		t.Errorf("%v are left", folder.files(t))
	}
}

// TestJumpPatchLLDB does in lldb what TestJumpPatch does in gdb.
func TestJumpPatchLLDB(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.NoPIE} {
		for name, before := range map[string][]string{"gdbserver": {"127.0.0.1:0"}, "lldb-server": {"gdbserver", "127.0.0.1:0", "--"}} {
			t.Run(string(link)+" as "+name, func(t *testing.T) {
				s := newSession(t)
				program := native(t, "jumppatch.c", link)
				v, _ := s.serveIn(append(before, program, "once")...)
				s.walkedInLLDB(s.lldb(program, append([]string{v.connect()}, walkInLLDB("continue")...)...))
			})
		}
	}
}

// walkInLLDB are the commands of lldb with which it walks out of the stub of
// jumppatch.c after one that has it run into its hook.
func walkInLLDB(begin string) []string {
	return []string{"breakpoint set -n hook", "breakpoint set -n marker", begin, "bt", "finish", "finish", "bt", "continue",
		"image list", "continue"}
}

// walkedInLLDB checks what these print.
func (s *session) walkedInLLDB(text string) {
	s.Helper()
	s.inOrder(text, `^\(lldb\) bt$`, `frame #0: .*hook`, `frame #1: .*work\+0x3@jump-patch`, `frame #2: .*work`,
		`frame #3: .*middle\(n=2\)`, `frame #4: .*main`,
		`^\(lldb\) finish$`, `frame #0: .*work\+0x3@jump-patch`, `^\(lldb\) finish$`, `frame #0: .*work`,
		`^\(lldb\) bt$`, `frame #1: .*middle\(n=2\)`, `^\(lldb\) continue$`, `frame #0: .*marker`,
		`exited with status = 0`)
	_, after, _ := strings.Cut(text, "(lldb) image list")
	if strings.Contains(after, "jump-patches") {
		s.Error("lldb still has the file of the patch that is gone")
	}
}

// TestJumpPatchRemoteLLDB: an lldb that cannot see the server's files, as on another
// machine, fetches what describes the stubs from the platform.
func TestJumpPatchRemoteLLDB(t *testing.T) {
	unshare := need(t, "unshare")
	if os.Geteuid() != 0 {
		missing(t, errors.New("a mount namespace of its own is for root"))
	}
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	s := newSession(t)
	v, folder := s.serveIn("platform", "--server", "--listen", "127.0.0.1:0")
	begin := append(s.connectPlatform(v.platformURL(), native(t, "jumppatch.c", inferiors.PIE)), "platform settings --working-dir "+t.TempDir())
	hidden := []string{unshare, "--mount", "--propagation", "private", "/bin/sh", "-c", `mount -t tmpfs none "$0" && exec "$@"`, string(folder)}
	command := lldbCommand(t, "", append(begin, walkInLLDB("process launch -- once")...)...)
	s.walkedInLLDB(s.playLLDB(nil, append(hidden, command...)...))
}

// TestJumpPatchFork follows a child, which has its parent's patches.
func TestJumpPatchFork(t *testing.T) {
	s := newSession(t)
	_, g, _ := s.patching(inferiors.PIE, "fork", nil, "set follow-fork-mode child", "set detach-on-fork off")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("info inferiors", `\* 2 +process`)
	g.matches("bt", fmt.Sprintf(inHook, 3))
	g.matches("monitor jump-patch list", `^0x[0-9a-f]+ work\+0x3: jump`)
	g.run("inferior 1")
	g.matches("monitor jump-patch list", `^0x[0-9a-f]+ work\+0x3: jump`)
}

// TestJumpPatchProcesses debugs two patched programs at once, one of which is
// attached to and the other a child of it that goes on by itself; each has its own
// patches, and those of one vanish without the other's.
func TestJumpPatchProcesses(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	s := newSession(t)
	program := native(t, "jumppatch.c", inferiors.PIE)
	first, second := s.start(program, "wait"), s.start(program, "wait")
	v, folder := s.serveIn("--multi", "127.0.0.1:0")
	g := s.extended(v, program)
	g.run(fmt.Sprint("attach ", first.pid))
	g.runs("add-inferior", "inferior 2", "file "+program, fmt.Sprint("attach ", second.pid))
	g.run("break hook if page != 0")
	for _, inferior := range []string{"1", "2", "1"} {
		g.run("inferior " + inferior)
		g.stopsIn("continue", "breakpoint-hit", "hook")
		g.matches("bt", fmt.Sprintf(inHook, 4))
	}
	if files := folder.files(t); len(files) != 2 {
		t.Errorf("there are %v", files)
	}
	g.run("kill inferiors 2")
	g.matches("monitor jump-patch list", `^0x[0-9a-f]+ work\+0x3: jump`)
	if files := folder.files(t); len(files) != 1 {
		t.Errorf("after one is gone there are %v", files)
	}
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("bt", fmt.Sprintf(inHook, 4))
	g.run("kill inferiors 1")
}

// TestJumpPatchBoth follows parent and child of a fork at once.
func TestJumpPatchBoth(t *testing.T) {
	s := newSession(t)
	_, g, _ := s.patching(inferiors.PIE, "fork", nil, "set detach-on-fork off", "set schedule-multiple on")
	g.run("tbreak marker")
	// The parent waits for the child, which comes to its hook.
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("bt", fmt.Sprintf(inHook, 3))
	g.matches("monitor jump-patch list", `^0x[0-9a-f]+ work\+0x3: jump`)
	g.run("inferior 1")
	g.matches("monitor jump-patch list", `^0x[0-9a-f]+ work\+0x3: jump`)
	for got := g.resume("continue"); got.function != "marker"; got = g.resume("continue") {
		if got.reason != "exited-normally" {
			t.Fatalf("%v; want the child's end and marker", got)
		}
		g.run("inferior 1")
	}
	g.matches("monitor jump-patch list", `^No jump patches were found\.\n$`)
}

// TestJumpPatchExec executes a program, which has none of them.
func TestJumpPatchExec(t *testing.T) {
	s := newSession(t)
	_, g, folder := s.patching(inferiors.PIE, "exec", nil)
	if len(folder.files(t)) != 1 {
		t.Errorf("there are %v", folder.files(t))
	}
	g.run("catch exec")
	g.resume("continue")
	if list := g.run("monitor jump-patch list"); list != "No jump patches were found.\n" {
		t.Errorf("after exec: %q", list)
	}
	if len(folder.files(t)) > 0 {
		t.Errorf("after exec there are %v", folder.files(t))
	}
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("bt", fmt.Sprintf(inHook, 2))
}

// TestJumpPatchOff sees that nothing is looked for unless it is wanted.
func TestJumpPatchOff(t *testing.T) {
	s := newSession(t)
	v, g, folder := s.patching(inferiors.PIE, "once", []string{"--jump-patches=off"})
	if trace := g.run("bt"); strings.Contains(trace, "@jump-patch") {
		t.Errorf("gdb prints %s", trace)
	}
	g.fails("monitor jump-patch list", "Protocol error with Rcmd")
	if list := g.run("info sharedlibrary"); strings.Contains(list, "jump-patches") || len(folder.files(t)) > 0 {
		t.Errorf("gdb has %s, and there are %v", list, folder.files(t))
	}
	g.run("disconnect")
	g.quit()
	if features := s.packets(v, "").ask("qSupported"); strings.Contains(features, "jump-patches") || !strings.Contains(features, "qXfer:osdata:read+") {
		t.Errorf("the server announces %s", features)
	}
}

// TestJumpPatchHints gives the server a file, whose word counts.
func TestJumpPatchHints(t *testing.T) {
	s := newSession(t)
	_, g, _ := s.patching(inferiors.NoPIE, "once", nil)
	site, page, size := g.value(patchSite), g.value("page"), g.value("(long)stub_end-(long)stub")
	file := filepath.Join(t.TempDir(), "patches.json")
	hints := fmt.Sprintf(`{"version": 1, "patches": [{"site": "%#x", "length": 6, "stub": ["%#x", "%#x"],
		"rows": [{"start": "%#x", "end": "%#x", "cfa": "rbp+136", "registers": {"rbp": "[cfa-136]"}}]}]}`,
		site, page, page+size, page+0x13, page+0x16)
	if err := os.WriteFile(file, []byte(hints), 0o600); err != nil {
		t.Fatal(err)
	}
	_, g, _ = s.patching(inferiors.NoPIE, "once", []string{"--jump-patches=" + file})
	g.matches("bt", fmt.Sprintf(inHook, 2))
	g.matches("monitor jump-patch list", `described, by a hint\n`)
	g.matches(fmt.Sprintf("monitor jump-patch show %#x", page), fmt.Sprintf(`%#x .* if the patcher described the stub rightly`, page+0x13))
}

// TestJumpPatchTable debugs a program that tells of its patch by itself.
func TestJumpPatchTable(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	s := newSession(t)
	program := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command(need(t, "gcc"), "-g", "-o", program, "../unwind/hint/c/example.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	v, _ := s.serveIn("127.0.0.1:0", program)
	g := s.connected(v, program)
	g.run("break count")
	g.stopsIn("continue", "breakpoint-hit", "count")
	g.matches("bt", `(?s)^#0 +count .*\n#1 .* work@jump-patch .*\n#2 .* work \(\).*\n#3 .* main \(`)
	g.matches("monitor jump-patch list", `^0x[0-9a-f]+ work: jump to 0x[0-9a-f]+, 4 of 4 instructions described, by a hint\n`)
}

// TestJumpPatchBadHints ends the server with a sentence where it can't read what
// it is given.
func TestJumpPatchBadHints(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	file := filepath.Join(t.TempDir(), "patches.json")
	if err := os.WriteFile(file, []byte(`{"version": 1, "patches": [{"site": "here"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		file:           `^\S+/patches.json: the file of jump patches can't be read: "here" is no address.*\n$`,
		file + "-gone": `^The jump patches can't be read: open \S+: no such file or directory\n$`,
		"":             `^--jump-patches takes auto, off or the name of a file\.\n$`,
	} {
		var complaint strings.Builder
		command := exec.Command(serverPath, "--jump-patches="+value, "127.0.0.1:0", "/bin/true")
		command.Stderr = &complaint
		err := command.Run()
		if command.ProcessState == nil || command.ProcessState.ExitCode() != 1 || !regexp.MustCompile(want).MatchString(complaint.String()) {
			t.Errorf("%q: %v, %q; want %q", value, err, complaint.String(), want)
		}
	}
}

// TestJumpPatchObject reads the list as a script does.
func TestJumpPatchObject(t *testing.T) {
	s := newSession(t)
	v, g, _ := s.patching(inferiors.PIE, "once", nil)
	site, page := g.value(patchSite), g.value("page")
	g.run("disconnect")
	g.quit()
	p := s.packets(v, "")
	if features := p.ask("qSupported"); !strings.Contains(features, "qXfer:jump-patches:read+") {
		t.Errorf("the server announces %s", features)
	}
	text := ""
	for {
		part := p.ask("qXfer:jump-patches:read::%x,400", len(text))
		if part == "" || part[0] != 'm' && part[0] != 'l' {
			t.Fatalf("the object is %q after %d bytes", part, len(text))
		}
		data, ok := rsp.AppendUnescaped(nil, []byte(part[1:]))
		if !ok {
			t.Fatalf("%q can't be read", part)
		}
		text += string(data)
		if part[0] == 'l' {
			break
		}
	}
	var document struct {
		Version string `xml:"version,attr"`
		Images  []struct {
			Name string `xml:"name,attr"`
		} `xml:"image"`
		Patches []struct {
			Site    string `xml:"site,attr"`
			Length  int    `xml:"length,attr"`
			Kind    string `xml:"kind,attr"`
			Source  string `xml:"source,attr"`
			Name    string `xml:"name,attr"`
			Regions []struct {
				Entry        string `xml:"entry,attr"`
				Return       string `xml:"return,attr"`
				Instructions []struct {
					Address    string `xml:"address,attr"`
					Original   string `xml:"original,attr"`
					Confidence string `xml:"confidence,attr"`
				} `xml:"instruction"`
			} `xml:"region"`
		} `xml:"patch"`
	}
	if err := xml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if document.Version != "1.0" || len(document.Images) != 1 || len(document.Patches) != 1 || len(document.Patches[0].Regions) != 1 {
		t.Fatalf("the object is %s", text)
	}
	hex := func(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
	patch, region := document.Patches[0], document.Patches[0].Regions[0]
	if patch.Site != hex(site) || patch.Length != 6 || patch.Kind != "jump" || patch.Source != "found" || patch.Name != "work+0x3" ||
		region.Entry != hex(page) || region.Return != hex(site+6) || len(region.Instructions) != 10 || region.Instructions[0].Original != hex(site) {
		t.Errorf("the object is %s", text)
	}
	if p.ask("qXfer:jump-patches:read:x:0,400") != "E00" {
		t.Error("an annex is taken")
	}
}
