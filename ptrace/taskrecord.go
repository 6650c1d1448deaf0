package ptrace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// TaskRecord is what a core file says of a thread besides its registers: fields
// of /proc/PID/task/TID/stat and status (proc(5)).
type TaskRecord struct {
	// Name is the thread's, at most 15 bytes.
	Name string
	// State is the letter of the scheduler's state.
	State byte
	// Parent, Group and Session are the ids of the parent process, the process
	// group and the session.
	Parent, Group, Session int
	// Flags are the kernel's PF_ flags.
	Flags uint64
	// Nice is the nice value.
	Nice int
	// User and System are the processor time used, and ChildrenUser and
	// ChildrenSystem that of children that were waited for.
	User, System, ChildrenUser, ChildrenSystem time.Duration
	// Pending, ProcessPending and Blocked are sets of signals, with bit N-1 for
	// signal N: those that wait for the thread, those that wait for any thread of
	// its process, and those that it does not take.
	Pending, ProcessPending, Blocked uint64
	// UserID and GroupID are the real ids.
	UserID, GroupID uint32
}

// userTick is the unit of times in /proc: the kernel tells them at a rate of
// USER_HZ whatever its own is (include/asm-generic/param.h).
const userTick = time.Second / 100

// ReadTaskRecord reads the record of one thread.
func ReadTaskRecord(pid, tid int) (TaskRecord, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid))
	if err != nil {
		return TaskRecord{}, goneIfAbsent("look at", tid, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	if err != nil {
		return TaskRecord{}, goneIfAbsent("look at", tid, err)
	}
	return parseTaskRecord(stat, string(status))
}

func parseTaskRecord(stat []byte, status string) (TaskRecord, error) {
	name, fields, err := statFields(stat)
	if err != nil {
		return TaskRecord{}, err
	}
	record := TaskRecord{Name: name, State: fields[0][0]}
	var failures []error
	number := func(field int) int {
		// proc(5) counts from 1, and what comes first here is field 3.
		value, err := strconv.ParseInt(fields[field-3], 10, 64)
		failures = append(failures, err)
		return int(value)
	}
	ticks := func(field int) time.Duration { return time.Duration(number(field)) * userTick }
	record.Parent, record.Group, record.Session = number(4), number(5), number(6)
	record.Flags = uint64(number(9))
	record.User, record.System, record.ChildrenUser, record.ChildrenSystem = ticks(14), ticks(15), ticks(16), ticks(17)
	record.Nice = number(19)
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "SigPnd":
			record.Pending, err = strconv.ParseUint(value, 16, 64)
		case "ShdPnd":
			record.ProcessPending, err = strconv.ParseUint(value, 16, 64)
		case "SigBlk":
			record.Blocked, err = strconv.ParseUint(value, 16, 64)
		case "Uid":
			record.UserID, err = firstNumber(value)
		case "Gid":
			record.GroupID, err = firstNumber(value)
		}
		failures = append(failures, err)
	}
	return record, errors.Join(failures...)
}

func firstNumber(text string) (uint32, error) {
	first, _, _ := strings.Cut(text, "\t")
	number, err := strconv.ParseUint(first, 10, 32)
	return uint32(number), err
}
