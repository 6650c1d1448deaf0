package test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ledgerSize is the size of the file in which clones.c keeps its account, and
// ledgerHead that of what comes before the slots.
const (
	ledgerSize = 4096 + 4096*112
	ledgerHead = 4096
)

// A ledgerTask is what a task of clones.c says of itself: struct slot there.
type ledgerTask struct {
	Flags                uint64
	ExitSignal, ByClone3 uint32
	MakerPID, MakerTID   int32
	MakerSlot, Returned  int32
	PID, TID             int32
	Phase, Ending        uint32
	EndValue             int32
	Reaped               uint32
	Status               int32
	Calls, Images        uint32
	Faults               uint32
	Seed                 uint64
	Namespace            int32
	Depth                uint32
	ParentTID, ChildTID  int32
	PIDFD                int32
	Untraced             uint32
}

// The values of Phase and Ending.
const (
	taskUnborn = iota
	taskBegun
	taskEnding
)
const (
	endsByExit = iota
	endsByExitGroup
	endsBySignal
	endsByExec
)

func (k *ledgerTask) has(flags uint64) bool { return k.Flags&flags == flags }

// wait is how the task ended, if its parent waited for it.
func (k *ledgerTask) wait() unix.WaitStatus { return unix.WaitStatus(k.Status) }

var cloneFlagNames = []struct {
	flag uint64
	name string
}{
	{unix.CLONE_VM, "VM"}, {unix.CLONE_FS, "FS"}, {unix.CLONE_FILES, "FILES"}, {unix.CLONE_SIGHAND, "SIGHAND"},
	{unix.CLONE_PIDFD, "PIDFD"}, {unix.CLONE_VFORK, "VFORK"}, {unix.CLONE_PARENT, "PARENT"}, {unix.CLONE_THREAD, "THREAD"},
	{unix.CLONE_NEWNS, "NEWNS"}, {unix.CLONE_SYSVSEM, "SYSVSEM"}, {unix.CLONE_SETTLS, "SETTLS"},
	{unix.CLONE_PARENT_SETTID, "PARENT_SETTID"}, {unix.CLONE_CHILD_CLEARTID, "CHILD_CLEARTID"},
	{unix.CLONE_UNTRACED, "UNTRACED"}, {unix.CLONE_CHILD_SETTID, "CHILD_SETTID"}, {unix.CLONE_NEWCGROUP, "NEWCGROUP"},
	{unix.CLONE_NEWUTS, "NEWUTS"}, {unix.CLONE_NEWIPC, "NEWIPC"}, {unix.CLONE_NEWUSER, "NEWUSER"},
	{unix.CLONE_NEWPID, "NEWPID"}, {unix.CLONE_NEWNET, "NEWNET"}, {unix.CLONE_IO, "IO"},
	{unix.CLONE_CLEAR_SIGHAND, "CLEAR_SIGHAND"}, {unix.CLONE_INTO_CGROUP, "INTO_CGROUP"}, {unix.CLONE_NEWTIME, "NEWTIME"},
}

func (k *ledgerTask) String() string {
	var names []string
	for _, flag := range cloneFlagNames {
		if k.has(flag.flag) {
			names = append(names, flag.name)
		}
	}
	call := "clone"
	if k.ByClone3 != 0 {
		call = "clone3"
	}
	text := fmt.Sprintf("%d.%d by %d.%d %s(%s, signal %d) = %d:", k.PID, k.TID, k.MakerPID, k.MakerTID, call,
		strings.Join(names, "|"), k.ExitSignal, k.Returned)
	switch {
	case k.Phase == taskUnborn:
		text += " never ran"
	case k.Phase == taskBegun:
		text += " ended in the middle"
	default:
		text += fmt.Sprintf(" ended by %s %d", [...]string{"exit", "exit_group", "signal", "execve"}[k.Ending], k.EndValue)
	}
	if k.Reaped != 0 {
		text += fmt.Sprintf(", wait status %#x", k.Status)
	}
	return text + fmt.Sprintf(", %d calls, %d images, pid namespace %d, faults %d", k.Calls, k.Images, k.Namespace, k.Faults)
}

// newLedger makes an empty ledger file.
func newLedger(path string) error { return os.WriteFile(path, make([]byte, ledgerSize), 0o666) }

// readLedger returns the tasks in the order in which they were made.
func readLedger(path string) ([]ledgerTask, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(content) != ledgerSize {
		return nil, fmt.Errorf("the ledger has %d bytes", len(content))
	}
	count := binary.LittleEndian.Uint32(content)
	tasks := make([]ledgerTask, count)
	if binary.Size(tasks) > len(content)-ledgerHead {
		return nil, fmt.Errorf("%d tasks do not fit into the ledger", count)
	}
	return tasks, binary.Read(bytes.NewReader(content[ledgerHead:]), binary.LittleEndian, tasks)
}
