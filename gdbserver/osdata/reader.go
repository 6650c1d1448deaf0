package osdata

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reader reads what one table needs and remembers names.
type reader struct {
	system        System
	users, groups map[string]string
}

// lines are those of a file of /proc; of one that the kernel does not have
// there are none.
func (r *reader) lines(name string) ([]string, error) {
	text, err := fs.ReadFile(r.system.Proc, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n"), nil
}

// numbers are the entries of a directory whose names are numbers, sorted.
func (r *reader) numbers(directory string) ([]int, error) {
	entries, err := fs.ReadDir(r.system.Proc, directory)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// stat is what the tables want of a stat file (proc(5), /proc/pid/stat).
type stat struct {
	name      string
	group     string // pgrp
	processor int
}

func (r *reader) stat(directory string) (stat, error) {
	text, err := fs.ReadFile(r.system.Proc, directory+"/stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(text))
}

func parseStat(text string) (stat, error) {
	// The name stands in parentheses and may itself hold any of them.
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, errors.New("a stat file has no name in it")
	}
	fields := strings.Fields(text[end+1:])
	// proc(5) counts from 1 and the first field after the name is 3.
	const group, processor = 5 - 3, 39 - 3
	if len(fields) <= processor {
		return stat{}, errors.New("a stat file is too short")
	}
	number, err := strconv.Atoi(fields[processor])
	if err != nil {
		return stat{}, fmt.Errorf("a stat file has no processor: %w", err)
	}
	return stat{text[open+1 : end], fields[group], number}, nil
}

// command is the name of the process with a decimal id, which itself stands for
// a process that is gone.
func (r *reader) command(pid string) string {
	stat, err := r.stat(pid)
	if err != nil {
		return pid
	}
	return stat.name
}

// commandLine is what a process was started with, or its name in brackets if
// it has no such thing.
func (r *reader) commandLine(pid, name string) (string, error) {
	text, err := fs.ReadFile(r.system.Proc, pid+"/cmdline")
	if err != nil {
		return "", err
	}
	line := strings.ReplaceAll(strings.TrimRight(string(text), "\x00"), "\x00", " ")
	if line == "" {
		return "[" + name + "]", nil
	}
	return line, nil
}

// owner is the name of the user that a process's directory belongs to.
func (r *reader) owner(pid string) (string, error) {
	info, err := fs.Stat(r.system.Proc, pid)
	if err != nil {
		return "", err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return r.user(strconv.FormatUint(uint64(stat.Uid), 10)), nil
	}
	return "?", nil
}

func (r *reader) user(id string) string  { return lookup(r.users, r.system.User, id) }
func (r *reader) group(id string) string { return lookup(r.groups, r.system.Group, id) }

func lookup(known map[string]string, find func(string) (string, error), id string) string {
	name, found := known[id]
	if !found {
		var err error
		if name, err = find(id); err != nil {
			name = id
		}
		known[id] = name
	}
	return name
}

// moment writes a time in seconds since 1970 as ctime(3) does. Zero says that
// what would have a time did not happen.
func (r *reader) moment(seconds string) string {
	number, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || number == 0 {
		return ""
	}
	return time.Unix(number, 0).In(r.system.Location).Format(time.ANSIC)
}
