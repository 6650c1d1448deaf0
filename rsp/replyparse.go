package rsp

import (
	"bytes"
	"errors"
	"math"
)

// ErrUnsupported says that the server answered with an empty packet: it does
// not know the request.
var ErrUnsupported = errors.New("the server does not support this packet")

// CheckReply returns the Error that payload is, or ErrUnsupported if it is
// empty, and otherwise nil.
func CheckReply(payload []byte) error {
	if len(payload) == 0 {
		return ErrUnsupported
	}
	if e, ok := ParseError(payload); ok {
		return e
	}
	return nil
}

// ParseHex reads a reply of hex digits, such as that to m. An empty reply is
// no data, because m of no bytes is answered like that. Errors are an Error
// that the server sent, or a *MalformedError.
func ParseHex(payload []byte) ([]byte, error) {
	if e, ok := ParseError(payload); ok {
		return nil, e
	}
	data, bad := decodeHex(nil, payload)
	if bad >= 0 {
		return nil, &MalformedError{Offset: bad, Reason: "not hex data"}
	}
	return data, nil
}

// ParseTransfer reads the reply to a qXfer read. Errors are those of
// CheckReply, or a *MalformedError.
func ParseTransfer(payload []byte) (Transfer, error) {
	if err := CheckReply(payload); err != nil {
		return Transfer{}, err
	}
	s := scanner{data: payload}
	var t Transfer
	switch {
	case s.accept('m'):
		t.More = true
	case s.accept('l'):
	default:
		s.fail("neither m nor l")
	}
	t.Data = s.unescaped()
	if s.err != nil {
		return Transfer{}, s.err
	}
	return t, nil
}

func (s *scanner) unescaped() []byte {
	data, ok := AppendUnescaped(nil, s.rest())
	if !ok {
		s.fail("binary data ends within an escape")
	}
	return data
}

// ParseBinaryMemory reads the reply to x. Errors are those of CheckReply, or
// a *MalformedError.
func ParseBinaryMemory(payload []byte) ([]byte, error) {
	if err := CheckReply(payload); err != nil {
		return nil, err
	}
	s := scanner{data: payload}
	s.expect('b')
	data := s.unescaped()
	if s.err != nil {
		return nil, s.err
	}
	return data, nil
}

// ParseThreadList reads the reply to qfThreadInfo or qsThreadInfo. The list
// is empty at the end. Errors are those of CheckReply, or a *MalformedError.
func ParseThreadList(payload []byte) ([]ThreadID, error) {
	if err := CheckReply(payload); err != nil {
		return nil, err
	}
	s := scanner{data: payload}
	var list []ThreadID
	if !s.accept('l') {
		s.expect('m')
		list = append(list, s.threadID())
		for s.accept(',') {
			list = append(list, s.threadID())
		}
	}
	s.end()
	if s.err != nil {
		return nil, s.err
	}
	return list, nil
}

// ParseFileResult reads the reply to a vFile packet. Errors are those of
// CheckReply, or a *MalformedError; a failed operation is no error but a
// negative Result.
func ParseFileResult(payload []byte) (FileResult, error) {
	if err := CheckReply(payload); err != nil {
		return FileResult{}, err
	}
	s := scanner{data: payload}
	s.expect('F')
	var f FileResult
	if s.accept('-') {
		f.Result = -int64(s.numberUpTo(math.MaxInt64))
	} else {
		f.Result = int64(s.numberUpTo(math.MaxInt64))
	}
	if s.accept(',') {
		f.Errno = FileErrno(s.numberUpTo(math.MaxUint32))
	}
	if s.accept(';') {
		f.HasAttachment = true
		f.Attachment = s.unescaped()
	}
	s.end()
	if s.err != nil {
		return FileResult{}, s.err
	}
	return f, nil
}

// ParseCurrentThread reads the reply to qC. Errors are those of CheckReply,
// or a *MalformedError.
func ParseCurrentThread(payload []byte) (ThreadID, error) {
	if err := CheckReply(payload); err != nil {
		return ThreadID{}, err
	}
	if !bytes.HasPrefix(payload, []byte("QC")) {
		return ThreadID{}, &MalformedError{Packet: PacketCurrentThread, Reason: "the reply does not begin with QC"}
	}
	return ParseThreadID(payload[2:])
}
