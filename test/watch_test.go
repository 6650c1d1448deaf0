package test

import (
	"fmt"
	"testing"

	"rspd/test/inferiors"
)

func (s *session) watching(args ...string) *gdb {
	s.Helper()
	program := native(s.T, "watch.c", inferiors.PIE)
	v := s.launch(program, args...)
	g := s.connected(v, program)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	return g
}

// watched resumes and checks which values a watchpoint shows.
func (g *gdb) watched(reason string, want map[string]string) stop {
	g.s.Helper()
	got := g.resume("continue")
	values, _ := got.results["value"].(map[string]any)
	if got.reason != reason || len(values) != len(want) {
		g.s.Fatalf("%v %v, want %s %v", got, values, reason, want)
	}
	for name, value := range want {
		if fmt.Sprint(values[name]) != value {
			g.s.Errorf("%v: %s is %v, want %s", got, name, values[name], value)
		}
	}
	return got
}

func TestWatchWrites(t *testing.T) {
	for _, c := range []struct{ name, format, zero, one, two string }{
		{"byte", "c", `0 '\000'`, `17 '\021'`, `34 '"'`},
		{"half", "d", "0", "4369", "8738"},
		{"word", "d", "0", "286331153", "572662306"},
		{"quad", "d", "0", "1229782938247303441", "2459565876494606882"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "quad" {
				notAgain(t, "it takes two accesses")
			}
			s := newSession(t)
			g := s.watching()
			g.matches("watch "+c.name, "Hardware watchpoint 2: "+c.name)
			g.watched("watchpoint-trigger", map[string]string{"old": c.zero, "new": c.one})
			after := g.watched("watchpoint-trigger", map[string]string{"old": c.one, "new": c.two})
			if after.function != "stores" {
				t.Errorf("%v", after)
			}
			g.matches("info watchpoints", "already hit 2 times")
			g.exits("continue", 0)
		})
	}
}

func TestWatchReads(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"byte", `34 '"'`}, {"half", "8738"}, {"word", "572662306"}, {"quad", "2459565876494606882"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "quad" {
				notAgain(t, "it takes two accesses")
			}
			s := newSession(t)
			g := s.watching()
			g.runs("break loads", "continue")
			if hit := g.stopped("continue"); hit.function != "loads" {
				t.Fatalf("%v", hit)
			}
			g.matches("rwatch "+c.name, "Hardware read watchpoint 3: "+c.name)
			if hit := g.watched("read-watchpoint-trigger", map[string]string{"value": c.value}); hit.function != "loads" {
				t.Errorf("%v", hit)
			}
			g.exits("continue", 0)
		})
	}
}

func TestWatchAccesses(t *testing.T) {
	s := newSession(t)
	g := s.watching()
	g.matches("awatch word", "Hardware access .*watchpoint 2: word")
	g.watched("access-watchpoint-trigger", map[string]string{"old": "0", "new": "286331153"})
	g.watched("access-watchpoint-trigger", map[string]string{"old": "286331153", "new": "572662306"})
	g.watched("access-watchpoint-trigger", map[string]string{"new": "572662306"})
	g.exits("continue", 0)
}

// TestWatchNeighbours watches four bytes between others that change too.
func TestWatchNeighbours(t *testing.T) {
	s := newSession(t)
	g := s.watching()
	g.run("watch neighbours.inside")
	g.watched("watchpoint-trigger", map[string]string{"old": "0", "new": "2"})
	g.exits("continue", 0)
}

// TestWatchSeveral uses all four debug registers, then asks for one more.
func TestWatchSeveral(t *testing.T) {
	s := newSession(t)
	g := s.watching()
	g.runs("watch byte", "watch half", "watch word", "watch quad")
	for _, want := range []map[string]string{
		{"old": `0 '\000'`, "new": `17 '\021'`}, {"old": `17 '\021'`, "new": `34 '"'`},
		{"old": "0", "new": "4369"}, {"old": "4369", "new": "8738"},
	} {
		g.watched("watchpoint-trigger", want)
	}
	g.run("watch untouched")
	g.aborts("continue", `Could not insert hardware watchpoint \d`)
	g.run("delete 6")
	g.watched("watchpoint-trigger", map[string]string{"old": "0", "new": "286331153"})
	g.run("delete")
	g.exits("continue", 0)
}

func TestWatchThreads(t *testing.T) {
	s := newSession(t)
	g := s.watching("threads")
	g.runs("break summed", "continue")
	g.stopped("continue")
	g.run("watch word")
	threads := map[string]bool{}
	old := "572662306"
	for i := 1; i <= 3; i++ {
		hit := g.watched("watchpoint-trigger", map[string]string{"old": old, "new": fmt.Sprint(i)})
		old = fmt.Sprint(i)
		threads[hit.thread] = true
		if hit.function != "storer" {
			t.Errorf("%v", hit)
		}
	}
	if len(threads) != 3 || threads["1"] {
		t.Errorf("threads %v", threads)
	}
	g.exits("continue", 0)
}

// TestWatchLocal watches a variable of a frame until the frame is left.
func TestWatchLocal(t *testing.T) {
	s := newSession(t)
	g := s.watching()
	g.run("break " + at(t, "watch.c", "for (int i = 1; i <= n; i++)"))
	g.stopsIn("continue", "breakpoint-hit", "summed")
	g.run("watch local")
	g.watched("watchpoint-trigger", map[string]string{"old": "0", "new": "1"})
	g.watched("watchpoint-trigger", map[string]string{"old": "1", "new": "3"})
	g.watched("watchpoint-trigger", map[string]string{"old": "3", "new": "6"})
	if out := g.resume("continue"); out.reason != "watchpoint-scope" {
		t.Errorf("%v", out)
	}
	g.exits("continue", 0)
}
