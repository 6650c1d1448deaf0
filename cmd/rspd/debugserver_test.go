package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestParseDebugserver has the command lines of Delve 1.27.
func TestParseDebugserver(t *testing.T) {
	for _, test := range []struct {
		args []string
		want debugserverOptions
	}{
		{[]string{"-e", "LD_X=1", "--stdin-path", "in", "--stdout-path", "out", "--stderr-path", "/dev/stderr", "-g", "-l", "stdout",
			"-D", "--unmask-signals", "-F", "-R", "127.0.0.1:1234", "--", "prog", "-x"},
			debugserverOptions{comm: "127.0.0.1:1234", program: []string{"prog", "-x"}, reverseConnect: true, forward: true,
				environment: []string{"LD_X=1"}, disableASLR: true, files: [3]string{"in", "out", "/dev/stderr"}, debug: true, logFile: "stdout",
				interval: time.Millisecond}},
		{[]string{"--stdio-path", "/dev/pts/1", "-F", "-R", "127.0.0.1:1234", "--", "prog"},
			debugserverOptions{comm: "127.0.0.1:1234", program: []string{"prog"}, reverseConnect: true, forward: true,
				files: [3]string{"/dev/pts/1", "/dev/pts/1", "/dev/pts/1"}, interval: time.Millisecond}},
		{[]string{"-R", "127.0.0.1:1234", "--attach=12", "--unmask-signals"},
			debugserverOptions{comm: "127.0.0.1:1234", attach: "12", reverseConnect: true, interval: time.Millisecond}},
		{[]string{"-R", "127.0.0.1:1234", "--waitfor=prog a", "--waitfor-interval=500", "--waitfor-duration=3"},
			debugserverOptions{comm: "127.0.0.1:1234", waitFor: "prog a", interval: 500 * time.Microsecond, during: 3 * time.Second,
				reverseConnect: true}},
	} {
		got, err := parseDebugserver(test.args)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v", test.args, got, err)
		}
		if !asDebugserver(append([]string{"/usr/bin/rspd"}, test.args...)) {
			t.Errorf("%q is not taken for debugserver's", test.args)
		}
	}
	// Delve asks so whether the option is known, and looks for these words.
	if _, err := parseDebugserver([]string{"--unmask-signals"}); err == nil || strings.Contains(err.Error(), "unrecognized option") {
		t.Error(err)
	}
	if _, err := parseDebugserver([]string{"--nothing", "h:1"}); err == nil || !strings.Contains(err.Error(), "unrecognized option") {
		t.Error(err)
	}
	for _, args := range [][]string{{"rspd"}, {"rspd", ":1", "-R"}, {"rspd", "--once", ":1"}, {"rspd", "gdbserver", "-R", "h:1"}} {
		if asDebugserver(args) {
			t.Errorf("%q is taken for debugserver's", args)
		}
	}
	if !asDebugserver([]string{"/tmp/debugserver"}) {
		t.Error("the name is not known")
	}
}

func TestDebugserverEnvironment(t *testing.T) {
	o := debugserverOptions{environment: []string{"B=2", "C=3"}}
	if got := o.environmentFrom([]string{"A=1", "B=1"}); !slices.Equal(got, []string{"B=2", "C=3"}) {
		t.Error(got)
	}
	o.forward = true
	if got := o.environmentFrom([]string{"A=1", "B=1"}); !slices.Equal(got, []string{"A=1", "B=2", "C=3"}) {
		t.Error(got)
	}
}

func TestDebugserverFiles(t *testing.T) {
	if files, err := (debugserverOptions{}).openFiles(); files != nil || err != nil {
		t.Error(files, err)
	}
	out := filepath.Join(t.TempDir(), "out")
	files, err := debugserverOptions{files: [3]string{"/dev/stdin", out, out}}.openFiles()
	if err != nil {
		t.Fatal(err)
	}
	if files[0] != os.Stdin || files[1].Name() != out || files[2] != files[1] {
		t.Error(files)
	}
	files[1].Close()
	if files, err = (debugserverOptions{files: [3]string{"", out, ""}}).openFiles(); err != nil {
		t.Fatal(err)
	}
	if files[0].Name() != os.DevNull || files[2].Name() != os.DevNull {
		t.Error(files)
	}
	if _, err := (debugserverOptions{files: [3]string{filepath.Join(out, "none"), "", ""}}).openFiles(); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func TestDebugserverWaits(t *testing.T) {
	mark := "rspd-" + strconv.Itoa(os.Getpid())
	o := debugserverOptions{waitFor: "sleep 1000 " + mark, interval: time.Millisecond, during: time.Second}
	if pid, err := o.awaitProcess(); err == nil {
		t.Errorf("process %d was found", pid)
	}
	o.during = 0
	found := make(chan int, 1)
	go func() {
		pid, err := o.awaitProcess()
		if err != nil {
			t.Error(err)
		}
		found <- pid
	}()
	// Nothing of the name is executed: the shell has it among its arguments.
	process := exec.Command("sh", "-c", "read x")
	process.Args[0] = "sleep 1000 " + mark + "-1"
	input, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if pid := <-found; pid != process.Process.Pid {
		t.Errorf("process %d was found, not %d", pid, process.Process.Pid)
	}
	input.Close()
	_ = process.Wait()
}
