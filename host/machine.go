package host

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// Triple is LLVM's name for programs of 32 or 64 bits of this machine.
func Triple(bits int) string {
	if bits == 32 {
		return "i386-pc-linux-gnu"
	}
	return "x86_64-pc-linux-gnu"
}

// hostInfo answers qHostInfo.
func hostInfo(*Client, rsp.Extension) (rsp.Reply, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	release := unix.ByteSliceToString(name.Release[:])
	version := release
	if i := strings.IndexFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		version = release[:i]
	}
	info := rsp.KeyValues{
		{Key: "triple", Value: rsp.HexText(Triple(64))},
		{Key: "ptrsize", Value: "8"},
		{Key: "watchpoint_exceptions_received", Value: "after"},
		{Key: "endian", Value: "little"},
		{Key: "os_version", Value: version},
		{Key: "os_build", Value: rsp.HexText(release)},
		{Key: "os_kernel", Value: rsp.HexText(unix.ByteSliceToString(name.Version[:]))},
		{Key: "hostname", Value: rsp.HexText(unix.ByteSliceToString(name.Nodename[:]))},
		{Key: "vm-page-size", Value: strconv.Itoa(os.Getpagesize())},
	}
	if distribution := distribution("/etc/os-release"); distribution != "" {
		info = append(info, rsp.KeyValue{Key: "distribution_id", Value: rsp.HexText(distribution)})
	}
	return info, nil
}

// distribution is the ID of os-release(5), "" where there is none.
func distribution(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if id, found := strings.CutPrefix(strings.TrimSpace(line), "ID="); found {
			return strings.Trim(id, `"'`)
		}
	}
	return ""
}

// signalsInfo answers jSignalsInfo: the signals of the machine and what lldb is
// to do with each unless its user says otherwise. Those that programs use among
// themselves, and that the C library does, are passed in silence.
func signalsInfo(*Client, rsp.Extension) (rsp.Reply, error) {
	type signal struct {
		Number      int    `json:"signo"`
		Name        string `json:"name"`
		Suppress    bool   `json:"suppress"`
		Stop        bool   `json:"stop"`
		Notify      bool   `json:"notify"`
		Description string `json:"description,omitempty"`
	}
	const first, last, realTime = 1, 64, 32
	list := make([]signal, 0, last)
	for number := first; number <= last; number++ {
		description := signal{Number: number, Name: signalName(number), Stop: true, Notify: true}
		switch unix.Signal(number) {
		case unix.SIGTRAP, unix.SIGSTOP:
			description.Suppress = true
		case unix.SIGALRM, unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGPROF, unix.SIGVTALRM, unix.SIGIO:
			description.Stop, description.Notify = false, unix.Signal(number) == unix.SIGCHLD
		}
		if number >= realTime {
			description.Stop, description.Notify = false, false
		}
		list = append(list, description)
	}
	return document(list)
}

func signalName(number int) string {
	if name := unix.SignalName(unix.Signal(number)); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", number)
}

// userName answers qUserName.
func userName(_ *Client, request *rsp.NameQuery) (rsp.Reply, error) {
	found, err := user.LookupId(strconv.Itoa(request.ID))
	if err != nil {
		return nil, coded(codeNoUser, "%v", err)
	}
	return rsp.Hex(found.Username), nil
}

// groupName answers qGroupName.
func groupName(_ *Client, request *rsp.NameQuery) (rsp.Reply, error) {
	found, err := user.LookupGroupId(strconv.Itoa(request.ID))
	if err != nil {
		return nil, coded(codeNoGroup, "%v", err)
	}
	return rsp.Hex(found.Name), nil
}

// speedTest answers qSpeedTest.
func (c *Client) speedTest(request *rsp.SpeedTest) (rsp.Reply, error) {
	if request.Size == 0 {
		return rsp.OK{}, nil
	}
	const label = "data:"
	return rsp.Text(label + string(bytes.Repeat([]byte{'a'}, min(request.Size, c.maxPacket-len(label))))), nil
}

// The codes of errors, as lldb-server has them.
const (
	codeNoProcess      = 0x01
	codeNothingFits    = 0x03
	codeNoMore         = 0x04
	codeNoUser         = 0x05
	codeNoGroup        = 0x06
	codeBadExpression  = 0x02
	codeNotDescribable = 0x03
)
