package test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// TestSession goes through the commands of an ordinary session in each way a
// program can be linked.
func TestSession(t *testing.T) {
	for _, link := range inferiors.Links {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "watch.c", link)
			v := s.launch(program)
			g := s.connected(v, program)
			g.run("break stores")
			g.stopsIn("continue", "breakpoint-hit", "stores")
			first := g.resume("next")
			if second := g.resume("next"); first.reason != "end-stepping-range" || second.line != first.line+1 {
				t.Errorf("next: %v, then %v", first, second)
			}
			g.prints("byte", `34 '"'`)
			if back := g.resume("finish"); back.reason != "function-finished" || back.function != "main" {
				t.Errorf("finish: %v", back)
			}
			g.run("break summed")
			g.stopsIn("continue", "breakpoint-hit", "summed")
			if after := g.resume("until " + at(t, "watch.c", "return local;")); after.function != "summed" {
				t.Errorf("until: %v", after)
			}
			g.prints("local", "6")
			g.matches("finish", "")
			if back := g.stopped("finish"); fmt.Sprint(back.results["return-value"]) != "6" {
				t.Errorf("finish: %v %v", back, back.results)
			}
			g.run("tbreak finished")
			g.stopsIn("continue", "breakpoint-hit", "finished")
			g.exits("continue", 0)
			v.stderr.wait(t, `Child exited with status 0`)
			if status := v.wait(); status != 0 {
				t.Errorf("server ended with %d", status)
			}
			g.quit()
			s.nothingLeft()
		})
	}
}

// TestSysroot leaves sysroot at its default, so that gdb reads the program and
// every library through the server.
func TestSysroot(t *testing.T) {
	s := newSession(t)
	program := native(t, "library.c", inferiors.PIE)
	v := s.launch(program)
	g := s.gdb("", "set sysroot target:")
	g.matches("target remote "+v.address(), `Reading .*library from remote target`)
	g.run("break linked_add")
	g.stopsIn("continue", "breakpoint-hit", "linked_add")
	g.matches("info sharedlibrary", `target:.*/liblinked\.so`)
	g.matches("info symbol printf", `printf.* in section \.text of target:.*/libc\.so\.6`)
	g.exits("continue", 0)
}

func TestStep(t *testing.T) {
	s := newSession(t)
	program := native(t, "recurse.c", inferiors.PIE)
	v := s.launch(program, "5")
	g := s.connected(v, program)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	if in := g.resume("step"); in.function != "descend" {
		t.Fatalf("step: %v", in)
	}
	g.prints("depth", "5")
	line := at(t, "recurse.c", "return depth + descend")
	if there := g.resume("advance " + line); there.function != "descend" {
		t.Fatalf("advance: %v", there)
	}
	if over := g.resume("next"); over.function != "descend" || over.reason != "end-stepping-range" {
		t.Errorf("next: %v", over)
	}
	g.prints("depth", "5")
	g.exits("continue", 0)
	v.stdout.wait(t, "sum 15\n")
}

// TestInstructionSteps checks that a thousand single steps go where the same
// program goes a second time.
func TestInstructionSteps(t *testing.T) {
	s := newSession(t)
	program := native(t, "recurse.c", inferiors.NoPIE)
	var traces [2][][]string
	for i := range traces {
		v := s.launch(program, "10")
		text := s.batch(program,
			"target remote "+v.address(), "tbreak main", "continue",
			"set $i = 0",
			"while $i < 1000\nstepi\nprintf \"pc %lx\\n\", (unsigned long)$pc\nset $i = $i + 1\nend",
			"kill")
		traces[i] = regexp.MustCompile(`(?m)^pc ([0-9a-f]+)$`).FindAllStringSubmatch(text, -1)
		if len(traces[i]) != 1000 {
			t.Fatalf("%d steps, want 1000", len(traces[i]))
		}
	}
	for i, pc := range traces[0] {
		if pc[1] != traces[1][i][1] {
			t.Fatalf("step %d goes to %s, then to %s", i, pc[1], traces[1][i][1])
		}
		if i > 0 && pc[1] == traces[0][i-1][1] {
			t.Fatalf("step %d does not move from %s", i, pc[1])
		}
	}
}

func TestDeepRecursion(t *testing.T) {
	s := newSession(t)
	program := native(t, "recurse.c", inferiors.PIE)
	v := s.launch(program, "2000")
	g := s.connected(v, program)
	g.run("break bottom")
	g.stopsIn("continue", "breakpoint-hit", "bottom")
	if frames := strings.Count(g.run("backtrace"), " descend ("); frames != 2001 {
		t.Errorf("%d frames of descend, want 2001", frames)
	}
	g.run("frame 1000")
	g.prints("depth", "999")
	g.exits("continue", 0)
}

func TestLibraries(t *testing.T) {
	s := newSession(t)
	program := native(t, "library.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.runs("set breakpoint pending on", "break plugin_apply", "break callback")
	g.stopsIn("continue", "breakpoint-hit", "plugin_apply")
	g.matches("info sharedlibrary", `libplugin\.so`)
	g.stopsIn("continue", "breakpoint-hit", "callback")
	g.matches("backtrace", `(?s)#0 +callback \(value=21\).*plugin_apply \(.*main \(`)
	g.exits("continue", 0)
	v.stdout.wait(t, "result 44\n")
}

func TestExitStatus(t *testing.T) {
	s := newSession(t)
	program := native(t, "surroundings.c", inferiors.PIE)
	v := s.launch(program, "a", "b c", `d"e'f`)
	g := s.connected(v, program)
	g.exits("continue", 3)
	v.stdout.wait(t, `(?s)argc 4\narg 1 <a>\narg 2 <b c>\narg 3 <d"e'f>\n.*end\n`)
	v.stderr.wait(t, "Child exited with status 3")
	v.wait()
}

func TestKill(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("kill")
	v.wait()
	s.eventually("the inferior is dead", func() bool { return !running(v.inferior) })
	g.quit()
	s.nothingLeft()
}

// TestClientVanishes kills a gdb while the inferior is stopped. The server
// stays, with the inferior, for the next client.
func TestClientVanishes(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	if err := g.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	again := s.connected(v, program)
	again.matches("backtrace", `#0 +main`)
	again.start("continue")
	v.stdin.Close()
	if end := again.stopped("continue"); end.reason != "exited-normally" {
		t.Errorf("%v", end)
	}
}

func TestEcho(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.launch(program)
	g := s.connected(v, program)
	g.run("break echoed")
	g.start("continue")
	v.stdout.wait(t, "ready\n")
	v.say("one")
	if hit := g.stopped("continue"); hit.function != "echoed" {
		t.Fatalf("%v", hit)
	}
	g.matches("up", "main")
	g.prints("line[0]@4", `"one\n"`)
	g.run("delete")
	g.start("continue")
	v.stdout.wait(t, "echo one\n")
	v.hears("two", "echo two\n")
	v.stdin.Close()
	if end := g.stopped("continue"); end.reason != "exited-normally" {
		t.Errorf("%v", end)
	}
}
