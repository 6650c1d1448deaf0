package threads

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/threads/internal/simulation"
)

// randomNonStop is what a random client knows in non-stop.
type randomNonStop struct {
	random *rand.Rand
	// early says that the session begins in non-stop; changes how often, in a
	// hundred rounds, the mode is changed.
	early   bool
	changes int
	// wholly says that a process is stopped as a whole when a thread of it is
	// reported.
	wholly bool
	// stopped are the LWPs that the client knows to be stopped, orders what
	// each was last told to do, and halted those that were told to stop.
	stopped, halted map[*LWP]bool
	orders          map[*LWP]Action
	// unacknowledged is the last report, if waiting is set.
	unacknowledged Stop
	waiting        bool
	// execs is how many programs the process of each in stopped had executed
	// when the client learnt of that.
	execs map[*LWP]int
	// signalled is the signal that each LWP was reported for, until it is
	// decided on.
	signalled map[*LWP]unix.Signal
	// returned is a signal that was kept and has been sent to an LWP again.
	returned map[*LWP]unix.Signal
	// heard counts the reports.
	heard int
}

func newRandomNonStop(seed uint64) randomNonStop {
	n := randomNonStop{random: rand.New(rand.NewPCG(seed, 3)), stopped: map[*LWP]bool{}, halted: map[*LWP]bool{},
		orders: map[*LWP]Action{}, execs: map[*LWP]int{}, signalled: map[*LWP]unix.Signal{}, returned: map[*LWP]unix.Signal{}}
	switch n.random.IntN(4) {
	case 0:
		n.early = true
	case 1:
		n.early, n.changes = n.random.IntN(2) == 0, n.random.IntN(30)
	}
	n.wholly = rand.New(rand.NewPCG(seed, 5)).IntN(3) == 0
	return n
}

// knowsStopped notes that the client knows an LWP to be stopped.
func (c *randomClient) knowsStopped(lwp *LWP) {
	c.nonStop.stopped[lwp] = true
	c.nonStop.execs[lwp] = c.executionsOf(lwp.TID)
	c.nonStop.orders[lwp] = Action{}
	delete(c.nonStop.halted, lwp)
}

// forgetExeced forgets what the client knew of a leader when another thread has
// executed a program, which goes on as that thread was told to.
func (c *randomClient) forgetExeced() {
	n := &c.nonStop
	for lwp := range n.stopped {
		if c.table.LWP(lwp.TID) != lwp || n.execs[lwp] != c.executionsOf(lwp.TID) {
			delete(n.stopped, lwp)
			n.orders[lwp] = lwp.asked
			if n.unacknowledged.LWP == lwp {
				n.unacknowledged.LWP = nil
			}
		}
	}
	for _, lwp := range c.table.lwps {
		if count := c.executionsOf(lwp.TID); n.execs[lwp] != count {
			n.execs[lwp] = count
			n.halted[lwp] = true // one of its threads may have been
			delete(n.orders, lwp)
			delete(n.signalled, lwp)
			delete(c.started, lwp)
		}
	}
}

// executionsOf is how many programs a process has executed.
func (c *randomClient) executionsOf(pid int) int {
	count := 0
	for _, execed := range c.kernel.Execs {
		if execed == pid {
			count++
		}
	}
	return count
}

// asks is what the client last told an LWP to do.
func (c *randomClient) asks(lwp *LWP) Action {
	if !c.table.NonStop() {
		return lwp.asked
	}
	if order, found := c.nonStop.orders[lwp]; found {
		return order
	}
	// A thread that the program has made runs.
	return Action{Kind: Continue}
}

func (c *randomClient) changeMode() {
	n := &c.nonStop
	if n.random.IntN(100) >= n.changes {
		return
	}
	on := !c.table.NonStop()
	c.note("non-stop: %v", on)
	c.must("change the mode", c.table.SetNonStop(on))
	n.waiting = false
	clear(n.stopped)
	clear(n.halted)
	clear(n.orders)
	for _, lwp := range c.table.lwps {
		if on && lwp.state != lwpEnding && !lwp.Process.unwatched {
			c.knowsStopped(lwp)
		}
	}
	c.check()
}

