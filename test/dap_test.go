package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rspd/test/inferiors"
)

// adapter is LLDB's debug adapter, by which editors debug, driven as an editor
// does with the Debug Adapter Protocol. RSPD_LLDB_DAP names another one than the
// system's.
type adapter struct {
	s *session
	// requests takes those of the editor, whose last one has the number sequence.
	requests io.WriteCloser
	sequence int
	messages chan message
	// events and responses are those that have come and that nobody has asked for
	// yet, and log is all messages.
	events    []message
	responses map[int]message
	log       []string
}

// message is a message of the protocol, of any of its kinds.
type message struct {
	Kind    string         `json:"type"`
	Event   string         `json:"event"`
	Command string         `json:"command"`
	Reply   int            `json:"request_seq"`
	Success bool           `json:"success"`
	Text    string         `json:"message"`
	Body    map[string]any `json:"body"`
}

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

func (s *session) adapter() *adapter {
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
	a := &adapter{s: s, requests: requests, messages: make(chan message), responses: map[int]message{}}
	ended := make(chan struct{})
	go func() {
		defer close(a.messages)
		reader := bufio.NewReader(replies)
		for {
			text, err := readMessage(reader)
			if err != nil {
				return
			}
			var one message
			if err := json.Unmarshal(text, &one); err != nil {
				return
			}
			select {
			case a.messages <- one:
			case <-ended:
				return
			}
		}
	}()
	s.Cleanup(func() {
		close(ended)
		_ = command.Process.Kill()
		_ = command.Wait()
		if s.Failed() {
			s.Logf("messages:\n%s", strings.Join(a.log, "\n"))
		}
	})
	return a
}

// readMessage reads a header, of which the length of the content is all that
// matters, and the content.
func readMessage(reader *bufio.Reader) ([]byte, error) {
	length := 0
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if value, found := strings.CutPrefix(line, "Content-Length:"); found {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return nil, err
			}
		}
	}
	content := make([]byte, length)
	_, err := io.ReadFull(reader, content)
	return content, err
}

// next is the next message of the adapter.
func (a *adapter) next(what string) message {
	a.s.Helper()
	select {
	case one, open := <-a.messages:
		if !open {
			a.s.Fatalf("the adapter has ended before %s", what)
		}
		a.log = append(a.log, fmt.Sprintf("<- %+v", one))
		return one
	case <-time.After(patience):
		a.s.Fatalf("not in time: %s", what)
	}
	return message{}
}

func (a *adapter) send(command string, arguments map[string]any) int {
	a.s.Helper()
	a.sequence++
	content, err := json.Marshal(map[string]any{"type": "request", "seq": a.sequence, "command": command, "arguments": arguments})
	if err != nil {
		a.s.Fatal(err)
	}
	a.log = append(a.log, "-> "+string(content))
	if _, err := fmt.Fprintf(a.requests, "Content-Length: %d\r\n\r\n%s", len(content), content); err != nil {
		a.s.Fatal(err)
	}
	return a.sequence
}

// keep puts a message aside until it is asked for.
func (a *adapter) keep(one message) {
	switch one.Kind {
	case "event":
		a.events = append(a.events, one)
	case "response":
		a.responses[one.Reply] = one
	}
}

// response waits for that to a request.
func (a *adapter) response(request int) map[string]any {
	a.s.Helper()
	for {
		if one, come := a.responses[request]; come {
			if !one.Success {
				a.s.Fatalf("%s failed: %s", one.Command, one.Text)
			}
			return one.Body
		}
		a.keep(a.next(fmt.Sprintf("the response to request %d", request)))
	}
}

func (a *adapter) ask(command string, arguments map[string]any) map[string]any {
	a.s.Helper()
	return a.response(a.send(command, arguments))
}

// event waits for an event of that name for which fits holds.
func (a *adapter) event(name string, fits func(body map[string]any) bool) map[string]any {
	a.s.Helper()
	wanted := func(one message) bool { return one.Event == name && (fits == nil || fits(one.Body)) }
	for {
		if i := slices.IndexFunc(a.events, wanted); i >= 0 {
			found := a.events[i]
			a.events = slices.Delete(a.events, 0, i+1)
			return found.Body
		}
		a.keep(a.next("the event " + name))
	}
}

