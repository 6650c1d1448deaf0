package test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// platform starts the server as LLDB's platform for any number of clients.
func (s *session) platform(options ...string) *server {
	s.Helper()
	gnuLacks(s.T, "it is no platform")
	notAgain(s.T, "a platform debugs nothing itself")
	args := append([]string{"platform", "--server", "--listen", "127.0.0.1:0"}, options...)
	return s.serveCmd(exec.Command(serverPath, args...))
}

// onPlatform plays commands to an lldb that has connected to a platform and, for a
// program, made a target of it there.
func (s *session) onPlatform(url, program string, commands ...string) string {
	s.Helper()
	return s.lldb("", append(s.connectPlatform(url, program), commands...)...)
}

// connectPlatform are lldb's commands with which that begins.
func (s *session) connectPlatform(url, program string) []string {
	begin := []string{"settings set platform.module-cache-directory " + s.TempDir(), "platform select remote-linux",
		"platform connect " + url}
	if program != "" {
		begin = append(begin, "target create "+program)
	}
	return begin
}

func (v *server) platformURL() string { return "connect://" + v.address() }

// TestPlatformFiles works on the machine's files with lldb.
func TestPlatformFiles(t *testing.T) {
	s := newSession(t)
	v := s.platform()
	directory := t.TempDir()
	in := func(name string) string { return filepath.Join(directory, name) }
	content := bytes.Repeat([]byte("a}b]c#d$e*f\x00\xff\x03"), 5000)
	if err := os.WriteFile(in("local"), content, 0o640); err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	text := s.onPlatform(v.platformURL(), "", "platform status", "platform settings --working-dir "+directory,
		"platform mkdir "+in("new"), "platform put-file "+in("local")+" new/remote", "platform get-file "+in("new/remote")+" "+in("back"),
		"platform get-size "+in("local"), "platform get-permissions "+in("local"), "platform file open new/text",
		"platform file write 3 -o 0 -d written", "platform file read 3 -o 0 -c 4", "platform file close 3",
		"platform process info "+strconv.Itoa(v.pid))
	s.inOrder(text, `Platform: remote-linux`, `Triple: x86_64-pc-linux-gnu`, `Hostname: `+regexp.QuoteMeta(name), `Connected: yes`,
		`WorkingDir: /`, `File size of .*local \(remote\): `+strconv.Itoa(len(content)), `File permissions of .*local \(remote\): 0o0640`,
		`File Descriptor = 3`, `Return = 7`, `Data = "writ"`, fmt.Sprintf(`pid = %d`, v.pid))
	for _, file := range []string{"new/remote", "back"} {
		if got, err := os.ReadFile(in(file)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s has %d bytes: %v", file, len(got), err)
		}
	}
	if got, err := os.ReadFile(in("new/text")); err != nil || string(got) != "written" {
		t.Errorf("new/text has %q: %v", got, err)
	}
}

// TestPlatformShell has the platform execute commands, but only if it was told to.
func TestPlatformShell(t *testing.T) {
	s := newSession(t)
	command := "platform shell echo $((40+2)); echo error >&2; exit 3"
	text := s.onPlatform(s.platform().platformURL(), "", command)
	s.inOrder(text, `executes no shell commands: start it with --allow-shell`)
	if strings.Contains(text, "42\n") {
		t.Error("the command was executed")
	}
	text = s.onPlatform(s.platform("--allow-shell").platformURL(), "", command, "platform shell kill -TERM $$")
	s.inOrder(text, `^42`, `^error`, `status 3`, `signal 15|SIGTERM`)
}

