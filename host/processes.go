package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"rspd/ptrace"
	"rspd/rsp"
)

// Process is what clients are told of a process that is not being debugged.
type Process struct {
	PID int
	// Status has its parent, users and groups.
	Status ptrace.ProcessStatus
	// Program is the executable file, "" for a kernel thread and where it may
	// not be known. Bits is the size of its addresses, 0 where that is unknown.
	Program string
	Bits    int
	// Arguments are its command line, its own name first.
	Arguments []string
}

// ReadProcess describes a process. The error is that of reading its status; what
// else cannot be read is left empty.
func ReadProcess(pid int) (Process, error) {
	status, err := ptrace.ReadProcessStatus(pid)
	if err != nil {
		return Process{}, err
	}
	p := Process{PID: pid, Status: status}
	if program, err := ptrace.Executable(pid); err == nil {
		p.Program = strings.TrimSuffix(program, " (deleted)")
		p.Bits = addressBits(pid)
	}
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(text) > 0 {
		for argument := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte{0}), []byte{0}) {
			p.Arguments = append(p.Arguments, string(argument))
		}
	}
	return p, nil
}

// addressBits reads the class of a process's executable (elf(5), EI_CLASS).
func addressBits(pid int) int {
	file, err := os.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	var ident [5]byte
	if _, err := io.ReadFull(file, ident[:]); err != nil || string(ident[:4]) != "\x7fELF" {
		return 0
	}
	return 32 * int(ident[4])
}

// Name is the executable's name without its directory, "" for none.
func (p *Process) Name() string {
	if p.Program == "" {
		return ""
	}
	return filepath.Base(p.Program)
}

// reply describes a process for qProcessInfoPID and its kind, whose numbers are
// decimal.
func (p *Process) reply() rsp.Reply {
	number := strconv.Itoa
	arguments := make([]string, len(p.Arguments))
	for i, argument := range p.Arguments {
		arguments[i] = rsp.HexText(argument)
	}
	info := rsp.KeyValues{
		{Key: "pid", Value: number(p.PID)},
		{Key: "ppid", Value: number(p.Status.Parent)},
		{Key: "uid", Value: number(p.Status.Users[0])},
		{Key: "gid", Value: number(p.Status.Groups[0])},
		{Key: "euid", Value: number(p.Status.Users[1])},
		{Key: "egid", Value: number(p.Status.Groups[1])},
		{Key: "name", Value: rsp.HexText(p.Program)},
		{Key: "args", Value: strings.Join(arguments, "-")},
	}
	if p.Bits != 0 {
		info = append(info, rsp.KeyValue{Key: "triple", Value: rsp.HexText(Triple(p.Bits))})
	}
	return info
}

// Info describes a process for qProcessInfo, whose numbers are hex but for
// ptrsize.
func (p *Process) Info() rsp.Reply {
	hex := func(n int) string { return strconv.FormatInt(int64(n), 16) }
	return rsp.KeyValues{
		{Key: "pid", Value: hex(p.PID)},
		{Key: "parent-pid", Value: hex(p.Status.Parent)},
		{Key: "real-uid", Value: hex(p.Status.Users[0])},
		{Key: "real-gid", Value: hex(p.Status.Groups[0])},
		{Key: "effective-uid", Value: hex(p.Status.Users[1])},
		{Key: "effective-gid", Value: hex(p.Status.Groups[1])},
		{Key: "triple", Value: rsp.HexText(Triple(p.Bits))},
		{Key: "ostype", Value: "linux"},
		{Key: "endian", Value: "little"},
		{Key: "ptrsize", Value: strconv.Itoa(p.Bits / 8)},
	}
}

// processInfoPID answers qProcessInfoPID.
func processInfoPID(_ *Client, request *rsp.ProcessInfoPID) (rsp.Reply, error) {
	process, err := ReadProcess(request.PID)
	if err != nil {
		return nil, coded(codeNoProcess, "there is no process %d", request.PID)
	}
	return process.reply(), nil
}

