package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Delve's tests build the programs that they debug, by the go command. Each test
// runs in a process of its own here, which would build anew what others have
// built; so they find this program by the name of go, which keeps what it built.

// The environment of that go: the real one, and where to keep programs.
const (
	realGo       = "RSPD_DELVE_GO"
	fixturesPath = "RSPD_DELVE_FIXTURES"
)

// buildFixture is the go command with these arguments. It returns the exit status.
func buildFixture(args []string) int {
	status, err := keptBuild(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func keptBuild(args []string) (int, error) {
	key, result := fixtureKey(args)
	if key == "" {
		return runGo(args)
	}
	kept := filepath.Join(os.Getenv(fixturesPath), key)
	if err := copyFile(kept, result); err == nil || !os.IsNotExist(err) {
		return 0, err
	}
	if status, err := runGo(args); status != 0 || err != nil {
		return status, err
	}
	// Another test may build the same one at the same time.
	unfinished := fmt.Sprintf("%s.%d", kept, os.Getpid())
	if err := copyFile(result, unfinished); err != nil {
		return 1, err
	}
	return 0, os.Rename(unfinished, kept)
}

func runGo(args []string) (int, error) {
	cmd := exec.Command(os.Getenv(realGo), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 1, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// fixtureKey names what "go build" makes of the arguments, and the file that it is
// to be put into; "" for another command, and for other programs.
func fixtureKey(args []string) (key, result string) {
	output := slices.Index(args, "-o")
	if len(args) == 0 || args[0] != "build" || output < 0 || output+1 == len(args) {
		return "", ""
	}
	// Sources elsewhere are some test's own, which may change.
	directory, err := os.Getwd()
	if err != nil || !slices.Contains(strings.Split(directory, "/"), "_fixtures") {
		return "", ""
	}
	hash := sha256.New()
	for _, part := range slices.Concat(args[:output], args[output+2:], []string{directory}, buildEnvironment()) {
		fmt.Fprintf(hash, "%q", part)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:16]), args[output+1]
}

// buildEnvironment is what the go command goes by.
func buildEnvironment() []string {
	var environment []string
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "GO") || strings.HasPrefix(entry, "CGO") {
			environment = append(environment, entry)
		}
	}
	slices.Sort(environment)
	return environment
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	// go build makes it, too.
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}
