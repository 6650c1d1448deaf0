// Package upstream gets Delve, for tests that debug with it: its source through
// Go's module proxy, into a cache directory, and what is built of that.
package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Version is Delve's. sum is the hash of its module's files as go.sum has it.
const (
	Version = "v1.27.2"
	module  = "github.com/go-delve/delve"
	sum     = "h1:dhcjFjiVoQI53uwsG7EqYiMhdvFuywsBZx4KDOK+sYE="
)

// executable are the files that Delve's tests execute. A module's files have no such
// permission.
var executable = []string{"_fixtures/fake-debuginfod-find/debuginfod-find", "_fixtures/nongochild/child.sh"}

// Delve is its source in the cache and the place for what is built of it.
type Delve struct {
	// Source is the directory of the source, whose files may be written to.
	Source string
	// Built is a directory for what this version of Go builds of it.
	Built string
}

// Cache is the directory in the user's cache.
func Cache() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("nowhere to keep Delve: %w", err)
	}
	return filepath.Join(user, "rspd-conformance"), nil
}

// Fetch downloads Delve into a cache directory, unless that was done before. Others
// that do the same wait.
func Fetch(ctx context.Context, cache string) (*Delve, error) {
	directory := filepath.Join(cache, "delve-"+Version)
	compiler, err := run(ctx, cache, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	d := &Delve{filepath.Join(directory, "source"), filepath.Join(directory, compiler)}
	if err := os.MkdirAll(d.Built, 0o777); err != nil {
		return nil, err
	}
	return d, d.locked(func() error {
		if _, err := os.Stat(d.Source); err == nil {
			return nil
		}
		return d.download(ctx, directory)
	})
}

// locked does something that no other process does at the same time.
func (d *Delve) locked(do func() error) error {
	lock, err := os.OpenFile(filepath.Join(filepath.Dir(d.Built), "lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return do()
}

func (d *Delve) download(ctx context.Context, directory string) error {
	text, err := run(ctx, directory, "go", "mod", "download", "-json", module+"@"+Version)
	if err != nil {
		return err
	}
	var found struct{ Dir, Sum string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return err
	}
	if found.Sum != sum {
		return fmt.Errorf("%s@%s has the hash %s, not %s", module, Version, found.Sum, sum)
	}
	unfinished := d.Source + ".new"
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
	return os.Rename(unfinished, d.Source)
}

// Program builds a command of Delve's, such as "cmd/dlv", unless that was done
// before, and returns its path.
func (d *Delve) Program(ctx context.Context, directory string) (string, error) {
	return d.build(ctx, filepath.Base(directory), "build", directory)
}

// Tests builds the tests of a package, such as "pkg/proc", unless that was done
// before, and returns the path of the program that runs them.
func (d *Delve) Tests(ctx context.Context, directory string) (string, error) {
	return d.build(ctx, strings.ReplaceAll(directory, "/", "-")+".test", "test -c", directory)
}

func (d *Delve) build(ctx context.Context, name, command, directory string) (string, error) {
	result := filepath.Join(d.Built, name)
	return result, d.locked(func() error {
		if _, err := os.Stat(result); err == nil {
			return nil
		}
		args := append(strings.Fields(command), "-o", result, "./"+directory)
		_, err := run(ctx, d.Source, "go", args...)
		return err
	})
}

// run runs a command, outside of this module, and returns what it printed.
func run(ctx context.Context, directory, name string, args ...string) (string, error) {
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