// TestPlatformDebugs launches a program, which lldb installs for that, and one
// that only the platform has.
func TestPlatformDebugs(t *testing.T) {
	s := newSession(t)
	v := s.platform()
	program := native(t, "threads.c", inferiors.PIE)
	directory := t.TempDir()
	text := s.onPlatform(v.platformURL(), program, "platform settings --working-dir "+directory,
		"breakpoint set --name all_ready", "settings set target.env-vars RSPD_SEEN=by-the-program", "process launch -- 3", "thread list",
		"image list", "breakpoint disable", "continue", "process launch -- 1")
	s.inOrder(text, `stop reason = breakpoint 1\.1`, `thread #3.*name = 'worker-2'`, `libc\.so`, `exited with status = 0`,
		`exited with status = 0`)
	s.inOrder(text, `worked 3`, `worked 1`)
	if _, err := os.Stat(filepath.Join(directory, filepath.Base(program))); err != nil {
		t.Error("the program is not installed:", err)
	}

	local := filepath.Join(t.TempDir(), "fetched")
	text = s.onPlatform(v.platformURL(), "", "platform get-file "+filepath.Join(directory, filepath.Base(program))+" "+local,
		"platform settings --working-dir "+t.TempDir(),
		"target create --remote-file "+filepath.Join(directory, filepath.Base(program))+" "+local, "breakpoint set --name work",
		"process launch -- 1", "thread backtrace", "breakpoint disable", "continue")
	s.inOrder(text, `stop reason = breakpoint 1\.1`, `frame #0: .*work`, `exited with status = 0`)
	s.inOrder(text, `worked 1`)

	v.end(t)
	s.nothingLeft()
}

