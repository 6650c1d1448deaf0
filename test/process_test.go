package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A session is what one test starts. Everything in it carries a mark in its
// environment, by which the session's end finds and ends what is left.
type session struct {
	*testing.T
	mark string
}

var sessions atomic.Int64

func newSession(t *testing.T) *session {
	t.Helper()
	t.Parallel()
	return sequentialSession(t)
}

// sequentialSession is newSession for a test that does not run beside others.
func sequentialSession(t *testing.T) *session {
	t.Helper()
	s := &session{T: t, mark: fmt.Sprintf("RSPD_TEST_MARK=%d-%d", os.Getpid(), sessions.Add(1))}
	t.Cleanup(func() {
		for range 100 {
			left := s.marked()
			if len(left) == 0 {
				return
			}
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("processes %v outlive SIGKILL", s.marked())
	})
	return s
}

// marked lists the processes of the session that are alive. A zombie has no
// environment, so it is not among them, unless threads of it outlive its leader.
func (s *session) marked() []int {
	var pids []int
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.Fatal(err)
	}
	for _, path := range paths {
		environ, _ := os.ReadFile(path + "/environ")
		alive := s.marks(environ)
		if len(environ) == 0 {
			threads, _ := filepath.Glob(path + "/task/[0-9]*/environ")
			alive = slices.ContainsFunc(threads, func(thread string) bool {
				environ, _ := os.ReadFile(thread)
				return s.marks(environ)
			})
		}
		if pid, err := strconv.Atoi(filepath.Base(path)); err == nil && alive {
			pids = append(pids, pid)
		}
	}
	return pids
}

// marks tells whether the session's mark is in an environment.
func (s *session) marks(environ []byte) bool {
	return slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(v []byte) bool { return string(v) == s.mark })
}

// tasks describes every thread of the session's processes, for a test that waits
// in vain.
func (s *session) tasks() string {
	var text strings.Builder
	for _, pid := range s.marked() {
		paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
		for _, path := range paths {
			tid, _ := strconv.Atoi(filepath.Base(path))
			call, _ := os.ReadFile(path + "/syscall")
			fmt.Fprintf(&text, "%d.%d %s, parent %s, tracer %s, system call %s\n", pid, tid, statusField(tid, "State"),
				statusField(tid, "PPid"), statusField(tid, "TracerPid"), strings.TrimSpace(string(call)))
		}
	}
	return text.String()
}

// nothingLeft waits until no process of the session is alive.
func (s *session) nothingLeft() {
	s.Helper()
	s.eventually("no process of the session is left", func() bool { return len(s.marked()) == 0 })
}

// eventually waits for a condition that nothing announces.
func (s *session) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not in time: %s", what)
		}
	}
}

// A process is a program that the test started.
type process struct {
	s              *session
	pid            int
	stdin          io.WriteCloser
	stdout, stderr *output
	ended          chan struct{}
	state          *os.ProcessState
	handle         *os.Process
}

// start runs a program whose three standard streams the test holds.
func (s *session) start(path string, args ...string) *process {
	s.Helper()
	return s.startCmd(exec.Command(path, args...))
}

// startCmd is start for a command that is already set up.
func (s *session) startCmd(cmd *exec.Cmd) *process {
	s.Helper()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, s.mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{s: s, stdout: newOutput(), stderr: newOutput(), ended: make(chan struct{})}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Stdin, p.stdin = inRead, inWrite
	outWrite := s.pipe(p.stdout)
	errWrite := s.pipe(p.stderr)
	cmd.Stdout, cmd.Stderr = outWrite, errWrite
	err = cmd.Start()
	inRead.Close()
	outWrite.Close()
	errWrite.Close()
	if err != nil {
		s.Fatal(err)
	}
	p.pid, p.handle = cmd.Process.Pid, cmd.Process
	go func() {
		p.state, _ = cmd.Process.Wait()
		close(p.ended)
	}()
	s.Cleanup(func() {
		_ = p.handle.Kill()
		<-p.ended
		_ = p.stdin.Close()
		if s.Failed() {
			s.Logf("%s\nstdout: %s\nstderr: %s", strings.Join(cmd.Args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// pipe returns the writing end of a pipe that is read into o to its end.
func (s *session) pipe(o *output) *os.File {
	s.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(o, read)
		o.close()
		read.Close()
	}()
	return write
}

// say writes a line to the standard input of the process.
func (p *process) say(line string) {
	p.s.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.s.Fatal(err)
	}
}

// hears says a line and waits for the pattern in what is written after it.
func (p *process) hears(line, pattern string) []string {
	p.s.Helper()
	start := p.stdout.size()
	p.say(line)
	return p.stdout.waitFrom(p.s, start, pattern)
}

// wait waits for the end of the process and returns its exit status, or minus
// the signal that ended it.
func (p *process) wait() int {
	p.s.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.s.Fatalf("process %d does not end; stderr: %s", p.pid, p.stderr)
	}
	status := p.state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

// alive tells whether the process has not ended yet.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// statusField returns a field of /proc/PID/status, or "" once pid is gone.
func statusField(pid int, field string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// untouched checks that pid runs as if it had never been debugged: no thread
// is stopped or traced, no signal that the tracer made is pending, and its
// text is what the file holds.
func (s *session) untouched(pid int) {
	s.Helper()
	s.eventually(fmt.Sprintf("process %d is untraced and runs", pid), func() bool {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
		if err != nil || len(tasks) == 0 {
			s.Fatalf("process %d is gone", pid)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(filepath.Base(task))
			if err != nil {
				s.Fatal(err)
			}
			state := statusField(tid, "State")
			if state == "" {
				continue
			}
			if strings.ContainsAny(state[:1], "tTZX") || statusField(tid, "TracerPid") != "0" {
				return false
			}
		}
		return true
	})
	for _, field := range []string{"SigPnd", "ShdPnd"} {
		if pending := statusField(pid, field); strings.Trim(pending, "0") != "" {
			s.Errorf("process %d has pending signals: %s %s", pid, field, pending)
		}
	}
	s.sameText(pid)
}

// sameText checks that the executable memory of pid's program equals its file.
func (s *session) sameText(pid int) {
	s.Helper()
	exe, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		s.Fatal(err)
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		s.Fatal(err)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		s.Fatal(err)
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		s.Fatal(err)
	}
	defer memory.Close()
	compared := 0
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "r-xp" || fields[5] != link {
			continue
		}
		var start, end, offset int64
		if _, err := fmt.Sscanf(fields[0]+" "+fields[2], "%x-%x %x", &start, &end, &offset); err != nil {
			s.Fatal(err)
		}
		size := min(end-start, int64(len(exe))-offset)
		text := make([]byte, size)
		if _, err := memory.ReadAt(text, start); err != nil {
			s.Fatal(err)
		}
		if !bytes.Equal(text, exe[offset:offset+size]) {
			s.Errorf("text of process %d at %#x differs from its file", pid, start)
		}
		compared++
	}
	if compared == 0 {
		s.Errorf("process %d has no text of %s", pid, link)
	}
}

// running tells whether a process exists and is not a zombie.
func running(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	state := statusField(pid, "State")
	return state != "" && state[0] != 'Z' && state[0] != 'X'
}
