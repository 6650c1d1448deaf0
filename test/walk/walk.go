// Package walk has what tests of walks through stubs share: it runs the scripts
// of unwind/testdata in gdb and lldb, which step through every instruction of a
// patched program and compare each backtrace with that at the site.
package walk

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Report is what a script says of one case: numbers of instructions at which the
// backtrace is right and wrong, in that order, in the stub, in the hook, and in a
// signal handler that was entered from the stub. Wrong has the backtraces.
type Report struct {
	Case               string
	Stub, Hook, Signal [2]int
	Wrong              []string
}

// Run runs a debugger with a script, as its arguments say, that walks through
// cases of a program; the script says what the environment has to be. The folder
// is for files. The error has what the debugger wrote.
func Run(ctx context.Context, folder string, cases, environment []string, debugger string, arguments ...string) ([]Report, error) {
	result := filepath.Join(folder, "report")
	names, err := json.Marshal(cases)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, debugger, arguments...)
	command.Env = append(os.Environ(), "REPORT="+result, "CASES="+string(names), "HOME="+folder)
	command.Env = append(command.Env, environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", debugger, err, out)
	}
	content, err := os.ReadFile(result)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	var reports []Report
	return reports, json.Unmarshal(content, &reports)
}

// Sum adds reports up.
func Sum(reports []Report) (stub, hook, signal [2]int) {
	for _, r := range reports {
		for i := range 2 {
			stub[i] += r.Stub[i]
			hook[i] += r.Hook[i]
			signal[i] += r.Signal[i]
		}
	}
	return stub, hook, signal
}

// LLDBModules are the folders of lldb's Python modules for PYTHONPATH: Debian's
// lldb 14 doesn't find them by itself.
func LLDBModules(lldb string) (string, error) {
	path, err := exec.Command(lldb, "-P").Output()
	if err != nil {
		return "", fmt.Errorf("lldb has no Python: %w", err)
	}
	folder := strings.TrimSpace(string(path))
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(folder)), "python3*", "dist-packages"))
	more, _ := filepath.Glob("/usr/lib/llvm-*/lib/python3*/dist-packages")
	return strings.Join(append(append([]string{folder}, found...), more...), ":"), nil
}
