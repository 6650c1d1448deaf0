package rsp

import (
	"fmt"
	"math"
)

const (
	// All as a process or thread number means every one of them.
	All = -1
	// Any as a process or thread number leaves the choice to the server.
	Any = 0
	// NoProcess as a process number says that none was given: the thread id
	// is not of the multiprocess form.
	NoProcess = -2
)

// A ThreadID names a thread, or several ("Packets", thread-id syntax). With
// the multiprocess extensions it is written pPID.TID, otherwise TID, both in
// hex. PID and TID are Linux process and LWP numbers, All or Any; PID may
// also be NoProcess. The zero value is any thread of any process, "p0.0".
type ThreadID struct {
	PID, TID int
}

// AppendTo appends the id in the multiprocess form, or if multiprocess is
// false the thread number alone. An id without a process is always written
// as the thread number alone.
func (id ThreadID) AppendTo(dst []byte, multiprocess bool) []byte {
	if multiprocess && id.PID != NoProcess {
		dst = append(dst, 'p')
		dst = appendIDNumber(dst, id.PID)
		dst = append(dst, '.')
	}
	return appendIDNumber(dst, id.TID)
}

func appendIDNumber(dst []byte, n int) []byte {
	if n < 0 {
		return append(dst, '-', '1')
	}
	return appendHexNumber(dst, uint64(n))
}

// String returns the id as the protocol writes it, with the process if there
// is one.
func (id ThreadID) String() string {
	return string(id.AppendTo(nil, true))
}

// ParseThreadID reads a whole text as a thread id: "1a", "-1", "0",
// "p1.2", "p1.-1", "p1" (the same as "p1.-1"), "p-1", "p-1.-1", "p0.0". The
// error is a *MalformedError, with PacketUnknown and Offset within text:
// a number that is missing, or does not fit a Linux process number, or one
// thread of all processes.
func ParseThreadID(text []byte) (ThreadID, error) {
	s := scanner{data: text}
	id := s.threadID()
	s.end()
	if s.err != nil {
		return ThreadID{}, s.err
	}
	return id, nil
}

func (s *scanner) threadID() ThreadID {
	at := s.pos
	if !s.accept('p') {
		return ThreadID{PID: NoProcess, TID: s.idNumber()}
	}
	id := ThreadID{PID: s.idNumber(), TID: All}
	if s.accept('.') {
		id.TID = s.idNumber()
	}
	if id.PID == All && id.TID > 0 {
		s.failAt(at, "a thread id can't name one thread of all processes")
	}
	return id
}

func (s *scanner) idNumber() int {
	at := s.pos
	if s.accept('-') {
		if s.number() != 1 {
			s.failAt(at, "the only negative process or thread number is -1")
		}
		return All
	}
	n := s.number()
	if n > math.MaxInt32 {
		s.failAt(at, fmt.Sprintf("%#x is too large for a process or thread number", n))
		return 0
	}
	return int(n)
}
