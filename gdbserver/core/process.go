package core

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
)

// Process is what goes into a core file.
type Process struct {
	// PID is the process id.
	PID int
	// Machine is elf.EM_X86_64 or elf.EM_386.
	Machine elf.Machine
	// Leader is the record of the first thread, and Arguments the command line.
	Leader    ptrace.TaskRecord
	Arguments string
	// Auxiliary is the auxiliary vector as the program has it.
	Auxiliary []byte
	// Areas is its memory in the order of addresses, and Filter which kinds of
	// it are wanted: the bits of /proc/PID/coredump_filter.
	Areas  []ptrace.MemoryArea
	Filter uint64
	// Memory reads from an address on and returns how many bytes could be read.
	Memory Memory
	// Threads begin with the one that a debugger is to show first.
	Threads []Thread
}

// Memory is the memory of a process.
type Memory interface {
	Read(address uint64, buffer []byte) (int, error)
}

// Thread is one thread with its registers.
type Thread struct {
	TID    int
	Record ptrace.TaskRecord
	// Signal is what has stopped it, 0 where it was not stopped by a signal, and
	// Siginfo what is known of that signal.
	Signal  unix.Signal
	Siginfo ptrace.Siginfo
	// Registers are the general ones.
	Registers ptrace.Registers
	// XState is the XSAVE area, or the FXSAVE image on a machine without XSAVE.
	XState []byte
	// ShadowStackPointer is meant where HasShadowStack is set.
	ShadowStackPointer uint64
	HasShadowStack     bool
}

// Read fills in what /proc knows of a process: all but its machine, its memory's
// content and its threads. The process has to be stopped.
func Read(pid int) (*Process, error) {
	p := &Process{PID: pid}
	var failures [4]error
	p.Leader, failures[0] = ptrace.ReadTaskRecord(pid, pid)
	p.Auxiliary, failures[1] = ptrace.AuxiliaryVector(pid)
	p.Areas, failures[2] = ptrace.MemoryAreas(pid)
	p.Filter, failures[3] = filter(pid)
	if err := errors.Join(failures[:]...); err != nil {
		return nil, err
	}
	// Of a process that hides its arguments the name says enough.
	arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	p.Arguments = strings.ReplaceAll(strings.TrimRight(string(arguments), "\x00"), "\x00", " ")
	if p.Arguments == "" {
		p.Arguments = p.Leader.Name
	}
	return p, nil
}

// The kinds of memory of coredump_filter, by the number of the bit.
const (
	anonymousPrivate = iota
	anonymousShared
	mappedPrivate
	mappedShared
	elfHeaders
	hugePrivate
	hugeShared
)

// defaultFilter is MMF_DUMP_FILTER_DEFAULT of include/linux/sched/coredump.h.
const defaultFilter = 1<<anonymousPrivate | 1<<anonymousShared | 1<<elfHeaders | 1<<hugePrivate

func filter(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/coredump_filter", pid))
	if errors.Is(err, os.ErrNotExist) {
		// A kernel that makes no core files itself.
		return defaultFilter, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 16, 64)
}
