package test

import (
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rspd/rsp"
	"rspd/rsp/script"
	"rspd/test/inferiors"
)

// TestSessions plays the packet sessions in the directory sessions. In a
// session's comments
//
//	# program: SOURCE [LINK [ARGS...]]   what the server launches
//	# options: OPTIONS...                what comes before the address
//	# gnu: REASON                        GNU gdbserver does not pass it
//
// direct the test. The variable pid is the launched process in hex, dir is an
// empty directory in hex digits of its name, program is the program's path
// likewise, and every symbol of a program at fixed addresses is its address.
func TestSessions(t *testing.T) {
	notAgain(t, "the sessions name registers and addresses of 64-bit programs")
	paths, err := fs.Glob(os.DirFS("sessions"), "*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no sessions", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(path, ".txt"), func(t *testing.T) { playSession(t, filepath.Join("sessions", path)) })
	}
}

func playSession(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	directives := map[string]string{}
	for line := range strings.Lines(string(text)) {
		comment, found := strings.CutPrefix(line, "# ")
		if name, value, is := strings.Cut(comment, ": "); found && is {
			directives[name] = strings.TrimSpace(value)
		}
	}
	if reason := directives["gnu"]; reason != "" {
		gnuLacks(t, reason)
	}
	s := newSession(t)
	vars := map[string]string{"dir": fmt.Sprintf("%x", t.TempDir())}
	options := strings.Fields(directives["options"])
	var v *server
	if words := strings.Fields(directives["program"]); len(words) > 0 {
		link := inferiors.NoPIE
		if len(words) > 1 {
			link = inferiors.Link(words[1])
		}
		program := native(t, words[0], link)
		addSymbols(t, program, vars)
		vars["program"] = fmt.Sprintf("%x", program)
		if strings.Contains(directives["options"], "--multi") || strings.Contains(directives["options"], "gdbserver") {
			v = s.serve(options)
		} else {
			v = s.serve(options, append([]string{program}, words[min(2, len(words)):]...)...)
			var pid int
			if _, err := fmt.Sscan(v.stderr.wait(s, `created; pid = (\d+)`)[1], &pid); err != nil {
				t.Fatal(err)
			}
			vars["pid"] = fmt.Sprintf("%x", pid)
		}
	} else {
		v = s.serve(options)
	}
	client, err := rsp.Dial("tcp", v.address())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := script.Run(ctx, client, strings.NewReader(string(text)), vars); err != nil {
		t.Error(err)
	}
}

// addSymbols adds the addresses of a program's symbols.
func addSymbols(t *testing.T, program string, vars map[string]string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		vars[symbol.Name] = fmt.Sprintf("%x", symbol.Value)
	}
}
