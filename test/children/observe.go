package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"rspd/rsp"
)

// A server is one of those that are compared.
type server struct {
	name, path string
	lldb       bool
}

// errMisled ends the observation of a program whose process is said to be a
// thread: what comes after has no meaning.
var errMisled = errors.New("the server takes a process for a thread")

// limit is how long one program may take under a server.
const limit = 10 * time.Second

// A watch is one program under one server.
type watch struct {
	server server
	client *rsp.Client
	root   int
	live   map[int]bool
	counts map[string]int
	order  []string
	// printed is what the program wrote.
	printed collector
}

// observe runs a program under a server to the end of all processes that the
// client is told of, and says what it was told. With letGo each child is
// detached, and there is a breakpoint in its function.
func observe(s server, program string, way way, letGo bool) string {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	w := &watch{server: s, live: map[int]bool{}, counts: map[string]int{}}
	printed, err := w.run(ctx, program, strings.Fields(way.args), letGo)
	switch {
	case errors.Is(err, errMisled):
	case errors.Is(err, context.DeadlineExceeded):
		w.count("then **hangs**")
	case err != nil:
		w.count(fmt.Sprintf("then **%.60s**", strings.ReplaceAll(err.Error(), "|", "/")))
	}
	if strings.Contains(printed, "process 5") {
		w.count("**the child dies of SIGTRAP**")
	}
	return w.String()
}

func (w *watch) count(what string) {
	if w.counts[what] == 0 {
		w.order = append(w.order, what)
	}
	w.counts[what]++
}

func (w *watch) String() string {
	// What happens at the same time comes in any order.
	slices.SortStableFunc(w.order, func(a, b string) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b))
	})
	exits, kinds := 0, 0
	for what, n := range w.counts {
		if strings.HasPrefix(what, "exit ") {
			exits += n
			kinds++
		}
	}
	var texts []string
	for _, what := range w.order {
		n := w.counts[what]
		if strings.HasPrefix(what, "exit ") && kinds > 5 {
			if exits == 0 {
				continue
			}
			n, exits, what = exits, 0, "exits"
		}
		if n > 1 {
			what = fmt.Sprintf("%d %s", n, what)
		}
		texts = append(texts, what)
	}
	return strings.Join(texts, ", ")
}

// rank orders what is told as it mostly comes about.
func rank(what string) int {
	for i, event := range []string{"fork", "vfork", "exec", "vforkdone", "hit", "SIG", "killed", "exit", "then"} {
		if what == event || i > 3 && strings.HasPrefix(what, event) {
			return i
		}
	}
	return 100
}

func (w *watch) run(ctx context.Context, program string, args []string, letGo bool) (string, error) {
	command, err := w.start(ctx, program, args, &w.printed)
	if command != nil {
		defer func() {
			// The group, since a server may leave its programs behind.
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
			_ = command.Wait()
		}()
	}
	if err != nil {
		return "", err
	}
	defer w.client.Close()
	if _, err := w.client.Exchange(ctx, "qSupported:multiprocess+;fork-events+;vfork-events+;exec-events+;swbreak+;no-resumed+"); err != nil {
		return "", err
	}
	if err := w.client.StartNoAck(ctx); err != nil {
		return "", err
	}
	first, err := w.client.Exchange(ctx, "?")
	if err != nil {
		return "", err
	}
	stop, err := rsp.ParseStop([]byte(first))
	if err != nil {
		return "", err
	}
	reply, stopped := stop.(*rsp.StopReply)
	if !stopped {
		return "", fmt.Errorf("no program: %s", first)
	}
	w.root = w.process(reply.Thread)
	w.live[w.root] = true
	if letGo {
		if err := w.insert(ctx, program); err != nil {
			return "", err
		}
	}
	err = w.follow(ctx, letGo)
	// What is left is what the server lets go on.
	w.client.Close()
	time.Sleep(100 * time.Millisecond)
	return w.printed.String(), err
}

// process is the process of a thread id; a server without the multiprocess
// extensions has one process, and names its first thread first.
func (w *watch) process(id rsp.ThreadID) int {
	switch {
	case id.PID != rsp.NoProcess:
		return id.PID
	case w.root != 0:
		return w.root
	}
	return id.TID
}

