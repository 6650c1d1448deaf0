package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asProgramEnv makes the test binary behave as the program.
const asProgramEnv = "RSPD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgramEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

func program(args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	cmd = exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asProgramEnv+"=1")
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

func TestProgramAnswers(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := fmt.Sprintf(":%d", taken.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"--help"}, 0, usageText + helpTail, ""},
		{[]string{"--nosuch"}, 1, "", "Unknown argument: --nosuch\n"},
		{[]string{busy, "/bin/true"}, 1, "", busy + ": Can't bind address: Address already in use.\n"},
		// Written out so that GDB's gdb.server/non-existing-program.exp finds it.
		{[]string{"stdio", "no-such-program"}, 1, "", "stdin/stdout redirected\n" +
			"cannot run no-such-program, neither here nor in the PATH: exec: no-such-program: not found\n" +
			"During startup program exited with code 127.\nExiting\n"},
		{[]string{":0", "/no/such/program"}, 1, "", "cannot run /no/such/program: no such file or directory\n" +
			"During startup program exited with code 127.\nExiting\n"},
		{[]string{":0", "/dev/null"}, 1, "", "cannot run /dev/null: permission denied\n"},
		{[]string{"/dev/nosuch", "/bin/true"}, 1, "", "Could not open remote device /dev/nosuch: No such file or directory.\n"},
	} {
		cmd, stdout, stderr := program(c.args...)
		cmd.Run()
		if cmd.ProcessState.ExitCode() != c.status || stdout.String() != c.stdout || stderr.String() != c.stderr {
			t.Errorf("%q: status %d, stdout %q, stderr %q\nwant %d, %q, %q", c.args,
				cmd.ProcessState.ExitCode(), stdout, stderr, c.status, c.stdout, c.stderr)
		}
	}
}

func TestVersionText(t *testing.T) {
	if !strings.HasPrefix(versionText(), "rspd ") || !strings.Contains(versionText(), `configured as "x86_64-linux-gnu"`) {
		t.Errorf("version text is %q", versionText())
	}
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	for _, c := range []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: settings}, "v1.2.3"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: settings}, "(development build, commit 0123456789ab, modified)"},
		{debug.BuildInfo{Settings: settings[:1]}, "(development build, commit 0123456789ab)"},
		{debug.BuildInfo{}, "(development build)"},
	} {
		if got := buildVersion(&c.info); got != c.want {
			t.Errorf("version of %+v is %s, want %s", c.info, got, c.want)
		}
	}
}

func TestSignalRemovesSocketFile(t *testing.T) {
	if os.Getenv("RSPD_TEST_SIGNAL_SOCKET") != "" {
		l, err := listen("unix:"+os.Getenv("RSPD_TEST_SIGNAL_SOCKET"), standardIO{}, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		signals := listenForEnd()
		closed := make(chan struct{})
		signals.add(func() {
			l.Close()
			close(closed)
		})
		l.Announce()
		<-closed
		signals.dieOfSignal()
		select {}
	}
	path := filepath.Join(t.TempDir(), "socket")
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSignalRemovesSocketFile$")
	cmd.Env = append(os.Environ(), "RSPD_TEST_SIGNAL_SOCKET="+path)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	if n, err := stderr.Read(buf); string(buf[:n]) != "Listening on socket "+path+"\n" || err != nil {
		t.Fatalf("the server says %q, %v", buf[:n], err)
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if status := cmd.ProcessState.String(); status != "signal: terminated" {
		t.Errorf("the server ended with %s, want its signal", status)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket file is still there: %v", err)
	}
}
