package host

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"rspd/host/hostio"
	"rspd/rsp"
)

// Client is what one client of a server has under way with the machine. It is
// for one goroutine.
type Client struct {
	// Files are those that the client has open.
	Files hostio.Files
	// Dialect is how the client takes the replies to vFile:unlink.
	Dialect rsp.Dialect

	maxPacket int
	// processes are what qsProcessInfo goes on with.
	processes []Process

	// What follows is room for replies, used again for each.
	result rsp.FileResult
	memory []byte
}

// NewClient makes a Client whose replies have at most maxPacket bytes.
func NewClient(maxPacket int) *Client { return &Client{maxPacket: maxPacket} }

// Close closes the client's files.
func (c *Client) Close() error { return c.Files.CloseAll() }

// Answer answers a request of those in Packets. The error is for the client: an
// rsp.Error where LLDB has a code for it.
func (c *Client) Answer(request rsp.Request) (rsp.Reply, error) {
	answer := answers[request.Packet()]
	if answer == nil {
		return rsp.Empty{}, nil
	}
	return answer(c, request)
}

// Packets are those that Answer answers.
func Packets() []rsp.PacketName {
	var names []rsp.PacketName
	for name, answer := range answers {
		if answer != nil {
			names = append(names, rsp.PacketName(name))
		}
	}
	return names
}

// on makes an answer of a function that takes one type of request.
func on[R rsp.Request](answer func(c *Client, request R) (rsp.Reply, error)) func(*Client, rsp.Request) (rsp.Reply, error) {
	return func(c *Client, request rsp.Request) (rsp.Reply, error) { return answer(c, request.(R)) }
}

var answers = [rsp.PacketCount]func(*Client, rsp.Request) (rsp.Reply, error){
	rsp.PacketFileSetfs:    on((*Client).fileSetfs),
	rsp.PacketFileOpen:     on((*Client).fileOpen),
	rsp.PacketFileClose:    on((*Client).fileClose),
	rsp.PacketFilePread:    on((*Client).filePread),
	rsp.PacketFilePwrite:   on((*Client).filePwrite),
	rsp.PacketFileFstat:    on((*Client).fileFstat),
	rsp.PacketFileStat:     on((*Client).fileStat),
	rsp.PacketFileLstat:    on((*Client).fileStat),
	rsp.PacketFileUnlink:   on((*Client).fileUnlink),
	rsp.PacketFileReadlink: on((*Client).fileReadlink),
	rsp.PacketFileExists:   on((*Client).fileExists),
	rsp.PacketFileMode:     on((*Client).fileMode),
	rsp.PacketFileSize:     on((*Client).fileSize),
	rsp.PacketFileMD5:      on((*Client).fileMD5),
	rsp.PacketFileSymlink:  on((*Client).fileSymlink),

	rsp.PacketMakeDirectory: on(makeDirectory),
	rsp.PacketChangeMode:    on(changeMode),
	rsp.PacketPathComplete:  on(completePath),

	rsp.PacketModuleInfo:  on(moduleInfo),
	rsp.PacketModulesInfo: on(modulesInfo),

	rsp.PacketHostInfo:       on(hostInfo),
	rsp.PacketSignalsInfo:    on(signalsInfo),
	rsp.PacketUserName:       on(userName),
	rsp.PacketGroupName:      on(groupName),
	rsp.PacketProcessInfoPID: on(processInfoPID),
	rsp.PacketFindProcesses:  on((*Client).findProcesses),
	rsp.PacketNextProcess:    on((*Client).nextProcess),

	rsp.PacketEcho: on(func(_ *Client, request *rsp.Echo) (rsp.Reply, error) {
		return rsp.Raw(request.Payload), nil
	}),
	rsp.PacketSpeedTest: on((*Client).speedTest),
}

// coded is an error for the client: a sentence and lldb-server's code for it.
func coded(code byte, format string, arguments ...any) error {
	return rsp.Error{Code: code, Text: fmt.Sprintf(format, arguments...)}
}

// document is a JSON reply.
func document(content any) (rsp.Reply, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return rsp.Binary(text), nil
}

// ErrorReply is an error as clients of LLDB's kind take it: its sentence is only
// for those that have sent QEnableErrorStrings.
func ErrorReply(told rsp.Error, strings bool) rsp.Reply {
	if !strings {
		told.Text = ""
	}
	return rsp.ErrorString(told)
}

// WorkingDirectory answers qGetWorkingDir: the directory, or this process's for
// "".
func WorkingDirectory(directory string) (rsp.Reply, error) {
	if directory == "" || !filepath.IsAbs(directory) {
		own, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		directory = filepath.Join(own, directory)
	}
	return rsp.Hex(directory), nil
}
