package rsp

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplies(t *testing.T) {
	tests := []struct {
		reply Reply
		want  string
	}{
		{OK{}, "OK"},
		{Empty{}, ""},
		{Text("any text"), "any text"},
		{Error{Code: 1}, "E01"},
		{Error{Code: 0xfe}, "Efe"},
		{Error{Code: 1, Text: "no such process"}, "E.no such process"},
		{Error{Text: "a#b$c*d}e\nf\x01g\x7fé"}, "E.a?b?c?d?e f?g?é"},
		{(&MalformedError{Packet: PacketReadMemory, Offset: 5, Reason: "',' is missing"}).Reply(),
			"E.malformed m packet: ',' is missing (at byte 5)"},
		{Hex{0, 0x1f, 0xff}, "001fff"},
		{Hex(nil), ""},
		{BinaryMemory("a#b}"), "ba}\x03b}]"},
		{BinaryMemory(nil), "b"},
		{Registers{Data: []byte{1, 2, 3}}, "010203"},
		{Registers{Data: []byte{1, 2, 3}, Unavailable: []bool{false, true, false}}, "01xx03"},

		{CurrentThread{Thread: ThreadID{1, 2}, Multiprocess: true}, "QCp1.2"},
		{CurrentThread{Thread: ThreadID{1, 2}}, "QC2"},
		{Address(0x7ffff7fc0400), "7ffff7fc0400"},
		{Address(0), "0"},
		{Found{}, "0"},
		{Found{Found: true, Address: 0xabc}, "1,abc"},
		{MemoryChecksum(0x0123abcd), "C123abcd"},
		{ThreadList{}, "l"},
		{ThreadList{Threads: []ThreadID{{1, 2}}, Multiprocess: true}, "mp1.2"},
		{ThreadList{Threads: []ThreadID{{1, 2}, {0x10, 0xabcd}}}, "m2,abcd"},
		{Attached(true), "1"},
		{Attached(false), "0"},
		{VContActions{ActionContinue, ActionContinueSignal, ActionStep, ActionStepSignal, ActionStop, ActionRangeStep}, "vCont;c;C;s;S;t;r"},
		{ExecAndArgs{}, "U"},
		{ExecAndArgs{Set: true, Program: "/a", Arguments: "b c"}, "S;2f61;622063;"},
		{ExecAndArgs{Set: true, Arguments: "b"}, "S;;62;"},
		{Offsets{Text: 0x1000, Data: 0x20}, "Text=1000;Data=20;Bss=20"},
		{SymbolLookup{Name: "main"}, "qSymbol:6d61696e"},
		{ConsoleOutput("hi\n"), "O68690a"},
		{Supported{Features{{"PacketSize", FeatureValue, "20000"}, {"swbreak", FeatureYes, ""}, {"x", FeatureNo, ""}}}, "PacketSize=20000;swbreak+;x-"},
		{Transfer{Data: []byte("a*")}, "la}\x0a"},
		{Transfer{More: true, Data: []byte("a")}, "ma"},
		{Transfer{}, "l"},
		{TransferWritten(0x80), "80"},
		{FileResult{Result: 6}, "F6"},
		{FileResult{}, "F0"},
		{FileResult{Result: 3, HasAttachment: true, Attachment: []byte("a#b")}, "F3;a}\x03b"},
		{FileResult{HasAttachment: true}, "F0;"},
		{FileFailure(FileENOENT), "F-1,2"},
		{FileFailure(FileEUNKNOWN), "F-1,270f"},

		{Exited{Status: 7}, "W07"},
		{Exited{Status: 255, PID: 0x40ea, HasProcess: true}, "Wff;process:40ea"},
		{Signaled{Signal: SIGKILL}, "X09"},
		{Signaled{Signal: SIGSEGV, PID: 16, HasProcess: true}, "X0b;process:10"},
		{ThreadExited{Status: 0, Thread: ThreadID{1, 2}, Multiprocess: true}, "w00;p1.2"},
		{NoResumed{}, "N"},
		{&StopReply{Signal: SIGTRAP, Short: true, HasThread: true, Core: 3}, "S05"},
		{&StopReply{Signal: SIGINT, Core: -1}, "T02"},
		{&StopReply{Signal: SIGTRAP, Reason: StopSoftBreak, Registers: []RegisterValue{{6, []byte{1, 2}}, {0x10, []byte{3}}, {0x123, []byte{4}}},
			Thread: ThreadID{0x40ea, 0x40eb}, HasThread: true, Multiprocess: true, Core: 1},
			"T05swbreak:;06:0102;10:03;123:04;thread:p40ea.40eb;core:1;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopHardBreak, Thread: ThreadID{1, 2}, HasThread: true, Core: 0}, "T05hwbreak:;thread:2;core:0;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopWrite, Address: 0x7ffd0010, Core: -1}, "T05watch:7ffd0010;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopRead, Address: 1, Core: -1}, "T05rwatch:1;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopAccess, Address: 1, Core: -1}, "T05awatch:1;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopLibrary, Core: -1}, "T05library:;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopFork, Child: ThreadID{3, 3}, Multiprocess: true, Core: -1}, "T05fork:p3.3;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopVfork, Child: ThreadID{3, 3}, Multiprocess: true, Core: -1}, "T05vfork:p3.3;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopVforkDone, Core: -1}, "T05vforkdone:;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopExec, ExecPath: "/bin/sh", Core: -1}, "T05exec:2f62696e2f7368;"},
		{&StopReply{Signal: Signal0, Reason: StopCreate, Core: -1}, "T00create:;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopClone, Child: ThreadID{3, 4}, Multiprocess: true, Core: -1}, "T05clone:p3.4;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopSyscallEntry, Syscall: 231, Core: -1}, "T05syscall_entry:e7;"},
		{&StopReply{Signal: SIGTRAP, Reason: StopSyscallReturn, Syscall: 0, Core: -1}, "T05syscall_return:0;"},
	}
	for _, test := range tests {
		got := string(test.reply.AppendTo([]byte("pre")))
		if got != "pre"+test.want {
			t.Errorf("%#v is written %q, want %q", test.reply, got[3:], test.want)
		}
		if strings.ContainsAny(got, "#$") {
			t.Errorf("%#v is written %q, which no frame can hold", test.reply, got[3:])
		}
	}
}

