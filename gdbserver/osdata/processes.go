package osdata

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

var (
	processColumns = []string{"pid", "user", "command", "cores"}
	groupColumns   = []string{"pgid", "leader command", "pid", "command line"}
	threadColumns  = []string{"pid", "command", "tid", "core"}
	fileColumns    = []string{"pid", "command", "file descriptor", "name"}
)

func (r *reader) processes(d *document) error {
	pids, err := r.numbers(".")
	if err != nil {
		return err
	}
	for _, number := range pids {
		pid := strconv.Itoa(number)
		stat, err := r.stat(pid)
		if err != nil {
			continue
		}
		line, err := r.commandLine(pid, stat.name)
		if err != nil {
			continue
		}
		owner, err := r.owner(pid)
		if err != nil {
			continue
		}
		d.item(processColumns, pid, owner, line, r.cores(pid))
	}
	return nil
}

// cores are the processors that a process's threads ran on last.
func (r *reader) cores(pid string) string {
	tids, err := r.numbers(pid + "/task")
	if err != nil {
		return ""
	}
	var processors []int
	for _, tid := range tids {
		if stat, err := r.stat(fmt.Sprintf("%s/task/%d", pid, tid)); err == nil {
			processors = append(processors, stat.processor)
		}
	}
	slices.Sort(processors)
	var text []string
	for _, processor := range slices.Compact(processors) {
		text = append(text, strconv.Itoa(processor))
	}
	return strings.Join(text, ",")
}

// processGroups lists the processes by group, leaders first.
func (r *reader) processGroups(d *document) error {
	pids, err := r.numbers(".")
	if err != nil {
		return err
	}
	type member struct {
		group, pid int
		line       string
	}
	var members []member
	for _, pid := range pids {
		stat, err := r.stat(strconv.Itoa(pid))
		if err != nil {
			continue
		}
		group, err := strconv.Atoi(stat.group)
		// Threads of the kernel are in no group.
		if err != nil || group <= 0 {
			continue
		}
		line, err := r.commandLine(strconv.Itoa(pid), stat.name)
		if err != nil {
			continue
		}
		members = append(members, member{group, pid, line})
	}
	slices.SortFunc(members, func(a, b member) int {
		if a.group == b.group && a.pid != b.pid {
			if a.pid == a.group {
				return -1
			}
			if b.pid == b.group {
				return 1
			}
		}
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.pid, b.pid))
	})
	for _, m := range members {
		group := strconv.Itoa(m.group)
		d.item(groupColumns, group, r.command(group), strconv.Itoa(m.pid), m.line)
	}
	return nil
}

func (r *reader) threads(d *document) error {
	return r.each("task", func(pid, command, tid string) {
		if stat, err := r.stat(pid + "/task/" + tid); err == nil {
			d.item(threadColumns, pid, command, tid, strconv.Itoa(stat.processor))
		}
	})
}

func (r *reader) files(d *document) error {
	return r.each("fd", func(pid, command, descriptor string) {
		if name, err := fs.ReadLink(r.system.Proc, pid+"/fd/"+descriptor); err == nil {
			d.item(fileColumns, pid, command, descriptor, name)
		}
	})
}

// each visits the numbers in a directory that each process has.
func (r *reader) each(directory string, visit func(pid, command, number string)) error {
	pids, err := r.numbers(".")
	if err != nil {
		return err
	}
	for _, number := range pids {
		pid := strconv.Itoa(number)
		numbers, err := r.numbers(pid + "/" + directory)
		if err != nil {
			continue
		}
		command := r.command(pid)
		for _, number := range numbers {
			visit(pid, command, strconv.Itoa(number))
		}
	}
	return nil
}
