package threads

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/threads/internal/simulation"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run one random schedule and print it")
	schedules = flag.Uint64("schedules", 20000, "how many random schedules to run")
)

// randomPrograms makes programs that end: each piece of code only starts
// pieces that come after it, and only executes programs that come after it.
func randomPrograms(random *rand.Rand) []simulation.Program {
	const count = 3
	programs := make([]simulation.Program, count)
	for i := range programs {
		programs[i] = randomProgram(random, i+1, count)
	}
	return programs
}

func randomProgram(random *rand.Rand, next, count int) simulation.Program {
	type piece struct {
		depth    int
		borrowed bool
		// entry is the instruction that starts it, -1 for the first.
		entry int
	}
	var program simulation.Program
	pieces := []piece{{0, false, -1}}
	for i := 0; i < len(pieces); i++ {
		current := pieces[i]
		if current.entry >= 0 {
			program[current.entry].Argument = uint64(len(program))
		}
		add := func(operation simulation.Operation, argument uint64) {
			program = append(program, simulation.Instruction{Operation: operation, Argument: argument})
		}
		child := func(operation simulation.Operation) {
			pieces = append(pieces, piece{current.depth + 1, operation == simulation.VFork, len(program)})
			add(operation, 0)
		}
		for range 1 + random.IntN(7) {
			kind := random.IntN(14)
			switch {
			case kind < 3:
				add(simulation.Nop, 0)
			case kind < 4:
				add(simulation.Store, simulation.Data+8*random.Uint64N(3))
			case kind < 5:
				add(simulation.Load, simulation.Data+8*random.Uint64N(3))
			case kind == 5 && random.IntN(4) == 0:
				add(simulation.Int3, 0)
			case kind == 6:
				signals := []unix.Signal{unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR2, unix.SIGUSR2, unix.SIGCHLD,
					unix.SIGSTOP, unix.SIGCONT, unix.SIGTERM}
				add(simulation.Raise, uint64(signals[random.IntN(len(signals))]))
			case kind == 7 && random.IntN(8) == 0:
				add(simulation.Pause, 0)
			case current.depth >= 3 || len(pieces) > 8 || current.borrowed && kind < 12:
			case kind < 10:
				child(simulation.Clone)
			case kind == 10:
				child(simulation.Fork)
			case kind == 11:
				child(simulation.VFork)
			case kind == 12 && !current.borrowed:
				child([]simulation.Operation{simulation.CloneProcess, simulation.Share, simulation.VForkCopy, simulation.CloneWait}[random.IntN(4)])
			}
		}
		switch end := random.IntN(10); {
		case end < 3 && next < count:
			add(simulation.Exec, uint64(next+random.IntN(count-next)))
		case end < 7:
			add(simulation.Exit, random.Uint64N(256))
		default:
			add(simulation.ExitGroup, random.Uint64N(256))
		}
	}
	return program
}

// randomClient debugs random programs at random and holds what the table says
// against what happened.
type randomClient struct {
	random *rand.Rand
	kernel *simulation.Kernel
	table  *Table
	// started is how many instructions each LWP had completed when it was
	// resumed.
	started map[*LWP]int
	// partial are those that had stepped and not been reported then, or stopped
	// behind a system call whose event was reported.
	partial map[*LWP]bool
	// ends and children are what was reported.
	ends     map[int]Stop
	children map[int]Stop
	vforks   map[int]int
	// births and exits are what was reported of threads.
	births, exits map[int]Stop
	execs         map[int]int
	// known are the processes that were ever in the table; killed those that
	// the client ended, detached those that it let go.
	known, killed, detached map[int]bool
	// left are those that were left behind at a time.
	left map[int]bool
	// asked says that it wants an interrupt that was not reported yet.
	asked bool
	// first is the process that it began with.
	first int
	// executed counts the programs executed up to the last resumption.
	executed int
	// leaderless says that the leader had ended when it was attached to, so
	// that nobody but the parent learns how the process ends.
	leaderless bool
	// chosen is the signal that each LWP was last resumed with.
	chosen map[*LWP]unix.Signal
	// passed is where each LWP's last hit was judged to be passed over, until
	// it executes that instruction or the client knows where it is.
	passed map[*LWP]uint64
	// kept are signals that wait until an LWP is past a breakpoint.
	kept map[*LWP][]unix.Signal
	// executions is how many programs each had executed when that was seen.
	executions map[*LWP]int
	// attended, hits, steps and held count what the schedule has tried.
	attended, hits, steps, held int
	// nonStop is what only non-stop needs.
	nonStop randomNonStop
}

// watchedKernel notes the signals that the table sends.
type watchedKernel struct {
	simulated
	client *randomClient
}

func (k watchedKernel) Signal(pid, tid int, signal unix.Signal) error {
	if lwp := k.client.table.lwps[tid]; lwp != nil {
		k.client.unkeep(lwp, signal)
		k.client.nonStop.returned[lwp] = signal
		delete(k.client.nonStop.signalled, lwp)
	}
	return k.simulated.Signal(pid, tid, signal)
}

func (k watchedKernel) Continue(tid int, signal unix.Signal) error {
	k.client.checkStopped(tid)
	return k.simulated.Continue(tid, signal)
}

func (k watchedKernel) Step(tid int, signal unix.Signal) error {
	k.client.checkStopped(tid)
	return k.simulated.Step(tid, signal)
}

func (k watchedKernel) Wait(likely int) (ptrace.Event, error) {
	k.client.checkEarly()
	return k.simulated.Wait(likely)
}

// checkEarly holds, where the table waits, that nobody stays stopped for a
// creator whose process the table knows no more: there may be nothing left to
// report that would have everything put in order.
func (c *randomClient) checkEarly() {
	for _, birth := range c.kernel.Births {
		if _, early := c.table.early[birth.Child]; early && c.table.find(birth.Parent) == nil {
			c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("process %d is kept stopped, and %d is gone that made it", birth.Child, birth.Parent))
		}
	}
}

