package test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRooms holds who may import whom: cmd knows gdbserver and platform, gdbserver
// knows host, rsp, threads, unwind and ptrace's types, platform knows host, rsp and
// what ptrace reads of /proc, as host does, threads knows ptrace, and rsp, unwind
// and ptrace know nothing of ours. Only cmd depends on what logs, reads lines and parses flags.
func TestRooms(t *testing.T) {
	allowed := map[string][]string{
		"rsp": nil, "ptrace": nil, "threads": {"ptrace"}, "unwind": nil, "host": {"rsp", "ptrace"},
		"platform": {"host", "rsp", "ptrace"}, "gdbserver": {"host", "rsp", "threads", "ptrace", "unwind"},
	}
	outside := []string{"github.com/sirupsen/logrus", "github.com/go-delve/liner", "github.com/spf13/pflag"}
	for room, may := range allowed {
		output, err := exec.Command("go", "list", "-deps", "rspd/"+room+"/...").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, dependency := range strings.Fields(string(output)) {
			if slices.Contains(outside, dependency) {
				t.Errorf("%s depends on %s", room, dependency)
			}
			rest, ours := strings.CutPrefix(dependency, "rspd/")
			of, _, _ := strings.Cut(rest, "/")
			if ours && of != room && !slices.Contains(may, of) {
				t.Errorf("%s depends on %s", room, dependency)
			}
		}
	}
}
