package host

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// ExpandHome replaces a first "~" of a path by the home directory of whoever runs
// this process, and "~NAME" by that user's, as a shell does (bash(1), "Tilde
// Expansion"). Any other path is as it was. The error is that there is no such
// user or no such directory.
func ExpandHome(path string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	name, rest, _ := strings.Cut(path[1:], "/")
	if name == "" {
		own, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(own, rest), nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	if account.HomeDir == "" {
		return "", errors.New("user " + name + " has no home directory")
	}
	return filepath.Join(account.HomeDir, rest), nil
}
