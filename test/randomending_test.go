package test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rspd/rsp"
)

// How a random session ends, and what has to hold then.

// finish ends the session in one of the ways that there are and looks at what
// it leaves.
func (r *randomSession) finish() {
	r.Helper()
	switch way := r.random.IntN(4); {
	case way == 0 || way == 1 && r.mayBeLast():
		r.killFromOutside()
	case way == 1:
		for _, pid := range slices.Sorted(maps.Keys(r.processes)) {
			r.parts(pid, r.one(2))
		}
		r.tellEnds()
	case way == 2:
		r.killAll()
	default:
		// The server kills or lets go whom it has.
		if !r.nonStop && len(r.processes) > 0 && r.one(2) {
			r.client.send("vCont;c")
		}
		for pid, process := range r.processes {
			if process.launched {
				r.killed[pid] = true
			} else {
				r.letGo[pid] = true
			}
		}
		r.terminate()
	}
	r.client.vanish()
	r.deeds.Wait()
	r.livesOn()
	if r.extended || len(r.missed) > 0 {
		// It stays for further clients, or to tell them of further ends.
		r.terminate()
	}
	r.nobodyLeft()
	if status := r.server.wait(); status != 0 && status != -int(syscall.SIGTERM) {
		r.Errorf("the server ended with %d", status)
	}
	if text := r.server.stderr.String(); strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") {
		r.Errorf("the server says: %s", text)
	}
	r.audit()
}

// killAll has the server kill every process.
func (r *randomSession) killAll() {
	r.Helper()
	if len(r.processes) == 0 {
		return
	}
	r.client.send("k")
	for pid := range r.processes {
		r.killed[pid] = true
	}
	if r.extended {
		if threads := r.client.threads(); len(threads) > 0 {
			r.Errorf("threads %v outlive k", threads)
		}
	} else {
		r.server.wait()
	}
}

// terminate asks the server to end. Who asks twice does not want to wait for what
// it still has to put in order.
func (r *randomSession) terminate() {
	r.Helper()
	if r.terminated {
		return
	}
	r.terminated = true
	if err := r.server.handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Fatal(err)
	}
}

// killFromOutside ends every process that the client has, and is told of each.
func (r *randomSession) killFromOutside() {
	r.Helper()
	for len(r.processes) > 0 {
		for pid := range r.processes {
			r.deed(syscall.SIGKILL, rsp.ThreadID{PID: pid, TID: rsp.All}, 0)
		}
		r.hearAll()
	}
}

// tellEnds waits for the ends of those that could not be let go or killed.
func (r *randomSession) tellEnds() {
	r.Helper()
	if len(r.processes) > 0 {
		r.killFromOutside()
	}
}

// hearAll lets everything go on until something is told.
func (r *randomSession) hearAll() {
	r.Helper()
	if !r.nonStop {
		r.told(r.client.resume("vCont;c"))
		return
	}
	r.resumed([]string{"c:" + rsp.ThreadID{PID: rsp.All, TID: rsp.All}.String()})
	r.client.must("vCont;c")
	if !r.hear(patience) {
		r.Fatalf("processes %v were killed, and nothing is told", slices.Collect(maps.Keys(r.processes)))
	}
}

// livesOn holds that whoever was let go runs as before, and ends it.
func (r *randomSession) livesOn() {
	r.Helper()
	for pid, p := range r.started {
		if r.hurt(pid) || !p.alive() {
			continue
		}
		before, _ := r.count(pid)
		r.eventually(fmt.Sprintf("process %d goes on", pid), func() bool {
			r.proceed(pid)
			count, ok := r.count(pid)
			return !p.alive() || ok && count != before && statusField(pid, "TracerPid") == "0"
		})
		_ = p.handle.Signal(syscall.SIGSTOP)
		r.eventually(fmt.Sprintf("process %d stands still", pid), func() bool {
			return !p.alive() || strings.HasPrefix(statusField(pid, "State"), "T")
		})
		if p.alive() {
			r.sameText(pid)
		}
		_ = p.handle.Kill()
		r.killed[pid] = true
	}
}

// proceed has a process go on that somebody has stopped from outside.
func (r *randomSession) proceed(pid int) {
	if len(r.sent[syscall.SIGSTOP]) > 0 {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// nobodyLeft waits until what is left of the session has ended by itself, as
// children do.
func (r *randomSession) nobodyLeft() {
	r.Helper()
	for _, pid := range r.marked() {
		if r.letGo[pid] {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		left := r.marked()
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			r.Fatalf("processes %v are left; the server is %d\n%s", left, r.server.pid, r.tasks())
		}
		for _, pid := range left {
			r.proceed(pid)
		}
	}
}

// hurt tells whether somebody has ended a process, or may have.
func (r *randomSession) hurt(pid int) bool {
	return r.killed[pid] || r.sent[syscall.SIGKILL][pid] || r.sent[syscall.SIGTERM][pid] || r.ends[pid] != nil
}

// audit compares the ends that were reported with those that parents got to
// know.
func (r *randomSession) audit() {
	r.Helper()
	waited := r.readLedger()
	for pid, p := range r.started {
		p.wait()
		waited[pid] = p.state.Sys().(syscall.WaitStatus)
	}
	for pid, status := range waited {
		if status.Signaled() && !r.mayEndBy(pid, status.Signal()) {
			r.Errorf("process %d died of %v, which nobody sent", pid, status.Signal())
		}
	}
	for pid, end := range r.ends {
		status, known := waited[pid]
		switch end := end.(type) {
		case *rsp.Exited:
			if known && (!status.Exited() || status.ExitStatus() != end.Status) || !known && !slices.Contains([]int{3, 4, 5, 7}, end.Status) {
				r.Errorf("exit with %d is reported of process %d, whose status is %#x", end.Status, pid, status)
			}
		case *rsp.Signaled:
			if known && (!status.Signaled() || rsp.SignalFromLinux(int(status.Signal())) != end.Signal) ||
				!known && !slices.Contains([]rsp.Signal{rsp.SIGKILL, rsp.SIGTERM, rsp.SIGHUP}, end.Signal) {
				r.Errorf("%v is reported as the end of process %d, whose status is %#x", end.Signal, pid, status)
			}
		}
	}
}

// mayEndBy tells whether there is a reason for a process to die of a signal:
// children send themselves SIGKILL.
func (r *randomSession) mayEndBy(pid int, signal syscall.Signal) bool {
	switch signal {
	case syscall.SIGKILL:
		return r.started[pid] == nil || r.hurt(pid)
	case syscall.SIGTERM, syscall.SIGHUP:
		return r.wasSent(signal)
	}
	return false
}

// readLedger is what parents have written down.
func (r *randomSession) readLedger() map[int]syscall.WaitStatus {
	r.Helper()
	file, err := os.Open(r.ledger)
	if err != nil {
		r.Fatal(err)
	}
	defer file.Close()
	waited := map[int]syscall.WaitStatus{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		pid, status, _ := strings.Cut(lines.Text(), " ")
		number, err := strconv.Atoi(pid)
		if err != nil {
			r.Fatal(err)
		}
		value, err := strconv.Atoi(status)
		if err != nil {
			r.Fatal(err)
		}
		waited[number] = syscall.WaitStatus(value)
	}
	return waited
}
