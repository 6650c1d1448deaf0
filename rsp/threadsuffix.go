package rsp

import "bytes"

// ThreadSuffix is what LLDB appends to g, G, p and P once the server has said
// OK to QThreadSuffixSupported: the thread that the packet is about, in place of
// Hg. The dialect of GDB does not have it.
type ThreadSuffix struct {
	Thread ThreadID
	// HasThread says that there was one.
	HasThread bool
}

// Suffix returns the thread, and whether one was named.
func (t *ThreadSuffix) Suffix() (ThreadID, bool) { return t.Thread, t.HasThread }

// Suffixed is a request that may carry a ThreadSuffix.
type Suffixed interface {
	Request
	Suffix() (ThreadID, bool)
}

const threadSuffix = ";thread:"

// threadSuffix takes a suffix, if one comes next.
func (p *Parser) threadSuffix(s *scanner) ThreadSuffix {
	if p.Dialect != LLDB || !s.acceptText(threadSuffix) {
		return ThreadSuffix{}
	}
	suffix := ThreadSuffix{Thread: s.threadID(), HasThread: true}
	s.accept(';')
	return suffix
}

// beforeSuffix takes all that is left but a suffix.
func (s *scanner) beforeSuffix(dialect Dialect) []byte {
	if dialect != LLDB || s.err != nil {
		return s.rest()
	}
	if i := bytes.Index(s.data[s.pos:], []byte(threadSuffix)); i >= 0 {
		text := s.data[s.pos : s.pos+i]
		s.pos += i
		return text
	}
	return s.rest()
}