// checkStopped holds that nobody is resumed who runs.
func (c *randomClient) checkStopped(tid int) {
	if task, alive := c.kernel.Task(tid); alive && !task.Stopped && !task.Dying {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d is resumed and not stopped", tid))
	}
}

// unkeep takes a signal out of those that are kept, if it is there.
func (c *randomClient) unkeep(lwp *LWP, signal unix.Signal) bool {
	i := slices.Index(c.kept[lwp], signal)
	if i >= 0 {
		c.kept[lwp] = slices.Delete(c.kept[lwp], i, i+1)
	}
	return i >= 0
}

// noteKept takes down what is kept when a step begins; nothing may be missing
// that was kept before.
func (c *randomClient) noteKept(lwp *LWP) {
	if task, alive := c.kernel.Task(lwp.TID); !alive || task.Dying {
		return
	}
	var now []unix.Signal
	for _, kept := range lwp.kept {
		now = append(now, kept.signal)
	}
	// What was kept for a leader goes with it when another thread executes a
	// program, and takes its id.
	execs := c.executionsOf(lwp.TID)
	if c.executions[lwp] != execs {
		c.executions[lwp] = execs
		delete(c.kept, lwp)
		delete(c.passed, lwp)
	}
	if before := c.kept[lwp]; len(before) > len(now) || !slices.Equal(before, now[:len(before)]) {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d had the signals %v kept and has %v", lwp.TID, before, now))
	}
	c.kept[lwp] = now
}

// judged makes a judge that decides at random, and holds that it is asked once
// for each time that an LWP comes to the breakpoint.
func (c *randomClient) judged(address uint64) Judge {
	return Judge{Persistent: c.random.IntN(4) == 0, Decide: func(lwp *LWP) Verdict {
		c.hits++
		registers, err := lwp.Registers()
		if err == nil && registers.PC() != address {
			c.failf("the breakpoint at %#x judges thread %d at %#x", address, lwp.TID, registers.PC())
		}
		if at, twice := c.passed[lwp]; twice && at == address {
			c.failf("the hit of thread %d at %#x is judged twice", lwp.TID, address)
		}
		if c.random.IntN(4) == 0 {
			return Report
		}
		c.note("pass over %#x in %d", address, lwp.TID)
		c.passed[lwp] = address
		return PassOver
	}}
}

// checkExecuting holds that no thread gets past a breakpoint unseen.
func (c *randomClient) checkExecuting(tid int, pc uint64) {
	lwp := c.table.lwps[tid]
	task, _ := c.kernel.Task(tid)
	if lwp == nil || task.Orphan || lwp.Process.space == nil {
		return
	}
	steps := lwp.stepsOver && lwp.passing && lwp.passAddress == pc
	if space := lwp.Process.space; !steps && !space.image.lifted && space.HasBreakpoint(pc) {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d executes %#x in spite of a breakpoint", tid, pc))
	}
	over := c.table.over
	if over != nil && over != lwp && over.stepsOver && over.Process.space.image == lwp.Process.space.image {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d runs while thread %d steps over a breakpoint", tid, over.TID))
	}
	if steps {
		c.steps++
	}
	if c.passed[lwp] == pc {
		delete(c.passed, lwp)
	}
}

func (c *randomClient) failf(format string, arguments ...any) {
	panic(failure(fmt.Sprintf(format, arguments...)))
}

type failure string

// note puts a line about the client in the trace.
func (c *randomClient) note(format string, arguments ...any) {
	c.kernel.Note("client: "+format, arguments...)
}

func (c *randomClient) must(what string, err error) {
	if err != nil {
		c.failf("%s: %v", what, err)
	}
}

// runSchedule plays one random session. The answer is what went wrong.
func runSchedule(seed uint64) (c *randomClient, failed string) {
	random := rand.New(rand.NewPCG(seed, 1))
	scheduler := &simulation.Random{Rand: rand.New(rand.NewPCG(seed, 2))}
	if random.IntN(2) == 0 {
		scheduler.Kill = random.IntN(40)
	}
	if random.IntN(3) == 0 {
		scheduler.Stop, scheduler.Proceed = random.IntN(40), random.IntN(60)
	}
	if random.IntN(2) == 0 {
		scheduler.Handled = random.IntN(60)
	}
	kernel := simulation.NewKernel(scheduler, randomPrograms(random))
	c = &randomClient{random: random, kernel: kernel, started: map[*LWP]int{}, partial: map[*LWP]bool{}, chosen: map[*LWP]unix.Signal{},
		ends: map[int]Stop{}, children: map[int]Stop{}, vforks: map[int]int{}, execs: map[int]int{},
		births: map[int]Stop{}, exits: map[int]Stop{},
		known: map[int]bool{}, killed: map[int]bool{}, detached: map[int]bool{}, left: map[int]bool{},
		passed: map[*LWP]uint64{}, kept: map[*LWP][]unix.Signal{}, executions: map[*LWP]int{},
		nonStop: newRandomNonStop(seed)}
	c.table = NewTable(watchedKernel{simulated{kernel}, c})
	kernel.Resumed = c.checkResumed
	kernel.Delivered = c.checkDelivered
	kernel.Executing = c.checkExecuting
	defer func() {
		if r := recover(); r != nil {
			if f, ok := r.(failure); ok {
				failed = string(f)
				return
			}
			kernel.Note("panic: %v", r)
			panic(r)
		}
	}()
	c.play()
	return c, ""
}

