package host

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// fileReply makes the reply of a vFile packet from what the operation gave.
func (c *Client) fileReply(result int64, err error) (rsp.Reply, error) {
	c.result = rsp.FileResult{Result: result}
	if err != nil {
		errno := unix.EIO
		errors.As(err, &errno)
		c.result = rsp.FileFailure(rsp.LinuxFileErrno(errno))
	}
	return &c.result, nil
}

func (c *Client) attachmentReply(data []byte, err error) (rsp.Reply, error) {
	reply, failure := c.fileReply(int64(len(data)), err)
	if err == nil {
		c.result.Attachment, c.result.HasAttachment = data, true
	}
	return reply, failure
}

func (c *Client) fileSetfs(request *rsp.FileSetfs) (rsp.Reply, error) {
	return c.fileReply(0, c.Files.SetFilesystem(request.PID))
}

func (c *Client) fileOpen(request *rsp.FileOpen) (rsp.Reply, error) {
	flags, ok := request.Flags.Linux()
	if !ok {
		return c.fileReply(0, unix.EINVAL)
	}
	descriptor, err := c.Files.Open(request.Filename, flags, request.Mode.Linux())
	return c.fileReply(int64(descriptor), err)
}

func (c *Client) fileClose(request *rsp.FileClose) (rsp.Reply, error) {
	return c.fileReply(0, c.Files.Close(request.Descriptor))
}

// filePread sends as much as was asked for and fits: what is escaped takes two
// bytes, so how much that is shows only in the data.
func (c *Client) filePread(request *rsp.FilePread) (rsp.Reply, error) {
	most := c.maxPacket - rsp.MaxFileResultHeader
	length := int(min(request.Count, uint64(most)))
	if cap(c.memory) < length {
		c.memory = make([]byte, length, c.maxPacket)
	}
	n, err := c.Files.ReadAt(request.Descriptor, c.memory[:length], request.Offset)
	if err != nil {
		return c.fileReply(0, err)
	}
	return c.attachmentReply(c.memory[:rsp.EscapedPrefix(c.memory[:n], most)], nil)
}

func (c *Client) filePwrite(request *rsp.FilePwrite) (rsp.Reply, error) {
	n, err := c.Files.WriteAt(request.Descriptor, request.Data, request.Offset)
	return c.fileReply(int64(n), err)
}

func (c *Client) statReply(stat unix.Stat_t, err error) (rsp.Reply, error) {
	if err != nil {
		return c.fileReply(0, err)
	}
	return c.attachmentReply(rsp.LinuxFileStat(&stat).AppendTo(nil), nil)
}

func (c *Client) fileFstat(request *rsp.FileFstat) (rsp.Reply, error) {
	return c.statReply(c.Files.Fstat(request.Descriptor))
}

func (c *Client) fileStat(request *rsp.FileStatName) (rsp.Reply, error) {
	if request.NoFollow {
		return c.statReply(c.Files.Lstat(request.Filename))
	}
	return c.statReply(c.Files.Stat(request.Filename))
}

// OpenOwn opens a file of the server's own for vFile:open, whatever filesystem the
// client has chosen.
func (c *Client) OpenOwn(name string) (rsp.Reply, error) {
	descriptor, err := c.Files.OpenOwn(name)
	return c.fileReply(int64(descriptor), err)
}

func (c *Client) fileUnlink(request *rsp.FileUnlink) (rsp.Reply, error) {
	err := c.Files.Unlink(request.Filename)
	if c.Dialect == rsp.LLDB {
		return fileOutcome(err), nil
	}
	return c.fileReply(0, err)
}

// fileOutcome makes the reply of a vFile packet of LLDB's that yields nothing.
func fileOutcome(err error) rsp.Reply {
	if err == nil {
		return rsp.FileOutcome(0)
	}
	errno := unix.EIO
	errors.As(err, &errno)
	return rsp.FileOutcome(rsp.LinuxFileErrno(errno))
}

// fileSymlink answers vFile:symlink.
func (c *Client) fileSymlink(request *rsp.FileSymlink) (rsp.Reply, error) {
	return fileOutcome(c.Files.Symlink(request.Target, request.Link)), nil
}

// fileMD5 answers vFile:MD5: the sum as two numbers of 64 bits, of which the
// first has the first bytes and each has its lowest byte first in the sum.
func (c *Client) fileMD5(request *rsp.FileQuestion) (rsp.Reply, error) {
	descriptor, err := c.Files.Open(request.Filename, unix.O_RDONLY, 0)
	if err != nil {
		return rsp.Text("F,x"), nil
	}
	defer c.Files.Close(descriptor)
	if stat, err := c.Files.Fstat(descriptor); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return rsp.Text("F,x"), nil
	}
	sum := md5.New()
	buffer := make([]byte, 1<<16)
	for offset := int64(0); ; {
		n, err := c.Files.ReadAt(descriptor, buffer, offset)
		if err != nil {
			return rsp.Text("F,x"), nil
		}
		if n == 0 {
			break
		}
		sum.Write(buffer[:n])
		offset += int64(n)
	}
	digest := sum.Sum(nil)
	return rsp.Text(fmt.Sprintf("F,%016x%016x", binary.LittleEndian.Uint64(digest), binary.LittleEndian.Uint64(digest[8:]))), nil
}

func (c *Client) fileReadlink(request *rsp.FileReadlink) (rsp.Reply, error) {
	target, err := c.Files.Readlink(request.Filename)
	return c.attachmentReply([]byte(target), err)
}

// fileExists answers vFile:exists.
func (c *Client) fileExists(request *rsp.FileQuestion) (rsp.Reply, error) {
	if _, err := c.Files.Stat(request.Filename); err != nil {
		return rsp.Text("F,0"), nil
	}
	return rsp.Text("F,1"), nil
}

// fileMode answers vFile:mode: the permissions.
func (c *Client) fileMode(request *rsp.FileQuestion) (rsp.Reply, error) {
	stat, err := c.Files.Stat(request.Filename)
	return c.fileReply(int64(stat.Mode&0o7777), err)
}

// fileSize answers vFile:size.
func (c *Client) fileSize(request *rsp.FileQuestion) (rsp.Reply, error) {
	stat, err := c.Files.Stat(request.Filename)
	return c.fileReply(stat.Size, err)
}