// Every stop reply comes back from its own text, and every prefix of one
// that is not a stop reply itself is refused.
func TestParseStop(t *testing.T) {
	replies := []Reply{
		&Exited{Status: 7},
		&Exited{Status: 255, PID: 0x40ea, HasProcess: true},
		&Signaled{Signal: SIGKILL},
		&Signaled{Signal: SIGSEGV, PID: 16, HasProcess: true},
		&ThreadExited{Status: 1, Thread: ThreadID{1, 2}, Multiprocess: true},
		&ThreadExited{Status: 1, Thread: ThreadID{NoProcess, 2}},
		&NoResumed{},
		ConsoleOutput("text\x00"),
		&StopReply{Signal: SIGTRAP, Short: true, Core: -1},
	}
	for event := StopSignal; event < stopEvents; event++ {
		r := &StopReply{Signal: SIGTRAP, Reason: event, Core: 5, Multiprocess: true, HasThread: true, Thread: ThreadID{1, 2},
			Registers: []RegisterValue{{6, []byte{1, 2}}, {0x123, []byte{4}}}}
		switch event {
		case StopWrite, StopRead, StopAccess:
			r.Address = 0xfedcba9876543210
		case StopFork, StopVfork, StopClone:
			r.Child = ThreadID{3, 4}
		case StopExec:
			r.ExecPath = "/bin/sh"
		case StopSyscallEntry, StopSyscallReturn:
			r.Syscall = 231
		}
		replies = append(replies, r)
	}
	for _, want := range replies {
		text := want.AppendTo(nil)
		got, err := ParseStop(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v; want %#v", text, got, err, want)
		}
		for i := range text {
			got, err := ParseStop(text[:i])
			// "p1" is short for "p1.-1", and a status may have one digit.
			if err == nil && string(text[:i]) != "w01;p1" && i != 2 && !bytes.Equal(got.AppendTo(nil), text[:i]) {
				t.Errorf("%q is taken for %#v", text[:i], got)
			}
		}
	}
	for text, want := range map[string]Reply{
		"W0;process:1f36": &Exited{PID: 0x1f36, HasProcess: true},
		"Xb;process:1f36": &Signaled{Signal: SIGSEGV, PID: 0x1f36, HasProcess: true},
		"w0;p1.2":         &ThreadExited{Thread: ThreadID{1, 2}, Multiprocess: true},
	} {
		if got, err := ParseStop([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
	r, err := ParseStop([]byte("T05threads:1,2;reason:trace;thread:1;memory:0x10=ff;06:aa;"))
	want := &StopReply{Signal: SIGTRAP, Thread: ThreadID{NoProcess, 1}, HasThread: true, Core: -1, Registers: []RegisterValue{{6, []byte{0xaa}}}}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("unknown keys: %#v, %v", r, err)
	}
	for _, text := range []string{"", "OK", "E01", "T", "T0", "Tzz", "T05swbreak", "T05swbreak:", "T05thread:;", "T05thread:1x;",
		"T05core:-1;", "T05watch:x;", "T0506:0;", "T0506:xx;", "S5", "S05x", "W", "W00;", "W00;process:", "Wx0", "Xff;process:1;", "w00", "N1", "O6"} {
		if r, err := ParseStop([]byte(text)); err == nil {
			t.Errorf("%q is taken for %#v", text, r)
		}
	}
}

func TestParseReplies(t *testing.T) {
	if err := CheckReply(nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an empty reply: %v", err)
	}
	for text, want := range map[string]Error{
		"E01":            {Code: 1},
		"Eff":            {Code: 255},
		"E.no such file": {Text: "no such file"},
		"E15;6f6f7073":   {Code: 0x15, Text: "oops"},
	} {
		if got := CheckReply([]byte(text)); got != error(want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"E", "E0", "E0x", "E011", "Enable", "E01;6", "OK"} {
		if err := CheckReply([]byte(text)); err != nil {
			t.Errorf("%q is taken for the error %v", text, err)
		}
	}
	if (Error{Code: 0xe}).Error() == "" || (Error{Text: "x"}).Error() != "x" {
		t.Error("an Error does not say what it is")
	}

	if got, err := ParseHex([]byte("00ff")); err != nil || !bytes.Equal(got, []byte{0, 255}) {
		t.Errorf("hex: %v, %v", got, err)
	}
	if got, err := ParseHex(nil); err != nil || len(got) != 0 {
		t.Errorf("no hex: %v, %v", got, err)
	}
	if _, err := ParseHex([]byte("E01")); err != error(Error{Code: 1}) {
		t.Errorf("hex of an error: %v", err)
	}
	if _, err := ParseHex([]byte("0")); err == nil {
		t.Error("odd hex is accepted")
	}

	for _, want := range []Transfer{{Data: []byte("a*}#$")}, {More: true, Data: []byte("x")}} {
		got, err := ParseTransfer(want.AppendTo(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("transfer: %v, %v", got, err)
		}
	}
	for _, want := range []FileResult{{Result: 5}, FileFailure(FileEUNKNOWN), {Result: 2, HasAttachment: true, Attachment: []byte("#;")}} {
		got, err := ParseFileResult(want.AppendTo(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("file result: %#v, %v", got, err)
		}
	}
	for _, want := range [][]ThreadID{nil, {{1, 2}}, {{1, 2}, {1, 3}}} {
		got, err := ParseThreadList((ThreadList{Threads: want, Multiprocess: true}).AppendTo(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("thread list: %v, %v", got, err)
		}
	}
	if got, err := ParseCurrentThread([]byte("QCp1.2")); err != nil || got != (ThreadID{1, 2}) {
		t.Errorf("current thread: %v, %v", got, err)
	}
	if got, err := ParseBinaryMemory((BinaryMemory("a#}")).AppendTo(nil)); err != nil || string(got) != "a#}" {
		t.Errorf("binary memory: %q, %v", got, err)
	}
	for name, err := range map[string]error{
		"transfer":       second(ParseTransfer([]byte("xa"))),
		"transfer end":   second(ParseTransfer([]byte("la}"))),
		"file":           second(ParseFileResult([]byte("F"))),
		"file end":       second(ParseFileResult([]byte("F1;}"))),
		"file rest":      second(ParseFileResult([]byte("F1x"))),
		"threads":        second(ParseThreadList([]byte("m"))),
		"threads rest":   second(ParseThreadList([]byte("m1,"))),
		"threads end":    second(ParseThreadList([]byte("lx"))),
		"current":        second(ParseCurrentThread([]byte("1"))),
		"memory":         second(ParseBinaryMemory([]byte("00"))),
		"memory refused": second(ParseBinaryMemory([]byte("E01"))),
	} {
		if err == nil {
			t.Errorf("%s: a malformed reply is accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestTransferPart(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	document := runs(r, 5000)
	for _, packetSize := range []int{20, 100, 4096, 1 << 20} {
		var read []byte
		for {
			part := TransferPart(document, &TransferRead{Offset: uint64(len(read)), Length: 0xfff}, packetSize)
			if n := len(part.AppendTo(nil)); n > packetSize {
				t.Fatalf("a part takes %d bytes of %d", n, packetSize)
			}
			read = append(read, part.Data...)
			if !part.More {
				break
			}
			if len(part.Data) == 0 {
				t.Fatal("a part is empty but there is more")
			}
		}
		if !bytes.Equal(read, document) {
			t.Errorf("with packets of %d bytes another document is read", packetSize)
		}
	}
	for _, q := range []TransferRead{{Offset: 5000, Length: 10}, {Offset: 1<<64 - 1, Length: 1<<64 - 1}} {
		if part := TransferPart(document, &q, 100); part.More || len(part.Data) != 0 {
			t.Errorf("%+v of 5000 bytes is %+v", q, part)
		}
	}
	if part := TransferPart(document, &TransferRead{Offset: 10, Length: 0}, 100); !part.More || len(part.Data) != 0 {
		t.Errorf("a part of no bytes is %+v", part)
	}
}

func TestSignals(t *testing.T) {
	for linux := 1; linux <= 64; linux++ {
		s := SignalFromLinux(linux)
		if linux == int(unix.SIGSTKFLT) {
			if s != SignalUnknown {
				t.Errorf("SIGSTKFLT becomes %v", s)
			}
			continue
		}
		back, ok := s.Linux()
		if !ok || back != linux {
			t.Errorf("Linux signal %d becomes %v, which is Linux signal %d, %v", linux, s, back, ok)
		}
		if linux < 32 && s.String() != unix.SignalName(syscall.Signal(linux)) {
			t.Errorf("Linux signal %d, %s, becomes %v", linux, unix.SignalName(syscall.Signal(linux)), s)
		}
	}
	for s, want := range map[Signal]int{Signal0: 0, SIGPOLL: 29, SIG33: 33, 46: 34, SIG63: 63, SIG32: 32, SIG64: 64,
		SIGEMT: -1, SIGLOST: -1, SIGCANCEL: -1, 79: -1, SignalUnknown: -1, -1: -1, 1000: -1, 34: -1} {
		got, ok := s.Linux()
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%v is Linux signal %d, %v; want %d", s, got, ok, want)
		}
	}
	for s, want := range map[Signal]string{0: "0", 11: "SIGSEGV", 45: "SIG33", 75: "SIG63", 76: "SIGCANCEL", 77: "SIG32", 78: "SIG64",
		141: "SIG127", 142: "SIGINFO", 143: "unknown", 144: "signal 144", 145: "EXC_BAD_ACCESS", 151: "SIGLIBRT", 152: "signal 152", -1: "signal -1"} {
		if got := s.String(); got != want {
			t.Errorf("signal %d is called %q, want %q", int(s), got, want)
		}
	}
	for _, n := range []int{-1, 65, 1000} {
		if s := SignalFromLinux(n); s != SignalUnknown {
			t.Errorf("Linux signal %d, which there is not, becomes %v", n, s)
		}
	}
}

func TestFileNumbers(t *testing.T) {
	for flags, want := range map[FileOpenFlags]int{
		0: unix.O_RDONLY, 1: unix.O_WRONLY, 2: unix.O_RDWR,
		0x601: unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC,
		0xa0a: unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_APPEND,
		3:     -1, 4: -1, 0x1000: -1,
	} {
		got, ok := flags.Linux()
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("open flags %#x are %#x, %v; want %#x", uint32(flags), got, ok, want)
		}
	}
	for mode, want := range map[uint32]FileMode{
		unix.S_IFREG | 0o4755: 0o100755, unix.S_IFDIR | 0o1777: 0o40777, unix.S_IFCHR | 0o620: 0o20620, unix.S_IFLNK | 0o777: 0o777, unix.S_IFSOCK: 0,
	} {
		if got := LinuxFileMode(mode); got != want {
			t.Errorf("mode %o is %o, want %o", mode, got, want)
		}
	}
	if got := FileMode(0o106755).Linux(); got != 0o755 {
		t.Errorf("permissions are %o", got)
	}
	for errno, want := range map[syscall.Errno]FileErrno{
		unix.ENOENT: 2, unix.EIO: 5, unix.EROFS: 30, unix.ENOSYS: 88, unix.ENAMETOOLONG: 91, unix.ELOOP: 9999, unix.ESRCH: 9999, unix.EAGAIN: 9999,
	} {
		if got := LinuxFileErrno(errno); got != want {
			t.Errorf("%v is %d, want %d", errno, got, want)
		}
	}
}

func TestFileStat(t *testing.T) {
	st := unix.Stat_t{Dev: 0xfe00, Ino: 0x9a48b3, Mode: unix.S_IFREG | 0o755, Nlink: 1, Size: 0x12e49, Blksize: 4096, Blocks: 0x28,
		Atim: unix.Timespec{Sec: 0x6b01f2fb}, Mtim: unix.Timespec{Sec: 0x6b01f2e8}, Ctim: unix.Timespec{Sec: 0x6b01f2e9}}
	want := "\x00\x00\xfe\x00\x00\x9aH\xb3\x00\x00\x81\xed\x00\x00\x00\x01" + strings.Repeat("\x00", 12) +
		"\x00\x00\x00\x00\x00\x01\x2e\x49" + "\x00\x00\x00\x00\x00\x00\x10\x00" + "\x00\x00\x00\x00\x00\x00\x00\x28" +
		"k\x01\xf2\xfbk\x01\xf2\xe8k\x01\xf2\xe9"
	got := LinuxFileStat(&st).AppendTo(nil)
	if string(got) != want || len(got) != FileStatSize {
		t.Errorf("stat is %q, want %q", got, want)
	}
	if back, ok := ParseFileStat(got); !ok || back != LinuxFileStat(&st) {
		t.Errorf("it comes back as %+v, %v", back, ok)
	}
	if _, ok := ParseFileStat(got[1:]); ok {
		t.Error("63 bytes are accepted")
	}
}

func FuzzParseReplies(f *testing.F) {
	for _, text := range []string{"T05swbreak:;06:0102;thread:p1.2;core:1;", "T05exec:2f;", "S05", "W00;process:1", "Xff", "w00;p1.2", "N", "O6869",
		"E01", "E.text", "E01;6f", "m1,2", "lab}\x03", "F3;abc", "F-1,2", "QCp1.2", "b}]", "00ff"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		if r, err := ParseStop(payload); err == nil {
			// What was understood means the same when it is written again.
			again, err := ParseStop(r.AppendTo(nil))
			if err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%q is %#v, then %#v, %v", payload, r, again, err)
			}
		}
		if tr, err := ParseTransfer(payload); err == nil {
			again, err := ParseTransfer(tr.AppendTo(nil))
			if err != nil || again.More != tr.More || !bytes.Equal(again.Data, tr.Data) {
				t.Fatalf("%q is %#v, then %#v, %v", payload, tr, again, err)
			}
		}
		ParseError(payload)
		ParseHex(payload)
		ParseThreadList(payload)
		ParseFileResult(payload)
		ParseCurrentThread(payload)
		ParseBinaryMemory(payload)
		ParseFeatures(payload)
		if !bytes.Equal(before, payload) {
			t.Fatalf("%q became %q", before, payload)
		}
	})
}