func (c *randomClient) play() {
	table, random := c.table, c.random
	table.Events = Events{Fork: random.IntN(2) == 0, VFork: random.IntN(2) == 0, Exec: random.IntN(2) == 0}
	for _, signal := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGCHLD, unix.SIGCONT, unix.SIGSTOP} {
		if random.IntN(3) == 0 {
			table.Pass.Add(signal)
		}
	}
	table.Events.Threads = random.IntN(3) == 0
	c.note("events %+v, pass %#x", table.Events, uint64(table.Pass))
	if c.nonStop.early {
		c.must("change to non-stop", table.SetNonStop(true))
	}
	if random.IntN(3) > 0 {
		_, err := table.Launch(ptrace.Program{Path: "0"}, 0)
		if err != nil && len(c.kernel.Ends) > 0 {
			return // it was killed before it was known
		}
		c.must("launch", err)
		c.first = c.table.Processes()[0].PID
	} else {
		pid := c.kernel.Start(0)
		for range random.IntN(12) {
			c.kernel.Tick()
		}
		c.first = pid
		if !c.attach(pid) {
			return
		}
	}
	c.check()
	rounds := 10 + random.IntN(40)
	for range rounds {
		if len(table.Processes()) == 0 {
			break
		}
		c.changeMode()
		c.meddle()
		if table.NonStop() {
			c.steer(false)
			c.overhear()
			continue
		}
		c.attend()
		c.resume(false)
		c.wait()
	}
	c.finish()
}

// waitsForVFork tells whether a thread of a process is held by the kernel.
func (c *randomClient) waitsForVFork(pid int) bool {
	for _, tid := range c.kernel.TaskIDs() {
		if task, _ := c.kernel.Task(tid); task.PID == pid && task.Held {
			return true
		}
	}
	return false
}

// attach answers whether the session can go on.
func (c *randomClient) attach(pid int) bool {
	c.note("attach %d", pid)
	if _, err := c.table.Attach(pid); err != nil {
		// It may end meanwhile, or turn into what another thread executes;
		// and nothing stops a thread that waits for its vfork child.
		if errors.Is(err, simulation.ErrBlocked) && c.waitsForVFork(pid) {
			return false
		}
		if errors.Is(err, simulation.ErrBlocked) || c.table.Process(pid) != nil {
			c.failf("attach: %v", err)
		}
	}
	c.leaderless = c.table.LWP(pid) == nil
	return true
}

// attend lets what the client does not see go on for some time.
func (c *randomClient) attend() {
	for c.table.Background() && c.random.IntN(3) > 0 {
		c.note("attend")
		c.attended++
		stopped := map[*LWP]int{}
		for _, process := range c.table.Processes() {
			for _, lwp := range process.LWPs() {
				if task, alive := c.kernel.Task(lwp.TID); alive && lwp.Stopped() && !task.Dying {
					stopped[lwp] = task.Executed
				}
			}
		}
		if err := c.table.Attend(); err != nil && !errors.Is(err, ptrace.ErrInput) {
			c.failf("attend: %v", err)
		}
		for lwp, executed := range stopped {
			if lwp.Process.Unreported() && c.table.LWP(lwp.TID) != lwp {
				continue // let go: nobody is left who could tell of it
			}
			if task, alive := c.kernel.Task(lwp.TID); alive && !task.Dying && task.Executed != executed {
				c.failf("thread %d has executed something while only others were attended to", lwp.TID)
			}
		}
		c.check()
	}
}

// meddle changes breakpoints and lets processes go.
func (c *randomClient) meddle() {
	if c.table.LeftBehind() && c.random.IntN(4) == 0 {
		c.takeBack()
	}
	for _, process := range append([]*Process(nil), c.table.Processes()...) {
		if c.table.Process(process.PID) != process || process.Unreported() {
			continue
		}
		lwp := process.FirstLWP()
		if lwp == nil || lwp.state == lwpEnding {
			continue
		}
		code, original := c.kernel.CodeBytes(lwp.TID)
		address := simulation.Code + c.random.Uint64N(uint64(max(1, len(code))))
		switch n := c.random.IntN(37); {
		case n == 34:
			var numbers []uint64
			for range c.random.IntN(4) {
				numbers = append(numbers, uint64(simulation.Clone)+c.random.Uint64N(11))
			}
			c.note("catch %v in %d", numbers, process.PID)
			process.CatchSyscalls(Syscalls(numbers...))
		case n == 35:
			c.note("catch all in %d", process.PID)
			process.CatchSyscalls(AllSyscalls)
		case n == 36:
			options := ThreadOptions{Clone: c.random.IntN(2) == 0, Exit: c.random.IntN(2) == 0}
			c.note("options %+v of %d", options, lwp.TID)
			lwp.SetOptions(options)
		case n < 4:
			c.note("insert %#x in %d", address, process.PID)
			var gone *ptrace.MemoryError
			if err := process.Memory().InsertBreakpoint(address); err != nil && !errors.As(err, &gone) {
				c.failf("insert: %v", err)
			}
		case n >= 30 && n < 34:
			for range 1 + c.random.IntN(4) {
				address := simulation.Code + c.random.Uint64N(uint64(max(1, len(code))))
				c.note("insert %#x in %d with a judge", address, process.PID)
				var gone *ptrace.MemoryError
				if err := process.Memory().InsertJudged(address, c.judged(address)); err != nil && !errors.As(err, &gone) {
					c.failf("insert: %v", err)
				}
			}
			if c.random.IntN(4) == 0 {
				c.note("hardware breakpoint at %#x in %d with a judge", address, process.PID)
				judge := Judge{Decide: func(*LWP) Verdict { return Verdict(c.random.IntN(2)) }}
				if err := process.InsertHardwareJudged(address, judge); err != nil && !errors.Is(err, ErrDebugRegistersFull) && !errors.Is(err, ptrace.ErrGone) {
					c.failf("insert hardware: %v", err)
				}
			}
		case n < 6:
			c.note("remove %#x from %d", address, process.PID)
			_ = process.Memory().RemoveBreakpoint(address)
			for lwp, at := range c.passed {
				if at == address {
					delete(c.passed, lwp)
				}
			}
		case n < 9:
			kind := HardwareKind(c.random.IntN(4))
			target := address
			if kind != HardwareExecute {
				target = simulation.Data + c.random.Uint64N(20)
			}
			c.note("%v at %#x in %d", kind, target, process.PID)
			err := process.InsertHardware(kind, target, 1+c.random.Uint64N(8))
			var memory *ptrace.MemoryError
			if err != nil && !errors.Is(err, ErrDebugRegistersFull) && !errors.Is(err, ptrace.ErrGone) && !errors.As(err, &memory) {
				c.failf("insert hardware: %v", err)
			}
		case n < 11:
			if points := process.hardware.points; len(points) > 0 {
				point := points[c.random.IntN(len(points))]
				c.must("remove hardware", process.RemoveHardware(point.kind, point.address, point.length))
			}
		case n == 11 && c.random.IntN(2) == 0:
			c.detach(process)
		case n == 12 && c.random.IntN(4) == 0:
			c.note("kill %d", process.PID)
			c.killed[process.PID] = true
			c.must("kill", c.table.Kill(process))
			if c.table.Process(process.PID) != nil {
				c.failf("process %d is there after it was killed", process.PID)
			}
		case n == 13 && !c.elsewhere(process):
			read := make([]byte, len(code))
			if got, err := process.Memory().Read(simulation.Code, read); err == nil && string(read[:got]) != string(original[:got]) {
				c.failf("process %d reads its text as % x, it is % x", process.PID, read, original)
			}
		}
	}
	c.check()
}

