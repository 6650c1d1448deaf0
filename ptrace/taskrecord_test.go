package ptrace

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseTaskRecord(t *testing.T) {
	const stat = "12 (a) b) T 10 11 9 0 -1 4194560 1 2 3 4 150 25 7 8 20 -5 1 0 5 6 7 8 9 0 0 0 0 0 0 0 0 0 17 3 0 0\n"
	const status = "Name:\ta) b\nUid:\t1000\t1001\t1001\t1001\nGid:\t100\t101\t101\t101\nSigPnd:\t0000000000000200\nShdPnd:\t0000000000000400\nSigBlk:\t0000000000010000\n"
	got, err := parseTaskRecord([]byte(stat), status)
	want := TaskRecord{Name: "a) b", State: 'T', Parent: 10, Group: 11, Session: 9, Flags: 4194560, Nice: -5,
		User: 1500 * time.Millisecond, System: 250 * time.Millisecond, ChildrenUser: 70 * time.Millisecond,
		ChildrenSystem: 80 * time.Millisecond, Pending: 0x200, ProcessPending: 0x400, Blocked: 0x10000, UserID: 1000, GroupID: 100}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := parseTaskRecord([]byte("12 a T"), status); err == nil {
		t.Error("a stat file without a name is taken")
	}
	if _, err := parseTaskRecord([]byte(stat), "SigPnd:\tx\n"); err == nil {
		t.Error("a set of signals that is no number is taken")
	}
}

func TestTaskRecordOfThisProcess(t *testing.T) {
	record, err := ReadTaskRecord(os.Getpid(), os.Getpid())
	// A session whose leader is outside the pid namespace has the id 0.
	session, noSession := unix.Getsid(0)
	if err := errors.Join(err, noSession); err != nil {
		t.Fatal(err)
	}
	if record.Parent != os.Getppid() || record.Group != unix.Getpgrp() || record.Session != session || int(record.UserID) != os.Getuid() || int(record.GroupID) != os.Getgid() {
		t.Errorf("%+v", record)
	}
}
