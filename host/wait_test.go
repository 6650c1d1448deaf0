package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// namedPipe makes one that nobody has open.
func namedPipe(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestNothingIsWaitedFor asks about files that never end, or that are not there to
// be read before somebody writes them.
func TestNothingIsWaitedFor(t *testing.T) {
	c := NewClient(rsp.DefaultPacketSize)
	for _, name := range []string{namedPipe(t), "/dev/zero"} {
		if got := ask(t, c, "qModuleInfo:"+rsp.HexText(name)+";"); !strings.HasPrefix(got, "E03") {
			t.Errorf("qModuleInfo of %s: %s", name, got)
		}
		if got := ask(t, c, `jModulesInfo:[{"file":"`+name+`","triple":""}]]`); got != "[]" {
			t.Errorf("jModulesInfo of %s: %s", name, got)
		}
		if got := ask(t, c, "vFile:MD5:"+rsp.HexText(name)); got != "F,x" {
			t.Errorf("vFile:MD5 of %s: %s", name, got)
		}
	}
}

// TestOpenWaiting opens both ends of named pipes, of which the other comes later, or
// never.
func TestOpenWaiting(t *testing.T) {
	for _, flags := range []int{os.O_RDONLY, os.O_WRONLY} {
		name := namedPipe(t)
		var asked atomic.Int32
		other := make(chan error, 1)
		waiting := func() bool {
			if asked.Add(1) == 2 {
				go func() {
					file, err := os.OpenFile(name, flags^os.O_WRONLY, 0)
					if err == nil {
						err = file.Close()
					}
					other <- err
				}()
			}
			return false
		}
		file, err := OpenWaiting(name, flags, 0, waiting)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-other, file.Close()); err != nil {
			t.Error(err)
		}
		before := descriptors(t)
		if _, err := OpenWaiting(name, flags, 0, func() bool { return true }); err == nil {
			t.Error("a pipe was opened whose other end nobody has")
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors became %d", before, after)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