func (c *randomClient) detach(process *Process) {
	if _, err := c.kernel.Tasks(process.PID); err != nil {
		return
	}
	for _, other := range c.table.Processes() {
		if other.vforkParent == process {
			return
		}
	}
	for _, lwp := range process.LWPs() {
		if lwp.state == lwpHeld {
			c.releaseHeld()
			break
		}
	}
	pid := process.PID
	// What it is given before it goes, it may die of.
	c.detached[pid] = true
	letGo, verb := c.table.Detach, "detach"
	if process.Persists() && c.random.IntN(4) > 0 {
		letGo, verb = c.table.Leave, "leave"
		c.left[pid] = true
	}
	c.note("%s %d", verb, pid)
	if err := letGo(process); err != nil {
		c.failf("%s %d: %v", verb, pid, err)
	}
	if c.table.Process(pid) != nil {
		c.failf("process %d is there after it was let go", pid)
	}
	if _, traced := c.kernel.Untraced(pid); traced != 0 && c.table.find(pid) == nil {
		for _, tid := range c.kernel.TaskIDs() {
			if task, _ := c.kernel.Task(tid); task.PID == pid && task.Traced && !task.Dying {
				c.failf("thread %d is still traced after process %d was let go", tid, pid)
			}
		}
	}
}

// takeBack makes the processes that were left behind the client's again.
func (c *randomClient) takeBack() {
	var left []*Process
	for _, process := range c.table.processes {
		if process.left {
			left = append(left, process)
		}
	}
	c.note("take %d back", len(left))
	c.must("take back", c.table.TakeBack())
	for _, process := range left {
		if !process.removed {
			delete(c.detached, process.PID)
		}
		if !process.removed && c.table.Process(process.PID) != process {
			c.failf("process %d is not there after it was taken back", process.PID)
		}
	}
	if c.table.LeftBehind() {
		c.failf("processes are left behind that were taken back")
	}
}

// resume lets LWPs go on at random, or all of them.
func (c *randomClient) resume(all bool) {
	for _, process := range c.table.Processes() {
		for _, lwp := range process.LWPs() {
			if reported := lwp.Reported(); lwp.Stopped() && reported.Kind == Breakpoint {
				c.passBreakpoint(lwp, reported)
			}
		}
	}
	err := c.table.Resume(func(lwp *LWP) Action { return c.chooseAction(lwp, all) })
	c.must("resume", err)
}

// chooseAction draws what an LWP is to do.
func (c *randomClient) chooseAction(lwp *LWP, all bool) Action {
	action := Action{Kind: Continue}
	if !all {
		switch n := c.random.IntN(20); {
		case n < 4:
			action.Kind = Step
		case n < 6:
			action.Kind = StepRange
			action.Start = simulation.Code + c.random.Uint64N(10)
			action.End = action.Start + c.random.Uint64N(12)
		case n < 9:
			action.Kind = Stay
		}
	}
	reported := lwp.Reported()
	if reported.Kind == Signalled && action.Kind != Stay && (all || c.random.IntN(5) > 0) {
		action.Signal = reported.Signal
		if reported.Signal == unix.SIGTRAP {
			action.Signal = 0
		}
	}
	if !all && action.Kind != Stay && c.random.IntN(30) == 0 {
		action.Signal = unix.SIGALRM
	}
	if action.Kind != Stay {
		c.chosen[lwp] = action.Signal
		if task, ok := c.kernel.Task(lwp.TID); ok {
			c.started[lwp] = task.Executed
			c.executed = len(c.kernel.Execs)
			c.partial[lwp] = lwp.pending.Kind == Stepped || reported.endsSyscall()
		}
	}
	if action != (Action{Kind: Continue}) {
		c.note("%d: %+v", lwp.TID, action)
	}
	return action
}

// passBreakpoint gets an LWP past the int3 that it was reported at.
func (c *randomClient) passBreakpoint(lwp *LWP, reported Stop) {
	if lwp.Process.Memory().HasBreakpoint(reported.Address) {
		if c.random.IntN(2) == 0 {
			_ = lwp.Process.Memory().RemoveBreakpoint(reported.Address)
			for other, at := range c.passed {
				if at == reported.Address {
					delete(c.passed, other)
				}
			}
		}
		return
	}
	registers, err := lwp.Registers()
	if err == nil && registers.PC() == reported.Address {
		if code, original := c.kernel.CodeBytes(lwp.TID); code != nil && original[reported.Address-simulation.Code] == 0xcc {
			registers.SetPC(reported.Address + 1)
			lwp.RegistersChanged()
		}
	}
}

