package main

import (
	"reflect"
	"testing"
)

func TestParsePlatform(t *testing.T) {
	for _, test := range []struct {
		args []string
		want platformOptions
	}{
		{[]string{"--listen", "*:1234", "--server"}, platformOptions{listen: "*:1234", server: true, client: -1}},
		{[]string{"--listen=:0", "-f", "/f", "-m", "2000", "-M=2003", "-P", "2001", "--gdbserver-port=3000", "-p", "1500", "--allow-shell"},
			platformOptions{listen: ":0", socketFile: "/f", from: 2000, to: 2003, ports: []int{2001, 3000, 2000, 2002},
				portOffset: 1500, allowShell: true, client: -1}},
		{[]string{"-L", ":0", "-l", "/l", "-c", "gdb-remote packets", "--", "prog", "--server"},
			platformOptions{listen: ":0", logFile: "/l", logChannels: "gdb-remote packets", program: []string{"prog", "--server"}, client: -1}},
		{[]string{"--child-platform-fd=3", "--server", "--listen", ":0"}, platformOptions{listen: ":0", server: true, client: 3}},
	} {
		got, err := parsePlatform(test.args)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v", test.args, got, err)
		}
	}
	for args, want := range map[string]string{
		"":                      "error: where clients come from is missing: --listen [HOST]:PORT",
		"--gdbserver-port=x":    "error: invalid port number string x",
		"--gdbserver-port=80":   "error: port number 80 is not in the valid user port range of 1024 - 49151",
		"--port-offset=x":       "error: invalid port offset string x",
		"--port-offset=65000":   "error: port offset 65000 is not in the valid user port range of 1024 - 49151",
		"--max-gdbserver-port=": "error: invalid port number string ",
		"--min-gdbserver-port=2000": "error: --min-gdbserver-port (2000) is not lower than " +
			"--max-gdbserver-port (0)",
		"--nothing":  "error: unknown argument '--nothing'",
		"--listen":   "error: --listen: missing argument",
		"--server=1": "error: unknown argument '--server=1'",
	} {
		var list []string
		if args != "" {
			list = []string{args}
		}
		if got, err := parsePlatform(list); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s; %+v", args, err, want, got)
		}
	}
}
