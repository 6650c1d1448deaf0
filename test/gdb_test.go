package test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A gdb is a gdb that a test drives through its machine interface.
type gdb struct {
	s       *session
	process *exec.Cmd
	stdin   io.WriteCloser
	records chan *record
	stops   []stop
	token   int
	log     *output
}

// A stop is a *stopped record: why, where and in which thread (gdb's number).
type stop struct {
	reason, signal, function, file, exit, thread string
	line                                         int
	pc                                           uint64
	results                                      map[string]any
}

func (s stop) String() string {
	return fmt.Sprintf("%s %s in %s at %s:%d, thread %s, exit %q", s.reason, s.signal, s.function, s.file, s.line, s.thread, s.exit)
}

// gdbSetup is said to each gdb first. Libraries are read from this machine's
// files, which is quicker than through the server.
var gdbSetup = []string{
	"set confirm off", "set pagination off", "set width 0", "set height 0",
	"set debuginfod enabled off", "set debug-file-directory /none", "set sysroot /", "set remotetimeout 60", "set style enabled off",
}

// gdb starts a gdb with a program, or with none when program is empty.
func (s *session) gdb(program string, setup ...string) *gdb {
	s.Helper()
	args := []string{"-nx", "-q", "--interpreter=mi3"}
	for _, command := range append(gdbSetup, setup...) {
		args = append(args, "-iex", command)
	}
	if program != "" {
		args = append(args, program)
	}
	g := &gdb{s: s, process: exec.Command(need(s.T, "gdb"), args...), records: make(chan *record, 1<<16), log: newOutput()}
	g.process.Env = append(os.Environ(), s.mark, "LC_ALL=C", "TERM=dumb")
	g.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := g.process.StdinPipe()
	if err != nil {
		s.Fatal(err)
	}
	stdout, err := g.process.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	g.process.Stderr = g.log
	g.stdin = stdin
	if err := g.process.Start(); err != nil {
		s.Fatal(err)
	}
	go g.read(stdout)
	s.Cleanup(func() {
		_ = g.process.Process.Kill()
		_ = g.process.Wait()
		if s.Failed() {
			s.Logf("gdb:\n%s", tail(g.log.String(), 12000))
		}
	})
	return g
}

func tail(text string, size int) string {
	if len(text) > size {
		return "..." + text[len(text)-size:]
	}
	return text
}

// connected starts a gdb and connects it with target remote.
func (s *session) connected(v *server, program string, setup ...string) *gdb {
	s.Helper()
	g := s.gdb(program, setup...)
	g.run("target remote " + v.address())
	return g
}

// extended starts a gdb and connects it with target extended-remote.
func (s *session) extended(v *server, program string, setup ...string) *gdb {
	s.Helper()
	g := s.gdb(program, setup...)
	g.run("target extended-remote " + v.address())
	return g
}

func (g *gdb) read(stdout io.Reader) {
	defer close(g.records)
	lines := bufio.NewReaderSize(stdout, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			fmt.Fprintf(g.log, "%s\n", line)
			if r, err := parseRecord(line); err == nil {
				g.records <- r
			}
		}
		if err != nil {
			return
		}
	}
}

// next returns the next record and keeps it among the stops if it is one.
func (g *gdb) next(what string, deadline <-chan time.Time) *record {
	g.s.Helper()
	select {
	case r, open := <-g.records:
		if !open {
			g.s.Fatalf("gdb ended while %s", what)
		}
		if r.kind == '*' && r.class == "stopped" {
			g.stops = append(g.stops, newStop(r.results))
		}
		return r
	case <-deadline:
		g.s.Fatalf("no answer from gdb: %s", what)
	}
	return nil
}

func newStop(results map[string]any) stop {
	text := func(from map[string]any, name string) string {
		value, _ := from[name].(string)
		return value
	}
	frame, _ := results["frame"].(map[string]any)
	s := stop{
		reason: text(results, "reason"), signal: text(results, "signal-name"), exit: text(results, "exit-code"),
		thread: text(results, "thread-id"), function: text(frame, "func"), file: text(frame, "file"), results: results,
	}
	s.line, _ = strconv.Atoi(text(frame, "line"))
	s.pc, _ = strconv.ParseUint(text(frame, "addr"), 0, 64)
	return s
}

// try gives gdb a command of its command line, waits for its result and
// returns what it printed; a ^error gives an error with gdb's message.
func (g *gdb) try(command string) (string, error) {
	g.s.Helper()
	g.token++
	token := strconv.Itoa(g.token)
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(command)
	fmt.Fprintf(g.log, "> %s\n", command)
	if _, err := fmt.Fprintf(g.stdin, "%s-interpreter-exec console \"%s\"\n", token, quoted); err != nil {
		g.s.Fatalf("%s: %v", command, err)
	}
	var printed strings.Builder
	deadline := time.After(patience)
	for {
		r := g.next(command, deadline)
		switch {
		case r.kind == '~' || r.kind == '@':
			printed.WriteString(r.text)
		case r.kind == '^' && r.token == token:
			if r.class == "error" {
				message, _ := r.results["msg"].(string)
				return printed.String(), fmt.Errorf("%s: %s", command, message)
			}
			return printed.String(), nil
		}
	}
}

// run is try for a command that must succeed.
func (g *gdb) run(command string) string {
	g.s.Helper()
	printed, err := g.try(command)
	if err != nil {
		g.s.Fatal(err)
	}
	return printed
}

// runs runs commands in turn.
func (g *gdb) runs(commands ...string) {
	g.s.Helper()
	for _, command := range commands {
		g.run(command)
	}
}