// wait waits for a report and checks it.
func (c *randomClient) wait() Stop {
	blocked := 0
	for {
		stop, err := c.table.Wait()
		if err == ptrace.ErrInput {
			if c.asked {
				if blocked++; blocked > 200 {
					c.failf("nothing ever answers an interrupt")
				}
				if blocked == 100 {
					c.must("interrupt", c.table.Interrupt())
				}
				continue
			}
			c.note("interrupt")
			c.asked = true
			c.must("interrupt", c.table.Interrupt())
			continue
		}
		c.must("wait", err)
		c.note("told: %v", describe(stop))
		c.check()
		c.judge(stop)
		if stop.Kind == Interrupted || stop.Kind == NoResumed || len(c.table.Processes()) == 0 {
			c.asked = false
		}
		return stop
	}
}

// releaseHeld ends the untraced children that LWPs wait for: nothing else
// would, and a held LWP cannot be interrupted.
func (c *randomClient) releaseHeld() {
	for _, birth := range c.kernel.Births {
		if birth.Kind == ptrace.VForked && c.table.Process(birth.Child) == nil {
			c.kernel.KillFromOutside(birth.Child)
		}
	}
}

func describe(stop Stop) string {
	tid := 0
	if stop.LWP != nil {
		tid = stop.LWP.TID
	}
	text := fmt.Sprintf("process %d, thread %d: %v", stop.PID, tid, stop.Kind)
	switch stop.Kind {
	case Signalled, GroupStopped, Killed:
		text += fmt.Sprintf(" signal %d", int(stop.Signal))
	case ThreadExited:
		text += fmt.Sprintf(" %d status %d signal %d", stop.Child, stop.Status, int(stop.Signal))
	case SyscallEntry, SyscallReturn:
		text += fmt.Sprintf(" %v", simulation.Operation(stop.Syscall))
	case Exited:
		text += fmt.Sprintf(" status %d", stop.Status)
	case Forked, VForked, Cloned:
		text += fmt.Sprintf(" child %d", stop.Child)
	case Breakpoint, HardwareBreakpoint, Watchpoint:
		text += fmt.Sprintf(" at %#x", stop.Address)
	}
	return text
}

// check holds the table against the kernel while everything is stopped.
func (c *randomClient) check() {
	running, held := 0, 0
	for tid, lwp := range c.table.lwps {
		if lwp.TID != tid || c.table.find(lwp.Process.PID) != lwp.Process {
			c.failf("thread %d is filed wrongly", tid)
		}
	}
	for _, lwp := range c.table.lwps {
		if task, alive := c.kernel.Task(lwp.TID); alive && !task.Dying {
			c.noteKept(lwp)
		}
	}
	count := 0
	for _, process := range c.table.processes {
		if !process.unwatched {
			c.known[process.PID] = true
		}
		if len(process.LWPs()) == 0 {
			c.failf("process %d has no thread", process.PID)
		}
		for _, lwp := range process.LWPs() {
			count++
			if c.table.lwps[lwp.TID] != lwp {
				c.failf("thread %d of process %d is not found by its id", lwp.TID, process.PID)
			}
			task, alive := c.kernel.Task(lwp.TID)
			switch lwp.state {
			case lwpRunning:
				running++
				if alive && !task.Dying && !c.table.NonStop() {
					c.failf("thread %d runs although everything should have stopped", lwp.TID)
				}
			case lwpHeld:
				held++
			case lwpStopped:
				if alive && !task.Stopped && !task.Dying {
					c.failf("thread %d counts as stopped and is not", lwp.TID)
				}
			}
		}
		c.checkMemory(process)
	}
	if running != c.table.running || held != c.table.held {
		c.failf("%d run and %d are held; the table counts %d and %d", running, held, c.table.running, c.table.held)
	}
	if count != len(c.table.lwps) {
		c.failf("%d threads in processes, %d by their ids", count, len(c.table.lwps))
	}
	for _, tid := range c.kernel.TaskIDs() {
		task, _ := c.kernel.Task(tid)
		lwp := c.table.lwps[tid]
		_, early := c.table.early[tid]
		if task.Traced && !task.Dying && lwp == nil && task.Stopped {
			if early && c.table.NonStop() {
				continue // its creator may
			}
			if early {
				c.failf("thread %d is stopped, and its creator cannot tell of it any more", tid)
			}
			c.failf("thread %d is traced and unknown", tid)
		}
		if !task.Traced && !task.Dying && lwp != nil {
			c.failf("thread %d is not traced and in the table", tid)
		}
		if !task.Traced && !task.Dying {
			if task.DebugControl != 0 {
				c.failf("thread %d has DR7 %#x and is not traced", tid, task.DebugControl)
			}
			if now, original := c.kernel.CodeBytes(tid); string(now) != string(original) && !task.Orphan {
				c.failf("thread %d is not traced and has breakpoints in its text: % x", tid, now)
			}
		}
	}
	c.checkNonStop()
	if len(c.kernel.Faults) > 0 {
		c.failf("%s", c.kernel.Faults[0])
	}
}

// checkMemory compares the breakpoints in memory with the table's.
func (c *randomClient) checkMemory(process *Process) {
	lwp := process.FirstLWP()
	if lwp == nil {
		return
	}
	task, alive := c.kernel.Task(lwp.TID)
	now, original := c.kernel.CodeBytes(lwp.TID)
	if !alive || task.Dying || now == nil || task.Orphan || process.vforkCreator != nil && process.vforkCreator.state == lwpEnding {
		return
	}
	space := process.Memory()
	if c.elsewhere(process) {
		return
	}
	if _, executed := c.table.lwps[lwp.TID]; !executed {
		return
	}
	for i := range now {
		want := original[i]
		if at, found := space.image.find(simulation.Code + uint64(i)); found && !space.image.lifted && !space.image.inserted[at].out {
			want = breakpointInstruction
		}
		if now[i] != want {
			c.failf("process %d has %#x at %#x, not %#x (lifted: %v)", process.PID, now[i], simulation.Code+i, want, space.image.lifted)
		}
	}
	for _, breakpoint := range space.wanted {
		if !space.image.holds(breakpoint.address) {
			c.failf("process %d has lost its breakpoint at %#x", process.PID, breakpoint.address)
		}
	}
	for _, breakpoint := range space.image.inserted {
		spaces := map[*AddressSpace]bool{}
		for _, other := range c.table.processes {
			if other.space.image == space.image && other.space.HasBreakpoint(breakpoint.address) {
				spaces[other.space] = true
			}
		}
		if stale := breakpoint.wanted == 0 && !(c.table.NonStop() && space.image.stale); len(spaces) != breakpoint.wanted || stale {
			c.failf("%d want the int3 at %#x, which counts %d", len(spaces), breakpoint.address, breakpoint.wanted)
		}
	}
	if space.image.lifted && len(space.image.inserted) > 0 && !process.runs() && !(c.table.NonStop() && space.image.spaces > 1) {
		for _, tid := range c.kernel.TaskIDs() {
			if task, _ := c.kernel.Task(tid); !task.Traced && c.kernel.ShareMemory(tid, lwp.TID) {
				return
			}
		}
		for _, other := range c.table.processes {
			for _, lwp := range other.LWPs() {
				if other.space.image == space.image && (lwp.vforking || lwp.pending.Kind == VForkDone) {
					return
				}
			}
		}
		for _, birth := range c.kernel.Births {
			// Where the lender was killed nobody tells when the child is done.
			if creator, alive := c.kernel.Task(birth.Creator); birth.Kind == ptrace.VForked && (!alive || creator.Dying) {
				return
			}
		}
		c.failf("process %d has lost its breakpoints: nobody else uses its memory", process.PID)
	}
}

