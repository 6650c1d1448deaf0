package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rspd/test/conformance/delve/upstream"
)

// packages are the directories of the tests that go by a backend, with the names
// that they have here.
var packages = []struct{ name, directory string }{
	{"proc", "pkg/proc"}, {"service", "service/test"}, {"terminal", "pkg/terminal"},
}

// suite is Delve with its tests built.
type suite struct {
	// fixtures is where the programs that the tests debug are kept.
	fixtures string
	groups   map[string]group
}

// group are the tests of a package.
type group struct{ binary, directory string }

// test is one test of a package.
type test struct{ group, name string }

func (t test) String() string { return t.group + "/" + t.name }

// parseTest reads what String makes of a test.
func parseTest(text string) (test, error) {
	of, name, parts := strings.Cut(text, "/")
	if !parts || !strings.HasPrefix(name, "Test") {
		return test{}, fmt.Errorf("%q is not a test's name, such as proc/TestA", text)
	}
	return test{of, name}, nil
}

// prepare fetches Delve and builds its tests, unless both were done before.
func prepare(ctx context.Context, cache string) (*suite, error) {
	delve, err := upstream.Fetch(ctx, cache)
	if err != nil {
		return nil, err
	}
	s := &suite{fixtures: filepath.Join(delve.Built, "fixtures"), groups: map[string]group{}}
	if err := os.MkdirAll(s.fixtures, 0o777); err != nil {
		return nil, err
	}
	for _, p := range packages {
		binary, err := delve.Tests(ctx, p.directory)
		if err != nil {
			return nil, err
		}
		s.groups[p.name] = group{binary, filepath.Join(delve.Source, p.directory)}
	}
	return s, nil
}

// tests lists all tests.
func (s *suite) tests(ctx context.Context) ([]test, error) {
	var all []test
	for _, p := range packages {
		in := s.groups[p.name]
		list := exec.CommandContext(ctx, in.binary, "-test.list", "^Test")
		list.Dir = in.directory
		text, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list, err)
		}
		for name := range strings.FieldsSeq(string(text)) {
			if strings.HasPrefix(name, "Test") {
				all = append(all, test{p.name, name})
			}
		}
	}
	return all, nil
}
