package host

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"rspd/rsp"
)

func decimal(n int) string { return strconv.Itoa(n) }

// ask answers a packet.
func ask(t *testing.T, c *Client, packet string) string {
	t.Helper()
	parser := rsp.Parser{Dialect: rsp.LLDB}
	request, err := parser.Parse([]byte(packet))
	if err != nil {
		t.Fatalf("%s: %v", packet, err)
	}
	reply, err := c.Answer(request)
	if err != nil {
		told := rsp.Error{Code: 1}
		errors.As(err, &told)
		reply = ErrorReply(told, false)
	}
	return string(reply.AppendTo(nil))
}

// TestFiles works on files as LLDB's platform does.
func TestFiles(t *testing.T) {
	c := NewClient(rsp.DefaultPacketSize)
	c.Dialect = rsp.LLDB
	defer c.Close()
	directory := t.TempDir()
	hex := func(name string) string { return rsp.HexText(filepath.Join(directory, name)) }
	content := "a}b]c#d$e*f\x00\xff"
	if err := os.WriteFile(filepath.Join(directory, "file"), []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte(content))
	digest := fmt.Sprintf("%016x%016x", binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:]))
	const createReadWriteCloseOnExec = "40000602"
	for _, exchange := range [][2]string{
		{"vFile:exists:" + hex("file"), "F,1"},
		{"vFile:size:" + hex("file"), "Fd"},
		{"vFile:mode:" + hex("file"), "F1a0"},
		{"vFile:MD5:" + hex("file"), "F," + digest},
		{"vFile:MD5:" + hex("none"), "F,x"},
		{"vFile:symlink:" + hex("file") + "," + hex("link"), "F0"},
		{"vFile:symlink:" + hex("file") + "," + hex("link"), "F11,11"},
		{"vFile:symlink:" + hex("file") + "," + hex("none/link"), "F2,2"},
		{"vFile:readlink:" + hex("link"), fmt.Sprintf("F%x;%s", len(directory)+len("/file"), filepath.Join(directory, "file"))},
		{"qPlatform_chmod:1ff," + hex("file"), "F0"},
		{"vFile:mode:" + hex("link"), "F1ff"},
		{"qPlatform_chmod:1ff," + hex("none"), "F2,2"},
		{"qPlatform_mkdir:1c0," + hex("new"), "F0"},
		{"vFile:mode:" + hex("new"), "F1c0"},
		{"qPlatform_mkdir:1ff," + hex("new"), "F0"},
		{"vFile:mode:" + hex("new"), "F1c0"},
		{"qPlatform_mkdir:1c0," + hex("file"), "F11,11"},
		{"vFile:open:" + hex("new/file") + "," + createReadWriteCloseOnExec + ",180", "F3"},
		{"vFile:pwrite:3,0,text", "F4"},
		{"vFile:pread:3,10,1", "F3;ext"},
		{"vFile:close:3", "F0"},
		{"qPathComplete:0," + hex("n"), "M" + hex("new") + "2f"},
		{"qPathComplete:0," + hex("") + "2f", "M" + hex("file") + "," + hex("link") + "," + hex("new") + "2f"},
		{"qPathComplete:1," + hex("") + "2f", "M" + hex("new") + "2f"},
		{"qPathComplete:1," + hex("none/x"), "M"},
		{"vFile:unlink:" + hex("link"), "F0"},
		{"vFile:unlink:" + hex("link"), "F2,2"},
		{"vFile:exists:" + hex("link"), "F,0"},
		{"vFile:exists:" + hex("file"), "F,1"},
		{"qEcho:12", "qEcho:12"},
		{"qSpeedTest:response_size:4;", "data:aaaa"},
		{"qSpeedTest:response_size:0;", "OK"},
		{"qUserName:0", rsp.HexText("root")},
		{"qGroupName:0", rsp.HexText("root")},
		{"qUserName:4000000000", "E05"},
		{"qGroupName:4000000000", "E06"},
		{"qProcessInfoPID:4000000000", "E01"},
		{"qModuleInfo:" + hex("file") + ";78", "E03"},
	} {
		if got := ask(t, c, exchange[0]); got != exchange[1] {
			t.Errorf("%s: %s, want %s", exchange[0], got, exchange[1])
		}
	}
}
