package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// An adapter is a debug adapter, by which editors debug, driven as an editor does
// (Debug Adapter Protocol, "Base Protocol").
type adapter struct {
	*session
	requests io.Writer
	// sequence is the number of the last request.
	sequence int
	// messages are those of the adapter, or why there are no more.
	messages chan adapterMessage
	// events and responses have come and nobody has asked for them yet.
	events    []adapterMessage
	responses map[int]adapterMessage
	log       []string
}

type adapterMessage struct {
	Type, Command, Event, Message string
	Success                       bool
	Request                       int             `json:"request_seq"`
	Body                          json.RawMessage `json:"body"`

	err error
}

// arguments are those of a request.
type arguments map[string]any

// adapter drives the adapter at the other end of two streams, of which replies
// ends when the adapter does or the test.
func (s *session) adapter(requests io.Writer, replies io.Reader) *adapter {
	s.Helper()
	a := &adapter{session: s, requests: requests, messages: make(chan adapterMessage), responses: map[int]adapterMessage{}}
	ended := make(chan struct{})
	go func() {
		reader := bufio.NewReader(replies)
		for failed := false; !failed; {
			message := readAdapterMessage(reader)
			failed = message.err != nil
			select {
			case a.messages <- message:
			case <-ended:
				return
			}
		}
	}()
	s.Cleanup(func() {
		close(ended)
		if s.Failed() {
			s.Logf("messages:\n%s", strings.Join(a.log, "\n"))
		}
	})
	return a
}

func readAdapterMessage(reader *bufio.Reader) (message adapterMessage) {
	header, err := textproto.NewReader(reader).ReadMIMEHeader()
	if err != nil {
		return adapterMessage{err: err}
	}
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return adapterMessage{err: err}
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(reader, text); err != nil {
		return adapterMessage{err: err}
	}
	if err := json.Unmarshal(text, &message); err != nil {
		return adapterMessage{err: fmt.Errorf("%s: %w", text, err)}
	}
	return message
}

// take puts the next message where it is found when it is asked for.
func (a *adapter) take(what string) {
	a.Helper()
	select {
	case message := <-a.messages:
		if message.err != nil {
			a.Fatalf("before %s: %v", what, message.err)
		}
		a.log = append(a.log, fmt.Sprintf("<- %s %s%s %s %s", message.Type, message.Event, message.Command, message.Body, message.Message))
		switch message.Type {
		case "event":
			a.events = append(a.events, message)
		case "response":
			a.responses[message.Request] = message
		}
	case <-time.After(patience):
		a.Fatalf("not in time: %s", what)
	}
}

func (a *adapter) send(command string, in arguments) int {
	a.Helper()
	a.sequence++
	text, err := json.Marshal(arguments{"seq": a.sequence, "type": "request", "command": command, "arguments": in})
	if err == nil {
		a.log = append(a.log, "-> "+string(text))
		_, err = fmt.Fprintf(a.requests, "Content-Length: %d\r\n\r\n%s", len(text), text)
	}
	if err != nil {
		a.Fatal(err)
	}
	return a.sequence
}

// answer waits for the response to a request and decodes it.
func (a *adapter) answer(request int, body any) {
	a.Helper()
	for {
		if message, come := a.responses[request]; come {
			if !message.Success {
				a.Fatalf("%s: %s %s", message.Command, message.Message, message.Body)
			}
			a.decode(message, body)
			return
		}
		a.take(fmt.Sprintf("the response to request %d", request))
	}
}

func (a *adapter) decode(message adapterMessage, body any) {
	a.Helper()
	if body == nil {
		return
	}
	if err := json.Unmarshal(message.Body, body); err != nil {
		a.Fatalf("%s: %v", message.Body, err)
	}
}

// ask sends a request and waits for the response.
func (a *adapter) ask(command string, in arguments, body any) {
	a.Helper()
	a.answer(a.send(command, in), body)
}

// event waits for an event and decodes it. Those before it are forgotten.
func (a *adapter) event(name string, body any) {
	a.Helper()
	for {
		for i, message := range a.events {
			if message.Event == name {
				a.events = a.events[i+1:]
				a.decode(message, body)
				return
			}
		}
		a.take("the event " + name)
	}
}

// stopped waits for a stop for a reason and returns the thread that has it. LLDB's
// adapter also tells of the stop that it finds when it connects.
func (a *adapter) stopped(reason string) int {
	a.Helper()
	for {
		var stop struct {
			Reason   string
			ThreadID int
		}
		if a.event("stopped", &stop); stop.Reason == reason {
			return stop.ThreadID
		}
	}
}

// adapterFrame is a frame as an adapter tells of it.
type adapterFrame struct {
	ID, Line int
	Name     string
}

// frame is the innermost frame of a thread.
func (a *adapter) frame(thread int) adapterFrame {
	a.Helper()
	var stack struct{ StackFrames []adapterFrame }
	a.ask("stackTrace", arguments{"threadId": thread, "levels": 5}, &stack)
	if len(stack.StackFrames) < 2 {
		a.Fatalf("thread %d has the frames %+v", thread, stack)
	}
	return stack.StackFrames[0]
}

// variables are the values of a frame's innermost variables by name.
func (a *adapter) variables(frame int) map[string]string {
	a.Helper()
	var scopes struct {
		Scopes []struct{ VariablesReference int }
	}
	a.ask("scopes", arguments{"frameId": frame}, &scopes)
	if len(scopes.Scopes) == 0 {
		a.Fatalf("frame %d has no scope", frame)
	}
	var variables struct {
		Variables []struct{ Name, Value string }
	}
	a.ask("variables", arguments{"variablesReference": scopes.Scopes[0].VariablesReference}, &variables)
	values := map[string]string{}
	for _, variable := range variables.Variables {
		values[variable.Name] = variable.Value
	}
	return values
}

// evaluate is the value of an expression.
func (a *adapter) evaluate(frame int, expression, context string) string {
	a.Helper()
	var value struct{ Result string }
	a.ask("evaluate", arguments{"expression": expression, "frameId": frame, "context": context}, &value)
	return value.Result
}

// breakAt sets the breakpoints of a source file, all of which are to be verified.
func (a *adapter) breakAt(path string, lines ...int) {
	a.Helper()
	breakpoints := []arguments{}
	for _, line := range lines {
		breakpoints = append(breakpoints, arguments{"line": line})
	}
	var set struct{ Breakpoints []struct{ Verified bool } }
	a.ask("setBreakpoints", arguments{"source": arguments{"path": path}, "breakpoints": breakpoints}, &set)
	if len(set.Breakpoints) != len(lines) {
		a.Fatalf("%d breakpoints: %+v", len(lines), set)
	}
	for _, one := range set.Breakpoints {
		if !one.Verified {
			a.Errorf("breakpoints: %+v", set)
		}
	}
}
