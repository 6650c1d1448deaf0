package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseLLDBServer(t *testing.T) {
	for _, test := range []struct {
		args []string
		want lldbServerOptions
	}{
		{[]string{":1234", "--", "prog", "-x"}, lldbServerOptions{comm: ":1234", program: []string{"prog", "-x"}, fd: -1, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches}},
		{[]string{"--attach", "12", ":1234"}, lldbServerOptions{comm: ":1234", attach: "12", fd: -1, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches}},
		{[]string{"--attach=12", "--reverse-connect", "h:1"}, lldbServerOptions{comm: "h:1", attach: "12", reverseConnect: true, fd: -1, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches}},
		{[]string{"--fd=3", "--native-regs", "--setsid"}, lldbServerOptions{fd: 3, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches, setsid: true}},
		{[]string{"tcp://[127.0.0.1]:0", "--native-regs", "--pipe", "4"}, lldbServerOptions{comm: "tcp://[127.0.0.1]:0", fd: -1, pipe: 4, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches}},
		{[]string{":1", "prog", "--named-pipe", "/p", "-x", "arg", "--", "--fd"},
			lldbServerOptions{comm: ":1", program: []string{"prog", "-x", "arg", "--fd"}, namedPipe: "/p", fd: -1, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches}},
		{[]string{"--listener-fd=3", "--lifeline-fd=4", "--", "prog"},
			lldbServerOptions{program: []string{"prog"}, fd: -1, pipe: -1, listener: 3, lifeline: 4, jumpPatches: defaultJumpPatches}},
		{[]string{"-S", "localhost:0", "-named-pipe", "/p", "-log-file=/l", "-c", "gdb-remote packets"},
			lldbServerOptions{comm: "localhost:0", fd: -1, pipe: -1, listener: -1, lifeline: -1, jumpPatches: defaultJumpPatches, setsid: true, namedPipe: "/p", logFile: "/l", logChannels: "gdb-remote packets"}},
	} {
		got, err := parseLLDBServer(test.args)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v", test.args, got, err)
		}
	}
	// LLDB's own tests look for these (lldb/test/Shell/lldb-server).
	for args, want := range map[string]string{
		"": "error: no connection arguments", "--fd": "error: --fd: missing argument", "--fd three": "error: invalid '--fd' argument",
		"--bogus": "error: unknown argument '--bogus'", "--fd=3 :1": "error: HOST:PORT and --fd=N exclude each other",
		"--setsid=1 :1": "error: unknown argument '--setsid=1'",
	} {
		if got, err := parseLLDBServer(strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s; %+v", args, err, want, got)
		}
	}
}

func TestLLDBComm(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:0": "localhost:0", "tcp://[127.0.0.1]:0": "[127.0.0.1]:0", "serial:///dev/pts/1": "/dev/pts/1",
		"/tmp/socket": "unix:/tmp/socket", "unix:///tmp/socket": "unix:/tmp/socket", "1234": ":1234", "*:0": "*:0",
	} {
		if got := lldbComm(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestLLDBLogChannels(t *testing.T) {
	common, err := lldbServerOptions{comm: ":1", logChannels: "gdb-remote packets:posix process"}.common()
	if err != nil || !common.logging.remote || !common.logging.threads || common.logging.eventLoop || !common.once {
		t.Errorf("%+v, %v", common, err)
	}
}