// checkResumed looks at a task just before it goes on.
func (c *randomClient) checkResumed(tid int) {
	lwp := c.table.lwps[tid]
	if lwp != nil && lwp.Process.unwatched {
		if lwp.stepsOver {
			c.noteKept(lwp)
		}
		return
	}
	c.checkSteered(lwp)
	if lwp != nil && !c.reported(lwp.Process.PID) {
		if task, _ := c.kernel.Task(tid); !task.Dying {
			c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d goes on and was not reported yet", tid))
		}
	}
	if lwp == nil || lwp.asked.Kind == Stay && lwp.state == lwpStopped {
		if lwp != nil && lwp.pending.Kind == NoStop && lwp.state == lwpStopped {
			if task, _ := c.kernel.Task(tid); !task.Dying {
				c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d goes on and was told to stay", tid))
			}
		}
		return
	}
	if lwp.stepsOver {
		c.noteKept(lwp)
	}
	task, _ := c.kernel.Task(tid)
	if want := lwp.Process.hardware.control(); !task.Dying && task.DebugControl != want {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d goes on with DR7 %#x, not %#x", tid, task.DebugControl, want))
	}
}

// checkDelivered looks at what becomes of a signal that stopped a task.
func (c *randomClient) checkDelivered(tid int, stoppedBy, injected unix.Signal) {
	lwp := c.table.lwps[tid]
	if lwp == nil {
		return
	}
	if task, _ := c.kernel.Task(tid); !task.Sent {
		if !c.unkeep(lwp, injected) && injected != c.chosen[lwp] && !(injected == unix.SIGTRAP && lwp.Process.unwatched && c.atOwnTrap(tid)) {
			c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("thread %d gets signal %d after a trap", tid, injected))
		}
		return
	}
	if lwp.stepsOver && injected == 0 && len(lwp.kept) > 0 {
		// What was told of was decided on when it was resumed.
		injected = lwp.kept[len(lwp.kept)-1].signal
		if slices.ContainsFunc(lwp.kept, func(kept keptSignal) bool { return kept.signal == stoppedBy }) {
			injected = stoppedBy
		}
		c.held++
	}
	told := lwp.reported.Kind == Signalled && lwp.reported.Signal == stoppedBy || c.nonStop.signalled[lwp] == stoppedBy
	delete(c.nonStop.signalled, lwp)
	fine := injected == stoppedBy || lwp.stepsOver && injected == c.chosen[lwp]
	// Another one of the same number is on its way.
	sent := c.nonStop.returned[lwp] == stoppedBy
	delete(c.nonStop.returned, lwp)
	if injected != 0 && !lwp.stepsOver && c.unkeep(lwp, injected) {
		return
	}
	if told && !c.detached[lwp.Process.PID] {
		fine = injected == c.chosen[lwp]
	}
	if !fine && !sent {
		c.kernel.Faults = append(c.kernel.Faults, fmt.Sprintf("signal %d of thread %d turns into %d (told: %v, chosen %d)",
			stoppedBy, tid, injected, told, c.chosen[lwp]))
	}
}

// atOwnTrap tells whether a task is behind an int3 of its program's.
func (c *randomClient) atOwnTrap(tid int) bool {
	task, _ := c.kernel.Task(tid)
	_, original := c.kernel.CodeBytes(tid)
	at := task.PC - 1 - simulation.Code
	return at < uint64(len(original)) && original[at] == breakpointInstruction
}

