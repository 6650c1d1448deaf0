package test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"rspd/rsp"
)

// What a random client does.

// connect begins to speak with the server, as the first client or a later one. It
// tells whether there is a server, which may have ended with its last process.
func (r *randomSession) connect() bool {
	r.Helper()
	client, err := r.dial(r.server, r.features...)
	if err != nil {
		if r.server.wait() != 0 {
			r.Fatal(err)
		}
		return false
	}
	r.client = client
	r.clients++
	if r.extended {
		r.client.must("!")
	}
	clear(r.stopped)
	clear(r.alive)
	clear(r.gone)
	r.threadEvents = false
	for _, signal := range r.reported {
		if signal == rsp.SIGINT {
			// The new client is told of it again.
			r.interrupts++
		}
	}
	if r.nonStop {
		r.client.must("QNonStop:1")
	}
	if r.one(2) {
		// SIGALRM, SIGCHLD and SIGUSR1, in the numbering of the protocol.
		r.client.must("QPassSignals:e;14;1e")
	}
	reply := r.client.ask("?")
	// It begins anew with the stops, and so forgets what it told before.
	for any := true; any; _, any = r.client.notificationWithin(0) {
	}
	for _, thread := range r.client.threads() {
		if r.processes[thread.PID] == nil {
			process := newDebuggee(r.started[thread.PID] == nil)
			if r.clients > 1 {
				process.found = true
				// Who was here before may have had any.
				*process.had = everyPoint
			}
			r.processes[thread.PID] = process
		}
	}
	if reply == "OK" && r.nonStop {
		return true
	}
	stop, err := rsp.ParseStop([]byte(reply))
	if err != nil {
		r.Fatalf("? is answered %q", reply)
	}
	switch stop := stop.(type) {
	case *rsp.StopReply:
		r.stopped[stop.Thread] = true
	case *rsp.Exited:
		if stop.HasProcess {
			r.ends[stop.PID] = stop
		}
	case *rsp.Signaled:
		r.ends[stop.PID] = stop
	}
	if r.nonStop {
		r.acknowledge()
	}
	return true
}

// reconnect leaves without a word, and a client comes who wants the same.
func (r *randomSession) reconnect() {
	r.Helper()
	if len(r.processes) == 0 {
		return
	}
	if !r.nonStop && r.one(2) {
		r.client.send("vCont;c")
	}
	r.client.vanish()
	known := r.processes
	r.processes = map[int]*debuggee{}
	for pid := range known {
		r.missed[pid] = true
	}
	if !r.connect() {
		return
	}
	for pid, process := range known {
		if r.processes[pid] != nil {
			r.processes[pid] = process
			delete(r.missed, pid)
		}
	}
}

// goOn resumes the program, in all-stop until it stops.
func (r *randomSession) goOn() {
	r.Helper()
	packet := r.resumption()
	if r.nonStop {
		r.client.must(packet)
		r.hear(r.rest())
		return
	}
	r.client.send(packet)
	if r.one(3) {
		r.disturb()
	}
	reply, stopped := r.client.stopWithin(r.rest())
	if !stopped {
		reply = r.interrupt()
	}
	r.told(reply)
}

// rest is for how long a client waits before it does something else.
func (r *randomSession) rest() time.Duration {
	return time.Duration(1+r.random.IntN(15)) * time.Millisecond
}

// interrupt stops what runs, in all-stop, and returns the stop reply. A step in
// another process than the latest is not meant by the first interrupt, and may
// never end where the others of its process are stopped.
func (r *randomSession) interrupt() rsp.Reply {
	r.Helper()
	for range 2 {
		r.interrupts++
		if reply, stopped := r.interruptOnce(); stopped {
			return reply
		}
	}
	return r.client.stop()
}

// interruptOnce tells whether a stop follows soon.
func (r *randomSession) interruptOnce() (rsp.Reply, bool) {
	r.Helper()
	const soon = time.Second
	if r.one(2) {
		r.client.interrupt()
		return r.client.stopWithin(soon)
	}
	// The answer to the packet and the stop may cross.
	r.client.send("vCtrlC")
	answer := r.client.receive()
	if answer == "OK" {
		return r.client.stopWithin(soon)
	}
	if second := r.client.receive(); second != "OK" {
		r.Fatalf("vCtrlC is answered %q", second)
	}
	reply, err := rsp.ParseStop([]byte(answer))
	if err != nil {
		r.Fatalf("instead of a stop reply %q: %v", answer, err)
	}
	return reply, true
}

