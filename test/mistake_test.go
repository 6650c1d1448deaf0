package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// TestMistakes starts the server in ways that cannot work: it must say so,
// end with a status that is not zero, and leave nothing running.
func TestMistakes(t *testing.T) {
	echo := native(t, "echo.c", inferiors.PIE)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	port := strconv.Itoa(busy.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no such program", []string{"127.0.0.1:0", "/no/such/program"}, `(?i)/no/such/program.*(no such file|not found)`},
		{"no program", []string{"127.0.0.1:0", plain}, `(?i)` + plain + `.*(permission denied|cannot exec)`},
		{"directory", []string{"127.0.0.1:0", "/usr"}, `(?i)/usr.*(permission denied|is a directory|cannot exec)`},
		{"port in use", []string{"127.0.0.1:" + port, echo}, `(?i)(address already in use|in use|can't bind address)`},
		{"bad port", []string{"127.0.0.1:port", echo}, `(?i)port`},
		{"no such process", []string{"--attach", "127.0.0.1:0", "4194303"}, `(?i)no such process|no process`},
		{"bad pid", []string{"--attach", "127.0.0.1:0", "12x"}, `.`},
		{"unknown option", []string{"--no-such-option", "127.0.0.1:0", echo}, `--no-such-option|no-such-option`},
		{"no arguments", nil, `(?i)usage`},
		{"no program given", []string{"127.0.0.1:0"}, `.`},
		{"wrapper without end", []string{"--wrapper", "env", "127.0.0.1:0", echo}, `.`},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			s := newSession(t)
			p := s.start(serverPath, c.args...)
			if status := p.wait(); status == 0 {
				t.Error("the server ended with 0")
			}
			p.stderr.wait(t, c.want)
			// How to use it may follow, or what gdbserver says of a start that
			// failed. Of a directory it is the shell that speaks.
			said, _, _ := strings.Cut(p.stderr.all(t), "Usage:")
			said, _, _ = strings.Cut(said, "During startup")
			if lines := strings.Count(said, "\n"); !serverGNU && c.name != "no arguments" && c.name != "directory" && lines != 1 {
				t.Errorf("%d lines on stderr, want 1:\n%s", lines, p.stderr)
			}
			s.nothingLeft()
		})
	}
}

func TestAttachZombie(t *testing.T) {
	s := newSession(t)
	zombie := exec.Command("/bin/true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = zombie.Wait() })
	s.eventually("the child is a zombie", func() bool {
		return strings.HasPrefix(statusField(zombie.Process.Pid, "State"), "Z")
	})
	p := s.start(serverPath, "--attach", "127.0.0.1:0", strconv.Itoa(zombie.Process.Pid))
	if status := p.wait(); status == 0 {
		t.Error("the server ended with 0")
	}
	p.stderr.wait(t, "(?i)zombie")
	s.nothingLeft()
}

func TestAttachTraced(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.launch(program)
	p := s.start(serverPath, "--attach", "127.0.0.1:0", strconv.Itoa(v.inferior))
	if status := p.wait(); status == 0 {
		t.Error("the server ended with 0")
	}
	p.stderr.wait(t, `(?i)already traced by process `+strconv.Itoa(v.pid)+`|(?i)traced.*\b`+strconv.Itoa(v.pid)+`\b`)
	g := s.connected(v, program)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
}

func TestInformation(t *testing.T) {
	for option, want := range map[string]string{"--version": `(?m)^.*\d+\.\d+`, "--help": `(?s)--attach.*--multi|--multi.*--attach`} {
		t.Run(option, func(t *testing.T) {
			s := newSession(t)
			p := s.start(serverPath, option)
			if status := p.wait(); status != 0 {
				t.Errorf("the server ended with %d", status)
			}
			p.stdout.wait(t, want)
		})
	}
}