// collector gathers output, which its reader may look at meanwhile.
type collector struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *collector) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// start starts the server on a free port and connects.
func (w *watch) start(ctx context.Context, program string, args []string, printed io.Writer) (*exec.Cmd, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	words := append([]string{address, program}, args...)
	if w.server.lldb {
		words = append([]string{"gdbserver", address, "--", program}, args...)
	}
	command := exec.Command(w.server.path, words...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Stdout = printed
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		return nil, err
	}
	for {
		w.client, err = rsp.Dial("tcp", address)
		if err == nil {
			return command, nil
		}
		select {
		case <-ctx.Done():
			return command, fmt.Errorf("%s does not listen: %w", w.server.name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// insert sets a breakpoint at the function that children call.
func (w *watch) insert(ctx context.Context, program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return err
	}
	for _, symbol := range symbols {
		if symbol.Name != "child" {
			continue
		}
		reply, err := w.client.Exchange(ctx, fmt.Sprintf("Z0,%x,1", symbol.Value))
		if err == nil && reply != "OK" {
			err = fmt.Errorf("Z0 is answered %q", reply)
		}
		return err
	}
	return fmt.Errorf("%s has no function child", program)
}

// follow resumes until all processes have ended.
func (w *watch) follow(ctx context.Context, letGo bool) error {
	packet := "vCont;c"
	if w.server.lldb {
		packet = "c"
	}
	goOn := packet
	for len(w.live) > 0 {
		if err := w.client.Send(ctx, packet); err != nil {
			return err
		}
		stop, err := w.next(ctx)
		if err != nil {
			return err
		}
		packet = goOn
		switch stop := stop.(type) {
		case *rsp.Exited:
			w.ended(stop.PID, fmt.Sprint("exit ", stop.Status))
		case *rsp.Signaled:
			w.ended(stop.PID, fmt.Sprint("killed by ", stop.Signal))
		case *rsp.NoResumed:
			return errors.New("nothing left that was resumed")
		case *rsp.StopReply:
			if packet, err = w.event(ctx, stop, goOn, letGo); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watch) next(ctx context.Context) (rsp.Reply, error) {
	for {
		payload, err := w.client.Receive(ctx)
		if err != nil {
			return nil, err
		}
		stop, err := rsp.ParseStop([]byte(payload))
		if err != nil {
			return nil, fmt.Errorf("answer %.40q", payload)
		}
		output, printed := stop.(rsp.ConsoleOutput)
		if !printed {
			return stop, nil
		}
		// lldb-server has the program's output on a terminal of its own.
		if _, err := w.printed.Write([]byte(output)); err != nil {
			return nil, err
		}
	}
}

func (w *watch) ended(pid int, how string) {
	if pid == 0 {
		pid = w.root
	}
	w.count(how)
	delete(w.live, pid)
}

// event takes in a stop and returns the packet to go on with.
func (w *watch) event(ctx context.Context, stop *rsp.StopReply, goOn string, letGo bool) (string, error) {
	switch stop.Reason {
	case rsp.StopFork, rsp.StopVfork:
		w.count(stop.Reason.String())
		child := stop.Child.PID
		if letGo {
			reply, err := w.client.Exchange(ctx, fmt.Sprintf("D;%x", child))
			if err != nil {
				return "", err
			}
			if reply == "OK" {
				return goOn, nil
			}
			w.count(fmt.Sprintf("**detaching is refused: %.40s**", reply))
		}
		w.live[child] = true
		return goOn, nil
	case rsp.StopVforkDone, rsp.StopExec:
		w.count(stop.Reason.String())
		return goOn, nil
	}
	if stop.Signal == rsp.SIGTRAP {
		if letGo && stop.Thread.TID != w.root {
			if w.process(stop.Thread) == w.root && !threadOf(w.root, stop.Thread.TID) {
				w.count("**hit in the child, said to be a thread**")
				return "", errMisled
			}
			w.count("hit in the thread")
			return w.stepOver(ctx, stop, goOn)
		}
		w.count("SIGTRAP")
		return goOn, nil
	}
	if w.server.lldb {
		// Its numbers are the system's; SIGCHLD and SIGUSR1 do nothing here.
		return "c", nil
	}
	if stop.Signal != rsp.SIGCHLD && stop.Signal != rsp.SIGUSR1 {
		w.count(stop.Signal.String())
	}
	return fmt.Sprintf("vCont;C%02x:%v;c", int(stop.Signal), stop.Thread), nil
}

// threadOf tells whether the kernel has a task in a process.
func threadOf(pid, tid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", pid, tid))
	return err == nil
}

// stepOver takes all breakpoints out, which is one, and goes on.
func (w *watch) stepOver(ctx context.Context, stop *rsp.StopReply, goOn string) (string, error) {
	if _, err := w.client.Exchange(ctx, "Hg"+stop.Thread.String()); err != nil {
		return "", err
	}
	for _, register := range stop.Registers {
		if register.Number == 16 && len(register.Value) == 8 {
			var pc uint64
			for i, b := range register.Value {
				pc |= uint64(b) << (8 * i)
			}
			if _, err := w.client.Exchange(ctx, fmt.Sprintf("z0,%x,1", pc)); err != nil {
				return "", err
			}
		}
	}
	return goOn, nil
}
