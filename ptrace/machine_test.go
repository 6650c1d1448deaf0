package ptrace

import (
	"debug/elf"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestReadMachine(t *testing.T) {
	header := func(class string, machine string) string {
		return "\x7fELF" + class + "\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00" + machine
	}
	for name, c := range map[string]struct {
		file string
		want elf.Machine
		err  error
	}{
		"64 bits":    {header("\x02", "\x3e\x00") + "more", elf.EM_X86_64, nil},
		"32 bits":    {header("\x01", "\x03\x00"), elf.EM_386, nil},
		"x32":        {header("\x01", "\x3e\x00"), elf.EM_X86_64, nil},
		"cut off":    {header("\x01", "\x03"), elf.EM_NONE, ErrNotELF},
		"empty":      {"", elf.EM_NONE, ErrNotELF},
		"a script":   {"#!/bin/sh\necho this is no ELF file\n", elf.EM_NONE, ErrNotELF},
		"other name": {"\x7fELK" + header("\x02", "\x3e\x00")[4:], elf.EM_NONE, ErrNotELF},
	} {
		got, err := readMachine(strings.NewReader(c.file))
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, err, c.want, c.err)
		}
	}
}

func TestMachineOfProcesses(t *testing.T) {
	if got, err := Machine(os.Getpid()); got != elf.EM_X86_64 || err != nil {
		t.Errorf("this process: %v, %v", got, err)
	}
	// No process can have this id: it is above the largest that there can be
	// (PID_MAX_LIMIT, include/linux/threads.h).
	if got, err := Machine(1 << 23); got != elf.EM_NONE || !errors.Is(err, ErrGone) {
		t.Errorf("no process: %v, %v", got, err)
	}
}
