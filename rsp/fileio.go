package rsp

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// FileOpenFlags are the flags of vFile:open, with the File-I/O protocol's
// own numbers ("Open Flags").
type FileOpenFlags uint32

// The open flags of the File-I/O protocol.
const (
	FileReadOnly  FileOpenFlags = 0x0
	FileWriteOnly FileOpenFlags = 0x1
	FileReadWrite FileOpenFlags = 0x2
	FileAppend    FileOpenFlags = 0x8
	FileCreate    FileOpenFlags = 0x200
	FileTruncate  FileOpenFlags = 0x400
	FileExclusive FileOpenFlags = 0x800
)

// The open flags that LLDB has besides (lldb/include/lldb/Host/File.h in LLVM's
// source, OpenOptions).
const (
	FileNonBlocking FileOpenFlags = 1 << 28
	FileNoFollow    FileOpenFlags = 1 << 29
	FileCloseOnExec FileOpenFlags = 1 << 30
)

var linuxOpenFlags = []struct {
	wire  FileOpenFlags
	linux int
}{
	{FileAppend, unix.O_APPEND},
	{FileCreate, unix.O_CREAT},
	{FileTruncate, unix.O_TRUNC},
	{FileExclusive, unix.O_EXCL},
	{FileNonBlocking, unix.O_NONBLOCK},
	{FileNoFollow, unix.O_NOFOLLOW},
	{FileCloseOnExec, unix.O_CLOEXEC},
}

// Linux returns the flags of open(2) that mean the same. It reports false if
// there are bits that the protocol does not have.
func (f FileOpenFlags) Linux() (int, bool) {
	var flags int
	switch f & 3 {
	case FileReadOnly:
		flags = unix.O_RDONLY
	case FileWriteOnly:
		flags = unix.O_WRONLY
	case FileReadWrite:
		flags = unix.O_RDWR
	default:
		return 0, false
	}
	f &^= 3
	for _, bit := range linuxOpenFlags {
		if f&bit.wire != 0 {
			flags |= bit.linux
			f &^= bit.wire
		}
	}
	return flags, f == 0
}

// FileMode is a file's type and permissions with the File-I/O protocol's own
// numbers ("mode_t Values").
type FileMode uint32

// The file types of the File-I/O protocol. The nine permission bits are
// those of Linux.
const (
	FileTypeRegular   FileMode = 0100000
	FileTypeDirectory FileMode = 040000
	FileTypeCharacter FileMode = 020000

	filePermissions = 0777
)

// Linux returns the permission bits for open(2).
func (m FileMode) Linux() uint32 { return uint32(m) & filePermissions }

// LinuxFileMode returns the mode for a Linux st_mode. A type that the
// protocol does not have leaves the type empty, and the set-id and sticky
// bits are left out.
func LinuxFileMode(mode uint32) FileMode {
	m := FileMode(mode & filePermissions)
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		m |= FileTypeRegular
	case unix.S_IFDIR:
		m |= FileTypeDirectory
	case unix.S_IFCHR:
		m |= FileTypeCharacter
	}
	return m
}

// FileErrno is an error number of the File-I/O protocol ("Errno Values").
type FileErrno uint32

// The error numbers of the File-I/O protocol.
const (
	FileEPERM        FileErrno = 1
	FileENOENT       FileErrno = 2
	FileEINTR        FileErrno = 4
	FileEIO          FileErrno = 5
	FileEBADF        FileErrno = 9
	FileEACCES       FileErrno = 13
	FileEFAULT       FileErrno = 14
	FileEBUSY        FileErrno = 16
	FileEEXIST       FileErrno = 17
	FileENODEV       FileErrno = 19
	FileENOTDIR      FileErrno = 20
	FileEISDIR       FileErrno = 21
	FileEINVAL       FileErrno = 22
	FileENFILE       FileErrno = 23
	FileEMFILE       FileErrno = 24
	FileEFBIG        FileErrno = 27
	FileENOSPC       FileErrno = 28
	FileESPIPE       FileErrno = 29
	FileEROFS        FileErrno = 30
	FileENOSYS       FileErrno = 88
	FileENAMETOOLONG FileErrno = 91
	FileEUNKNOWN     FileErrno = 9999
)

// LinuxFileErrno returns the protocol's number for a Linux error, or
// FileEUNKNOWN where the protocol has none.
func LinuxFileErrno(errno syscall.Errno) FileErrno {
	switch errno {
	case unix.EPERM, unix.ENOENT, unix.EINTR, unix.EIO, unix.EBADF, unix.EACCES, unix.EFAULT,
		unix.EBUSY, unix.EEXIST, unix.ENODEV, unix.ENOTDIR, unix.EISDIR, unix.EINVAL,
		unix.ENFILE, unix.EMFILE, unix.EFBIG, unix.ENOSPC, unix.ESPIPE, unix.EROFS:
		return FileErrno(errno)
	case unix.ENOSYS:
		return FileENOSYS
	case unix.ENAMETOOLONG:
		return FileENAMETOOLONG
	}
	return FileEUNKNOWN
}

// FileStatSize is the size of a FileStat on the wire, in bytes.
const FileStatSize = 64

// FileStat is the protocol's struct stat ("struct stat"): what vFile:fstat,
// stat and lstat attach to their result.
type FileStat struct {
	Device           uint32
	Inode            uint32
	Mode             FileMode
	Links            uint32
	UID, GID         uint32
	SpecialDevice    uint32
	Size             uint64 // bytes
	BlockSize        uint64 // bytes
	Blocks           uint64 // of 512 bytes
	Accessed         uint32 // these three in seconds since 1970
	Modified         uint32
	StatusChangeTime uint32
}

// LinuxFileStat returns st as the protocol has it. Numbers that are too
// large for their field lose their upper bits.
func LinuxFileStat(st *unix.Stat_t) FileStat {
	return FileStat{
		Device:           uint32(st.Dev),
		Inode:            uint32(st.Ino),
		Mode:             LinuxFileMode(st.Mode),
		Links:            uint32(st.Nlink),
		UID:              st.Uid,
		GID:              st.Gid,
		SpecialDevice:    uint32(st.Rdev),
		Size:             uint64(st.Size),
		BlockSize:        uint64(st.Blksize),
		Blocks:           uint64(st.Blocks),
		Accessed:         uint32(st.Atim.Sec),
		Modified:         uint32(st.Mtim.Sec),
		StatusChangeTime: uint32(st.Ctim.Sec),
	}
}

// AppendTo appends the FileStatSize bytes, big endian and without padding.
func (s FileStat) AppendTo(dst []byte) []byte {
	for _, v := range [...]uint32{
		s.Device, s.Inode, uint32(s.Mode), s.Links, s.UID, s.GID, s.SpecialDevice,
	} {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	for _, v := range [...]uint64{s.Size, s.BlockSize, s.Blocks} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	for _, v := range [...]uint32{s.Accessed, s.Modified, s.StatusChangeTime} {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	return dst
}

// ParseFileStat reads what AppendTo wrote. It reports false if data is not
// FileStatSize bytes long.
func ParseFileStat(data []byte) (FileStat, bool) {
	if len(data) != FileStatSize {
		return FileStat{}, false
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(data[at:]) }
	long := func(at int) uint64 { return binary.BigEndian.Uint64(data[at:]) }
	return FileStat{
		Device: word(0), Inode: word(4), Mode: FileMode(word(8)), Links: word(12),
		UID: word(16), GID: word(20), SpecialDevice: word(24),
		Size: long(28), BlockSize: long(36), Blocks: long(44),
		Accessed: word(52), Modified: word(56), StatusChangeTime: word(60),
	}, true
}