// judge checks one report.
func (c *randomClient) judge(stop Stop) {
	if c.table.running != 0 && !c.table.NonStop() {
		for _, lwp := range c.table.lwps {
			if task, alive := c.kernel.Task(lwp.TID); lwp.state == lwpRunning && alive && !task.Dying {
				c.failf("thread %d runs after a report", lwp.TID)
			}
		}
	}
	lwp := stop.LWP
	delete(c.passed, lwp)
	if (stop.Ended() || stop.Kind == ThreadExited) != (lwp == nil) && stop.Kind != NoResumed {
		c.failf("a report of %v with thread %v", stop.Kind, lwp)
	}
	var task simulation.TaskState
	if lwp != nil {
		var alive bool
		if task, alive = c.kernel.Task(lwp.TID); !alive || task.Dying {
			switch stop.Kind {
			case Forked, VForked:
				c.children[stop.Child] = stop
			case Created:
				c.births[lwp.TID] = stop
			case Cloned:
				c.births[stop.Child] = stop
			}
			return // killed since
		}
		if c.asks(lwp).Kind == Stay && stop.Kind != Execed {
			c.failf("thread %d is reported and was told to stay", lwp.TID)
		}
	}
	switch stop.Kind {
	case NoStop:
		c.failf("a report of nothing")
	case Created, Cloned:
		c.checkBirth(stop)
	case ThreadExited:
		// The id of a leader that has ended goes to a thread that executes a
		// program.
		if _, twice := c.exits[stop.Child]; twice && !(stop.Child == stop.PID && slices.Contains(c.kernel.Execs, stop.PID)) {
			c.failf("the end of thread %d is reported twice", stop.Child)
		}
		c.exits[stop.Child] = stop
	case SyscallEntry:
		if !lwp.Process.syscalls.Has(stop.Syscall) {
			c.failf("thread %d is reported before a system call that is not caught", lwp.TID)
		}
	case SyscallReturn:
		if !lwp.Process.syscalls.Has(stop.Syscall) {
			c.failf("thread %d is reported after a system call that is not caught", lwp.TID)
		}
		if task.Call != stop.Syscall {
			c.failf("thread %d returns from %v, not %v", lwp.TID, simulation.Operation(task.Call), simulation.Operation(stop.Syscall))
		}
	case NoResumed:
		for _, other := range c.table.lwps {
			task, alive := c.kernel.Task(other.TID)
			if alive && !other.Process.unwatched && !task.Dying && other.state == lwpStopped && other.asked.Kind != Stay {
				c.failf("none is resumed, but thread %d was and has nothing to tell", other.TID)
			}
		}
		for _, process := range c.table.Processes() {
			if process.FirstLWP() == nil {
				c.failf("none is resumed, but process %d is about to end", process.PID)
			}
		}
	case Signalled:
		if stop.Signal == unix.SIGTRAP && !task.Sent {
			now, _ := c.kernel.CodeBytes(lwp.TID)
			if at := task.PC - 1 - simulation.Code; at >= uint64(len(now)) || now[at] != 0xcc {
				c.failf("thread %d is reported with a SIGTRAP that is not the program's", lwp.TID)
			}
		}
	case Interrupted:
		if !c.asked {
			c.failf("thread %d is interrupted and nobody asked", lwp.TID)
		}
	case Stepped:
		asked := c.asks(lwp)
		if !asked.steps() {
			c.failf("thread %d stepped and was told %v", lwp.TID, asked.Kind)
		}
		count := task.Executed - c.started[lwp]
		fine := count == 1 || asked.Kind == StepRange && count > 0 || c.partial[lwp] && count == 0
		if _, known := c.started[lwp]; known && !fine && c.executed == len(c.kernel.Execs) {
			c.failf("thread %d is reported to have stepped after %d instructions", lwp.TID, count)
		}
	case Breakpoint:
		registers, err := lwp.Registers()
		if err != nil {
			return
		}
		now, _ := c.kernel.CodeBytes(lwp.TID)
		if registers.PC() != stop.Address || now[stop.Address-simulation.Code] != 0xcc && !lwp.Process.space.image.lifted {
			c.failf("thread %d is reported at a breakpoint at %#x, pc %#x", lwp.TID, stop.Address, registers.PC())
		}
	case Watchpoint, HardwareBreakpoint:
		if lwp.Process.hardware.find(stop.Access, stop.Address, 0) < 0 && stop.Kind == HardwareBreakpoint {
			c.failf("thread %d is reported at a hardware breakpoint that is not there", lwp.TID)
		}
	case Forked, VForked:
		if _, twice := c.children[stop.Child]; twice {
			c.failf("child %d is reported twice", stop.Child)
		}
		c.children[stop.Child] = stop
		if stop.Kind == Forked && !c.table.Events.Fork || stop.Kind == VForked && !c.table.Events.VFork {
			c.failf("%v is reported and not enabled", stop.Kind)
		}
		if child := c.table.Process(stop.Child); child == nil {
			if task, alive := c.kernel.Task(stop.Child); alive && !task.Dying {
				c.failf("child %d is reported and not in the table", stop.Child)
			}
		}
		if stop.Kind == VForked {
			c.vforks[lwp.TID]++
		}
	case VForkDone:
		if !c.table.Events.VFork {
			c.failf("vfork-done is reported and not enabled")
		}
		if c.vforks[lwp.TID]--; c.vforks[lwp.TID] < 0 {
			c.failf("vfork-done of thread %d without a vfork", lwp.TID)
		}
	case Execed:
		c.execs[stop.PID]++
		c.vforks[stop.PID] = 0
		if !c.table.Events.Exec {
			c.failf("an exec is reported and not enabled")
		}
	case Exited, Killed:
		if !c.reported(stop.PID) {
			c.failf("the end of process %d is reported, whose beginning was not", stop.PID)
		}
		if _, twice := c.ends[stop.PID]; twice {
			c.failf("the end of process %d is reported twice", stop.PID)
		}
		if c.table.Process(stop.PID) != nil {
			c.failf("process %d has ended and is in the table", stop.PID)
		}
		c.ends[stop.PID] = stop
		c.checkEnd(stop)
	}
}

// checkBirth holds that a thread is reported once, before it runs.
func (c *randomClient) checkBirth(stop Stop) {
	tid := stop.LWP.TID
	if stop.Kind == Cloned {
		tid = stop.Child
	}
	if _, twice := c.births[tid]; twice {
		c.failf("the beginning of thread %d is reported twice", tid)
	}
	c.births[tid] = stop
	if task, alive := c.kernel.Task(tid); alive && !task.Dying && (task.Executed > 0 || !task.Stopped) {
		c.failf("thread %d is reported as new after %d instructions (stopped: %v)", tid, task.Executed, task.Stopped)
	}
	if lwp := c.table.LWP(tid); lwp != nil && lwp.unreported {
		c.failf("thread %d was reported and does not count as that", tid)
	}
}