// resumption is a packet that lets some or all threads go on.
func (r *randomSession) resumption() string {
	r.Helper()
	threads := r.client.threads()
	if len(threads) == 0 {
		// The end of the last process is still to be told.
		return "vCont;c"
	}
	if thread := threads[r.random.IntN(len(threads))]; !r.nonStop && r.one(8) && r.answered("Hc"+thread.String(), "OK") {
		if r.one(2) {
			return "c"
		}
		r.stepped[thread] = true
		return "s"
	}
	var actions []string
	for range r.random.IntN(3) {
		thread := threads[r.random.IntN(len(threads))]
		action := ""
		switch r.random.IntN(6) {
		case 0, 1:
			action = "s"
		case 2:
			action = fmt.Sprintf("r%x,%x", r.called, r.called+16)
		case 3:
			action = fmt.Sprintf("C%02x", int(r.signal(thread)))
		case 4:
			action = fmt.Sprintf("S%02x", int(r.signal(thread)))
		case 5:
			if r.nonStop {
				action = "t"
			} else {
				action = "c"
			}
		}
		actions = append(actions, action+":"+thread.String())
		if action != "c" && action[0] != 'C' && action != "t" {
			r.stepped[thread] = true
		}
	}
	var all rsp.ThreadID
	switch r.random.IntN(6) {
	case 0:
		all = threads[r.random.IntN(len(threads))]
	case 1:
		all = rsp.ThreadID{PID: r.aProcess(), TID: rsp.All}
	default:
		all = rsp.ThreadID{PID: rsp.All, TID: rsp.All}
	}
	actions = append(actions, "c:"+all.String())
	r.resumed(actions)
	return "vCont;" + strings.Join(actions, ";")
}

// resumed notes whom the actions of a vCont packet resume: the leftmost one that
// means a thread is for it. Only who was reported to be stopped is.
func (r *randomSession) resumed(actions []string) {
	maps.DeleteFunc(r.stopped, func(thread rsp.ThreadID, _ bool) bool {
		for _, action := range actions {
			what, who, _ := strings.Cut(action, ":")
			switch who {
			case thread.String(), rsp.ThreadID{PID: thread.PID, TID: rsp.All}.String(), rsp.ThreadID{PID: rsp.All, TID: rsp.All}.String():
				return what != "t"
			}
		}
		return false
	})
}

// signal is one that a thread can take, in the numbering of the protocol: the
// one that it was reported with, or one that does nothing.
func (r *randomSession) signal(thread rsp.ThreadID) rsp.Signal {
	if signal, any := r.reported[thread]; any && signal != rsp.SIGINT {
		return signal
	}
	return rsp.SIGWINCH
}

// hear takes in what the server tells by itself in non-stop, for some time.
func (r *randomSession) hear(limit time.Duration) bool {
	r.Helper()
	notification, any := r.client.notificationWithin(limit)
	if !any {
		return false
	}
	text, found := strings.CutPrefix(notification, "Stop:")
	if !found {
		r.Fatalf("notification %q", notification)
	}
	r.tellText(text)
	r.acknowledge()
	return true
}

// acknowledge fetches what else the server has to tell.
func (r *randomSession) acknowledge() {
	r.Helper()
	for {
		text := r.client.ask("vStopped")
		if text == "OK" {
			return
		}
		r.tellText(text)
	}
}

func (r *randomSession) tellText(text string) {
	r.Helper()
	reply, err := rsp.ParseStop([]byte(text))
	if err != nil {
		r.Fatalf("instead of a stop %q: %v", text, err)
	}
	r.told(reply)
}

// halt stops every thread in non-stop.
func (r *randomSession) halt() {
	r.Helper()
	if !r.nonStop || len(r.processes) == 0 {
		return
	}
	if r.one(4) {
		r.interrupts++
		r.client.must("vCtrlC")
	}
	var running []rsp.ThreadID
	for end := time.Now().Add(patience); time.Now().Before(end); {
		// Again, for threads that were made meanwhile.
		r.client.must("vCont;t")
		for r.hear(10 * time.Millisecond) {
		}
		running = slices.DeleteFunc(r.client.threads(), func(thread rsp.ThreadID) bool { return r.stopped[thread] })
		if len(running) == 0 {
			return
		}
	}
	r.Fatalf("threads %v were told to stop and are not reported to", running)
}

