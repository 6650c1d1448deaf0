package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rspd/ptrace"
	"rspd/rsp"
)

func TestFilter(t *testing.T) {
	process := Process{PID: 20, Program: "/usr/bin/worker", Bits: 64,
		Status: ptrace.ProcessStatus{Parent: 10, Users: [4]int{1000, 1001, 0, 0}, Groups: [4]int{100, 101, 0, 0}}}
	any := rsp.FindProcesses{User: rsp.AnyID, Group: rsp.AnyID, EffectiveUser: rsp.AnyID, EffectiveGroup: rsp.AnyID}
	with := func(change func(*rsp.FindProcesses)) rsp.FindProcesses {
		changed := any
		change(&changed)
		return changed
	}
	named := func(name string, match rsp.NameMatch) rsp.FindProcesses {
		return with(func(r *rsp.FindProcesses) { r.Name, r.Match = name, match })
	}
	for _, test := range []struct {
		request rsp.FindProcesses
		own     int
		want    bool
	}{
		{any, 1000, true}, {any, 7, false}, {any, 0, true},
		{with(func(r *rsp.FindProcesses) { r.AllUsers = true }), 7, true},
		{with(func(r *rsp.FindProcesses) { r.PID = 20 }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.PID = 21 }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.Parent = 10 }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.Parent = 11 }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.User = 1000 }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.User = 0 }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.EffectiveUser = 1001 }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.EffectiveUser = 1000 }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.Group = 100 }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.Group = 0 }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.EffectiveGroup = 101 }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.EffectiveGroup = 100 }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.Triple = "x86_64-pc-linux-gnu" }), 1000, true},
		{with(func(r *rsp.FindProcesses) { r.Triple = "i386-pc-linux-gnu" }), 1000, false},
		{with(func(r *rsp.FindProcesses) { r.Triple = "aarch64-pc-linux-gnu" }), 1000, false},
		{named("worker", rsp.MatchEqual), 1000, true}, {named("work", rsp.MatchEqual), 1000, false},
		{named("/elsewhere/worker", rsp.MatchEqual), 1000, true},
		{named("wor", rsp.MatchPrefix), 1000, true}, {named("ker", rsp.MatchPrefix), 1000, false},
		{named("ker", rsp.MatchSuffix), 1000, true}, {named("wor", rsp.MatchSuffix), 1000, false},
		{named("ork", rsp.MatchContained), 1000, true}, {named("bin", rsp.MatchContained), 1000, false},
		{named("^w.*r$", rsp.MatchExpression), 1000, true}, {named("^r", rsp.MatchExpression), 1000, false},
	} {
		fits, err := filter(&test.request, test.own)
		if err != nil {
			t.Errorf("%+v: %v", test.request, err)
			continue
		}
		if got := fits(&process); got != test.want {
			t.Errorf("%+v: %v", test.request, got)
		}
	}
	bad := named("(", rsp.MatchExpression)
	if _, err := filter(&bad, 0); err == nil {
		t.Error("an expression that is none is taken")
	}
}

// TestProcesses describes a process that has just been started.
func TestProcesses(t *testing.T) {
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "1000")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	pid := command.Process.Pid
	// Start returns when the kernel has closed the files of the child that are not
	// for the program, a little before it has arguments (fs/exec.c,
	// begin_new_exec).
	process, err := ReadProcess(pid)
	for deadline := time.Now().Add(time.Minute); err == nil && len(process.Arguments) == 0 && time.Now().Before(deadline); {
		process, err = ReadProcess(pid)
	}
	if err != nil {
		t.Fatal(err)
	}
	if process.Program != program || process.Bits != 64 || process.Status.Parent != os.Getpid() ||
		!slices.Equal(process.Arguments, []string{program, "1000"}) {
		t.Errorf("%+v", process)
	}
	named, err := NamedProcesses(filepath.Base(program))
	if err != nil || !slices.Contains(named, pid) {
		t.Errorf("%v does not have %d: %v", named, pid, err)
	}
	c := NewClient(rsp.DefaultPacketSize)
	found := ask(t, c, "qfProcessInfo:parent_pid:"+decimal(os.Getpid())+";")
	if !strings.HasPrefix(found, "pid:"+decimal(pid)+";ppid:"+decimal(os.Getpid())+";") ||
		!strings.Contains(found, ";name:"+rsp.HexText(program)+";") ||
		!strings.Contains(found, ";args:"+rsp.HexText(program)+"-"+rsp.HexText("1000")+";") {
		t.Error(found)
	}
	if next := ask(t, c, "qsProcessInfo"); next != "E04" {
		t.Error(next)
	}
	if one := ask(t, c, "qProcessInfoPID:"+decimal(pid)); one != found {
		t.Errorf("%s is not %s", one, found)
	}
}
