package test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

func TestStdio(t *testing.T) {
	for _, comm := range []string{"-", "stdio"} {
		t.Run(comm, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "recurse.c", inferiors.PIE)
			g := s.gdb(program)
			messages := filepath.Join(t.TempDir(), "messages")
			g.run(fmt.Sprintf("target remote | %s --once %s %s 6 2>%s", serverPath, comm, program, messages))
			g.run("break bottom")
			g.stopsIn("continue", "breakpoint-hit", "bottom")
			g.exits("continue", 0)
			g.quit()
			s.nothingLeft()
			text, err := os.ReadFile(messages)
			if err != nil {
				t.Fatal(err)
			}
			// They come out among gdb's own, which tells of the end.
			if said := string(text); !strings.Contains(said, "stdin/stdout redirected") || strings.Contains(said, "exited with status") {
				t.Errorf("the server said %q", said)
			}
		})
	}
}

// TestStdioVanishes quits gdb in the middle of a session over pipes.
func TestStdioVanishes(t *testing.T) {
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	g := s.gdb(program)
	g.run(fmt.Sprintf("target remote | %s --once - %s", serverPath, program))
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	g.quit()
	s.nothingLeft()
}

func TestUnixSocket(t *testing.T) {
	gnuLacks(t, "13.1 listens on no Unix socket")
	s := newSession(t)
	program := native(t, "recurse.c", inferiors.PIE)
	path := filepath.Join(t.TempDir(), "socket")
	p := s.start(serverPath, "--once", "unix:"+path, program, "6")
	s.eventually("the socket exists", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	g := s.gdb(program)
	g.run("target remote " + path)
	g.run("break bottom")
	g.stopsIn("continue", "breakpoint-hit", "bottom")
	g.exits("continue", 0)
	p.wait()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

func TestAddresses(t *testing.T) {
	for _, comm := range []string{":0", "localhost:0", "127.0.0.1:0", "tcp:127.0.0.1:0", "tcp4:127.0.0.1:0", "[::1]:0", "tcp6:[::1]:0"} {
		t.Run(comm, func(t *testing.T) {
			if strings.HasPrefix(comm, "tcp") {
				gnuLacks(t, "13.1 takes the prefixes for host names")
			}
			s := newSession(t)
			host := "127.0.0.1"
			if strings.Contains(comm, "::1") {
				host = "[::1]"
				probe, err := net.Listen("tcp", "[::1]:0")
				if err != nil {
					t.Skip(err)
				}
				probe.Close()
			}
			program := native(t, "recurse.c", inferiors.PIE)
			v := s.serveCmd(exec.Command(serverPath, "--once", comm, program, "3"))
			g := s.gdb(program)
			g.run("target remote " + host + ":" + v.port)
			v.stderr.wait(t, `(?m)^Remote debugging from host (127\.0\.0\.1|::1|::ffff:127\.0\.0\.1), port \d+$`)
			g.exits("continue", 0)
			v.stdout.wait(t, "sum 6\n")
			v.wait()
		})
	}
}

// TestLoopbackOnly looks at which address a server without a host listens.
func TestLoopbackOnly(t *testing.T) {
	gnuLacks(t, "it listens on every interface")
	s := newSession(t)
	program := native(t, "echo.c", inferiors.PIE)
	v := s.serveCmd(exec.Command(serverPath, ":0", program))
	var port int
	if _, err := fmt.Sscan(v.port, &port); err != nil {
		t.Fatal(err)
	}
	listening := 0
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 4 || fields[3] != "0A" || !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
				continue
			}
			listening++
			if !strings.HasPrefix(fields[1], "0100007F:") && !strings.HasPrefix(fields[1], "00000000000000000000000001000000:") {
				t.Errorf("listens on %s", fields[1])
			}
		}
	}
	if listening == 0 {
		t.Error("no listening socket was found")
	}
}

func TestWrapper(t *testing.T) {
	s := newSession(t)
	program := native(t, "surroundings.c", inferiors.PIE)
	v := s.serve([]string{"--once", "--wrapper", "env", "RSPD_WRAPPED=yes", "--"}, program, "a b")
	g := s.connected(v, program)
	g.run("break main")
	g.stopsIn("continue", "breakpoint-hit", "main")
	g.exits("continue", 1)
	v.stdout.wait(t, `(?s)arg 1 <a b>\n.*env RSPD_WRAPPED=yes\n`)
}

func TestNoShell(t *testing.T) {
	for _, args := range [][]string{{"$HOME", "*", "a;b"}, {"a  b", "it's", `"`}} {
		t.Run(args[0], func(t *testing.T) {
			if strings.Contains(args[0], " ") {
				gnuLacks(t, "13.1 takes no argument with white space without a shell")
			}
			s := newSession(t)
			program := native(t, "surroundings.c", inferiors.PIE)
			v := s.serve([]string{"--once", "--no-startup-with-shell"}, append([]string{program}, args...)...)
			g := s.connected(v, program)
			g.exits("continue", 3)
			v.stdout.wait(t, `(?m)^end$`)
			for i, arg := range args {
				if want := fmt.Sprintf("arg %d <%s>\n", i+1, arg); !strings.Contains(v.stdout.String(), want) {
					t.Errorf("no %q in %s", want, v.stdout)
				}
			}
		})
	}
}

func TestBatch(t *testing.T) {
	s := newSession(t)
	program := native(t, "recurse.c", inferiors.PIE)
	v := s.launch(program, "4")
	text := s.batch(program, "target remote "+v.address(), "break bottom", "continue", "backtrace", "print $_exitcode", "continue", "print $_exitcode")
	for _, want := range []string{"#0  bottom ()", "depth=4", "exited normally", "$1 = void", "$2 = 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	v.wait()
}

func TestRemoteDebug(t *testing.T) {
	s := newSession(t)
	program := native(t, "recurse.c", inferiors.PIE)
	v := s.serve([]string{"--once", "--remote-debug"}, program)
	g := s.connected(v, program)
	g.exits("continue", 0)
	v.wait()
	log := v.stderr.all(t)
	for _, packet := range []string{"qSupported", "vCont?", "W0"} {
		if !strings.Contains(log, packet) {
			t.Errorf("the log does not show %s", packet)
		}
	}
}

func TestDisablePacket(t *testing.T) {
	for _, count := range []string{"1", "2"} {
		t.Run(count, func(t *testing.T) {
			if count != "1" {
				gnuLacks(t, "13.1 resumes only one thread on Hcp1.0 and c")
			}
			s := newSession(t)
			program := native(t, "threads.c", inferiors.PIE)
			v := s.serve([]string{"--once", "--disable-packet=vCont"}, program, count)
			g := s.connected(v, program)
			g.matches("maint packet vCont?", `received: ""`)
			g.run("break all_ready")
			g.stopsIn("continue", "breakpoint-hit", "all_ready")
			g.exits("continue", 0)
		})
	}
}
