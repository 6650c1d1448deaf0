package gdbserver

import (
	"errors"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// fileReply makes the reply of a vFile packet from what the operation gave.
func (s *session) fileReply(result int64, err error) (rsp.Reply, error) {
	s.fileResult = rsp.FileResult{Result: result}
	if err != nil {
		errno := unix.EIO
		errors.As(err, &errno)
		s.fileResult = rsp.FileFailure(rsp.LinuxFileErrno(errno))
	}
	return &s.fileResult, nil
}

func (s *session) attachmentReply(data []byte, err error) (rsp.Reply, error) {
	reply, failure := s.fileReply(int64(len(data)), err)
	if err == nil {
		s.fileResult.Attachment, s.fileResult.HasAttachment = data, true
	}
	return reply, failure
}

func (s *session) fileSetfs(request *rsp.FileSetfs) (rsp.Reply, error) {
	return s.fileReply(0, s.files.SetFilesystem(request.PID))
}

func (s *session) fileOpen(request *rsp.FileOpen) (rsp.Reply, error) {
	flags, ok := request.Flags.Linux()
	if !ok {
		return s.fileReply(0, unix.EINVAL)
	}
	if s.patchFile(request.Filename) {
		descriptor, err := s.files.OpenOwn(request.Filename)
		return s.fileReply(int64(descriptor), err)
	}
	descriptor, err := s.files.Open(request.Filename, flags, request.Mode.Linux())
	return s.fileReply(int64(descriptor), err)
}

func (s *session) fileClose(request *rsp.FileClose) (rsp.Reply, error) {
	return s.fileReply(0, s.files.Close(request.Descriptor))
}

// filePread sends as much as was asked for and fits: what is escaped takes two
// bytes, so how much that is shows only in the data.
func (s *session) filePread(request *rsp.FilePread) (rsp.Reply, error) {
	most := s.conn.MaxPacket() - rsp.MaxFileResultHeader
	length := int(min(request.Count, uint64(most)))
	if cap(s.memory) < length {
		s.memory = make([]byte, length, s.conn.MaxPacket())
	}
	n, err := s.files.ReadAt(request.Descriptor, s.memory[:length], request.Offset)
	if err != nil {
		return s.fileReply(0, err)
	}
	return s.attachmentReply(s.memory[:rsp.EscapedPrefix(s.memory[:n], most)], nil)
}

func (s *session) filePwrite(request *rsp.FilePwrite) (rsp.Reply, error) {
	n, err := s.files.WriteAt(request.Descriptor, request.Data, request.Offset)
	return s.fileReply(int64(n), err)
}

func (s *session) statReply(stat unix.Stat_t, err error) (rsp.Reply, error) {
	if err != nil {
		return s.fileReply(0, err)
	}
	return s.attachmentReply(rsp.LinuxFileStat(&stat).AppendTo(nil), nil)
}

func (s *session) fileFstat(request *rsp.FileFstat) (rsp.Reply, error) {
	return s.statReply(s.files.Fstat(request.Descriptor))
}

func (s *session) fileStat(request *rsp.FileStatName) (rsp.Reply, error) {
	if request.NoFollow {
		return s.statReply(s.files.Lstat(request.Filename))
	}
	return s.statReply(s.files.Stat(request.Filename))
}

func (s *session) fileUnlink(request *rsp.FileUnlink) (rsp.Reply, error) {
	return s.fileReply(0, s.files.Unlink(request.Filename))
}

func (s *session) fileReadlink(request *rsp.FileReadlink) (rsp.Reply, error) {
	target, err := s.files.Readlink(request.Filename)
	return s.attachmentReply([]byte(target), err)
}

// fileExists answers vFile:exists.
func (s *session) fileExists(request *rsp.FileQuestion) (rsp.Reply, error) {
	if _, err := s.files.Stat(request.Filename); err != nil {
		return rsp.Text("F,0"), nil
	}
	return rsp.Text("F,1"), nil
}

// fileMode answers vFile:mode: the permissions.
func (s *session) fileMode(request *rsp.FileQuestion) (rsp.Reply, error) {
	stat, err := s.files.Stat(request.Filename)
	return s.fileReply(int64(stat.Mode&0o7777), err)
}

// fileSize answers vFile:size.
func (s *session) fileSize(request *rsp.FileQuestion) (rsp.Reply, error) {
	stat, err := s.files.Stat(request.Filename)
	return s.fileReply(stat.Size, err)
}
