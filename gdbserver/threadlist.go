package gdbserver

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

func (s *session) setThread(request *rsp.SetThread) (rsp.Reply, error) {
	if s.lldb() && request.Thread.PID == rsp.Any && request.Thread.TID > 0 {
		return nil, coded(codeUnknownProcess, "there is no process 0")
	}
	lwp, err := s.find(request.Thread)
	if ended := s.table.Untold(request.Thread.PID); err != nil && ended != nil && !s.lldb() {
		lwp, err = ended, nil
	}
	if err != nil {
		return nil, err
	}
	if request.Operation == 'c' {
		s.resumed = request.Thread
		return rsp.OK{}, nil
	}
	if len(s.table.Processes()) == 0 {
		return nil, errNoProcess
	}
	if lwp != nil {
		s.selectLWP(lwp)
		return rsp.OK{}, nil
	}
	// Any thread: the one selected before, if it is still there.
	if _, err := s.lwp(); err != nil {
		s.general = rsp.ThreadID{PID: rsp.Any, TID: rsp.Any}
		lwp, err := s.lwp()
		if err != nil {
			return nil, err
		}
		s.selectLWP(lwp)
	}
	return rsp.OK{}, nil
}

func (s *session) threadAlive(request *rsp.ThreadAlive) (rsp.Reply, error) {
	lwp, err := s.find(request.Thread)
	if err != nil {
		return nil, err
	}
	if lwp == nil && len(s.table.Processes()) == 0 {
		return nil, errNoProcess
	}
	if lwp != nil && lwp.Ending() && lwp.TID != lwp.Process.PID {
		return nil, refusal("thread %v has ended", request.Thread)
	}
	return rsp.OK{}, nil
}

func (s *session) currentThread(*rsp.CurrentThreadQuery) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	return rsp.CurrentThread{Thread: threadID(lwp), Multiprocess: s.client.multiprocess}, nil
}

// listed calls a function for each LWP that a client can work with: a child
// whose birth has not been reported would look like one from nowhere.
func (s *session) listed(visit func(lwp *threads.LWP)) {
	for _, process := range s.table.Processes() {
		if process.Unreported() {
			continue
		}
		for _, lwp := range process.LWPs() {
			if !lwp.Ending() && !lwp.Unreported() {
				visit(lwp)
			}
		}
	}
}

// threadInfo lists the thread ids, as many in one packet as it holds.
func (s *session) threadInfo(request *rsp.ThreadInfo) (rsp.Reply, error) {
	if request.First {
		s.threadList = s.threadList[:0]
		s.listed(func(lwp *threads.LWP) { s.threadList = append(s.threadList, threadID(lwp)) })
		if len(s.threadList) == 0 && s.lldb() {
			// lldb takes an empty list for a target that has no ids, and for
			// one process that runs (GetCurrentProcessAndThreadIDs in
			// GDBRemoteCommunicationClient.cpp of LLVM's source).
			return rsp.OK{}, nil
		}
	}
	if s.lldb() && request.First && len(s.threadList) == 0 {
		// lldb takes an empty list for one that it has to ask for otherwise, by
		// "?", whose answer would end what it has not begun.
		return rsp.OK{}, nil
	}
	n := min(len(s.threadList), (s.conn.MaxPacket()-1)/rsp.MaxThreadIDLength)
	list := rsp.ThreadList{Threads: s.threadList[:n], Multiprocess: s.client.multiprocess}
	s.threadList = s.threadList[n:]
	return list, nil
}

func (s *session) threadExtraInfo(request *rsp.ThreadExtraInfo) (rsp.Reply, error) {
	lwp, err := s.find(request.Thread)
	if err != nil {
		return nil, err
	}
	if lwp == nil {
		return nil, refusal("one thread has to be named")
	}
	stat, err := ptrace.ReadTaskStat(lwp.Process.PID, lwp.TID)
	if err != nil {
		return nil, err
	}
	return rsp.Hex(stat.Name), nil
}

func (s *session) attached(request *rsp.AttachedQuery) (rsp.Reply, error) {
	process, err := s.process()
	if request.HasPID {
		if process = s.table.Process(request.PID); process == nil {
			return nil, refusal("process %d is not being debugged", request.PID)
		}
	} else if err != nil {
		return nil, err
	}
	return rsp.Attached(process.Attached), nil
}

// listThreads makes the thread list. Threads that run and have never been
// looked at are stopped for that, since only then their pointers can be read.
func (s *session) listThreads() (document []byte, err error) {
	unknown := false
	s.listed(func(lwp *threads.LWP) {
		_, known := lwp.ThreadPointer()
		unknown = unknown || !known
	})
	if unknown {
		err = s.table.WhileStopped(func() error {
			document = s.threadsDocument()
			return nil
		})
		return document, err
	}
	return s.threadsDocument(), nil
}

// threadsDocument is the qXfer:threads object (manual, "Thread List Format").
func (s *session) threadsDocument() []byte {
	var document bytes.Buffer
	document.WriteString("<threads>\n")
	var id []byte
	s.listed(func(lwp *threads.LWP) {
		id = threadID(lwp).AppendTo(id[:0], s.client.multiprocess)
		fmt.Fprintf(&document, `<thread id="%s"`, id)
		// A thread that has ended meanwhile is listed without the rest.
		if stat, err := ptrace.ReadTaskStat(lwp.Process.PID, lwp.TID); err == nil {
			fmt.Fprintf(&document, ` core="%d" name="`, stat.Processor)
			// Writing to a buffer does not fail.
			_ = xml.EscapeText(&document, []byte(stat.Name))
			document.WriteByte('"')
		}
		if handle := threadHandle(lwp); handle != nil {
			fmt.Fprintf(&document, ` handle="%x"`, handle)
		}
		document.WriteString("/>\n")
	})
	document.WriteString("</threads>\n")
	return document.Bytes()
}
