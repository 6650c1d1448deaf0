package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// version is Delve's, and sum the hash of its module's files as go.sum has it.
const (
	module  = "github.com/go-delve/delve"
	version = "v1.27.2"
	sum     = "h1:dhcjFjiVoQI53uwsG7EqYiMhdvFuywsBZx4KDOK+sYE="
)

// packages are the directories of the tests that go by a backend, with the names
// that they have here.
var packages = []struct{ name, directory string }{
	{"proc", "pkg/proc"}, {"service", "service/test"}, {"terminal", "pkg/terminal"},
}

// executable are the files that the tests execute. A module's files have no such
// permission.
var executable = []string{"_fixtures/fake-debuginfod-find/debuginfod-find", "_fixtures/nongochild/child.sh"}

// suite is Delve with its tests built.
type suite struct {
	source, binaries, fixtures string
}

// test is one test of a package.
type test struct{ group, name string }

func (t test) String() string { return t.group + "/" + t.name }

// fetch downloads Delve and builds its tests, unless both were done before.
func fetch(ctx context.Context, cache string) (*suite, error) {
	compiler, err := output(ctx, cache, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	directory := filepath.Join(cache, "delve-"+version)
	s := &suite{filepath.Join(directory, "source"), filepath.Join(directory, compiler), filepath.Join(directory, compiler, "fixtures")}
	if err := os.MkdirAll(s.fixtures, 0o777); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.source); err != nil {
		if err := s.download(ctx, directory); err != nil {
			return nil, err
		}
	}
	for _, p := range packages {
		binary := s.binary(p.name)
		if _, err := os.Stat(binary); err == nil {
			continue
		}
		fmt.Println("building Delve's tests of", p.directory)
		if _, err := output(ctx, s.source, "go", "test", "-c", "-o", binary, "./"+p.directory); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// download puts Delve's source where the tests may write to it.
func (s *suite) download(ctx context.Context, directory string) error {
	fmt.Println("fetching Delve", version)
	text, err := output(ctx, directory, "go", "mod", "download", "-json", module+"@"+version)
	if err != nil {
		return err
	}
	var found struct{ Dir, Sum string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return err
	}
	if found.Sum != sum {
		return fmt.Errorf("%s@%s has the hash %s, not %s", module, version, found.Sum, sum)
	}
	unfinished := s.source + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.CopyFS(unfinished, os.DirFS(found.Dir)); err != nil {
		return err
	}
	for _, name := range executable {
		if err := os.Chmod(filepath.Join(unfinished, name), 0o755); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, s.source)
}

func (s *suite) binary(group string) string { return filepath.Join(s.binaries, group+".test") }

func (s *suite) directory(group string) string {
	for _, p := range packages {
		if p.name == group {
			return filepath.Join(s.source, p.directory)
		}
	}
	panic("no package has the name " + group)
}

// tests lists all tests.
func (s *suite) tests(ctx context.Context) ([]test, error) {
	var all []test
	for _, p := range packages {
		text, err := output(ctx, s.directory(p.name), s.binary(p.name), "-test.list", ".")
		if err != nil {
			return nil, err
		}
		for name := range strings.FieldsSeq(text) {
			if strings.HasPrefix(name, "Test") {
				all = append(all, test{p.name, name})
			}
		}
	}
	return all, nil
}

// output runs a command, outside of this module, and returns what it printed.
func output(ctx context.Context, directory, name string, args ...string) (string, error) {
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = directory
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var problems strings.Builder
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, text, problems.String())
	}
	return strings.TrimSpace(string(text)), nil
}
