package test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestExecInAnotherMountNamespace: the name of the program that is executed is
// the one in the program's own mount namespace, and the client can read the
// file by it, though there is none by that name where the server runs.
func TestExecInAnotherMountNamespace(t *testing.T) {
	unshare := need(t, "unshare")
	if err := syscall.Access("/proc/self/ns/mnt", 4); err != nil || os.Geteuid() != 0 {
		missing(t, errors.New("a mount namespace of its own is for root"))
	}
	s := newSession(t)
	program := native(t, "tiny.S", inferiors.Static)
	mountpoint := t.TempDir()
	v := s.launch("/bin/sh", "-c", fmt.Sprintf("exec %s --mount --propagation private /bin/sh -c 'mount --bind %s %s && exec %s/%s'",
		unshare, filepath.Dir(program), mountpoint, mountpoint, filepath.Base(program)))
	p := s.packets(v, everyEvent)
	want := filepath.Join(mountpoint, filepath.Base(program))
	var named string
	var names []string
	for len(names) == 0 || names[len(names)-1] != want {
		stop, ok := p.resume("vCont;c").(*rsp.StopReply)
		switch {
		case !ok:
			t.Fatalf("it ended after %v", names)
		case stop.Reason == rsp.StopExec:
			// In another namespace a chroot is not left out of the name.
			root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", v.inferior))
			if err != nil {
				t.Fatal(err)
			}
			named = stop.ExecPath
			names = append(names, strings.TrimPrefix(named, strings.TrimSuffix(root, "/")))
		case stop.Reason == rsp.StopFork || stop.Reason == rsp.StopVfork:
			p.must("D;%x", stop.Child.PID)
		}
	}
	if _, err := os.Stat(want); err == nil {
		t.Fatal("the file can be seen outside of the namespace")
	}
	if reply := p.ask("qXfer:exec-file:read:%x:0,1000", v.inferior); reply != "l"+named {
		t.Errorf("the executable is %q, not %q", reply, named)
	}
	if reply := p.ask("vFile:setfs:%x", v.inferior); reply != "F0" {
		t.Fatalf("setfs: %s", reply)
	}
	opened := p.ask("vFile:open:%x,0,0", named)
	if !strings.HasPrefix(opened, "F") || strings.HasPrefix(opened, "F-") {
		t.Fatalf("open: %s", opened)
	}
	if reply := p.ask("vFile:pread:%s,4,0", opened[1:]); reply != "F4;\x7fELF" {
		t.Errorf("the file begins with %q", reply)
	}
}
