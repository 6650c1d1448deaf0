// Delve runs Delve's own tests with rspd for the server of its lldb backend and
// says which ones fail.
//
// Delve is fetched through Go's module proxy into a cache directory and is no part
// of this repository. It starts rspd in two forms: as lldb-server, found in the
// PATH, and as debugserver, named by DELVE_DEBUGSERVER_PATH; by the second alone it
// redirects a program's files. Every test of pkg/proc, service/test and
// pkg/terminal has to pass, but for those that exceptions.txt gives a reason for
// and those that skip themselves. One that fails is run again by itself, which
// tells what is wrong from what is flaky.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"rspd/test/conformance/delve/upstream"
)

type options struct {
	server, cache, exceptions, list string
	forms                           []form
	jobs, again                     int
	limit                           time.Duration
	patterns                        []*regexp.Regexp
}

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(buildFixture(os.Args[1:]))
	}
	var o options
	forms := string(asLLDBServer) + "," + string(asDebugserver)
	flag.StringVar(&o.server, "server", "build/rspd", "the `program` to be tested")
	flag.StringVar(&forms, "form", forms, "`how` Delve starts it: "+strings.Join(formNames(), ", ")+"; native is Delve's own backend, without a server")
	flag.StringVar(&o.cache, "cache", "", "the `directory` of Delve and of the logs (default: one in the user's cache)")
	flag.StringVar(&o.exceptions, "exceptions", "test/conformance/delve/exceptions.txt", "the `file` with the tests that need not pass")
	flag.StringVar(&o.list, "list", "", "run the tests that this `file` names, not all")
	flag.IntVar(&o.jobs, "j", runtime.NumCPU(), "how many tests run at a time")
	flag.IntVar(&o.again, "again", 2, "how many `times` a test that fails is run again by itself")
	flag.DurationVar(&o.limit, "limit", 3*time.Minute, "how long one test may take")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: delve [OPTIONS] [REGEXP...]   of names such as proc/TestStep")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.parse(forms, flag.Args())
	if err == nil {
		err = o.conform(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "delve:", err)
		os.Exit(1)
	}
}

func (o *options) parse(names string, patterns []string) error {
	if o.jobs < 1 || o.again < 1 {
		return errors.New("-j and -again begin at 1")
	}
	for name := range strings.SplitSeq(names, ",") {
		if !slices.Contains(formNames(), name) {
			return fmt.Errorf("-form %s: want some of %s", names, strings.Join(formNames(), ","))
		}
		o.forms = append(o.forms, form(name))
	}
	for _, pattern := range patterns {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return err
		}
		o.patterns = append(o.patterns, compiled)
	}
	var err error
	if o.cache == "" {
		if o.cache, err = upstream.Cache(); err != nil {
			return fmt.Errorf("%w; or give -cache", err)
		}
	}
	o.cache, err = filepath.Abs(o.cache)
	return err
}

// conform runs the tests in each form and reports. It fails if one falls short.
func (o *options) conform(ctx context.Context) error {
	server, err := exec.LookPath(o.server)
	if err != nil {
		return err
	}
	if server, err = filepath.Abs(server); err != nil {
		return err
	}
	suite, err := prepare(ctx, o.cache)
	if err != nil {
		return err
	}
	tests, err := o.choose(ctx, suite)
	if err != nil {
		return err
	}
	var failures []error
	for _, form := range o.forms {
		excused, err := readExceptions(o.exceptions, form)
		if err != nil {
			return err
		}
		r := &runner{suite: suite, form: form, server: server, limit: o.limit,
			logs: filepath.Join(o.cache, "runs", "delve."+string(form))}
		fmt.Printf("\nDelve %s, %d tests, as %s\n", upstream.Version, len(tests), form)
		results, err := r.runAll(ctx, tests, o.jobs, o.again, excused)
		if err != nil {
			return err
		}
		failures = append(failures, summarize(os.Stdout, form, results, excused))
	}
	return errors.Join(failures...)
}

// choose lists the tests to run.
func (o *options) choose(ctx context.Context, suite *suite) ([]test, error) {
	all, err := suite.tests(ctx)
	if err != nil {
		return nil, err
	}
	listed := all
	if o.list != "" {
		if listed, err = readList(o.list); err != nil {
			return nil, err
		}
	}
	for _, t := range listed {
		if !slices.Contains(all, t) {
			return nil, fmt.Errorf("%s: Delve %s has no test %s", o.list, upstream.Version, t)
		}
	}
	chosen := slices.DeleteFunc(listed, func(t test) bool {
		return len(o.patterns) > 0 && !slices.ContainsFunc(o.patterns, func(p *regexp.Regexp) bool { return p.MatchString(t.String()) })
	})
	if len(chosen) == 0 {
		return nil, errors.New("there is no such test")
	}
	return chosen, nil
}

// readList reads the names of tests, one a line. "#" begins a comment.
func readList(path string) ([]test, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var listed []test
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		t, err := parseTest(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		listed = append(listed, t)
	}
	return listed, nil
}