// stopped waits for a stop for a reason and returns the thread that has it.
func (a *adapter) stopped(reason string) any {
	a.s.Helper()
	return a.event("stopped", func(body map[string]any) bool { return body["reason"] == reason })["threadId"]
}

// first is the first object of a list in a body.
func first(t *testing.T, body map[string]any, list string) map[string]any {
	t.Helper()
	if objects, is := body[list].([]any); is && len(objects) > 0 {
		if object, is := objects[0].(map[string]any); is {
			return object
		}
	}
	t.Fatalf("%v has no %s", body, list)
	return nil
}

// TestDebugAdapter debugs as editors do, a program that a server has started, and
// one that the adapter launches on a platform.
func TestDebugAdapter(t *testing.T) {
	gnuLacks(t, "lldb cannot use its breakpoints")
	notAgain(t, "the adapter is lldb's")
	const arguments = "3"
	for _, way := range []string{"server", "platform"} {
		t.Run(way, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "threads.c", inferiors.PIE)
			begin, request := "attach", map[string]any{"program": program}
			if way == "server" {
				v := s.serveCmd(exec.Command(serverPath, "gdbserver", "127.0.0.1:0", "--", program, arguments))
				request["attachCommands"] = []string{v.connect()}
			} else {
				begin = "launch"
				request["args"] = []string{arguments}
				request["initCommands"] = []string{"platform select remote-linux", "platform connect " + s.platform().platformURL(),
					"platform settings --working-dir " + t.TempDir()}
			}
			debugThreads(s, program, begin, request)
		})
	}
}

// debugThreads debugs threads.c with three threads.
func debugThreads(s *session, program, begin string, request map[string]any) {
	s.Helper()
	line := func(text string) int {
		n, err := inferiors.LineOf("threads.c", text)
		if err != nil {
			s.Fatal(err)
		}
		return n
	}
	began, counts, prints := line("thread_count = argc"), line("int hold ="), line(`printf("worked`)
	a := s.adapter()
	a.ask("initialize", map[string]any{"adapterID": "lldb", "linesStartAt1": true, "columnsStartAt1": true, "pathFormat": "path"})
	started := a.send(begin, request)
	a.event("initialized", nil)
	verified, _ := a.ask("setBreakpoints", map[string]any{"source": map[string]any{"name": "threads.c", "path": "threads.c"},
		"breakpoints": []any{map[string]any{"line": began}, map[string]any{"line": prints}}})["breakpoints"].([]any)
	if len(verified) != 2 {
		s.Errorf("breakpoints: %v", verified)
	}
	a.ask("configurationDone", nil)
	a.response(started)

	thread := a.stopped("breakpoint")
	top := func() map[string]any {
		s.Helper()
		return first(s.T, a.ask("stackTrace", map[string]any{"threadId": thread, "levels": 5}), "stackFrames")
	}
	at := func(line int) map[string]any {
		s.Helper()
		frame := top()
		if frame["name"] != "main" || frame["line"] != float64(line) {
			s.Errorf("stopped in %v at line %v instead of in main at %d", frame["name"], frame["line"], line)
		}
		return frame
	}
	frame := at(began)
	locals := first(s.T, a.ask("scopes", map[string]any{"frameId": frame["id"]}), "scopes")
	variables, _ := a.ask("variables", map[string]any{"variablesReference": locals["variablesReference"]})["variables"].([]any)
	if !slices.ContainsFunc(variables, func(one any) bool {
		variable, _ := one.(map[string]any)
		return variable["name"] == "argc" && variable["value"] == "2"
	}) {
		s.Errorf("argc is not 2 in %v", variables)
	}
	a.ask("next", map[string]any{"threadId": thread})
	a.stopped("step")
	frame = at(counts)
	for expression, want := range map[string]string{"add(40, 2)": "42", "thread_count": "3"} {
		if got := a.ask("evaluate", map[string]any{"expression": expression, "frameId": frame["id"], "context": "watch"}); got["result"] != want {
			s.Errorf("%s: %v", expression, got)
		}
	}
	a.ask("continue", map[string]any{"threadId": thread})
	a.stopped("breakpoint")
	at(prints)
	a.ask("continue", map[string]any{"threadId": thread})
	if exited := a.event("exited", nil); exited["exitCode"] != float64(0) {
		s.Errorf("the program ends with %v", exited)
	}
	a.ask("disconnect", nil)
}
