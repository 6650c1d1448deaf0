package test

import (
	"fmt"
	"os/user"
	"regexp"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// TestInfoOS lists the tables of the operating system and finds the program in
// those that it is in.
func TestInfoOS(t *testing.T) {
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	v, g := s.allReady(3, inferiors.PIE)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	listed := g.run("info os")
	for _, annex := range []string{"cpus", "files", "modules", "msg", "processes", "procgroups", "semaphores", "shm", "sockets", "threads"} {
		if !regexp.MustCompile(`(?m)^` + annex + ` +Listing of all `).MatchString(listed) {
			t.Errorf("%s is not listed in %s", annex, listed)
		}
	}
	pid := v.inferior
	g.matches("info os processes", fmt.Sprintf(`(?m)^%d +%s +%s 3 +[0-9,]+ *$`, pid, me.Username, regexp.QuoteMeta(program)))
	g.matches("info os procgroups", fmt.Sprintf(`(?m)^\d+ +\S+ +%d +%s 3 *$`, pid, regexp.QuoteMeta(program)))
	rows := regexp.MustCompile(fmt.Sprintf(`(?m)^%d +(\S+) +(\d+) +\d+ *$`, pid)).FindAllStringSubmatch(g.run("info os threads"), -1)
	if len(rows) != 3 || rows[0][2] != fmt.Sprint(pid) {
		t.Errorf("the threads are %q", rows)
	}
	g.matches("info os files", fmt.Sprintf(`(?m)^%d +threads\S* +1 +\S+ *$`, pid))
	g.matches("info os sockets", fmt.Sprintf(`(?m)^127\.0\.0\.1 +%s +127\.0\.0\.1 +\d+ +ESTABLISHED +%s +INET +STREAM *$`, v.port, me.Username))
	g.matches("info os cpus", `(?m)^processor +vendor_id(.*\n)+0 +`)
	for _, annex := range []string{"modules", "msg", "semaphores", "shm"} {
		if text := g.run("info os " + annex); strings.Contains(text, "warning") {
			t.Errorf("%s: %s", annex, text)
		}
	}
	g.fails("info os nonsense", "Can not fetch data now")
	g.exits("continue", 0)
}
