package threads

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/threads/internal/simulation"
)

var update = flag.Bool("update", false, "write what the table reports into the golden files")

// reportsMark divides a golden file: above it programs, an order of events and
// what the client does, below it what comes of that.
const reportsMark = "-- reports --\n"

// A golden file has, line by line:
//
//	program NUMBER        and its instructions, indented, with labels:
//	order TID...          who goes first, runs and reports (Priority)
//	late                  nothing is reported while anything can run
//	turns                 tasks run in turn instead
//	skip-exit-stops       a killed task leaves out PTRACE_EVENT_EXIT
//	events fork vfork exec
//	pass SIGNAL...
//	launch NUMBER, attach NUMBER [TICKS]
//	resume [TID:ACTION[=SIGNAL]...]   ACTION: continue, step, stay; others continue
//	insert, remove PID ADDRESS
//	over PID ADDRESS      insert a breakpoint all of whose hits are passed over
//	press                 ask for an interrupt
//	nonstop, allstop      change the mode
//	go [TID:ACTION...]    as resume, but the others are left alone and nothing is
//	                      waited for; ACTION: halt as well
//	wait, ack, again      Wait, Acknowledge until there is nothing, ReportAgain
//	watch PID ADDRESS     watch eight bytes for writes
//	detach PID, kill PID, outside PID (SIGKILL by somebody else)
//	finish                waits for LWPs that were held when they were let go
type goldenFile struct {
	scheduler simulation.Priority
	programs  []simulation.Program
	commands  [][]string
}

func parseGolden(text string) (*goldenFile, error) {
	file := &goldenFile{}
	type reference struct {
		program, instruction int
		label                string
	}
	var references []reference
	labels := map[string]int{}
	for number, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		fault := func(err error) error { return fmt.Errorf("line %d, %q: %w", number+1, line, err) }
		last := len(file.programs) - 1
		switch {
		case line[0] == ' ' && strings.HasSuffix(words[0], ":"):
			labels[fmt.Sprint(last, words[0])] = len(file.programs[last])
		case line[0] == ' ':
			operation, err := simulation.ParseOperation(words[0])
			if err != nil {
				return nil, fault(err)
			}
			instruction := simulation.Instruction{Operation: operation}
			if len(words) > 1 {
				instruction.Argument, err = strconv.ParseUint(words[1], 0, 64)
				if err != nil {
					references = append(references, reference{last, len(file.programs[last]), words[1]})
				}
			}
			file.programs[last] = append(file.programs[last], instruction)
		case words[0] == "program":
			file.programs = append(file.programs, nil)
		case words[0] == "order":
			for _, word := range words[1:] {
				tid, err := strconv.Atoi(word)
				if err != nil {
					return nil, fault(err)
				}
				file.scheduler.Order = append(file.scheduler.Order, tid)
			}
		case words[0] == "late":
			file.scheduler.Late = true
		case words[0] == "turns":
			file.scheduler.Turns = true
		case words[0] == "skip-exit-stops":
			file.scheduler.SkipExitStops = true
		default:
			file.commands = append(file.commands, words)
		}
	}
	for _, r := range references {
		target, found := labels[fmt.Sprint(r.program, r.label+":")]
		if !found {
			return nil, fmt.Errorf("program %d has no label %s", r.program, r.label)
		}
		file.programs[r.program][r.instruction].Argument = uint64(target)
	}
	return file, nil
}

// goldenSession plays the client of a golden file.
type goldenSession struct {
	kernel *simulation.Kernel
	table  *Table
	output strings.Builder
}

func (s *goldenSession) play(file *goldenFile) (string, error) {
	s.kernel = simulation.NewKernel(&file.scheduler, file.programs)
	s.table = NewTable(simulated{s.kernel})
	for _, words := range file.commands {
		fmt.Fprintf(&s.output, "> %s\n", strings.Join(words, " "))
		if err := s.command(words[0], words[1:]); err != nil {
			return "", fmt.Errorf("%s: %w\n%s\n%s", strings.Join(words, " "), err, s.output.String(), strings.Join(s.kernel.Trace(), "\n"))
		}
	}
	for _, fault := range s.kernel.Faults {
		fmt.Fprintf(&s.output, "FAULT: %s\n", fault)
	}
	return s.output.String(), nil
}

