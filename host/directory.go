package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// outcome makes the reply of a packet that yields nothing, with the system's own
// error numbers.
func outcome(err error) (rsp.Reply, error) {
	if err == nil {
		return rsp.FileOutcome(0), nil
	}
	errno := unix.EIO
	errors.As(err, &errno)
	return rsp.FileOutcome(errno), nil
}

// allPermissions are those of a directory for which none are named: the umask
// takes away what it does from any other program's.
const allPermissions = 0o777

// makeDirectory answers qPlatform_mkdir. lldb's command sends a mode of 0 where
// its user has named none. A directory that is there already is as good as made:
// so lldb-server has it, and LLDB's own tests count on it.
func makeDirectory(_ *Client, request *rsp.FilePermissions) (rsp.Reply, error) {
	mode := request.Mode
	if mode == 0 {
		mode = allPermissions
	}
	err := unix.Mkdir(request.Filename, mode)
	if err == unix.EEXIST {
		if info, failure := os.Stat(request.Filename); failure == nil && info.IsDir() {
			err = nil
		}
	}
	return outcome(err)
}

// changeMode answers qPlatform_chmod.
func changeMode(_ *Client, request *rsp.FilePermissions) (rsp.Reply, error) {
	return outcome(unix.Chmod(request.Filename, request.Mode))
}

// maxCompletions is the most paths that qPathComplete is answered with.
const maxCompletions = 512

// completePath answers qPathComplete: whole paths, directories with a slash
// behind them.
func completePath(_ *Client, request *rsp.PathComplete) (rsp.Reply, error) {
	directory, begin := filepath.Split(request.Prefix)
	// A user that is not there has no files.
	read, _ := ExpandHome(directory)
	if directory == "" {
		read = "."
	}
	// A directory that cannot be read completes nothing.
	entries, _ := os.ReadDir(read)
	found := rsp.Completions{}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, begin) || begin == "" && strings.HasPrefix(name, ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(read, name))
		isDirectory := err == nil && info.IsDir()
		if request.DirectoriesOnly && !isDirectory {
			continue
		}
		if isDirectory {
			name += "/"
		}
		found = append(found, directory+name)
		if len(found) == maxCompletions {
			break
		}
	}
	slices.Sort(found)
	return found, nil
}
