package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// form is how Delve starts its server.
type form string

const (
	asLLDBServer  form = "lldb-server"
	asDebugserver form = "debugserver"
	native        form = "native"
)

func formNames() []string {
	return []string{string(asLLDBServer), string(asDebugserver), string(native)}
}

// outcome is what became of a test.
type outcome string

const (
	passed  outcome = "PASS"
	failed  outcome = "FAIL"
	skipped outcome = "SKIP"
	slow    outcome = "TIMEOUT"
	flaky   outcome = "FLAKY" // failed, and passed when run again
)

type result struct {
	test    test
	outcome outcome
	took    time.Duration
	// log is a file with what a test that failed has printed.
	log string
}

// runner runs tests in one form.
type runner struct {
	suite  *suite
	form   form
	server string
	logs   string
	limit  time.Duration
	// tools is a directory that comes first in the PATH of the tests.
	tools string
	// marks numbers the runs of tests.
	marks atomic.Int64
}

// patienceWithKnown is how long a test may take that need not pass.
const patienceWithKnown = 10 * time.Second

// runAll runs tests, several at a time, and then those that failed again by
// themselves, but for those that are excused.
func (r *runner) runAll(ctx context.Context, tests []test, jobs, again int, excused map[test]string) ([]result, error) {
	if err := os.RemoveAll(r.logs); err != nil {
		return nil, err
	}
	r.tools = filepath.Join(r.logs, "tools")
	if err := r.linkTools(); err != nil {
		return nil, err
	}
	results := make([]result, len(tests))
	failures := make([]error, len(tests))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range jobs {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tests); i = int(next.Add(1)) - 1 {
				limit := r.limit
				if _, known := excused[tests[i]]; known {
					limit = min(limit, patienceWithKnown)
				}
				results[i], failures[i] = r.run(ctx, tests[i], limit, 0)
				fmt.Printf("%-8s%s %.1f s\n", results[i].outcome, tests[i], results[i].took.Seconds())
			}
		})
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	for i := range results {
		if _, known := excused[tests[i]]; known || results[i].outcome == passed || results[i].outcome == skipped {
			continue
		}
		for n := range again {
			repeated, err := r.run(ctx, tests[i], r.limit, n+1)
			if err != nil {
				return nil, err
			}
			fmt.Printf("again   %s: %s, %.1f s\n", tests[i], repeated.outcome, repeated.took.Seconds())
			if repeated.outcome == passed {
				results[i].outcome = flaky
			}
		}
	}
	return results, nil
}

// linkTools makes the directory in which the tests find their server and go.
func (r *runner) linkTools() error {
	if err := os.MkdirAll(r.tools, 0o777); err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Symlink(own, filepath.Join(r.tools, "go")); err != nil {
		return err
	}
	if r.form != asLLDBServer {
		return nil
	}
	return os.Symlink(r.server, filepath.Join(r.tools, string(asLLDBServer)))
}

const markName = "RSPD_DELVE_TEST"

// run runs one test in a process of its own. An error is one of running, not of the
// test.
func (r *runner) run(ctx context.Context, t test, limit time.Duration, repetition int) (result, error) {
	found := result{test: t, outcome: failed, log: filepath.Join(r.logs, t.group, fmt.Sprintf("%s.%d", t.name, repetition))}
	temporary, err := os.MkdirTemp("", "rspd-delve-")
	if err != nil {
		return found, err
	}
	defer os.RemoveAll(temporary)
	if err := os.MkdirAll(filepath.Dir(found.log), 0o777); err != nil {
		return found, err
	}
	log, err := os.Create(found.log)
	if err != nil {
		return found, err
	}
	defer log.Close()

	backend := "lldb"
	if r.form == native {
		backend = string(native)
	}
	const grace = 15 * time.Second
	deadline, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	cmd := exec.CommandContext(deadline, r.suite.groups[t.group].binary, "-backend="+backend, "-test.v", "-test.count=1",
		"-test.run=^"+t.name+"$", "-test.timeout="+limit.String())
	cmd.Dir = r.suite.groups[t.group].directory
	mark := fmt.Sprintf("%s=%d-%d", markName, os.Getpid(), r.marks.Add(1))
	if cmd.Env, err = r.environment(temporary, mark); err != nil {
		return found, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// What it leaves behind may hold its output open.
	cmd.WaitDelay = time.Second
	begin := time.Now()
	runErr := cmd.Run()
	found.took = time.Since(begin)
	if err := killMarked(mark); err != nil {
		return found, err
	}
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	if cmd.ProcessState == nil {
		return found, runErr
	}
	text, err := os.ReadFile(found.log)
	if err != nil {
		return found, err
	}
	found.outcome = outcomeOf(t.name, text, cmd.ProcessState.Success())
	if found.outcome == passed || found.outcome == skipped {
		found.log = ""
		return found, os.Remove(log.Name())
	}
	return found, nil
}

var timedOut = []byte("panic: test timed out")

// outcomeOf reads what a test has printed.
func outcomeOf(name string, text []byte, success bool) outcome {
	told := regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): ` + regexp.QuoteMeta(name) + ` \(`).FindSubmatch(text)
	switch {
	case bytes.Contains(text, timedOut):
		return slow
	case told == nil || !success:
		return failed
	}
	return outcome(told[1])
}

// environment is that of a test.
func (r *runner) environment(temporary, mark string) ([]string, error) {
	real, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	environment := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		// CI has the tests take their flags for C from outside.
		return bytes.HasPrefix([]byte(entry), []byte("DELVE_DEBUGSERVER_PATH=")) || bytes.HasPrefix([]byte(entry), []byte("CI="))
	})
	environment = append(environment, mark, realGo+"="+real, fixturesPath+"="+r.suite.fixtures, "TMPDIR="+temporary,
		"XDG_CONFIG_HOME="+temporary, "GOFLAGS=-mod=mod", "GOWORK=off",
		"PATH="+r.tools+string(os.PathListSeparator)+os.Getenv("PATH"))
	if r.form == asDebugserver {
		environment = append(environment, "DELVE_DEBUGSERVER_PATH="+r.server)
	}
	return environment, nil
}

// killMarked ends the processes whose environment has a mark: the server and the
// program, when a test has failed to.
func killMarked(mark string) error {
	for range 500 {
		left, err := marked(mark)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("process %d, which a test has left: %w", pid, err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("processes that a test has left outlive SIGKILL")
}

func marked(mark string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environment, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ESRCH) {
			return nil, err
		}
		if slices.ContainsFunc(bytes.Split(environment, []byte{0}), func(e []byte) bool { return string(e) == mark }) {
			found = append(found, pid)
		}
	}
	return found, nil
}