// checkThreads settles the account of threads.
func (c *randomClient) checkThreads() {
	for tid, birth := range c.births {
		let := c.killed[birth.PID] || c.detached[birth.PID] || c.left[birth.PID] || slices.Contains(c.kernel.Execs, birth.PID)
		// Where the leader was gone before, the last thread's end is that of the
		// process.
		let = let || c.leaderless && birth.PID == c.first || slices.Contains(c.kernel.Renamed, tid)
		if _, told := c.exits[tid]; c.table.Events.Threads && !told && !let {
			c.failf("the end of thread %d is never reported", tid)
		}
	}
	for tid, exit := range c.exits {
		if task, alive := c.kernel.Task(tid); alive && !task.Dying && tid != exit.PID {
			c.failf("thread %d is reported to have ended and lives", tid)
		}
	}
}

func (c *randomClient) checkEnd(stop Stop) {
	for _, end := range c.kernel.Ends {
		if end.PID == stop.PID {
			if c.leaderless && stop.PID == c.first {
				return
			}
			if end.Signal != stop.Signal || end.Status != stop.Status || (end.Signal != 0) != (stop.Kind == Killed) {
				c.failf("the end of process %d is %+v and is reported as %v", stop.PID, end, describe(stop))
			}
			return
		}
	}
	if c.leaderless && stop.PID == c.first {
		return // a thread that is not known yet is on its way out
	}
	c.failf("the end of process %d is reported and it has not ended", stop.PID)
}

// reported tells whether the client was told of a process, or started with it.
func (c *randomClient) reported(pid int) bool {
	_, told := c.children[pid]
	return told || pid == c.first
}

// finish lets everything run to its end and settles the account.
func (c *randomClient) finish() {
	c.note("finish")
	c.takeBack()
	for round := 0; len(c.table.Processes()) > 0; round++ {
		if round > 2000 {
			c.failf("it does not end")
		}
		for _, process := range slices.Clone(c.table.Processes()) {
			if c.table.Process(process.PID) != process {
				continue
			}
			space := process.Memory()
			for len(space.wanted) > 0 {
				_ = space.RemoveBreakpoint(space.wanted[0].address)
			}
			process.CatchSyscalls(SyscallSet{})
			for len(process.hardware.points) > 0 {
				point := process.hardware.points[0]
				c.must("remove hardware", process.RemoveHardware(point.kind, point.address, point.length))
			}
		}
		if c.table.NonStop() {
			c.finishNonStop(round)
			continue
		}
		c.resume(true)
		stop := c.wait()
		if stop.Kind == Interrupted && round > 100 {
			c.kernel.KillFromOutside(stop.PID)
		}
		if stop.Kind == NoResumed && len(c.table.Processes()) > 0 {
			c.failf("nothing was resumed although all should be")
		}
	}
	c.releaseHeld()
	for _, process := range c.table.processes {
		if process.parting {
			// A thread of its own may never end.
			c.kernel.KillFromOutside(process.PID)
		}
	}
	err := c.table.Finish()
	if errors.Is(err, simulation.ErrBlocked) {
		// One was let go only now, with a thread that waits for another.
		for _, process := range c.table.processes {
			c.kernel.KillFromOutside(process.PID)
		}
		err = c.table.Finish()
	}
	c.must("finish", err)
	// What was reported before the processes went is still to be told.
	for len(c.table.ended) > 0 {
		if c.table.NonStop() {
			c.overhear()
			continue
		}
		c.wait()
	}
	c.checkThreads()
	for pid := range c.known {
		_, told := c.ends[pid]
		if !c.reported(pid) {
			continue // it was let go when its creator was killed
		}
		if let := c.killed[pid] || c.detached[pid]; !let && !told {
			c.failf("the end of process %d is never reported", pid)
		}
	}
	for _, birth := range c.kernel.Births {
		if process := c.table.Process(birth.Child); process != nil && !c.reported(birth.Child) {
			c.failf("child %d is in the table and was never reported", birth.Child)
		}
	}
	execs := map[int]int{}
	for _, pid := range c.kernel.Execs {
		execs[pid]++
	}
	for pid, count := range c.execs {
		if count > execs[pid] {
			c.failf("process %d executed %d programs and %d are reported", pid, execs[pid], count)
		}
	}
	if c.table.Events.Exec {
		for pid, count := range execs {
			end := c.ends[pid]
			if c.known[pid] && !c.killed[pid] && !c.detached[pid] && !c.left[pid] && end.Kind == Exited && c.execs[pid] != count {
				c.failf("process %d executed %d programs and %d are reported", pid, count, c.execs[pid])
			}
		}
	}
	c.hearAll()
	if len(c.table.processes) > 0 || c.table.unwatched != 0 || c.table.background != 0 {
		c.failf("%d processes are left, %d unwatched", len(c.table.processes), c.table.unwatched)
	}
	if len(c.table.early) > 0 {
		c.failf("first stops are kept of %v", c.table.early)
	}
}

func TestRandomSchedules(t *testing.T) {
	if *seedFlag != 0 {
		client, failed := runSchedule(*seedFlag)
		kernel := client.kernel
		for i, program := range kernel.Programs {
			for at, instruction := range program {
				t.Logf("program %d: %#x %v", i, simulation.Code+at, instruction)
			}
		}
		t.Log("\n" + strings.Join(kernel.Trace(), "\n"))
		if failed != "" {
			t.Fatal(failed)
		}
		return
	}
	count := *schedules
	if testing.Short() {
		count /= 10
	}
	var hits, steps, held, heard int
	failures := map[string]int{}
	for seed := uint64(1); seed <= count; seed++ {
		client, failed := runSchedule(seed)
		if failed != "" {
			t.Errorf("seed %d: %s (replay with -run TestRandomSchedules -seed %d)", seed, failed, seed)
			if failures[failed]++; len(failures) > 10 {
				t.Fatal("that is enough")
			}
		}
		hits, steps, held, heard = hits+client.hits, steps+client.steps, held+client.held, heard+client.nonStop.heard
	}
	t.Logf("%d hits were judged, %d instructions stepped over, %d signals kept for that time, %d stops reported in non-stop",
		hits, steps, held, heard)
	if *schedules >= 1000 && (hits == 0 || steps == 0 || held == 0 || heard == 0) {
		t.Error("the schedules do not try what they are to try")
	}
}
