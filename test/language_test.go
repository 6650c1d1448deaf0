package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

func TestCPlusPlus(t *testing.T) {
	for _, link := range []inferiors.Link{inferiors.PIE, inferiors.Static} {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := native(t, "throw.cc", link)
			v := s.launch(program)
			g := s.connected(v, program)
			g.run("break shop::refuse(int)")
			codes := map[string]bool{}
			for range 3 {
				g.stopsIn("continue", "breakpoint-hit", "shop::refuse")
				codes[strings.TrimSpace(g.run("output code"))] = true
			}
			if len(codes) != 3 {
				t.Errorf("codes %v", codes)
			}
			g.run("break shop::Counter::add")
			g.stopsIn("continue", "breakpoint-hit", "shop::Counter::add")
			g.matches("backtrace", `(?s)#0 +shop::Counter::add \(this=0x.*#1 .* main \(\)`)
			g.matches("ptype this", `class shop::Counter`)
			g.run("delete")
			g.runs("catch throw", "catch catch")
			g.catches("continue", "shop::refuse")
			g.catches("continue", "main")
			g.run("delete")
			g.exits("continue", 6)
			v.stdout.wait(t, "refused total 3\n")
		})
	}
}

// catches resumes to a catchpoint of the C++ runtime, which some frame of the
// named function has reached.
func (g *gdb) catches(command, function string) {
	g.s.Helper()
	if hit := g.resume(command); hit.reason != "breakpoint-hit" {
		g.s.Fatalf("%s: %v", command, hit)
	}
	g.matches("backtrace", function)
}

// TestGo counts the calls of a function. Asynchronous preemption is off: it may
// take a goroutine away at the instruction of the breakpoint, after the stop
// and before the step over it, and have another thread execute that again.
// Under GNU gdbserver 2 of 480 runs then see one call twice.
func TestGo(t *testing.T) {
	for _, link := range []inferiors.Link{inferiors.Static, inferiors.PIE} {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			program := golang(t, "goroutines", link)
			v := s.serve([]string{"--wrapper", "env", "GODEBUG=asyncpreemptoff=1", "--"}, program, "20")
			g := s.connected(v, program, "handle SIGURG nostop noprint pass")
			g.run("break main.square")
			seen := map[string]bool{}
			for range 20 {
				g.stopsIn("continue", "breakpoint-hit", "main.square")
				seen[strings.TrimSpace(g.run("output n"))] = true
			}
			if len(seen) != 20 {
				t.Errorf("%d numbers, want 20", len(seen))
			}
			g.run("break main.finished")
			g.stopsIn("continue", "breakpoint-hit", "main.finished")
			g.prints("sum", "2470")
			g.exits("continue", 0)
			v.stdout.wait(t, "sum 2470\n")
		})
	}
}

// TestGoServer attaches to an HTTP server, stops in its handler, looks around,
// interrupts it, detaches, and asks it once more.
func TestGoServer(t *testing.T) {
	s := newSession(t)
	program := golang(t, "webserver", inferiors.Static)
	p := s.start(program)
	url := "http://" + p.stdout.wait(t, `serving (\S+)\n`)[1]
	client := &http.Client{Timeout: patience}
	get := func(path string) (string, error) { return get(client, url+path) }
	if body, err := get("/one"); err != nil || !strings.Contains(body, "hello /one, answer 1") {
		t.Fatal(body, err)
	}
	v := s.attach(p.pid, "--once")
	g := s.connected(v, program, "handle SIGURG nostop noprint pass")
	g.run("break main.answer")
	type answer struct {
		body string
		err  error
	}
	answers := make(chan answer, 1)
	for i := range 5 {
		g.start("continue")
		go func() {
			body, err := get(fmt.Sprintf("/stop%d", i))
			answers <- answer{body, err}
		}()
		if hit := g.stopped("continue"); hit.reason != "breakpoint-hit" || hit.function != "main.answer" {
			t.Fatalf("%v", hit)
		}
		g.matches("backtrace", `net/http`)
		g.run("delete")
		g.start("continue")
		if got := <-answers; got.err != nil || !strings.Contains(got.body, fmt.Sprintf("hello /stop%d", i)) {
			t.Fatal(got)
		}
		if got := g.interrupt(); got.signal != "SIGINT" {
			t.Fatalf("%v", got)
		}
		g.run("break main.answer")
	}
	g.run("detach")
	v.wait()
	s.untouched(p.pid)
	if body, err := get("/last"); err != nil || !strings.Contains(body, "hello /last, answer 7") {
		t.Fatal(body, err)
	}
}
