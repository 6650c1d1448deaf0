package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// findAdapter finds the adapter, which was called lldb-vscode up to version 17.
func findAdapter(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("RSPD_LLDB_DAP"); given != "" {
		return given
	}
	for _, name := range []string{"lldb-dap", "lldb-vscode"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, directory := range filepath.SplitList(os.Getenv("PATH")) {
			if found, err := filepath.Glob(filepath.Join(directory, name+"-[0-9]*")); err == nil && len(found) > 0 {
				return found[len(found)-1]
			}
		}
	}
	missing(t, fmt.Errorf("neither lldb-dap nor lldb-vscode, of the package lldb, is there"))
	return ""
}

// lldbAdapter starts the adapter that the machine has.
func (s *session) lldbAdapter() *adapter {
	s.Helper()
	command := exec.Command(findAdapter(s.T))
	command.Env = append(os.Environ(), s.mark, "LC_ALL=C")
	command.Stderr = newOutput()
	requests, err := command.StdinPipe()
	if err != nil {
		s.Fatal(err)
	}
	replies, err := command.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := command.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return s.adapter(requests, replies)
}

// TestDebugAdapter debugs as editors do, a program that a server has started, and
// one that the adapter launches on a platform.
func TestDebugAdapter(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	notAgain(t, "the adapter is lldb's")
	const count = "3"
	for _, way := range []string{"server", "platform"} {
		t.Run(way, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "threads.c", inferiors.PIE)
			begin, request := "attach", arguments{"program": program}
			if way == "server" {
				v := s.serveCmd(exec.Command(serverPath, "gdbserver", "127.0.0.1:0", "--", program, count))
				request["attachCommands"] = []string{v.connect()}
			} else {
				begin = "launch"
				request["args"] = []string{count}
				request["initCommands"] = []string{"platform select remote-linux", "platform connect " + s.platform().platformURL(),
					"platform settings --working-dir " + t.TempDir()}
			}
			debugThreads(s, program, begin, request)
		})
	}
}

// debugThreads debugs threads.c with three threads.
func debugThreads(s *session, program, begin string, request arguments) {
	s.Helper()
	line := func(text string) int {
		n, err := inferiors.LineOf("threads.c", text)
		if err != nil {
			s.Fatal(err)
		}
		return n
	}
	began, counts, prints := line("thread_count = argc"), line("int hold ="), line(`printf("worked`)
	a := s.lldbAdapter()
	a.ask("initialize", arguments{"adapterID": "lldb", "linesStartAt1": true, "columnsStartAt1": true, "pathFormat": "path"}, nil)
	started := a.send(begin, request)
	a.event("initialized", nil)
	a.breakAt("threads.c", began, prints)
	// The adapter of LLDB 14 would not resume a program whose stop it has not taken
	// note of, and not say so.
	s.eventually("the adapter takes the program for stopped", func() bool {
		return strings.Contains(a.evaluate(0, "`process status", "repl"), " stopped")
	})
	a.ask("configurationDone", nil, nil)
	a.answer(started, nil)

	thread := a.stopped("breakpoint")
	at := func(line int) adapterFrame {
		s.Helper()
		frame := a.frame(thread)
		if frame.Name != "main" || frame.Line != line {
			s.Errorf("stopped in %+v instead of in main at %d", frame, line)
		}
		return frame
	}
	frame := at(began)
	if variables := a.variables(frame.ID); variables["argc"] != "2" {
		s.Errorf("argc is not 2 in %v", variables)
	}
	a.ask("next", arguments{"threadId": thread}, nil)
	a.stopped("step")
	frame = at(counts)
	for expression, want := range map[string]string{"add(40, 2)": "42", "thread_count": "3"} {
		if got := a.evaluate(frame.ID, expression, "watch"); got != want {
			s.Errorf("%s: %v", expression, got)
		}
	}
	a.ask("continue", arguments{"threadId": thread}, nil)
	a.stopped("breakpoint")
	at(prints)
	a.ask("continue", arguments{"threadId": thread}, nil)
	var exited struct{ ExitCode int }
	if a.event("exited", &exited); exited.ExitCode != 0 {
		s.Errorf("the program ends with %v", exited)
	}
	// The adapter of LLDB 14 sometimes ends before it answers.
	a.send("disconnect", nil)
}