// fails is try for a command that must fail with a message that matches pattern.
func (g *gdb) fails(command, pattern string) {
	g.s.Helper()
	printed, err := g.try(command)
	if err == nil {
		g.s.Fatalf("%s did not fail but printed %q", command, printed)
	}
	if !regexp.MustCompile(pattern).MatchString(err.Error()) {
		g.s.Errorf("%v, want %q", err, pattern)
	}
}

// matches runs a command whose output must match pattern, and returns the
// submatches.
func (g *gdb) matches(command, pattern string) []string {
	g.s.Helper()
	printed := g.run(command)
	match := regexp.MustCompile(pattern).FindStringSubmatch(printed)
	if match == nil {
		g.s.Fatalf("%s printed %q, want %q", command, printed, pattern)
	}
	return match
}

// prints checks the value of an expression, as print shows it after "= ".
func (g *gdb) prints(expression, want string) {
	g.s.Helper()
	printed := g.run("print " + expression)
	_, value, _ := strings.Cut(strings.TrimSpace(printed), " = ")
	if value != want {
		g.s.Errorf("print %s: %s, want %s", expression, value, want)
	}
}

// value returns an integer expression's value.
func (g *gdb) value(expression string) uint64 {
	g.s.Helper()
	printed := g.run("output/x (unsigned long) (" + expression + ")")
	value, err := strconv.ParseUint(strings.TrimSpace(printed), 0, 64)
	if err != nil {
		g.s.Fatalf("%s: %v", expression, err)
	}
	return value
}

// resume runs a command that lets the inferior run and returns the next stop.
func (g *gdb) resume(command string) stop {
	g.s.Helper()
	g.start(command)
	return g.stopped(command)
}

// start runs a command that lets the inferior run and does not wait for a stop.
func (g *gdb) start(command string) {
	g.s.Helper()
	g.stops = nil
	g.run(command)
}

// stopped returns the next stop since the last resumption.
func (g *gdb) stopped(what string) stop {
	g.s.Helper()
	deadline := time.After(patience)
	for len(g.stops) == 0 {
		g.next("waiting for a stop after "+what, deadline)
	}
	s := g.stops[0]
	g.stops = g.stops[1:]
	return s
}

// aborts runs a command that starts to resume and then fails, and checks what
// gdb complains.
func (g *gdb) aborts(command, pattern string) {
	g.s.Helper()
	g.start(command)
	var complaint strings.Builder
	deadline := time.After(patience)
	for {
		r := g.next("waiting for the failure of "+command, deadline)
		switch {
		case r.kind == '&':
			complaint.WriteString(r.text)
		case r.kind == '^' && r.class == "error":
			if !regexp.MustCompile(pattern).MatchString(complaint.String()) {
				g.s.Errorf("%s: %q, want %q", command, complaint.String(), pattern)
			}
			return
		case r.kind == '*' && r.class == "stopped":
			g.s.Fatalf("%s: %v; want a failure", command, g.stops)
		}
	}
}

// interrupt is Ctrl-C at gdb's terminal.
func (g *gdb) interrupt() stop {
	g.s.Helper()
	if err := g.process.Process.Signal(syscall.SIGINT); err != nil {
		g.s.Fatal(err)
	}
	return g.stopped("Ctrl-C")
}

// stopsIn resumes and checks in which function the inferior stops, and why.
func (g *gdb) stopsIn(command, reason, function string) stop {
	g.s.Helper()
	got := g.resume(command)
	if got.reason != reason || got.function != function {
		g.s.Fatalf("%s: %v; want %s in %s", command, got, reason, function)
	}
	return got
}

// signals resumes and checks that a signal stops the inferior.
func (g *gdb) signals(command, signal string) stop {
	g.s.Helper()
	got := g.resume(command)
	if got.reason != "signal-received" || got.signal != signal {
		g.s.Fatalf("%s: %v; want %s", command, got, signal)
	}
	return got
}

// exits resumes and checks that the inferior exits with a status.
func (g *gdb) exits(command string, status int) {
	g.s.Helper()
	got := g.resume(command)
	code, err := strconv.ParseInt(got.exit, 8, 64)
	if got.reason == "exited-normally" {
		code, err = 0, nil
	}
	if !strings.HasPrefix(got.reason, "exited") || err != nil || int(code) != status {
		g.s.Fatalf("%s: %v; want exit %d", command, got, status)
	}
}

// quit ends gdb by its quit command and waits for it.
func (g *gdb) quit() {
	g.s.Helper()
	if _, err := io.WriteString(g.stdin, "-gdb-exit\n"); err != nil {
		g.s.Fatal(err)
	}
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-g.records:
			if !open {
				return
			}
		case <-deadline:
			g.s.Fatal("gdb does not quit")
		}
	}
}

// batch runs a gdb that takes its commands from a script and ends, and returns
// what it and its inferior wrote.
func (s *session) batch(program string, commands ...string) string {
	s.Helper()
	script := s.TempDir() + "/script.gdb"
	lines := strings.Join(append(append([]string{}, gdbSetup...), commands...), "\n") + "\n"
	if err := os.WriteFile(script, []byte(lines), 0o600); err != nil {
		s.Fatal(err)
	}
	args := []string{"-nx", "-batch", "-x", script}
	if program != "" {
		args = append(args, program)
	}
	p := s.start(need(s.T, "gdb"), args...)
	status := p.wait()
	text := p.stdout.all(s)
	if status != 0 {
		s.Fatalf("gdb ended with %d\n%s%s", status, p.stdout, p.stderr)
	}
	return text
}
