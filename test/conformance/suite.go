package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed fetch
var fetchScript string

// A Source is an unpacked source tree of GDB, of which only gdb/testsuite and
// what it reads are used.
type Source struct {
	Dir     string
	Version string
}

// findSource returns the tree at dir or, without one, the tree of the installed
// gdb from the cache, to which it is fetched if need be.
func findSource(ctx context.Context, dir, cache string) (*Source, error) {
	if dir == "" {
		version, err := installedVersion()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(cache, "gdb-"+version)
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			fmt.Println("fetching the source of gdb", version)
			fetch := exec.CommandContext(ctx, "bash", "-s", "--", cache)
			fetch.Stdin = strings.NewReader(fetchScript)
			fetch.Stdout, fetch.Stderr = os.Stdout, os.Stderr
			if err := fetch.Run(); err != nil {
				return nil, fmt.Errorf("fetch the source of gdb %s: %w", version, err)
			}
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "gdb/version.in"))
	if err != nil {
		return nil, fmt.Errorf("no source of GDB: %w", err)
	}
	return &Source{Dir: dir, Version: strings.TrimSpace(string(text))}, nil
}

var upstreamVersion = regexp.MustCompile(`^(?:\d+:)?([^-]+)`)

// installedVersion returns the upstream part of the gdb package's version.
func installedVersion() (string, error) {
	text, err := exec.Command("dpkg-query", "-W", "-f", "${source:Version}", "gdb").Output()
	if err != nil {
		return "", fmt.Errorf("which version of gdb is installed: %w", err)
	}
	match := upstreamVersion.FindStringSubmatch(string(text))
	if match == nil {
		return "", fmt.Errorf("gdb's version %q is not understood", text)
	}
	return match[1], nil
}

// expand returns the test files that the patterns name, sorted, each once. A
// pattern such as gdb.base/break*.exp that names none is an error.
func (s *Source) expand(patterns []string) ([]string, error) {
	root := filepath.Join(s.Dir, "gdb/testsuite")
	var files []string
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		found := false
		for _, path := range paths {
			file, err := filepath.Rel(root, path)
			if err == nil && strings.HasSuffix(file, ".exp") {
				files = append(files, file)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("%s: the suite of GDB %s has no such test", pattern, s.Version)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// A Suite is the test suite configured in a directory of its own for one server
// and one board.
type Suite struct {
	Dir    string
	Server string
	Board  string
	// Limit is how long one file may take.
	Limit time.Duration
	// runs counts the runs.
	runs atomic.Int64
}

// configure makes the directory anew.
func (s *Suite) configure(ctx context.Context, source *Source) error {
	if err := os.RemoveAll(s.Dir); err != nil {
		return err
	}
	for _, name := range []string{"outputs", "temp"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, name), 0o755); err != nil {
			return err
		}
	}
	script := filepath.Join(source.Dir, "gdb/testsuite/configure")
	for _, words := range [][]string{{script}, {"make", "all", "site.exp"}} {
		command := exec.CommandContext(ctx, words[0], words[1:]...)
		command.Dir, command.Env = s.Dir, environment()
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("configure the suite: %w\n%s", err, output)
		}
	}
	return nil
}

// environment is this program's, without what a make that runs it passes on to
// the suite's make: its options and variables such as TESTS.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "TESTS"}, name)
	})
}

// outputs is where a file's run leaves gdb.sum, gdb.log and its programs.
func (s *Suite) outputs(file string) string {
	return filepath.Join(s.Dir, "outputs", strings.TrimSuffix(file, ".exp"))
}

// errOverran says that a file was ended because of the limit. What it did
// until then counts.
var errOverran = errors.New("took longer than the limit")

// run runs one file and returns its results. With logged, each gdb writes its
// packets to a gdbserver.replay file in the outputs.
func (s *Suite) run(ctx context.Context, file string, logged bool) ([]Result, error) {
	if err := os.RemoveAll(s.outputs(file)); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	flags := strings.Join([]string{
		"GDB=/usr/bin/gdb", "GDB_DATA_DIRECTORY=/usr/share/gdb", "GDBSERVER=" + s.Server, "--target_board=" + s.Board,
	}, " ")
	words := []string{"check/" + file, "RUNTESTFLAGS=" + flags}
	if logged {
		words = append(words, "GDBSERVER_DEBUG=replay")
	}
	// Not a pipe: programs that a test leaves behind would keep it open.
	output, err := os.CreateTemp(s.Dir, "make.*.log")
	if err != nil {
		return nil, err
	}
	defer func() {
		output.Close()
		os.Remove(output.Name())
	}()
	mark := fmt.Sprintf("RSPD_CONFORMANCE=%d.%d", os.Getpid(), s.runs.Add(1))
	command := exec.CommandContext(limited, "make", words...)
	command.Dir = s.Dir
	command.Env = append(environment(), mark)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	runErr := command.Run()
	if err := endMarked(mark); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(filepath.Join(s.outputs(file), "gdb.sum"))
	if err != nil {
		said, _ := os.ReadFile(output.Name())
		return nil, fmt.Errorf("%s: no results: %w\n%s", file, err, said)
	}
	results, err := parseSum(bytes.NewReader(sum))
	if err != nil {
		return nil, err
	}
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return results, fmt.Errorf("%s: %w of %v", file, errOverran, s.Limit)
	}
	var status *exec.ExitError
	if runErr != nil && !errors.As(runErr, &status) {
		return nil, fmt.Errorf("%s: %w", file, runErr)
	}
	return results, nil
}

// endMarked kills the processes that have the mark in their environment: what a
// test left behind, which has its own sessions and would take time from the
// tests after it.
func endMarked(mark string) error {
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return err
	}
	for _, path := range paths {
		// A process that is gone meanwhile, or another user's, is none of ours.
		environment, err := os.ReadFile(path)
		if err != nil || !slices.Contains(strings.Split(string(environment), "\x00"), mark) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}

// keep moves the outputs of a file's last run to where the next one won't
// replace them, and returns that directory.
func (s *Suite) keep(file, as string) (string, error) {
	kept := filepath.Join(s.Dir, as, strings.TrimSuffix(file, ".exp"))
	if err := os.RemoveAll(kept); err != nil {
		return "", err
	}
	for _, needed := range []string{filepath.Dir(kept), s.outputs(file)} {
		if err := os.MkdirAll(needed, 0o755); err != nil {
			return "", err
		}
	}
	return kept, os.Rename(s.outputs(file), kept)
}
