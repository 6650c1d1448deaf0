package ptrace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// onTracer runs a test on a locked thread with a tracer of its own and kills
// what the test leaves behind.
func onTracer(t testing.TB, body func(tracer *Tracer)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		tracer, err := NewTracer()
		if err != nil {
			t.Error(err)
			return
		}
		defer tracer.Close()
		body(tracer)
	}()
	<-done
}

// launch starts a program that is killed and reaped when the test ends.
func launch(t testing.TB, tracer *Tracer, arguments ...string) int {
	t.Helper()
	pid, err := tracer.Launch(program(t, arguments...))
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return pid
}

func program(t testing.TB, arguments ...string) Program {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return Program{Path: arguments[0], Arguments: arguments, Environment: []string{"A=1"},
		Input: null, Output: null, Errors: null, DisableRandomization: true}
}

func BenchmarkStep(b *testing.B) {
	onTracer(b, func(tracer *Tracer) {
		pid := launch(b, tracer, "/bin/cat", "/dev/zero")
		defer tracer.abandon(pid)
		for b.Loop() {
			if err := tracer.Step(pid, 0); err != nil {
				b.Error(err)
				return
			}
			if event, err := tracer.Wait(pid); err != nil || event.Kind != SignalStop {
				b.Error(event, err)
				return
			}
		}
	})
}

func BenchmarkLaunch(b *testing.B) {
	onTracer(b, func(tracer *Tracer) {
		for b.Loop() {
			tracer.abandon(launch(b, tracer, "/bin/true"))
		}
	})
}

func TestLaunchStopsBeforeFirstInstruction(t *testing.T) {
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/true")
		defer tracer.abandon(pid)
		var registers Registers
		if err := tracer.Registers(pid, &registers); err != nil {
			t.Error(err)
		}
		name, err := Executable(pid)
		if err != nil || name == "" {
			t.Error(name, err)
		}
		event := Event{}
		for err = tracer.Continue(pid, 0); err == nil && !event.Ended(); {
			if event, err = tracer.Wait(pid); err == nil && !event.Ended() {
				err = tracer.Continue(pid, 0)
			}
		}
		if event.Kind != Exited || event.Status != 0 {
			t.Errorf("%v %v", event, err)
		}
	})
}

// TestLaunchLeavesNoSignal sends the launcher what the Go runtime sends its
// threads: none of it may reach the program.
func TestLaunchLeavesNoSignal(t *testing.T) {
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for child := 0; ; {
			select {
			case <-stop:
				return
			default:
			}
			if child == 0 {
				child = firstChild(t)
			} else if err := unix.Tgkill(child, child, unix.SIGURG); err != nil {
				return
			}
		}
	}()
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/true")
		defer tracer.abandon(pid)
		if left, err := tracer.preempted(pid); left || err != nil {
			t.Errorf("a signal waits for the program: %v, %v", left, err)
		}
		close(stop)
	})
	<-stopped
}

// firstChild finds a child of this process, 0 if there is none.
func firstChild(t *testing.T) int {
	paths, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Error(err)
	}
	for _, path := range paths {
		var child int
		if text, err := os.ReadFile(path); err == nil {
			if n, _ := fmt.Sscan(string(text), &child); n == 1 {
				return child
			}
		}
	}
	return 0
}

func TestLaunchOfWhatIsNoProgram(t *testing.T) {
	onTracer(t, func(tracer *Tracer) {
		for path, want := range map[string]unix.Errno{"/nonexistent": unix.ENOENT, "/etc/passwd": unix.EACCES, "/": unix.EACCES} {
			_, err := tracer.Launch(program(t, path))
			var failure *LaunchError
			if !errors.As(err, &failure) || failure.Errno != want {
				t.Errorf("%s: %v, want %v", path, err, want)
			}
		}
		if _, err := tracer.Poll(AnyThread); err != ErrNoTracees {
			t.Errorf("a child is left: %v", err)
		}
	})
}

func TestInputInterruptsWait(t *testing.T) {
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/sleep", "1000")
		defer tracer.abandon(pid)
		if err := tracer.Continue(pid, 0); err != nil {
			t.Error(err)
		}
		var pair [2]int
		if err := unix.Pipe(pair[:]); err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		if err := tracer.WatchInput(pair[0]); err != nil {
			t.Error(err)
		}
		for round := range 200 {
			go unix.Write(pair[1], []byte{3})
			for {
				poll := []unix.PollFd{{Fd: int32(pair[0]), Events: unix.POLLIN}}
				if event, err := tracer.Wait(AnyThread); err != ErrInput {
					t.Errorf("round %d: %v %v", round, event, err)
					return
				}
				// The interruption may be one that the last round left over.
				if n, _ := unix.Poll(poll, 0); n == 1 {
					break
				}
			}
			unix.Read(pair[0], make([]byte, 1))
		}
	})
}

func TestInputIsSeenBetweenReports(t *testing.T) {
	onTracer(t, func(tracer *Tracer) {
		pid := launch(t, tracer, "/bin/cat", "/dev/zero")
		defer tracer.abandon(pid)
		var pair [2]int
		if err := unix.Pipe(pair[:]); err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		if err := tracer.WatchInput(pair[0]); err != nil {
			t.Error(err)
		}
		unix.Write(pair[1], []byte{3})
		// Each step reports before Wait would come to sleep.
		for range 1000 {
			if err := tracer.Step(pid, 0); err != nil {
				t.Error(err)
				return
			}
			if _, err := tracer.Wait(pid); err == ErrInput {
				return
			} else if err != nil {
				t.Error(err)
				return
			}
		}
		t.Error("1000 steps were reported and the input was not")
	})
}
