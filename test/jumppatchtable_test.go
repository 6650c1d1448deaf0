package test

import (
	"fmt"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// inHookOf is a backtrace in the hook of patchtable.c, whose stub returns to an
// address.
func inHookOf(n int, back uint64) string {
	return fmt.Sprintf(`(?s)^#0 +hook .*\n#1 .* work\+0x3@jump-patch .*\n#2 +0x0*%x in work \(\).*\n#3 .* middle \(n=%d\).*\n#4 .* main \(.*\)[^\n]*\n$`, back, n)
}

// TestJumpPatchNotified has a program change its text and its table in memory that
// was executable before gdb came. No stop is seen but those that are asked for,
// and each has what the program said last.
func TestJumpPatchNotified(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	for _, test := range []struct {
		name    string
		link    inferiors.Link
		threads bool
		setup   []string
	}{
		{name: "PIE", link: inferiors.PIE},
		{name: "static", link: inferiors.Static},
		{name: "threads", link: inferiors.PIE, threads: true},
		{name: "non-stop", link: inferiors.PIE, threads: true, setup: []string{"set non-stop on"}},
		{name: "target non-stop", link: inferiors.PIE, threads: true, setup: []string{"maint set target-non-stop on"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "patchtable.c", test.link)
			arguments := []string{program}
			if test.threads {
				arguments = append(arguments, "threads")
			}
			v, folder := s.serveIn(append([]string{"127.0.0.1:0"}, arguments...)...)
			g := s.connected(v, program, test.setup...)
			background := ""
			if test.setup != nil {
				background = " &"
			}
			g.run("tbreak main")
			g.stopsIn("continue"+background, "breakpoint-hit", "main")
			g.run("break hook")
			g.run("break marker")
			back, later := g.value(patchBack), g.value(patchLater)
			for n, want := range []uint64{back, later, back} {
				g.stopsIn("continue"+background, "breakpoint-hit", "hook")
				g.matches("bt", inHookOf(n+2, want))
				if extra := len(g.stops); extra > 0 {
					t.Errorf("gdb has seen %d more stops: %v", extra, g.stops)
				}
			}
			g.stopsIn("continue"+background, "breakpoint-hit", "marker")
			if list := g.run("info sharedlibrary"); strings.Contains(list, "jump-patches") || len(folder.files(t)) > 0 {
				t.Errorf("after it was taken out, gdb has %s and these are left: %v", list, folder.files(t))
			}
			g.exits("continue"+background, 0)
			v.stdout.wait(t, `counted 3\n`)
		})
	}
}

// TestJumpPatchNotifiedBreakpoint has the client's own breakpoint where the
// server's is: each does its work, and memory shows neither.
func TestJumpPatchNotifiedBreakpoint(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	s := newSession(t)
	program := native(t, "patchtable.c", inferiors.NoPIE)
	v, _ := s.serveIn("127.0.0.1:0", program)
	g := s.connected(v, program)
	g.run("tbreak main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	code := g.run("x/4xb __jump_patch_changed")
	if strings.Contains(code, "0xcc") {
		t.Errorf("memory shows a breakpoint: %s", code)
	}
	g.run("break __jump_patch_changed")
	g.stopsIn("continue", "breakpoint-hit", "__jump_patch_changed")
	g.matches("monitor jump-patch list", `described, by a hint\n`)
	g.run("delete")
	g.run("break hook")
	g.stopsIn("stepi", "end-stepping-range", "__jump_patch_changed")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("bt", inHookOf(3, g.value(patchLater)))
	g.run("tbreak *__jump_patch_changed if 0")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("bt", inHookOf(4, g.value(patchBack)))
	g.run("delete")
	if again := g.run("x/4xb __jump_patch_changed"); again != code {
		t.Errorf("memory has changed from %s to %s", code, again)
	}
	g.exits("continue", 0)
}

// TestJumpPatchNotifiedDetach lets a program go that the server has breakpoints
// in: none is left.
func TestJumpPatchNotifiedDetach(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	s := newSession(t)
	program := native(t, "patchtable.c", inferiors.PIE)
	v, _ := s.serveIn("127.0.0.1:0", program)
	g := s.connected(v, program)
	g.run("tbreak hook")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.run("detach")
	v.stdout.wait(t, `counted 3\n`)
}

// TestJumpPatchAdd describes a patch by commands, and takes it back.
func TestJumpPatchAdd(t *testing.T) {
	s := newSession(t)
	_, g, _ := s.patching(inferiors.PIE, "fork", nil, "set follow-fork-mode child", "set detach-on-fork off")
	site, page, back := g.value(patchSite), g.value("page"), g.value(patchBack)
	size := g.value("(long)stub_end-(long)stub")
	g.matches("bt", fmt.Sprintf(inHook, 2))
	g.fails("monitor jump-patch add", "Protocol error with Rcmd")
	g.fails(fmt.Sprintf("monitor jump-patch add %#x size=3", site), "Protocol error with Rcmd")
	g.fails(fmt.Sprintf("monitor jump-patch add %#x return=%#x", site, g.value("&counted")), "Protocol error with Rcmd")
	g.matches("monitor jump-patch list", `10 of 10 instructions described\n`)

	g.matches(fmt.Sprintf("monitor jump-patch add %#x length=6 stub=%#x,%#x return=%#x row=%#x,%#x,cfa=rbp+136,rbp=[cfa-136]",
		site, page, page+size, back+1, page+0x13, page+0x16), fmt.Sprintf(`known by a hint\n(?s).*returns to %#x, .*the patcher described the stub rightly`, back+1))
	g.run("sharedlibrary")
	g.matches("bt", fmt.Sprintf(`(?s)^#0 +hook .*\n#1 .* work\+0x3@jump-patch .*\n#2 +0x0*%x in work \(\).*\n#3 .* middle \(n=2\)`, back+1))
	g.run(fmt.Sprintf("monitor jump-patch remove %#x", site))
	g.matches("monitor jump-patch list", `10 of 10 instructions described\n`)
	g.run("sharedlibrary")
	g.matches("bt", fmt.Sprintf(inHook, 2))

	// What is found is left out on request, also in a child.
	g.run(fmt.Sprintf("monitor jump-patch remove %#x", site))
	g.matches("monitor jump-patch list", `^No jump patches were found\.\n$`)
	g.fails(fmt.Sprintf("monitor jump-patch remove %#x", site), "Protocol error with Rcmd")
	g.fails("monitor jump-patch remove here", "Protocol error with Rcmd")
	g.stopsIn("continue", "breakpoint-hit", "hook")
	g.matches("info inferiors", `\* 2 +process`)
	g.matches("monitor jump-patch list", `^No jump patches were found\.\n$`)
	g.run(fmt.Sprintf("monitor jump-patch add %#x", site))
	g.matches("monitor jump-patch list", `described, by a hint\n`)
	g.run("sharedlibrary")
	g.matches("bt", fmt.Sprintf(inHook, 3))
	g.run("inferior 1")
	g.matches("monitor jump-patch list", `^No jump patches were found\.\n$`)
}
