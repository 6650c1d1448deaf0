package gdbserver

import (
	"golang.org/x/sys/unix"

	"rspd/rsp"
	"rspd/threads"
)

// matchedAction is one action of a resumption and the threads it is for.
type matchedAction struct {
	thread rsp.ThreadID
	action threads.Action
}

// matches tells whether a thread id of the client's means an LWP.
func matches(thread rsp.ThreadID, lwp *threads.LWP) bool {
	if thread.PID > 0 && thread.PID != lwp.Process.PID {
		return false
	}
	return thread.TID <= 0 || thread.TID == lwp.TID
}

// chooseAction finds what the client wants of one LWP: the leftmost action
// that matches; without one it stays as it is (manual, vCont).
func (s *session) chooseAction(lwp *threads.LWP) threads.Action {
	for i := range s.actions {
		if matches(s.actions[i].thread, lwp) {
			return s.actions[i].action
		}
	}
	return threads.Action{}
}

func (s *session) vContQuery(*rsp.VContQuery) (rsp.Reply, error) {
	return rsp.VContActions{rsp.ActionContinue, rsp.ActionContinueSignal, rsp.ActionStep, rsp.ActionStepSignal,
		rsp.ActionStop, rsp.ActionRangeStep}, nil
}

func (s *session) vCont(request *rsp.VCont) (rsp.Reply, error) {
	if s.table.Over() && !s.table.NonStop() {
		return nil, errNoProcess
	}
	s.actions = s.actions[:0]
	for i := range request.Actions {
		asked := &request.Actions[i]
		matched := matchedAction{thread: asked.Thread}
		// In non-stop it may have ended without the client knowing.
		if asked.HasThread && asked.Thread.TID > 0 && !s.table.NonStop() {
			// So it may in all-stop, killed while it was stopped.
			if _, err := s.find(asked.Thread); err != nil && !s.table.Dying(asked.Thread.PID) {
				return nil, err
			}
		}
		signal, err := s.linuxSignal(asked.Signal)
		if err != nil {
			return nil, err
		}
		switch asked.Kind {
		case rsp.ActionContinue, rsp.ActionContinueSignal:
			matched.action = threads.Action{Kind: threads.Continue, Signal: signal}
		case rsp.ActionStep, rsp.ActionStepSignal:
			matched.action = threads.Action{Kind: threads.Step, Signal: signal}
		case rsp.ActionRangeStep:
			matched.action = threads.Action{Kind: threads.StepRange, Start: asked.RangeStart, End: asked.RangeEnd}
		case rsp.ActionStop:
			if err := s.permitOperation(rsp.AllowStop); err != nil {
				return nil, err
			}
			if s.lldb() && s.table.NonStop() && asked.HasThread && asked.Thread.TID != rsp.All {
				return nil, coded(codeTwoProcesses, "one thread of a process cannot be stopped alone")
			}
			// In all-stop everything is stopped already.
			if s.table.NonStop() {
				matched.action.Kind = threads.Halt
			}
		}
		s.actions = append(s.actions, matched)
	}
	if s.lldb() && !s.table.NonStop() && !s.oneProcess(s.actions) {
		return nil, coded(codeTwoProcesses, "threads of several processes cannot be resumed at once")
	}
	if s.lldb() && s.table.NonStop() {
		return s.steerLLDB()
	}
	return s.resume()
}

// resume sets the program going by s.actions and in all-stop waits for a stop.
func (s *session) resume() (rsp.Reply, error) {
	s.document.reset()
	if reply, held := s.release(); held {
		return reply, nil
	}
	if s.lldb() && !s.table.NonStop() {
		if err := s.table.ForgetInterrupt(); err != nil {
			return nil, err
		}
	}
	if err := s.table.Resume(s.decide); err != nil {
		return nil, err
	}
	if s.table.NonStop() {
		return rsp.OK{}, nil
	}
	return s.awaitStop()
}

// endUntold tells whether the process that the client means to resume has ended and
// the client does not know: it was killed, and seen to be by another request.
func (s *session) endUntold() bool {
	pid := s.resumed.PID
	if pid <= 0 {
		pid = s.general.PID
	}
	return s.table.Process(pid) == nil && s.table.Untold(pid) != nil
}

// resumeOld answers c, C, s and S: the thread that Hc chose gets the signal
// and the step, and unless it was one thread the others run too.
func (s *session) resumeOld(request *rsp.Resume) (rsp.Reply, error) {
	if s.endUntold() {
		s.actions = s.actions[:0]
		return s.resume()
	}
	lwp, err := s.find(s.resumed)
	if err != nil {
		return nil, err
	}
	toProcess := lwp == nil && s.lldb()
	alone := lwp != nil && s.resumed.TID > 0
	if s.lldb() {
		// The signal and the step are for the thread of Hc. A step is made
		// alone, and otherwise its whole process runs, but no other.
		alone = request.Step
	}
	if lwp == nil {
		if lwp, err = s.lwp(); err != nil {
			return nil, err
		}
	}
	signal, err := s.linuxSignal(request.Signal)
	if err != nil {
		return nil, err
	}
	if request.HasAddress {
		if request.Address == 0 {
			return nil, refusal("there is no code at address 0 to resume at")
		}
		registers, err := lwp.Registers()
		if err != nil {
			return nil, err
		}
		registers.SetPC(request.Address)
		lwp.RegistersChanged()
	}
	if toProcess && signal != 0 {
		// With no thread chosen it is sent anew, as by kill(2), and its arrival
		// reported: so lldb-server has it, and lldb's "process signal" counts on
		// it. Passing on what was reported is by vCont.
		if err := unix.Kill(lwp.Process.PID, signal); err != nil {
			return nil, err
		}
		signal = 0
	}
	action := threads.Action{Kind: threads.Continue, Signal: signal}
	if request.Step {
		action.Kind = threads.Step
	}
	s.actions = append(s.actions[:0], matchedAction{threadID(lwp), action})
	if !alone {
		all := rsp.ThreadID{PID: rsp.All, TID: rsp.All}
		if s.lldb() {
			all.PID = lwp.Process.PID
		}
		s.actions = append(s.actions, matchedAction{all, threads.Action{Kind: threads.Continue}})
	}
	if s.lldb() && s.table.NonStop() {
		return s.steerLLDB()
	}
	return s.resume()
}

// interrupt has what runs stop. A client of LLDB's kind means what it has resumed,
// and only the stop of that: an interrupt that crosses another stop, as one does
// that lldb sends to get a packet in between, is not for the next resumption.
func (s *session) interrupt() error {
	if s.lldb() {
		return s.table.Insist()
	}
	return s.table.Interrupt()
}

func (s *session) ctrlC(*rsp.CtrlC) (rsp.Reply, error) {
	if !s.table.NonStop() {
		// Everything is stopped: the interrupt has crossed the stop.
		return rsp.OK{}, nil
	}
	if s.lldb() {
		process, err := s.process()
		if err != nil {
			return nil, err
		}
		return rsp.OK{}, s.halt(process)
	}
	if err := s.table.Interrupt(); err != nil {
		return nil, err
	}
	return rsp.OK{}, nil
}
