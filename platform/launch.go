package platform

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"rspd/host"
	"rspd/rsp"
)

// startup is how the next program is started.
type startup struct {
	files                host.StandardFiles
	environment          host.Environment
	disableRandomization bool
}

func (s *Session) setStandardFile(request *rsp.SetStandardFile) (rsp.Reply, error) {
	s.startup.files.Set(request)
	return rsp.OK{}, nil
}

func (s *Session) setEnvironment(request *rsp.EnvironmentSet) (rsp.Reply, error) {
	s.startup.environment.Set(request.Name, request.Value)
	return rsp.OK{}, nil
}

func (s *Session) unsetEnvironment(request *rsp.EnvironmentUnset) (rsp.Reply, error) {
	s.startup.environment.Unset(request.Name)
	return rsp.OK{}, nil
}

func (s *Session) resetEnvironment(*rsp.EnvironmentReset) (rsp.Reply, error) {
	s.startup.environment.Reset()
	return rsp.OK{}, nil
}

func (s *Session) disableRandomization(request *rsp.DisableRandomization) (rsp.Reply, error) {
	s.startup.disableRandomization = request.Enable
	return rsp.OK{}, nil
}

// launch answers A: the program runs, and nobody debugs it.
func (s *Session) launch(request *rsp.LaunchArguments) (rsp.Reply, error) {
	process, err := s.start(request.Arguments)
	s.launchFailure = err
	if err != nil {
		return nil, coded(codeLaunch, "%v", err)
	}
	s.launched = process
	fmt.Fprintf(s.options.Messages, "Launched '%s' as process %d...\n", request.Arguments[0], process.PID)
	return rsp.OK{}, nil
}

func (s *Session) start(arguments []string) (*host.Process, error) {
	path, err := host.FindProgram(arguments[0])
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	input, output, errors := null, os.Stdout, os.Stderr
	opened, err := s.startup.files.Open([3]**os.File{&input, &output, &errors}, s.options.Gone)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, file := range opened {
			_ = file.Close()
		}
	}()
	command := &exec.Cmd{Path: path, Args: arguments, Env: s.startup.environment.Of(os.Environ()),
		Stdin: input, Stdout: output, Stderr: errors, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	start := command.Start
	if s.startup.disableRandomization {
		start = func() error { return withFixedAddresses(command.Start) }
	}
	if err := start(); err != nil {
		return nil, err
	}
	// Before it is reaped even one that has ended can be described.
	process, err := host.ReadProcess(command.Process.Pid)
	s.children.add(command, nil)
	if err != nil {
		return nil, err
	}
	if process.Bits == 0 {
		process.Bits = strconv.IntSize
	}
	s.options.Processes.Debug("program launched", "path", path, "pid", process.PID)
	return &process, nil
}

// withFixedAddresses has what is started get the same addresses each time: a
// process inherits the personality(2) of the thread that makes it.
func withFixedAddresses(start func() error) error {
	const addressNoRandomize, ask = 0x0040000, 0xffffffff // linux/personality.h
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	persona, _, errno := unix.Syscall(unix.SYS_PERSONALITY, ask, 0, 0)
	if errno != 0 {
		return start() // a container forbids it; the program runs all the same
	}
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, persona|addressNoRandomize, 0, 0); errno != 0 {
		return start()
	}
	err := start()
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, persona, 0, 0); errno != 0 {
		// Locked for good, the thread ends with its goroutine.
		runtime.LockOSThread()
	}
	return err
}

// launchSuccess answers qLaunchSuccess.
func (s *Session) launchSuccess(rsp.Extension) (rsp.Reply, error) {
	return host.LaunchSuccess(s.launchFailure), nil
}

// processInfo answers qProcessInfo: the program that was launched last. With that
// its launch is over, and the next one begins anew.
func (s *Session) processInfo(rsp.Extension) (rsp.Reply, error) {
	if s.launched == nil {
		return nil, coded(codeNothingLaunched, "no program has been launched")
	}
	reply := s.launched.Info()
	s.launched, s.startup = nil, startup{}
	return reply, nil
}

// currentProcess answers qC, by which older clients ask the same.
func (s *Session) currentProcess(*rsp.CurrentThreadQuery) (rsp.Reply, error) {
	pid := 0
	if s.launched != nil {
		pid = s.launched.PID
		s.launched, s.startup = nil, startup{}
	}
	return rsp.Text("QC" + strconv.FormatInt(int64(pid), 16)), nil
}
