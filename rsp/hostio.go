package rsp

import "math"

// The vFile requests work on files of the machine the server runs on
// ("Host I/O Packets"). All are answered with FileResult.

// FileSetfs is vFile:setfs: names in later vFile packets are as the process
// sees them.
type FileSetfs struct {
	// PID is 0 for the server's own view.
	PID int
}

// FileOpen is vFile:open. The result is the file's number.
type FileOpen struct {
	Filename string
	// Flags and Mode are of the File-I/O protocol, not the system's.
	Flags FileOpenFlags
	Mode  FileMode
}

// FileClose is vFile:close.
type FileClose struct{ Descriptor int }

// FilePread is vFile:pread: read up to Count bytes at Offset. The result is
// how many were read, and they are attached.
type FilePread struct {
	Descriptor int
	Count      uint64
	Offset     int64
}

// FilePwrite is vFile:pwrite: write Data at Offset. The result is how many
// bytes were written.
type FilePwrite struct {
	Descriptor int
	Offset     int64
	Data       []byte
}

// FileFstat is vFile:fstat. The result is the size of a FileStat, which is
// attached.
type FileFstat struct{ Descriptor int }

// FileStatName is vFile:stat or vFile:lstat. The result is the size of a
// FileStat, which is attached.
type FileStatName struct {
	Filename string
	// NoFollow says that it was lstat: a symbolic link itself is meant.
	NoFollow bool
}

// FileUnlink is vFile:unlink.
type FileUnlink struct{ Filename string }

// FileReadlink is vFile:readlink. The result is the length of the link's
// target, which is attached.
type FileReadlink struct{ Filename string }

// FileQuestion is LLDB's vFile:exists, vFile:mode, vFile:size or vFile:MD5: is
// there such a file, what are its permissions, its size and its MD5 sum? The
// result of the first is Text, "F,1" or "F,0", and that of the last, too.
type FileQuestion struct {
	Name     PacketName
	Filename string
}

// Packet returns PacketFileExists, PacketFileMode, PacketFileSize or PacketFileMD5.
func (r *FileQuestion) Packet() PacketName { return r.Name }

// Packet returns PacketFileSetfs.
func (*FileSetfs) Packet() PacketName { return PacketFileSetfs }

// Packet returns PacketFileOpen.
func (*FileOpen) Packet() PacketName { return PacketFileOpen }

// Packet returns PacketFileClose.
func (*FileClose) Packet() PacketName { return PacketFileClose }

// Packet returns PacketFilePread.
func (*FilePread) Packet() PacketName { return PacketFilePread }

// Packet returns PacketFilePwrite.
func (*FilePwrite) Packet() PacketName { return PacketFilePwrite }

// Packet returns PacketFileFstat.
func (*FileFstat) Packet() PacketName { return PacketFileFstat }

// Packet returns PacketFileStat or PacketFileLstat.
func (r *FileStatName) Packet() PacketName {
	if r.NoFollow {
		return PacketFileLstat
	}
	return PacketFileStat
}

// Packet returns PacketFileUnlink.
func (*FileUnlink) Packet() PacketName { return PacketFileUnlink }

// Packet returns PacketFileReadlink.
func (*FileReadlink) Packet() PacketName { return PacketFileReadlink }

func (p *Parser) parseFile(s *scanner) Request {
	if !s.accept(':') {
		return &Unknown{Name: string(s.data[:s.pos])}
	}
	operation := string(s.until(':'))
	name, known := LookupPacketName("vFile:" + operation)
	if !known {
		return &Unknown{Name: "vFile:" + operation}
	}
	s.name = name
	s.expect(':')
	switch name {
	case PacketFileSymlink:
		r := &FileSymlink{Target: s.fileName()}
		s.expect(',')
		r.Link = s.fileName()
		s.end()
		return r
	case PacketFileExists, PacketFileMode, PacketFileSize, PacketFileMD5:
		r := &FileQuestion{Name: name, Filename: s.fileName()}
		s.end()
		return r
	case PacketFileSetfs:
		r := &FileSetfs{PID: s.pid()}
		s.end()
		return r
	case PacketFileOpen:
		r := &FileOpen{Filename: s.fileName()}
		s.expect(',')
		r.Flags = FileOpenFlags(s.numberUpTo(math.MaxUint32))
		s.expect(',')
		r.Mode = FileMode(s.numberUpTo(math.MaxUint32))
		s.end()
		return r
	case PacketFileClose:
		r := &FileClose{Descriptor: s.descriptor()}
		s.end()
		return r
	case PacketFilePread:
		r := &p.filePread
		r.Descriptor = s.descriptor()
		s.expect(',')
		r.Count = s.number()
		s.expect(',')
		r.Offset = int64(s.numberUpTo(math.MaxInt64))
		s.end()
		return r
	case PacketFilePwrite:
		r := &p.filePwrite
		r.Descriptor = s.descriptor()
		s.expect(',')
		r.Offset = int64(s.numberUpTo(math.MaxInt64))
		s.expect(',')
		r.Data = p.binaryData(s)
		return r
	case PacketFileFstat:
		r := &FileFstat{Descriptor: s.descriptor()}
		s.end()
		return r
	case PacketFileStat, PacketFileLstat:
		r := &FileStatName{Filename: s.fileName(), NoFollow: name == PacketFileLstat}
		s.end()
		return r
	case PacketFileUnlink:
		r := &FileUnlink{Filename: s.fileName()}
		s.end()
		return r
	case PacketFileReadlink:
		r := &FileReadlink{Filename: s.fileName()}
		s.end()
		return r
	}
	return &Unknown{Name: "vFile:" + operation}
}

func (s *scanner) descriptor() int { return int(s.numberUpTo(math.MaxInt32)) }

func (s *scanner) fileName() string { return s.withoutNUL(s.hexString(',')) }

// FileResult is the reply to a vFile packet ("Host I/O Packets").
type FileResult struct {
	// Result is what the operation returns, or -1 when it failed.
	Result int64
	// Errno says why it failed, if Result is negative.
	Errno FileErrno
	// Attachment is sent with the result, if HasAttachment.
	Attachment    []byte
	HasAttachment bool
}

// FileFailure returns the reply for an operation that failed.
func FileFailure(errno FileErrno) FileResult {
	return FileResult{Result: -1, Errno: errno}
}

// AppendTo appends "F", the result in hex, after a failure ",errno", and the
// attachment as binary data after ';'.
func (f FileResult) AppendTo(dst []byte) []byte {
	dst = append(dst, 'F')
	if f.Result < 0 {
		dst = append(dst, "-1,"...)
		return appendHexNumber(dst, uint64(f.Errno))
	}
	dst = appendHexNumber(dst, uint64(f.Result))
	if f.HasAttachment {
		dst = AppendEscaped(append(dst, ';'), f.Attachment)
	}
	return dst
}

// MaxFileResultHeader is the most bytes of a FileResult's payload that
// precede the attachment.
const MaxFileResultHeader = 1 + 16 + 1
