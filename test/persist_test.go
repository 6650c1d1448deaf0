package test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/test/inferiors"
)

// TestPersistentCommands lets a program go that has a breakpoint whose commands
// are to be run without gdb, takes it back, and lets it go for good.
func TestPersistentCommands(t *testing.T) {
	for _, multi := range []bool{false, true} {
		t.Run(caseName("multi", fmt.Sprint(multi)), func(t *testing.T) {
			gnuLacks(t, "13.1 stops such a program at the first signal")
			s := newSession(t)
			program := native(t, "ticks.c", inferiors.PIE)
			inferior := s.start(program, "3")
			options := []string{"--attach"}
			words := []string{fmt.Sprint(inferior.pid)}
			if multi {
				options, words = []string{"--multi"}, nil
			}
			v := s.serve(options, words...)
			connect := func() *gdb {
				if !multi {
					return s.connected(v, program)
				}
				return s.extended(v, program)
			}
			g := connect()
			if multi {
				g.run(fmt.Sprint("attach ", inferior.pid))
			}
			g.runs("set breakpoint always-inserted on", "set breakpoint condition-evaluation target", "set dprintf-style agent", "set disconnected-dprintf on",
				`dprintf tick,"tick of %d\n", index`, "break child_tick", "detach")
			v.stderr.wait(t, fmt.Sprintf("Process %d stays with rspd", inferior.pid))
			// The other breakpoint went with gdb: nothing stops the child.
			if err := unix.Kill(inferior.pid, unix.SIGCHLD); err != nil {
				t.Fatal(err)
			}
			ticking := func(what string, size int) {
				for index := range 3 {
					v.stdout.waitFrom(t, size, fmt.Sprintf("(?s)(tick of %d\n.*){20}", index))
				}
			}
			ticking("let go", v.stdout.size())
			if multi {
				g.runs(fmt.Sprint("attach ", inferior.pid), "detach")
				ticking("let go again", v.stdout.size())
			}
			g.quit()
			ticking("gone", v.stdout.size())
			again := connect()
			again.matches("info threads", "tick|count|sleep")
			again.runs("set breakpoint always-inserted on", "dprintf tick,\"again\\n\"", "delete", "detach")
			s.untouched(inferior.pid)
		})
	}
}