// checkNonStop holds that each LWP is where the client thinks it is, and that
// none is forgotten.
func (c *randomClient) checkNonStop() {
	if !c.table.NonStop() {
		return
	}
	c.forgetExeced()
	for lwp := range c.nonStop.stopped {
		if task, alive := c.kernel.Task(lwp.TID); alive && !task.Dying && lwp.asked.Kind != Stay {
			c.failf("thread %d is told %+v and the client has stopped it", lwp.TID, lwp.asked)
		}
	}
	for _, lwp := range c.table.lwps {
		task, alive := c.kernel.Task(lwp.TID)
		if !alive || task.Dying || lwp.state != lwpStopped || lwp.Process.unwatched {
			continue
		}
		switch image := lwp.Process.space.image; {
		case lwp.asked.Kind == Stay:
			if !lwp.unreported && !c.nonStop.stopped[lwp] && c.reported(lwp.Process.PID) && c.nonStop.orders[lwp].Kind != Stay {
				c.failf("thread %d stays stopped and the client does not know it", lwp.TID)
			}
		case lwp.pending.Kind != NoStop || c.table.unsettled:
		case c.table.quiet == image:
		case lwp.passing && c.table.owing:
		default:
			c.failf("thread %d is stopped, was not told to stay and has nothing to tell", lwp.TID)
		}
	}
}

// checkSteered holds that no LWP goes on that the client takes for stopped.
func (c *randomClient) checkSteered(lwp *LWP) {
	if lwp == nil || !c.table.NonStop() {
		return
	}
	if task, _ := c.kernel.Task(lwp.TID); task.Dying {
		return
	}
	if task, _ := c.kernel.Task(lwp.TID); !task.Sent {
		delete(c.nonStop.signalled, lwp)
	}
	c.forgetExeced()
	if _, ordered := c.nonStop.orders[lwp]; !ordered && lwp.asked.Kind != Stay {
		// A new thread, or one that goes by another's order: it has executed a
		// program.
		c.nonStop.orders[lwp] = lwp.asked
	}
	if c.nonStop.waiting && c.nonStop.unacknowledged.LWP == lwp {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d goes on before its report was taken in", lwp.TID))
	}
}

// steer gives LWPs orders at random, or has all of them go on.
func (c *randomClient) steer(all bool) {
	n := &c.nonStop
	for _, process := range c.table.Processes() {
		for _, lwp := range process.LWPs() {
			if reported := lwp.Reported(); n.stopped[lwp] && lwp.Stopped() && reported.Kind == Breakpoint {
				c.passBreakpoint(lwp, reported)
			}
		}
	}
	err := c.table.Resume(func(lwp *LWP) Action {
		if !n.stopped[lwp] || n.waiting && n.unacknowledged.LWP == lwp {
			// Only the wish to stop it means something.
			switch {
			case !all && n.random.IntN(6) == 0:
				c.note("halt %d", lwp.TID)
				n.halted[lwp] = true
				return Action{Kind: Halt}
			case n.random.IntN(6) == 0:
				return Action{Kind: Continue, Signal: unix.SIGALRM}
			}
			return Action{}
		}
		if !c.reported(lwp.Process.PID) || n.waiting && n.isChild(lwp) {
			return Action{Kind: Continue}
		}
		action := c.chooseAction(lwp, all)
		if action.Kind != Stay {
			delete(n.stopped, lwp)
			delete(n.halted, lwp)
			n.orders[lwp] = action
		}
		return action
	})
	c.must("resume", err)
	c.check()
}

// isChild tells whether an LWP is, or is of, the child that the last report is
// about.
func (n *randomNonStop) isChild(lwp *LWP) bool {
	switch stop := n.unacknowledged; stop.Kind {
	case Forked, VForked:
		return stop.Child == lwp.Process.PID
	case Cloned:
		return stop.Child == lwp.TID
	}
	return false
}

