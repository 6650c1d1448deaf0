package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// lldbSetup is said to each lldb first.
var lldbSetup = []string{
	"settings set use-color false", "settings set symbols.enable-external-lookup false",
	"settings set plugin.process.gdb-remote.packet-timeout 60", "settings set target.use-fast-stepping true",
}

// lldb plays commands to an lldb with a program and returns what it printed.
func (s *session) lldb(program string, commands ...string) string {
	s.Helper()
	return s.lldbWith(nil, program, commands...)
}

// lldbWith is lldb with additions to its environment.
func (s *session) lldbWith(environment []string, program string, commands ...string) string {
	s.Helper()
	return s.playLLDB(environment, lldbCommand(s.T, program, commands...)...)
}

// lldbCommand is the command of an lldb that plays others on a program.
func lldbCommand(t *testing.T, program string, commands ...string) []string {
	t.Helper()
	command := []string{need(t, "lldb"), "--no-lldbinit", "--no-use-colors", "--batch"}
	for _, played := range append(append([]string(nil), lldbSetup...), commands...) {
		command = append(command, "-o", played)
	}
	if program != "" {
		command = append(command, program)
	}
	return command
}

// playLLDB executes the command of an lldb and returns what it prints.
func (s *session) playLLDB(environment []string, command ...string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	client := exec.CommandContext(ctx, command[0], command[1:]...)
	client.Env = append(append(client.Environ(), s.mark, "LC_ALL=C", "TERM=dumb"), environment...)
	text, err := client.CombinedOutput()
	if err != nil {
		s.Errorf("lldb: %v", err)
	}
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("lldb:\n%s", text)
		}
	})
	return string(text)
}

// inOrder checks that patterns match one after the other.
func (s *session) inOrder(text string, patterns ...string) {
	s.Helper()
	for _, pattern := range patterns {
		at := regexp.MustCompile("(?m)" + pattern).FindStringIndex(text)
		if at == nil {
			s.Errorf("nothing matches %s where it should", pattern)
			return
		}
		text = text[at[1]:]
	}
}

// connect is lldb's command to connect to a server.
func (v *server) connect() string { return "gdb-remote " + v.address() }

func TestLLDB(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	notAgain(t, "the registers are named")
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	v := s.serve(nil, program, "3")
	text := s.lldb(program, v.connect(),
		"breakpoint set --name all_ready", "process continue", "thread list", "breakpoint disable",
		"register read rip rsp eflags", "register write rbx 0x1234", "register read rbx ebx bl",
		"register write xmm3 '{1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16}'", "register read xmm3",
		"expression -- add(40, 2)", "expression -- worked = 7", "memory read --size 4 --count 1 --format d &worked",
		"expression -- worked = 0", "memory region `(void*)all_ready`", "thread step-out", "thread step-over",
		"breakpoint set --name work --one-shot true", "process continue", "thread backtrace",
		"watchpoint set variable worked", "process continue", "watchpoint delete --force", "breakpoint delete --force",
		"process continue")
	s.inOrder(text, `stop reason = breakpoint 1\.1`, `in_? ?.*all_ready|all_ready at threads\.c`,
		`thread #1`, `thread #2.*name = 'worker-1'`, `thread #3.*name = 'worker-2'`,
		`rip = 0x[0-9a-f]+ +.*all_ready`, `rbx = 0x0+1234`, `ebx = 0x0*1234`, `bl = 0x34`,
		`xmm3 = \{0x01 0x02 0x03 .* 0x10\}`,
		`\(int\) \$\d+ = 42`, `\$\d+ = 7`, `^0x[0-9a-f]+: 7`, `r-x .*threads`,
		`stop reason = step out`, `stop reason = step over`, `stop reason = (one-shot )?breakpoint`, `frame #0: .*work`,
		`Watchpoint created`, `stop reason = watchpoint 1`, `exited with status = 0`)
	if status := v.wait(); status != 0 {
		t.Errorf("the server ends with status %d", status)
	}
	s.nothingLeft()
}

