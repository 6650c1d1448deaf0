package rsp

// SetThread is H: choose the thread that later packets mean.
type SetThread struct {
	// Operation is 'g' for reading and writing memory and registers, 'c'
	// for the packets c, s, C and S.
	Operation byte
	Thread    ThreadID
}

// Packet returns PacketSetThread.
func (*SetThread) Packet() PacketName { return PacketSetThread }

func (p *Parser) parseSetThread(s *scanner) Request {
	if len(s.data) > 1 && s.data[1] != 'g' && s.data[1] != 'c' {
		return &Unknown{Name: string(s.data[:2])}
	}
	s.name = PacketSetThread
	r := &p.setThread
	switch {
	case s.accept('g'):
		r.Operation = 'g'
	case s.accept('c'):
		r.Operation = 'c'
	default:
		s.fail("the operation is missing")
	}
	r.Thread = s.threadID()
	s.end()
	return r
}

// ThreadAlive is T: is that thread alive? The answer is OK or an error.
type ThreadAlive struct {
	Thread ThreadID
}

// Packet returns PacketThreadAlive.
func (*ThreadAlive) Packet() PacketName { return PacketThreadAlive }

func (p *Parser) parseThreadAlive(s *scanner) Request {
	s.name = PacketThreadAlive
	p.threadAlive.Thread = s.threadID()
	s.end()
	return &p.threadAlive
}

// CurrentThreadQuery is qC: which thread is the current one? The answer is
// CurrentThread.
type CurrentThreadQuery struct{}

var theCurrentThreadQuery = &CurrentThreadQuery{}

// Packet returns PacketCurrentThread.
func (*CurrentThreadQuery) Packet() PacketName { return PacketCurrentThread }

// CurrentThread is the reply to qC.
type CurrentThread struct {
	Thread ThreadID
	// Multiprocess says that thread ids are written with the process.
	Multiprocess bool
}

// AppendTo appends the reply.
func (c CurrentThread) AppendTo(dst []byte) []byte {
	return c.Thread.AppendTo(append(dst, "QC"...), c.Multiprocess)
}

// ThreadInfo is qfThreadInfo or qsThreadInfo: list the threads from the
// first, or go on. The answer is ThreadList.
type ThreadInfo struct {
	// First says that the list begins anew.
	First bool
}

var (
	theFirstThreadInfo = &ThreadInfo{First: true}
	theNextThreadInfo  = &ThreadInfo{}
)

// Packet returns PacketFirstThreadInfo or PacketNextThreadInfo.
func (r *ThreadInfo) Packet() PacketName {
	if r.First {
		return PacketFirstThreadInfo
	}
	return PacketNextThreadInfo
}

// ThreadList is the reply to qfThreadInfo and qsThreadInfo: some thread ids,
// or none, which ends the list.
type ThreadList struct {
	Threads []ThreadID
	// Multiprocess says that thread ids are written with the process.
	Multiprocess bool
}

// AppendTo appends the reply, "m" and the ids, or "l".
func (l ThreadList) AppendTo(dst []byte) []byte {
	if len(l.Threads) == 0 {
		return append(dst, 'l')
	}
	mark := byte('m')
	for _, id := range l.Threads {
		dst = id.AppendTo(append(dst, mark), l.Multiprocess)
		mark = ','
	}
	return dst
}

// MaxThreadIDLength is the most bytes that one id and its separator take in
// a ThreadList whose numbers fit Linux's: "p", two numbers of eight digits,
// '.' and the separator.
const MaxThreadIDLength = 1 + 8 + 1 + 8 + 1

// ThreadExtraInfo is qThreadExtraInfo: describe the thread to the user. The
// answer is Hex of a text.
type ThreadExtraInfo struct {
	Thread ThreadID
}

// Packet returns PacketThreadExtraInfo.
func (*ThreadExtraInfo) Packet() PacketName { return PacketThreadExtraInfo }

func parseThreadExtraInfo(s *scanner) Request {
	s.name = PacketThreadExtraInfo
	s.expect(',')
	r := &ThreadExtraInfo{Thread: s.threadID()}
	s.end()
	return r
}

// ThreadEvents is QThreadEvents: report the creation and exit of threads, or
// stop doing so.
type ThreadEvents struct{ Enable bool }

// Packet returns PacketThreadEvents.
func (*ThreadEvents) Packet() PacketName { return PacketThreadEvents }

// ThreadOptionFlags are the events that QThreadOptions asks for.
type ThreadOptionFlags uint32

// The options ("QThreadOptions": GDB_THREAD_OPTION_CLONE and _EXIT).
const (
	OptionClone ThreadOptionFlags = 1 << iota // report the threads that it makes
	OptionExit                                // report its exit

	// KnownThreadOptions are all of them.
	KnownThreadOptions = OptionClone | OptionExit
)

// ThreadOption are the options of some threads.
type ThreadOption struct {
	Flags ThreadOptionFlags
	// Thread are those that it is for; without HasThread it is for all.
	Thread    ThreadID
	HasThread bool
}

// ThreadOptions is QThreadOptions: for each thread the last option that
// matches replaces those it had. There is at least one.
type ThreadOptions struct{ Options []ThreadOption }

// Packet returns PacketThreadOptions.
func (*ThreadOptions) Packet() PacketName { return PacketThreadOptions }

func parseThreadOptions(s *scanner) Request {
	s.name = PacketThreadOptions
	r := &ThreadOptions{}
	for {
		s.expect(';')
		option := ThreadOption{Flags: ThreadOptionFlags(s.numberUpTo(uint64(KnownThreadOptions)))}
		if s.accept(':') {
			option.Thread, option.HasThread = s.threadID(), true
		}
		r.Options = append(r.Options, option)
		if s.done() {
			break
		}
	}
	s.end()
	return r
}