// findProcesses answers qfProcessInfo.
func (c *Client) findProcesses(request *rsp.FindProcesses) (rsp.Reply, error) {
	c.processes = nil
	fits, err := filter(request, os.Getuid())
	if err != nil {
		return nil, err
	}
	pids, err := processIDs()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		// A process may end meanwhile. Zombies have no program and no arguments,
		// and what has a tracer already cannot be debugged.
		process, err := ReadProcess(pid)
		if err != nil || pid == os.Getpid() || process.Status.Tracer != 0 || ptrace.Doomed(pid, pid) || !fits(&process) {
			continue
		}
		c.processes = append(c.processes, process)
	}
	if len(c.processes) == 0 {
		return nil, coded(codeNothingFits, "no process fits")
	}
	return c.nextProcess(rsp.Extension(rsp.PacketNextProcess))
}

// nextProcess answers qsProcessInfo.
func (c *Client) nextProcess(rsp.Extension) (rsp.Reply, error) {
	if len(c.processes) == 0 {
		return nil, coded(codeNoMore, "there are no more processes")
	}
	process := c.processes[0]
	c.processes = c.processes[1:]
	return process.reply(), nil
}

// filter tells which processes are asked for. Own is the user that asks, who sees
// others' only on demand, but for root, who sees all.
func filter(request *rsp.FindProcesses, own int) (func(*Process) bool, error) {
	name, err := nameFilter(request)
	if err != nil {
		return nil, err
	}
	bits, known := bitsOf(request.Triple)
	if !known {
		return func(*Process) bool { return false }, nil
	}
	is := func(wanted, has, anything int) bool { return wanted == anything || wanted == has }
	return func(p *Process) bool {
		return is(request.PID, p.PID, 0) && is(request.Parent, p.Status.Parent, 0) &&
			is(request.User, p.Status.Users[0], rsp.AnyID) && is(request.EffectiveUser, p.Status.Users[1], rsp.AnyID) &&
			is(request.Group, p.Status.Groups[0], rsp.AnyID) && is(request.EffectiveGroup, p.Status.Groups[1], rsp.AnyID) &&
			(request.AllUsers || own == 0 || p.Status.Users[0] == own) &&
			(bits == 0 || p.Bits == bits) && name(p.Name())
	}, nil
}

func nameFilter(request *rsp.FindProcesses) (func(string) bool, error) {
	wanted := request.Name
	switch request.Match {
	case rsp.MatchEqual:
		wanted = filepath.Base(wanted)
		return func(name string) bool { return name == wanted }, nil
	case rsp.MatchPrefix:
		return func(name string) bool { return strings.HasPrefix(name, wanted) }, nil
	case rsp.MatchSuffix:
		return func(name string) bool { return strings.HasSuffix(name, wanted) }, nil
	case rsp.MatchContained:
		return func(name string) bool { return strings.Contains(name, wanted) }, nil
	case rsp.MatchExpression:
		expression, err := regexp.Compile(wanted)
		if err != nil {
			return nil, coded(codeBadExpression, "%v", err)
		}
		return expression.MatchString, nil
	}
	return func(string) bool { return true }, nil
}

// bitsOf is the size of the addresses of an architecture, 0 for any. It reports
// false for those whose programs this machine does not run.
func bitsOf(triple string) (bits int, runs bool) {
	architecture, _, _ := strings.Cut(triple, "-")
	switch architecture {
	case "", "unknown":
		return 0, true
	case "x86_64", "x86_64h", "amd64":
		return 64, true
	case "i386", "i486", "i586", "i686", "x86":
		return 32, true
	}
	return 0, false
}

// processIDs lists the processes in the order of their ids.
func processIDs() ([]int, error) {
	directory, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil, errors.New("the processes cannot be listed: " + err.Error())
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// NamedProcesses lists the processes whose program has a name: the file's whole
// name or its last part.
func NamedProcesses(program string) ([]int, error) {
	pids, err := processIDs()
	if err != nil {
		return nil, err
	}
	var found []int
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		name, err := ptrace.Executable(pid)
		if err != nil {
			continue // a kernel thread, another user's, or gone
		}
		if name == program || !strings.Contains(program, "/") && filepath.Base(name) == program {
			found = append(found, pid)
		}
	}
	return found, nil
}
