package test

import (
	"regexp"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait. It is far beyond what any awaited thing takes
// and only turns a hang into a failure.
const patience = 60 * time.Second

// An output gathers what a process writes and lets a test wait for a pattern.
type output struct {
	mu     sync.Mutex
	text   []byte
	closed bool
	change chan struct{}
}

func newOutput() *output { return &output{change: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	close(o.change)
	o.change = make(chan struct{})
	return len(p), nil
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		close(o.change)
		o.change = make(chan struct{})
	}
}

// all waits for the end of the output and returns it. The output of a server
// ends when its inferiors have ended too.
func (o *output) all(t testing.TB) string {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		text, closed, change := string(o.text), o.closed, o.change
		o.mu.Unlock()
		if closed {
			return text
		}
		select {
		case <-change:
		case <-deadline.C:
			t.Fatalf("no end of:\n%s", text)
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// size returns how much was written so far, as a start for waitFrom.
func (o *output) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.text)
}

// wait returns the submatches of the first match of pattern, which it waits for.
func (o *output) wait(t testing.TB, pattern string) []string {
	t.Helper()
	return o.waitFrom(t, 0, pattern)
}

// waitFrom is wait for what was written after the first start bytes.
func (o *output) waitFrom(t testing.TB, start int, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		match := re.FindStringSubmatch(string(o.text[start:]))
		text, closed, change := string(o.text), o.closed, o.change
		o.mu.Unlock()
		if match != nil {
			return match
		}
		if closed {
			t.Fatalf("output ended without %q:\n%s", pattern, text)
		}
		select {
		case <-change:
		case <-deadline.C:
			t.Fatalf("no %q in:\n%s", pattern, text)
		}
	}
}
