// Command children prints what rspd, GNU gdbserver and lldb-server report of the
// same programs when these make children in different ways, as the table of
// docs/children.md.
//
//	go run ./test/children -rspd build/rspd
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rspd/test/inferiors"
)

// A way is one way of making a child.
type way struct {
	name, source, args string
}

var ways = []way{
	{"`fork`", "child.c", "clone none 17"},
	{"`clone`, exit signal SIGUSR1", "child.c", "clone none 10"},
	{"`clone`, exit signal 0", "child.c", "clone none 0"},
	{"`clone3(CLONE_PARENT)`, exit signal 0", "child.c", "clone3 parent 0"},
	{"`clone3(CLONE_NEWPID)`", "child.c", "clone3 newpid 17"},
	{"`clone3(CLONE_PIDFD, CLONE_CLEAR_SIGHAND)`", "child.c", "clone3 pidfd,clear_sighand 17"},
	{"`vfork`, then exit", "child.c", "clone vm,vfork 17"},
	{"`vfork`, then exec", "child.c", "clone vm,vfork,exec 17"},
	{"`vfork` with exit signal SIGUSR1", "child.c", "clone vm,vfork 10"},
	{"`clone(CLONE_VFORK)` with memory of its own", "child.c", "clone vfork 17"},
	{"`clone(CLONE_VM)`: memory shared, nobody held", "child.c", "clone vm 17"},
	{"`clone(CLONE_VM)`, exit signal 0, then exec", "child.c", "clone vm,exec 0"},
	{"`clone(CLONE_THREAD)`: a thread", "child.c", "clone vm,sighand,thread 0"},
	{"`clone(CLONE_UNTRACED)`", "child.c", "clone untraced 17"},
	{"`posix_spawn`", "posix_spawn.c", ""},
	{"`posix_spawnp`", "posix_spawn.c", "spawnp"},
	{"`system`", "system.c", ""},
	{"`popen`", "popen.c", ""},
	{"`daemon`", "daemon.c", ""},
	{"double fork", "doublefork.c", ""},
	{"`vfork` three deep, then exec", "nestedvfork.c", "exec"},
	{"`vfork` in 4 threads, 5 each, then exec", "threadfork.c", "vfork 4 5"},
	{"`vfork`, the child dies of SIGSEGV", "vforkkilled.c", "signal"},
	{"`vfork`, the child is killed from outside", "vforkkilled.c", "outside"},
	{"500 children of children", "forkbomb.c", "500"},
	{"exec by a thread that is not the first", "exec.c", "thread x"},
	{"20 times exec in a row", "execchain.c", "20"},
}

func main() {
	rspd := flag.String("rspd", "build/rspd", "the rspd to ask")
	gnu := flag.String("gdbserver", "gdbserver", "the GNU gdbserver to ask")
	lldb := flag.String("lldb-server", "lldb-server", "the lldb-server to ask")
	flag.Parse()
	if err := run(*rspd, *gnu, *lldb); err != nil {
		fmt.Fprintln(os.Stderr, "children:", err)
		os.Exit(1)
	}
}

func run(rspd, gnu, lldb string) error {
	dir, err := os.MkdirTemp("", "children-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	builder := inferiors.Builder{Dir: dir}
	servers, err := find(rspd, gnu, lldb)
	if err != nil {
		return err
	}
	fmt.Println("Events that a client is told of which keeps every process:")
	fmt.Println()
	heading(servers[:2])
	for _, way := range ways {
		program, err := builder.Native(way.source, inferiors.NoPIE)
		if err != nil {
			return err
		}
		fmt.Printf("| %s |", way.name)
		for _, server := range servers[:2] {
			fmt.Printf(" %s |", observe(server, program, way, false))
		}
		fmt.Println()
	}
	fmt.Println()
	fmt.Println("The same for a client that detaches each child as soon as it is told of it, with a breakpoint")
	fmt.Println("in the function that the child calls:")
	fmt.Println()
	heading(servers)
	for _, way := range ways {
		if way.source != "child.c" {
			continue
		}
		program, err := builder.Native(way.source, inferiors.NoPIE)
		if err != nil {
			return err
		}
		fmt.Printf("| %s |", way.name)
		for _, server := range servers {
			fmt.Printf(" %s |", observe(server, program, way, true))
		}
		fmt.Println()
	}
	return nil
}

func heading(servers []server) {
	line := "|---|"
	fmt.Print("| how |")
	for _, server := range servers {
		fmt.Printf(" %s |", server.name)
		line += "---|"
	}
	fmt.Println()
	fmt.Println(line)
}

// find looks up the servers.
func find(rspd, gnu, lldb string) ([]server, error) {
	servers := []server{{name: "rspd", path: rspd}, {name: "GNU gdbserver", path: gnu}, {name: "lldb-server", path: lldb, lldb: true}}
	var failures []error
	for i := range servers {
		path, err := exec.LookPath(servers[i].path)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		servers[i].path, err = filepath.Abs(path)
		failures = append(failures, err)
		if servers[i].name != "rspd" {
			servers[i].name += " " + version(servers[i])
		}
	}
	return servers, errors.Join(failures...)
}

// version is the first word of what a server says of its version that begins
// with a digit.
func version(s server) string {
	argument := "--version"
	if s.lldb {
		argument = "version"
	}
	output, err := exec.Command(s.path, argument).CombinedOutput()
	if err != nil {
		return "of unknown version"
	}
	for word := range strings.FieldsSeq(string(output)) {
		if word[0] >= '0' && word[0] <= '9' {
			return strings.TrimRight(word, "):,")
		}
	}
	return "of unknown version"
}