// end ends a server as a person would, and waits for that.
func (v *server) end(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(v.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	v.wait()
}

// TestPlatformAttach attaches by the process's id and by its program's name, which
// is this test's alone.
func TestPlatformAttach(t *testing.T) {
	for _, how := range []string{"pid", "name", "wait"} {
		t.Run(how, func(t *testing.T) {
			s := newSession(t)
			v := s.platform("--log-channels", "lldb connection")
			program := ownCopy(t, native(t, "threads.c", inferiors.PIE))
			run := func() *process {
				inferior := s.start(program, "2", "hold")
				inferior.stdout.wait(t, "ready")
				return inferior
			}
			var command string
			var started sync.WaitGroup
			switch how {
			case "pid":
				command = fmt.Sprintf("process attach --pid %d", run().pid)
			case "name":
				run()
				command = "process attach --name " + filepath.Base(program)
			case "wait":
				command = "process attach --waitfor --name " + filepath.Base(program)
				started.Go(func() {
					v.stderr.wait(t, "waiting for a program name="+filepath.Base(program))
					s.start(program, "2", "hold")
				})
			}
			text := s.onPlatform(v.platformURL(), program, command, "process status", "breakpoint set --name main", "detach")
			started.Wait()
			s.inOrder(text, `stop reason = signal SIGSTOP`, `Breakpoint 1: `, `[Dd]etached`)
		})
	}
}

// TestPlatformUnixSocket connects by a Unix socket, and so does the debugging. lldb
// itself cannot: it puts brackets before the path of the second socket.
func TestPlatformUnixSocket(t *testing.T) {
	gnuLacks(t, "it is no platform")
	notAgain(t, "a platform debugs nothing itself")
	s := newSession(t)
	directory := t.TempDir()
	socket, told := filepath.Join(directory, "socket"), filepath.Join(directory, "told")
	cmd := exec.Command(serverPath, "platform", "--server", "--listen", "unix://"+socket, "--socket-file", told)
	cmd.Env = append(os.Environ(), "LLDB_DEBUGSERVER_DOMAINSOCKET_DIR="+directory)
	p := s.startCmd(cmd)
	p.stderr.wait(t, `Listening on socket `+regexp.QuoteMeta(socket))
	if got, err := os.ReadFile(told); err != nil || string(got) != socket {
		t.Errorf("the file says %q: %v", got, err)
	}
	s.inOrder(s.onPlatform("unix-connect://"+socket, ""), `Connected: yes`)
	exchange := func(client *rsp.Client, packet string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(s.Context(), patience)
		defer cancel()
		reply, err := client.Exchange(ctx, packet)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	platform, err := rsp.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer platform.Close()
	name, err := hex.DecodeString(field(t, exchange(platform, "qLaunchGDBServer;host:here;"), "socket_name"))
	if err != nil || filepath.Dir(string(name)) != directory {
		t.Errorf("the server listens at %q: %v", name, err)
	}
	if info, err := os.Stat(string(name)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may use the socket: %v, %v", info, err)
	}
	debugger, err := rsp.Dial("unix", string(name))
	if err != nil {
		t.Fatal(err)
	}
	if reply := exchange(debugger, "qHostInfo"); field(t, reply, "ptrsize") != "8" {
		t.Error(reply)
	}
	_ = debugger.Close()
	s.eventually("the server's socket is gone", func() bool {
		_, err := os.Stat(string(name))
		return os.IsNotExist(err)
	})
}

// TestPlatformWaiting debugs a program that the platform was started with.
func TestPlatformWaiting(t *testing.T) {
	gnuLacks(t, "it is no platform")
	notAgain(t, "a platform debugs nothing itself")
	s := newSession(t)
	program := native(t, "threads.c", inferiors.PIE)
	told := filepath.Join(t.TempDir(), "told")
	v := s.serveCmd(exec.Command(serverPath, "platform", "--listen", "127.0.0.1:0", "--socket-file", told, "--", program, "1"))
	if got, err := os.ReadFile(told); err != nil || string(got) != v.port {
		t.Errorf("the file says %q: %v", got, err)
	}
	l := s.start(need(t, "lldb"), "--no-lldbinit", "--no-use-colors")
	for _, command := range append(lldbSetup, "settings set platform.module-cache-directory "+t.TempDir(), "platform select remote-linux") {
		l.say(command)
	}
	// lldb goes on to its next command while it still connects to the program's server.
	l.hears("platform connect "+v.platformURL(), `stop reason = signal SIGSTOP`)
	l.hears("breakpoint set --name work", `Breakpoint 1: `)
	l.hears("continue", `stop reason = breakpoint 1\.1`)
	l.say("breakpoint disable")
	l.hears("continue", `exited with status = 0`)
	l.say("quit")
	if status := l.wait(); status != 0 {
		t.Errorf("lldb ends with status %d", status)
	}
	if status := v.wait(); status != 0 {
		t.Errorf("the platform ends with status %d", status)
	}
	s.nothingLeft()
}

// TestPlatformClients has several lldb debug at once.
func TestPlatformClients(t *testing.T) {
	s := newSession(t)
	v := s.platform()
	program := native(t, "threads.c", inferiors.PIE)
	var all sync.WaitGroup
	for workers := 1; workers <= 3; workers++ {
		all.Go(func() {
			text := s.onPlatform(v.platformURL(), program, "platform settings --working-dir "+t.TempDir(),
				"breakpoint set --name all_ready", fmt.Sprintf("process launch -- %d", workers), "breakpoint disable", "continue")
			s.inOrder(text, `stop reason = breakpoint 1\.1`, `exited with status = 0`)
			s.inOrder(text, fmt.Sprintf(`worked %d`, workers))
		})
	}
	all.Wait()
	v.end(t)
	s.nothingLeft()
}

// field is the value of a key in a reply of keys and values.
func field(t *testing.T, reply, key string) string {
	t.Helper()
	for entry := range strings.SplitSeq(reply, ";") {
		if value, found := strings.CutPrefix(entry, key+":"); found {
			return value
		}
	}
	t.Fatalf("%q has no %s", reply, key)
	return ""
}

func fieldNumber(t *testing.T, reply, key string, base int) int {
	t.Helper()
	n, err := strconv.ParseInt(field(t, reply, key), base, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// furtherFiles are what the descriptors of a process behind the standard ones are of
// (proc_pid_fd(5)).
func furtherFiles(t *testing.T, process string) []string {
	t.Helper()
	directory := filepath.Join("/proc", process, "fd")
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, entry := range entries {
		const lastStandard = 2
		descriptor, err := strconv.Atoi(entry.Name())
		if err != nil || descriptor <= lastStandard {
			continue
		}
		if file, err := os.Readlink(filepath.Join(directory, entry.Name())); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// TestPlatformLaunch starts programs by packets, and ends them.
func TestPlatformLaunch(t *testing.T) {
	s := newSession(t)
	v := s.platform()
	c := s.client(v)
	directory := t.TempDir()
	output := filepath.Join(directory, "output")
	arguments := func(words ...string) string {
		var packet []string
		for i, word := range words {
			packet = append(packet, fmt.Sprintf("%d,%d,%s", 2*len(word), i, rsp.HexText(word)))
		}
		return "A" + strings.Join(packet, ",")
	}
	if reply := c.ask("qProcessInfo"); reply != "E01" {
		t.Error(reply)
	}
	c.must("QSetWorkingDir:" + rsp.HexText(directory))
	if reply := c.ask("qGetWorkingDir"); reply != rsp.HexText(directory) {
		t.Error(reply)
	}
	c.must("QEnvironmentHexEncoded:" + rsp.HexText("RSPD_SEEN=by the program"))
	c.must("QSetSTDOUT:" + rsp.HexText("output"))
	c.must("QSetDisableASLR:1")
	c.must("QLaunchArch:x86_64")
	c.must(arguments("sh", "-c", `echo "$RSPD_SEEN" in "$PWD" $(cat /proc/self/personality); exec sleep 1000`))
	c.must("qLaunchSuccess")
	info := c.ask("qProcessInfo")
	pid := fieldNumber(t, info, "pid", 16)
	if again := c.ask("qProcessInfo"); again != "E01" {
		t.Error(again)
	}
	const fixedAddresses = "00040000" // linux/personality.h, ADDR_NO_RANDOMIZE
	want := "by the program in " + directory + " " + fixedAddresses + "\n"
	s.eventually("the program has written "+want, func() bool {
		text, err := os.ReadFile(output)
		return err == nil && string(text) == want
	})
	s.eventually("the program is sleep", func() bool {
		return strings.Contains(c.ask(fmt.Sprintf("qProcessInfoPID:%d", pid)), ";args:"+rsp.HexText("sleep")+"-"+rsp.HexText("1000")+";")
	})
	// Besides its standard descriptors it has none but those that this test has
	// been given itself: not the platform's.
	ours := furtherFiles(t, "self")
	for _, file := range furtherFiles(t, strconv.Itoa(pid)) {
		if !slices.Contains(ours, file) {
			t.Errorf("the program has %s open", file)
		}
	}
	c.must(fmt.Sprintf("qKillSpawnedProcess:%d", pid))
	if reply := c.ask(fmt.Sprintf("qKillSpawnedProcess:%d", pid)); reply != "E0a" {
		t.Error(reply)
	}
	if slices.Contains(s.marked(), pid) {
		t.Error("the program is alive")
	}

	// What was asked for the last one does not hold for the next.
	c.must(arguments("sh", "-c", `exec sleep 1000`))
	if text, err := os.ReadFile(output); err != nil || string(text) != want {
		t.Errorf("the file has %q: %v", text, err)
	}
	reply := c.ask("qC")
	if pid, err := strconv.ParseInt(strings.TrimPrefix(reply, "QC"), 16, 32); err != nil || !slices.Contains(s.marked(), int(pid)) {
		t.Errorf("qC: %s", reply)
	}
	if reply := c.ask(arguments("/no/such/program")); reply != "E08" {
		t.Error(reply)
	}
	if reply := c.ask("qLaunchSuccess"); !strings.HasPrefix(reply, "E") || !strings.Contains(reply, "no such file or directory") {
		t.Error(reply)
	}
	c.must("QEnableErrorStrings")
	if reply := c.ask("QSetWorkingDir:" + rsp.HexText("/no/such/directory")); !strings.HasPrefix(reply, "E02;") {
		t.Error(reply)
	}
}

// TestPlatformServers starts servers that debug by packets, on ports of a range.
func TestPlatformServers(t *testing.T) {
	s := newSession(t)
	first := freePorts(t)
	v := s.platform("--min-gdbserver-port", strconv.Itoa(first), "--max-gdbserver-port", strconv.Itoa(first+2), "--port-offset", "1024")
	c := s.client(v)
	var servers []int
	for i := range 2 {
		reply := c.ask("qLaunchGDBServer;host:elsewhere;")
		if got := fieldNumber(t, reply, "port", 10); got != first+i+1024 {
			t.Errorf("server %d: %s", i, reply)
		}
		servers = append(servers, fieldNumber(t, reply, "pid", 10))
	}
	if reply := c.ask("qLaunchGDBServer;"); reply != "E09" {
		t.Errorf("a third server on two ports: %s", reply)
	}
	c.must(fmt.Sprintf("qKillSpawnedProcess:%d", servers[0]))
	if reply := c.ask("qLaunchGDBServer;"); fieldNumber(t, reply, "port", 10) != first+1024 {
		t.Error(reply)
	}
	if reply := c.ask("qQueryGDBServer"); reply != "E04" {
		t.Error(reply)
	}

	// One has a client of its own, which outlives that of the platform.
	program := native(t, "threads.c", inferiors.PIE)
	debugger := s.client(&server{process: v.process, port: strconv.Itoa(first + 1)})
	debugger.must(fmt.Sprintf("A%d,0,%s", 2*len(program), rsp.HexText(program)))
	before := fieldNumber(t, debugger.ask("qProcessInfo"), "parent-pid", 16)
	if before != servers[1] {
		t.Errorf("the program's parent is %d, not %d", before, servers[1])
	}
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	s.eventually("the server that nobody has connected to has ended, and the client's", func() bool {
		left := s.marked()
		return len(left) == 3 && slices.Contains(left, servers[1]) && slices.Contains(left, v.pid)
	})
	if reply := debugger.ask("qProcessInfo"); fieldNumber(t, reply, "parent-pid", 16) != servers[1] {
		t.Error(reply)
	}
	if err := debugger.conn.Close(); err != nil {
		t.Fatal(err)
	}
	s.eventually("only the platform is left", func() bool { return slices.Equal(s.marked(), []int{v.pid}) })

	// The end of the platform is that of what it has started.
	c = s.client(v)
	c.ask("qLaunchGDBServer;")
	v.end(t)
	s.nothingLeft()
}

// freePorts finds two ports in a row that are free, of those that users have.
func freePorts(t *testing.T) int {
	t.Helper()
	for port := 20000; port < 30000; port += 2 {
		free := true
		for i := range 2 {
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
			if err != nil {
				free = false
				break
			}
			_ = listener.Close()
		}
		if free {
			return port
		}
	}
	t.Fatal("no ports are free")
	return 0
}

// TestPlatformShellOfNobody ends a command that nobody waits for any more: the
// client has gone, or the platform is told to end.
func TestPlatformShellOfNobody(t *testing.T) {
	for _, ended := range []string{"client", "server"} {
		t.Run(ended, func(t *testing.T) {
			s := newSession(t)
			v := s.platform("--allow-shell")
			c := s.client(v)
			begun := filepath.Join(t.TempDir(), "begun")
			c.send(fmt.Sprintf("qPlatform_shell:%x,fffffffe", "sleep 1000 & echo >"+begun+"; wait"))
			s.eventually("the command has begun", func() bool { _, err := os.Stat(begun); return err == nil })
			if ended == "client" {
				c.vanish()
				s.eventually("only the platform is left", func() bool { return slices.Equal(s.marked(), []int{v.pid}) })
			}
			v.end(t)
			s.nothingLeft()
		})
	}
}