// survey compares the list of threads with /proc, while all of them are stopped.
func (r *randomSession) survey() {
	r.Helper()
	r.halt()
	if len(r.processes) > 0 {
		r.client.compareThreads(r.server.pid, maps.Keys(r.processes))
	}
}

// selects makes a thread the one that the next packets are about.
func (r *randomSession) selects() bool {
	r.Helper()
	thread, any := r.aThread()
	return any && r.answered("Hg"+thread.String(), "OK")
}

// answered sends a packet that is answered with the given text, or with an
// error, and tells which.
func (r *randomSession) answered(packet, want string) bool {
	r.Helper()
	reply := r.client.ask(packet)
	if reply != want && !strings.HasPrefix(reply, "E") {
		r.Errorf("%s is answered %q", packet, reply)
	}
	return reply == want
}

// bytes sends a packet that is answered with bytes, as hex, or with an error.
func (r *randomSession) bytes(packet string) ([]byte, bool) {
	r.Helper()
	reply := r.client.ask(packet)
	if strings.HasPrefix(reply, "E") && len(reply)%2 == 1 || strings.HasPrefix(reply, "E.") {
		return nil, false
	}
	data, err := hex.DecodeString(strings.ReplaceAll(reply, "x", "0"))
	if err != nil {
		r.Errorf("%s is answered %q", packet, reply)
	}
	return data, err == nil
}

// point sets a breakpoint or watchpoint, or removes one.
func (r *randomSession) point() {
	r.Helper()
	pid := r.aProcess()
	if pid == 0 || !r.answered("Hg"+leader(pid).String(), "OK") {
		return
	}
	process := r.processes[pid]
	if process == nil {
		return
	}
	if len(process.points) > 0 && !r.one(3) {
		points := slices.Sorted(maps.Keys(process.points))
		point := points[r.random.IntN(len(points))]
		r.answered("z"+point, "OK")
		delete(process.points, point)
		return
	}
	kind := r.random.IntN(5)
	point := fmt.Sprintf("%d,%x,1", kind, r.called)
	if kind >= 2 {
		point = fmt.Sprintf("%d,%x,4", kind, r.counter)
	}
	packet := "Z" + point
	if kind == 0 && r.one(2) {
		packet += ";X3,220027" // const8 0, end
	}
	// It may have executed another program, so that it is no hit that counts,
	// or the debug registers may be in use.
	process.had[kind] = true
	if r.answered(packet, "OK") {
		process.points[point] = true
	}
}

// memory writes where nobody else does, and reads text that has breakpoints.
func (r *randomSession) memory() {
	r.Helper()
	if !r.selects() {
		return
	}
	offset := uint64(r.random.IntN(200))
	data := make([]byte, 1+r.random.IntN(40))
	for i := range data {
		data[i] = byte(r.random.Uint32())
	}
	wrote := false
	if r.one(2) {
		wrote = r.answered(fmt.Sprintf("M%x,%x:%x", r.scratch+offset, len(data), data), "OK")
	} else {
		escaped := rsp.AppendEscaped(nil, data)
		wrote = r.answered(fmt.Sprintf("X%x,%x:%s", r.scratch+offset, len(data), escaped), "OK")
	}
	if read, ok := r.bytes(fmt.Sprintf("m%x,%x", r.scratch+offset, len(data))); wrote && ok && !r.nonStop && string(read) != string(data) {
		r.Errorf("%x was written and %x is read", data, read)
	}
	if read, ok := r.bytes(fmt.Sprintf("m%x,%x", r.called, len(r.text))); ok && string(read) != string(r.text) {
		r.Errorf("the text is %x and is read as %x", r.text, read)
	}
}

// registers reads and writes those of a thread, which stay as they are. The server
// shows zeros for one that was killed.
func (r *randomSession) registers() {
	r.Helper()
	thread, any := r.aThread()
	if !any || !r.answered("Hg"+thread.String(), "OK") {
		return
	}
	all, any := r.bytes("g")
	pc, known := r.bytes(fmt.Sprintf("p%x", programCounter()))
	if r.nonStop || !any || !known || exiting(thread.TID) {
		return
	}
	if size := len(pc); string(all[programCounter()*size:][:size]) != string(pc) {
		r.Errorf("the program counter is %x by itself and %x among all", pc, all)
	}
	if r.one(2) {
		r.answered(fmt.Sprintf("P%x=%x", programCounter(), pc), "OK")
	}
	if r.one(2) {
		r.answered(fmt.Sprintf("G%x", all), "OK")
		if again, any := r.bytes("g"); any && !exiting(thread.TID) && string(again) != string(all) {
			r.Errorf("registers %x were written and %x are read", all, again)
		}
	}
}

