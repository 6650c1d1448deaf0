package platform

import (
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// children are the processes that a session has started.
type children struct {
	lock sync.Mutex
	byID map[int]*child
	// lifeline is the end that stays here of the pipe that tells servers that the
	// platform has gone, and lent the one that they get.
	lifeline, lent *os.File
}

// child is a process that is waited for. Gone is closed when it has ended.
type child struct {
	command  *exec.Cmd
	gone     chan struct{}
	debugger bool
}

func (c *children) begin() (err error) {
	c.byID = map[int]*child{}
	c.lent, c.lifeline, err = os.Pipe()
	return err
}

// add waits for a process that has been started, and calls after, if that is not
// nil, once it has ended.
func (c *children) add(command *exec.Cmd, after func()) *child {
	one := &child{command: command, gone: make(chan struct{}), debugger: after != nil}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.byID[command.Process.Pid] = one
	go func() {
		// How it ended is nobody's business here.
		_ = command.Wait()
		if after != nil {
			after()
		}
		c.lock.Lock()
		delete(c.byID, command.Process.Pid)
		c.lock.Unlock()
		close(one.gone)
	}()
	return one
}

func (c *children) find(pid int) *child {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.byID[pid]
}

// killPatience is how long a process has to end after a signal.
const killPatience = 2 * time.Second

// kill ends the process, in good order if it takes the signal for that.
func (c *child) kill() bool {
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		// It may have ended meanwhile, which the waiting notices.
		_ = c.command.Process.Signal(signal)
		select {
		case <-c.gone:
			return true
		case <-time.After(killPatience):
		}
	}
	return false
}

// end lets the servers that nobody has connected to end, or with all of them
// those too that are at work.
func (c *children) end(all bool) error {
	err := c.lifeline.Close()
	_ = c.lent.Close()
	if !all {
		return err
	}
	c.lock.Lock()
	var servers []*child
	for _, one := range c.byID {
		if one.debugger {
			servers = append(servers, one)
		}
	}
	c.lock.Unlock()
	var ended sync.WaitGroup
	for _, one := range servers {
		ended.Go(func() { one.kill() })
	}
	ended.Wait()
	return err
}
