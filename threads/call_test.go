package threads

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/threads/internal/simulation"
)

// TestCallOfStoppedProcess has an LWP make a system call when job control has
// stopped its process, of which only the other LWP has come to know. It joins the
// stop when it is resumed.
func TestCallOfStoppedProcess(t *testing.T) {
	kernel := simulation.NewKernel(&simulation.Priority{Order: []int{7, 8}}, []simulation.Program{{
		{Operation: simulation.Clone, Argument: 3}, {Operation: simulation.Nop}, {Operation: simulation.Pause},
		{Operation: simulation.Raise, Argument: uint64(unix.SIGSTOP)}, {Operation: simulation.Pause},
	}})
	table := NewTable(simulated{kernel})
	if err := table.SetNonStop(true); err != nil {
		t.Fatal(err)
	}
	table.Pass.Add(unix.SIGSTOP)
	process, err := table.Launch(ptrace.Program{Path: "0"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	leader := process.FirstLWP()
	if err := table.Resume(func(*LWP) Action { return Action{Kind: Step} }); err != nil {
		t.Fatal(err)
	}
	if stop, err := table.Wait(); err != nil || stop.Kind != Stepped {
		t.Fatalf("%v, %v", stop, err)
	}
	if _, more, err := table.Acknowledge(); more || err != nil {
		t.Fatal(more, err)
	}
	if stop, err := table.Wait(); err != ptrace.ErrInput {
		t.Fatalf("%v, %v", stop, err)
	}
	before, err := leader.Registers()
	if err != nil {
		t.Fatal(err)
	}
	saved := *before
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(kernel.Trace(), "\n"))
		}
	}()
	if _, err := leader.Call(0x1001, ptrace.SyscallArguments{}); err != nil {
		t.Fatal(err)
	}
	after, err := leader.Registers()
	if err != nil || *after != saved {
		t.Errorf("%+v instead of %+v, %v", after, saved, err)
	}
	if err := table.Resume(func(*LWP) Action { return Action{Kind: Continue} }); err != nil {
		t.Fatal(err)
	}
	if stop, err := table.Wait(); err != ptrace.ErrInput {
		t.Fatalf("%v, %v", stop, err)
	}
	if task, _ := kernel.Task(leader.TID); !task.Listening {
		t.Errorf("it does not join the stop: %+v", task)
	}
}

// TestCallOfVforkParent: the kernel would not let the creator go before its child,
// which is stopped.
func TestCallOfVforkParent(t *testing.T) {
	kernel := simulation.NewKernel(&simulation.Priority{}, []simulation.Program{{
		{Operation: simulation.VFork, Argument: 2}, {Operation: simulation.Exit}, {Operation: simulation.Exit},
	}})
	table := NewTable(simulated{kernel})
	table.Events.VFork = true
	process, err := table.Launch(ptrace.Program{Path: "0"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Resume(func(*LWP) Action { return Action{Kind: Continue} }); err != nil {
		t.Fatal(err)
	}
	if stop, err := table.Wait(); err != nil || stop.Kind != VForked {
		t.Fatalf("%v, %v", stop, err)
	}
	if _, err := process.FirstLWP().Call(simulation.Code, ptrace.SyscallArguments{}); err == nil || !strings.Contains(err.Error(), "it waits for the child") {
		t.Error(err)
	}
}

// TestRandomCalls has LWPs of random programs make system calls between
// everything else that befalls them.
func TestRandomCalls(t *testing.T) {
	calls := 0
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 3))
		scheduler := &simulation.Random{Rand: rand.New(rand.NewPCG(seed, 4)), Kill: random.IntN(60), Stop: random.IntN(40), Proceed: random.IntN(60)}
		// All have, where none of them gets to, an instruction that does nothing.
		programs := randomPrograms(random)
		length := 0
		for _, program := range programs {
			length = max(length, len(program))
			for i := range program {
				// The simulated kernel can't be made to leave it.
				if program[i].Operation == simulation.Pause {
					program[i].Operation = simulation.Nop
				}
			}
		}
		for i := range programs {
			programs[i] = append(programs[i], make(simulation.Program, length+1-len(programs[i]))...)
		}
		kernel := simulation.NewKernel(scheduler, programs)
		table := NewTable(simulated{kernel})
		table.Pass.Add(unix.SIGSTOP)
		made, err := callAtRandom(table, random, simulation.Code+uint64(length))
		calls += made
		if err != nil || len(kernel.Faults) > 0 {
			t.Fatalf("seed %d: %v, %v\n%s", seed, err, kernel.Faults, strings.Join(kernel.Trace(), "\n"))
		}
	}
	if calls < 1000 {
		t.Errorf("only %d calls were made", calls)
	}
}

func callAtRandom(table *Table, random *rand.Rand, address uint64) (calls int, err error) {
	if err := table.SetNonStop(random.IntN(2) == 0); err != nil {
		return 0, err
	}
	if _, err := table.Launch(ptrace.Program{Path: "0"}, 0); gone(err) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	for range 60 {
		var lwps []*LWP
		for _, process := range table.Processes() {
			lwps = append(lwps, process.LWPs()...)
		}
		for _, lwp := range lwps {
			if table.lwps[lwp.TID] != lwp || lwp.state != lwpStopped || random.IntN(2) == 0 {
				continue
			}
			registers, err := lwp.Registers()
			if gone(err) {
				continue
			}
			if err != nil {
				return calls, err
			}
			pc := registers.PC()
			_, err = lwp.Call(address, ptrace.SyscallArguments{})
			if errors.Is(err, simulation.ErrBlocked) {
				return calls, err
			}
			if err != nil {
				continue
			}
			calls++
			if registers, err = lwp.Registers(); err == nil && registers.PC() != pc {
				return calls, fmt.Errorf("thread %d is at %#x instead of %#x after a call", lwp.TID, registers.PC(), pc)
			}
		}
		if len(table.Processes()) == 0 {
			break
		}
		if err := table.Resume(func(*LWP) Action { return Action{Kind: Continue} }); err != nil {
			return calls, err
		}
		_, err := table.Wait()
		if err == ptrace.ErrInput && !table.nonStop {
			if err = table.Interrupt(); err == nil {
				_, err = table.Wait()
			}
		}
		if err != nil && err != ptrace.ErrInput && err != ErrIdle {
			return calls, err
		}
		for more := true; more; {
			if _, more, err = table.Acknowledge(); err != nil {
				return calls, err
			}
		}
	}
	return calls, nil
}