func (r *randomSession) askWhetherAlive() {
	r.Helper()
	if thread, any := r.aThread(); any {
		r.answered("T"+thread.String(), "OK")
	}
	if r.client.ask("Tp7fffffff.7fffffff") == "OK" {
		r.Error("a thread is alive that nobody made")
	}
}

// object reads a document.
func (r *randomSession) object() {
	r.Helper()
	objects := []string{"threads:read::", "auxv:read::", "features:read:target.xml:", "exec-file:read::", "siginfo:read::",
		"libraries-svr4:read::", "osdata:read:processes:"}
	object := objects[r.random.IntN(len(objects))]
	r.selects()
	reply := r.client.ask("qXfer:" + object + "0,fff")
	if reply == "" || !strings.Contains("lmE", reply[:1]) {
		r.Errorf("%s is answered %q", object, reply)
	}
}

// options turns something on or off.
func (r *randomSession) options() {
	r.Helper()
	switch on := r.random.IntN(2); r.random.IntN(3) {
	case 0:
		r.client.must(fmt.Sprintf("QThreadEvents:%d", on))
		r.threadEvents = on == 1
		clear(r.alive)
		clear(r.gone)
	case 1:
		if r.selects() {
			r.answered([]string{"QCatchSyscalls:0", "QCatchSyscalls:1;3b;27;e", "QCatchSyscalls:1"}[r.random.IntN(3)], "OK")
		}
	case 2:
		r.client.must([]string{"QPassSignals:", "QPassSignals:e;14;1e"}[on])
	}
}

// letOneGo detaches from a process, or kills it.
func (r *randomSession) letOneGo() {
	r.Helper()
	pid := r.aProcess()
	if pid == 0 || len(r.processes) == 1 && r.one(2) || r.mayBeLast() {
		return
	}
	r.parts(pid, r.one(2))
}

// mayBeLast tells whether the server may end with any process that the client lets
// go, since the others may have ended without the client knowing.
func (r *randomSession) mayBeLast() bool { return r.nonStop && !r.extended }

// parts detaches from a process or kills it.
func (r *randomSession) parts(pid int, kill bool) {
	r.Helper()
	packet, to := "D;%x", r.letGo
	if kill {
		packet, to = "vKill;%x", r.killed
	}
	if r.client.gone(fmt.Sprintf(packet, pid)) {
		to[pid] = true
		r.forget(pid)
	}
}

// restart has the server kill all processes and launch the last program again, if
// it has launched any.
func (r *randomSession) restart() {
	r.Helper()
	r.client.send("R")
	for pid := range r.processes {
		r.killed[pid] = true
		r.forget(pid)
	}
	for _, thread := range r.client.threads() {
		if r.killed[thread.PID] {
			r.Errorf("%v outlives R", thread)
		}
		r.processes[thread.PID] = newDebuggee(true)
	}
}

// another brings one more process under debugging, for a client in extended
// mode.
func (r *randomSession) another() {
	r.Helper()
	var reply string
	var pid int
	launched := false
	switch r.random.IntN(6) {
	case 0:
		if !r.nonStop {
			r.restart()
			return
		}
		fallthrough
	case 1:
		launched = true
		packet := "vRun;" + hex.EncodeToString([]byte(r.program))
		for _, argument := range r.arguments() {
			packet += ";" + hex.EncodeToString([]byte(argument))
		}
		reply = r.client.ask(packet)
	default:
		p := r.start()
		defer p.executes()
		pid = p.pid
		if r.one(4) {
			r.deed([]syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL, syscall.SIGTERM}[r.random.IntN(3)], rsp.ThreadID{PID: pid, TID: rsp.All}, r.moment())
		}
		reply = r.client.ask(fmt.Sprintf("vAttach;%x", pid))
	}
	if strings.HasPrefix(reply, "E") {
		if launched || !r.hurt(pid) {
			r.Errorf("there is no process: %s", reply)
		}
		return
	}
	if reply == "OK" && r.nonStop && !launched {
		r.processes[pid] = newDebuggee(false)
		return
	}
	stop, err := rsp.ParseStop([]byte(reply))
	if err != nil {
		r.Fatalf("%q: %v", reply, err)
	}
	if stop, ok := stop.(*rsp.StopReply); ok {
		r.processes[stop.Thread.PID] = newDebuggee(launched)
		r.stopped[stop.Thread] = true
	}
}