// heard checks one report and notes it.
func (c *randomClient) heard(stop Stop) {
	n := &c.nonStop
	n.heard++
	c.note("told: %v", describe(stop))
	if n.waiting {
		c.failf("a report follows one that was not taken in")
	}
	c.forgetExeced()
	if lwp := stop.LWP; lwp != nil {
		if n.stopped[lwp] && stop.Kind != Execed {
			c.failf("thread %d is reported, and was not resumed since it was before", lwp.TID)
		}
		if stop.Kind == Halted && !n.halted[lwp] {
			c.failf("thread %d is reported to have stopped and was not told to", lwp.TID)
		}
		if stop.Kind == Signalled {
			n.signalled[lwp] = stop.Signal
		}
	}
	c.judge(stop)
	if stop.Kind == Interrupted || stop.Kind == NoResumed || len(c.table.Processes()) == 0 {
		c.asked = false
	}
	n.waiting, n.unacknowledged = true, stop
	if lwp := stop.LWP; lwp != nil {
		c.knowsStopped(lwp)
	}
	if child := c.table.lwps[stop.Child]; child != nil && stop.Kind == Cloned {
		c.knowsStopped(child)
	}
	if child := c.table.Process(stop.Child); child != nil && (stop.Kind == Forked || stop.Kind == VForked) {
		for _, lwp := range child.LWPs() {
			c.knowsStopped(lwp)
		}
	}
	if n.wholly && stop.LWP != nil {
		c.stopWholly(stop.LWP.Process)
	}
	c.check()
}

// stopWholly stops all LWPs of a process.
func (c *randomClient) stopWholly(process *Process) {
	c.note("stop process %d", process.PID)
	// Where another thread executes a program meanwhile, the report of the leader
	// is still to be taken in.
	unacknowledged := c.nonStop.unacknowledged
	c.must("stop a process", c.table.StopProcess(process))
	c.forgetExeced()
	c.nonStop.unacknowledged = unacknowledged
	for _, lwp := range process.LWPs() {
		if lwp.unreported {
			continue
		}
		if lwp.Resumed() {
			c.failf("thread %d goes on though its process was stopped", lwp.TID)
		}
		if !lwp.Ending() {
			c.knowsStopped(lwp)
		}
	}
}

// acknowledge takes in the last report, and those that are there already.
func (c *randomClient) acknowledge() {
	for c.nonStop.waiting {
		c.nonStop.waiting = false
		c.note("acknowledge")
		stop, found, err := c.table.Acknowledge()
		c.must("acknowledge", err)
		if found {
			c.heard(stop)
		}
	}
	c.check()
}

// overhear listens for a while. It tells whether anything runs.
func (c *randomClient) overhear() bool {
	n := &c.nonStop
	for range 1 + n.random.IntN(6) {
		if n.waiting && n.random.IntN(2) == 0 {
			c.acknowledge()
		}
		stop, err := c.table.Wait()
		switch {
		case errors.Is(err, ErrIdle):
			c.check()
			if len(c.table.early) > 0 {
				c.failf("nothing runs, and first stops are kept of %v", c.table.early)
			}
			if !n.waiting && c.table.news {
				c.failf("nothing is to be reported although there is news")
			}
			c.acknowledge()
			return false
		case errors.Is(err, ptrace.ErrInput):
			c.check()
			if !c.asked && n.random.IntN(8) == 0 {
				c.note("interrupt")
				c.asked = true
				c.must("interrupt", c.table.Interrupt())
			}
		default:
			c.must("wait", err)
			c.heard(stop)
		}
	}
	return true
}

// finishNonStop has everything go on. What waits for ever is ended.
func (c *randomClient) finishNonStop(round int) {
	c.acknowledge()
	c.steer(true)
	c.overhear()
	if round > 300 {
		for _, process := range c.table.Processes() {
			c.kernel.KillFromOutside(process.PID)
		}
		for _, birth := range c.kernel.Births {
			c.kernel.KillFromOutside(birth.Child)
		}
	}
}

// hearAll listens until there is nothing to wait for.
func (c *randomClient) hearAll() {
	for c.table.NonStop() {
		c.acknowledge()
		stop, err := c.table.Wait()
		if errors.Is(err, ErrIdle) || errors.Is(err, ptrace.ErrNoTracees) {
			return
		}
		c.must("wait", err)
		c.heard(stop)
	}
}

// elsewhere tells whether a process that runs has begun to execute another
// program, of which nobody was told yet.
func (c *randomClient) elsewhere(process *Process) bool {
	memory, opened := process.Memory().image.memory.(*simulation.Memory)
	lwp := process.FirstLWP()
	return c.table.NonStop() && opened && lwp != nil && !c.kernel.Uses(lwp.TID, memory)
}
