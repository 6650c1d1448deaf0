package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rspd/test/conformance/delve/upstream"
	"rspd/test/inferiors"
)

// dlv returns the path of Delve, which is fetched and built when it is not in the
// user's cache.
var dlv = sync.OnceValues(func() (string, error) {
	cache, err := upstream.Cache()
	if err != nil {
		return "", err
	}
	delve, err := upstream.Fetch(context.Background(), cache)
	if err != nil {
		return "", err
	}
	return delve.Program(context.Background(), "cmd/dlv")
})

// delve starts Delve with the server under test in the place of lldb-server, or of
// debugserver, and returns the address that it listens on. Each packet is in the
// file whose name log is.
func (s *session) delve(form string, args ...string) (p *process, address, log string) {
	s.Helper()
	path, err := dlv()
	if err != nil {
		missing(s.T, err)
	}
	directory := s.TempDir()
	log = filepath.Join(directory, "log")
	command := exec.Command(path, append(args, "--listen=127.0.0.1:0")...)
	command.Env = append(command.Environ(), "XDG_CONFIG_HOME="+directory)
	logged := fmt.Sprintf("#!/bin/sh\nshift\nexec %s gdbserver --log-file %s --log-channels 'gdb-remote packets' \"$@\"\n", serverPath, log)
	switch form {
	case "lldb-server":
		command.Env = append(command.Env, "PATH="+directory+":"+os.Getenv("PATH"))
	case "debugserver":
		logged = fmt.Sprintf("#!/bin/sh\nexec %s -g -l %s \"$@\"\n", serverPath, log)
		command.Env = append(command.Env, "DELVE_DEBUGSERVER_PATH="+filepath.Join(directory, form))
	}
	writeExecutable(s.T, filepath.Join(directory, form), []byte(logged))
	p = s.startCmd(command)
	s.Cleanup(func() {
		if text, err := os.ReadFile(log); err == nil && s.Failed() {
			s.Logf("packets:\n%s", text[max(0, len(text)-10_000):])
		}
	})
	return p, p.stdout.wait(s, `server listening at: (\S+)`)[1], log
}

// delveAPI is a client of Delve's JSON-RPC interface (Delve, service/rpc2).
type delveAPI struct {
	*session
	client *rpc.Client
}

func (s *session) delveAPI(address string) delveAPI {
	s.Helper()
	client, err := jsonrpc.Dial("tcp", address)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { client.Close() })
	return delveAPI{s, client}
}

// call calls a function and decodes the result.
func (d delveAPI) call(function string, in arguments, out any) {
	d.Helper()
	if err := d.client.Call("RPCServer."+function, in, out); err != nil {
		d.Fatalf("%s %v: %v", function, in, err)
	}
}

// delveState is where a program stands.
type delveState struct {
	State struct {
		CurrentThread struct {
			File        string
			Line        int
			GoroutineID int64
			Function    struct{ Name string }
		}
		NextInProgress bool
		Exited         bool
	}
}

// command resumes the program and waits until it stands again.
func (d delveAPI) command(name string) delveState {
	d.Helper()
	var state delveState
	d.call("Command", arguments{"Name": name}, &state)
	return state
}

// evaluate returns the value of an expression.
func (d delveAPI) evaluate(expression string) string {
	d.Helper()
	var out struct{ Variable struct{ Value string } }
	d.call("Eval", arguments{"Scope": arguments{"GoroutineID": -1}, "Expr": expression,
		"Cfg": arguments{"MaxStringLen": 100}}, &out)
	return out.Variable.Value
}

