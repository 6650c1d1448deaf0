package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	l := openLogs(loggingOptions{threads: true}, &out)
	l.threads().Debug("stopped", "lwp", 12, "why", "signal 5", "empty", "", "odd")
	l.threads().Warn("careful")
	l.eventLoop().Debug("not asked for")
	l.remote().Packet(true, []byte("$not asked for#00"))
	l.eventLoop().Error("always told", "err", os.ErrNotExist)
	want := `[threads] stopped lwp=12 why="signal 5" empty="" odd
[threads] warning: careful
[event-loop] error: always told err="file does not exist"
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if !l.threads().Enabled() || l.remote().Enabled() {
		t.Error("Enabled does not tell what --debug said")
	}
}

func TestPacketTrace(t *testing.T) {
	var out bytes.Buffer
	r := openLogs(loggingOptions{remote: true}, &out).remote()
	r.Packet(false, []byte("$g#67"))
	r.Packet(true, []byte("$O}\x03\\\xff#00"))
	r.Packet(true, bytes.Repeat([]byte("x"), packetLimit+5))
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		`<- \$g#67`,
		`-> \$O}\\x03\\\\\\xff#00`,
		`-> x+\.\.\. \(5 bytes more\)`,
	} {
		if !regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{6} ` + want + `$`).MatchString(lines[i]) {
			t.Errorf("line %d is %q, want time and %s", i, lines[i], want)
		}
	}
}

func TestLogTimestamps(t *testing.T) {
	var out bytes.Buffer
	openLogs(loggingOptions{threads: true, timestamps: true}, &out).threads().Debug("x")
	if !regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{6} \[threads\] x\n$`).MatchString(out.String()) {
		t.Errorf("line is %q", out.String())
	}
}

func TestLogFile(t *testing.T) {
	dir := t.TempDir()
	var stderr bytes.Buffer
	l := openLogs(loggingOptions{threads: true, file: filepath.Join(dir, "log")}, &stderr)
	l.threads().Debug("to the file")
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "log")); string(got) != "[threads] to the file\n" || err != nil {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if stderr.Len() != 0 {
		t.Errorf("stderr got %q", stderr.String())
	}

	l = openLogs(loggingOptions{threads: true, file: dir + "/none/log"}, &stderr)
	l.threads().Debug("to stderr")
	want := "Cannot open " + dir + "/none/log for writing. No such file or directory. Switching to stderr.\n[threads] to stderr\n"
	if stderr.String() != want {
		t.Errorf("stderr got %q, want %q", stderr.String(), want)
	}
}