func (s *goldenSession) command(name string, words []string) error {
	var numbers []uint64
	for _, word := range words {
		if number, err := strconv.ParseUint(word, 0, 64); err == nil {
			numbers = append(numbers, number)
		}
	}
	first := func() int {
		if len(numbers) == 0 {
			return 0
		}
		return int(numbers[0])
	}
	process := s.table.Process(first())
	switch name {
	case "events":
		s.table.Events = Events{Fork: slices.Contains(words, "fork"), VFork: slices.Contains(words, "vfork"), Exec: slices.Contains(words, "exec")}
		return nil
	case "pass":
		for _, number := range numbers {
			s.table.Pass.Add(unix.Signal(number))
		}
		return nil
	case "launch":
		if _, err := s.table.Launch(ptrace.Program{Path: strconv.Itoa(first())}, 0); err != nil {
			return err
		}
	case "attach":
		pid := s.kernel.Start(first())
		if len(numbers) > 1 {
			for range numbers[1] {
				s.kernel.Tick()
			}
		}
		if len(numbers) > 2 {
			if err := s.kernel.SignalProcess(pid, unix.Signal(numbers[2])); err != nil {
				return err
			}
		}
		process, err := s.table.Attach(pid)
		if err != nil {
			return err
		}
		if stop := process.FirstLWP().Reported(); stop.Kind != NoStop {
			fmt.Fprintln(&s.output, describe(stop))
		}
	case "finish":
		if err := s.table.Finish(); err != nil {
			return err
		}
	case "resume":
		return s.resume(words)
	case "go":
		return s.steer(words, Action{})
	case "nonstop", "allstop":
		if err := s.table.SetNonStop(name == "nonstop"); err != nil {
			return err
		}
	case "wait":
		return s.wait()
	case "ack":
		return s.acknowledge()
	case "again":
		s.table.ReportAgain()
		return s.acknowledge()
	case "press":
		return s.table.Interrupt()
	case "outside":
		s.kernel.KillFromOutside(first())
	case "insert", "remove", "over", "detach", "kill", "watch":
		if process == nil {
			return fmt.Errorf("there is no process %d", first())
		}
		switch name {
		case "insert":
			return process.Memory().InsertBreakpoint(numbers[1])
		case "remove":
			return process.Memory().RemoveBreakpoint(numbers[1])
		case "over":
			return process.Memory().InsertJudged(numbers[1], Judge{Decide: func(lwp *LWP) Verdict {
				fmt.Fprintf(&s.output, "  judged: %d at %#x\n", lwp.TID, numbers[1])
				return PassOver
			}})
		case "watch":
			if err := process.InsertHardware(HardwareWrite, numbers[1], 8); err != nil {
				return err
			}
		case "detach":
			if err := s.table.Detach(process); err != nil {
				return err
			}
		case "kill":
			if err := s.table.Kill(process); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("there is no command %s", name)
	}
	s.show()
	return nil
}

// steer resumes those that are named, and has the others do something else.
func (s *goldenSession) steer(words []string, others Action) error {
	actions := map[int]Action{}
	for _, word := range words {
		tid, verb, _ := strings.Cut(word, ":")
		number, err := strconv.Atoi(tid)
		if err != nil {
			return err
		}
		verb, signal, _ := strings.Cut(verb, "=")
		kinds := map[string]ActionKind{"stay": Stay, "continue": Continue, "step": Step, "halt": Halt}
		action := Action{Kind: kinds[verb]}
		if signal != "" {
			n, err := strconv.Atoi(signal)
			if err != nil {
				return err
			}
			action.Signal = unix.Signal(n)
		}
		actions[number] = action
	}
	return s.table.Resume(func(lwp *LWP) Action {
		if action, found := actions[lwp.TID]; found {
			return action
		}
		return others
	})
}

// wait prints the next report in non-stop.
func (s *goldenSession) wait() error {
	stop, err := s.table.Wait()
	switch {
	case err == ptrace.ErrInput:
		fmt.Fprintln(&s.output, "nothing happens")
	case err == ErrIdle:
		fmt.Fprintln(&s.output, "nothing runs")
	case err != nil:
		return err
	default:
		fmt.Fprintln(&s.output, describe(stop))
	}
	s.show()
	return nil
}

func (s *goldenSession) acknowledge() error {
	for {
		stop, found, err := s.table.Acknowledge()
		if !found || err != nil {
			return err
		}
		fmt.Fprintln(&s.output, describe(stop))
	}
}

func (s *goldenSession) resume(words []string) error {
	if err := s.steer(words, Action{Kind: Continue}); err != nil {
		return err
	}
	stop, err := s.table.Wait()
	if err == ptrace.ErrInput {
		fmt.Fprintln(&s.output, "nothing happens; interrupting")
		if err := s.table.Interrupt(); err != nil {
			return err
		}
		stop, err = s.table.Wait()
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(&s.output, describe(stop))
	s.show()
	return nil
}

// show prints every thread with its state and pc.
func (s *goldenSession) show() {
	states := map[lwpState]string{lwpStopped: "stopped", lwpRunning: "running", lwpHeld: "held", lwpEnding: "ending"}
	for _, process := range s.table.processes {
		fmt.Fprintf(&s.output, "  %d:", process.PID)
		if process.unwatched {
			s.output.WriteString(" unwatched:")
		}
		for _, lwp := range process.LWPs() {
			fmt.Fprintf(&s.output, " %d %s", lwp.TID, states[lwp.state])
			if registers, err := lwp.Registers(); err == nil {
				fmt.Fprintf(&s.output, " at %#x", registers.PC())
			}
			if lwp.pending.Kind != NoStop {
				fmt.Fprintf(&s.output, " (%v)", lwp.pending.Kind)
			}
		}
		fmt.Fprintln(&s.output)
	}
}

func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(text), reportsMark)
			file, err := parseGolden(script)
			if err != nil {
				t.Fatal(err)
			}
			session := &goldenSession{}
			got, err := session.play(file)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(name, []byte(script+reportsMark+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("reports:\n%s\nwant:\n%s\nwhat happened:\n%s", got, want, strings.Join(session.kernel.Trace(), "\n"))
			}
		})
	}
}