// TestDelveUnderLoad attaches Delve to an HTTP server with 5,000 goroutines, some
// of which never pause, while clients ask it, and steps by lines through its
// handler: each step stays in the goroutine, whichever thread that goes on in. The
// signals by which Go's runtime stops goroutines reach the program and not Delve.
func TestDelveUnderLoad(t *testing.T) {
	gnuLacks(t, "Delve cannot use it")
	notAgain(t, "Go programs are of 64 bits")
	for _, form := range []string{"lldb-server", "debugserver"} {
		t.Run(form, func(t *testing.T) {
			s := sequentialSession(t)
			program := golang(t, "webserver", inferiors.Static)
			server := s.start(program, "5000")
			url := "http://" + server.stdout.wait(t, `serving (\S+)\n`)[1] + "/page"
			quit := make(chan struct{})
			var clients sync.WaitGroup
			client := &http.Client{Timeout: patience}
			for range 8 {
				clients.Go(func() {
					for {
						select {
						case <-quit:
							return
						default:
						}
						if text, err := get(client, url); err != nil || !strings.HasPrefix(text, "<p>hello /page, answer ") {
							t.Errorf("%q, %v", text, err)
							return
						}
					}
				})
			}
			dlv, address, log := s.delve(form, "attach", strconv.Itoa(server.pid), "--headless", "--backend=lldb")
			d := s.delveAPI(address)

			var listed struct{ Goroutines []struct{ ID int64 } }
			d.call("ListGoroutines", arguments{"Start": 0, "Count": 0}, &listed)
			if len(listed.Goroutines) < 5000 {
				t.Errorf("%d goroutines", len(listed.Goroutines))
			}
			urgent := func() int {
				n, err := strconv.Atoi(d.evaluate("main.urgent.v"))
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			before := urgent()
			for range 3 {
				breakpoint := struct{ Breakpoint struct{ ID int } }{}
				d.call("CreateBreakpoint", arguments{"Breakpoint": arguments{"functionName": "main.page"}}, &breakpoint)
				hit := d.command("continue").State
				if hit.CurrentThread.Function.Name != "main.page" {
					t.Fatalf("%+v", hit)
				}
				d.call("ClearBreakpoint", arguments{"Id": breakpoint.Breakpoint.ID}, &struct{}{})
				for _, text := range []string{`first := "<p>"`, `text := answer(path)`, `last := "</p>"`, `return first + text + last`} {
					line, err := inferiors.LineOf("webserver", text)
					if err != nil {
						t.Fatal(err)
					}
					now := d.command("next").State
					if now.CurrentThread.Line != line || now.CurrentThread.GoroutineID != hit.CurrentThread.GoroutineID || now.NextInProgress {
						t.Fatalf("%+v, want line %d of goroutine %d", now, line, hit.CurrentThread.GoroutineID)
					}
				}
				if text := d.evaluate("text"); !strings.HasPrefix(text, "hello /page, answer ") {
					t.Errorf("text is %q", text)
				}
			}
			for urgent() < before+100 {
				running := make(chan delveState, 1)
				go func() { running <- d.command("continue") }()
				s.eventually("it runs", func() bool {
					var state struct{ State struct{ Running bool } }
					d.call("State", arguments{"NonBlocking": true}, &state)
					return state.State.Running
				})
				for range 20 {
					if _, err := get(client, url); err != nil {
						t.Fatal(err)
					}
				}
				d.command("halt")
				<-running
			}
			d.call("Detach", arguments{"Kill": false}, &struct{}{})
			close(quit)
			clients.Wait()
			dlv.wait()
			packets, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			checkSignals(t, string(packets))
			s.untouched(server.pid)
			if text, err := get(client, url); err != nil || !strings.HasPrefix(text, "<p>hello /page") {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// checkSignals looks in a log for stops by SIGURG: only a thread that is stepped may
// tell of one, since its step would else end in the handler.
func checkSignals(t *testing.T, log string) {
	t.Helper()
	var request string
	breakpoints := 0
	for line := range strings.SplitSeq(log, "\n") {
		switch {
		case strings.Contains(line, " <- $"):
			request = line
		case strings.Contains(line, " -> $T05thread:"):
			breakpoints++
		case strings.Contains(line, " -> $T17thread:") && !strings.Contains(request, "$vCont;s:"):
			t.Errorf("%s answers %s", line, request)
		}
	}
	if breakpoints == 0 {
		t.Error("the log tells of no breakpoint")
	}
}

// get asks an HTTP server.
func get(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// TestDelveAdapter plays a session of an editor with Delve's debug adapter.
func TestDelveAdapter(t *testing.T) {
	gnuLacks(t, "Delve cannot use it")
	notAgain(t, "Go programs are of 64 bits")
	for _, form := range []string{"lldb-server", "debugserver"} {
		t.Run(form, func(t *testing.T) {
			s := newSession(t)
			program := golang(t, "goroutines", inferiors.Static)
			source := filepath.Join(filepath.Dir(program), "main.go")
			line, err := inferiors.LineOf("goroutines", "sum := 0")
			if err != nil {
				t.Fatal(err)
			}
			dlv, address, _ := s.delve(form, "dap")
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			s.Cleanup(func() { conn.Close() })
			a := s.adapter(conn, conn)
			a.ask("initialize", arguments{"adapterID": "go", "linesStartAt1": true, "pathFormat": "path"}, nil)
			a.ask("launch", arguments{"mode": "exec", "program": program, "args": []string{"20"}, "backend": "lldb"}, nil)
			a.event("initialized", nil)
			a.breakAt(source, line)
			a.ask("configurationDone", nil, nil)
			thread := a.stopped("breakpoint")
			frame := a.frame(thread)
			if frame.Name != "main.main" || frame.Line != line {
				t.Errorf("stopped in %+v instead of in main.main at %d", frame, line)
			}
			if variables := a.variables(frame.ID); variables["count"] != "20" {
				t.Errorf("the variables are %v", variables)
			}
			a.ask("next", arguments{"threadId": thread}, nil)
			thread = a.stopped("step")
			if frame = a.frame(thread); frame.Name != "main.main" || frame.Line != line+1 {
				t.Errorf("a step ends in %+v", frame)
			}
			if sum := a.evaluate(frame.ID, "count + len(results) + sum", "watch"); sum != "40" {
				t.Errorf("the result is %q", sum)
			}
			a.evaluate(frame.ID, "call square(12)", "repl")
			a.breakAt(source)
			a.ask("continue", arguments{"threadId": thread}, nil)
			a.event("terminated", nil)
			dlv.stdout.wait(t, "sum 2470")
			a.ask("disconnect", arguments{"terminateDebuggee": true}, nil)
			if status := dlv.wait(); status != 0 {
				t.Errorf("Delve ends with status %d", status)
			}
			s.nothingLeft()
		})
	}
}