// TestLLDBFollows has lldb follow the parent and the child of a fork and a vfork.
func TestLLDBFollows(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	for _, test := range []struct {
		mode, follow, breakpoint, status string
		// execs says that lldb stops at an execve first.
		execs bool
	}{
		{"fork", "parent", "parent_work", "0", false},
		{"fork", "child", "child_work", "5", false},
		{"twice", "parent", "parent_work", "0", false},
		{"vfork", "parent", "parent_work", "0", false},
		{"vforkexec", "parent", "parent_work", "0", false},
		{"vforkexec", "child", "child_work", "5", true},
	} {
		t.Run(test.mode+" "+test.follow, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "fork.c", inferiors.PIE)
			v := s.serve(nil, program, test.mode)
			commands := []string{v.connect(), "settings set target.process.follow-fork-mode " + test.follow,
				"breakpoint set --name " + test.breakpoint, "process continue"}
			var patterns []string
			if test.execs {
				commands, patterns = append(commands, "process continue"), append(patterns, `stop reason = exec`)
			}
			text := s.lldb(program, append(commands, "breakpoint disable", "process continue")...)
			s.inOrder(text, append(patterns, `stop reason = breakpoint 1\.`, test.breakpoint, `exited with status = `+test.status)...)
			s.nothingLeft()
		})
	}
}

func TestLLDBDetaches(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	inferior := s.start(program, "3", "hold")
	inferior.stdout.wait(t, "ready")
	pid := inferior.pid
	v := s.attach(pid, "--once")
	text := s.lldb(program, v.connect(), "thread list", "expression -- worked = 100", "process detach")
	s.inOrder(text, `stop reason = signal SIGSTOP`, `thread #3`, `\$\d+ = 100`, `detached`)
	s.untouched(pid)
	inferior.say("")
	inferior.stdout.wait(t, "worked 103")
}

// TestLLDBCrash sees the signal that ends a program.
func TestLLDBCrash(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	s := newSession(t)
	program := native(t, "crash.c", inferiors.PIE)
	v := s.serve(nil, program, "segv")
	text := s.lldb(program, v.connect(), "process continue", "thread list")
	if !strings.Contains(text, "stop reason = signal SIG") {
		t.Errorf("no signal is reported")
	}
}

// TestLLDBServer starts the server by the command "gdbserver" and by lldb-server's
// name: the program has a terminal whose output lldb shows.
func TestLLDBServer(t *testing.T) {
	gnuLacks(t, "it has another command line")
	for _, name := range []string{"rspd", "lldb-server"} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "threads.c", inferiors.PIE)
			path := filepath.Join(t.TempDir(), name)
			if err := os.Symlink(serverPath, path); err != nil {
				t.Fatal(err)
			}
			v := s.serveCmd(exec.Command(path, "gdbserver", "--native-regs", "127.0.0.1:0", "--", program, "2"))
			text := s.lldb(program, v.connect(), "process continue")
			// lldb prints them as they come, from two threads.
			s.inOrder(text, `worked 2`)
			s.inOrder(text, `exited with status = 0`)
			s.nothingLeft()
		})
	}
}

// TestLLDBSignals sends a signal as lldb's "process signal" does, which is to be
// told of its arrival.
func TestLLDBSignals(t *testing.T) {
	gnuLacks(t, "it has no dialect of LLDB's")
	notAgain(t, "the signals are the same")
	s := newSession(t)
	c := s.client(s.serve(nil, native(t, "threads.c", inferiors.PIE), "3"))
	c.must("QThreadSuffixSupported")
	const usr1, quit = "0a", "03" // of Linux, as lldb has them
	if reply := c.ask("C" + usr1); !strings.HasPrefix(reply, "T"+usr1) {
		t.Errorf("SIGUSR1 is sent: %s", reply)
	}
	thread := fieldNumber(t, c.ask("qProcessInfo"), "pid", 16)
	if reply := c.ask(fmt.Sprintf("vCont;C%s:%x;c", quit, thread)); !strings.HasPrefix(reply, "X"+quit) {
		t.Errorf("SIGQUIT is passed on instead: %s", reply)
	}
}
