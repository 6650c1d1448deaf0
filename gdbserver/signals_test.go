package gdbserver

import (
	"testing"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// TestSignalSet holds that a signal belongs to a set by the number that stop
// replies give it: Linux has one signal for the protocol's SIGIO and SIGPOLL,
// which a client hears of as SIGIO.
func TestSignalSet(t *testing.T) {
	for _, c := range []struct {
		signals []rsp.Signal
		linux   unix.Signal
		want    bool
	}{
		{[]rsp.Signal{rsp.SIGPOLL}, unix.SIGIO, false},
		{[]rsp.Signal{rsp.SIGIO}, unix.SIGIO, true},
		{[]rsp.Signal{rsp.SIGPOLL, rsp.SIGIO}, unix.SIGIO, true},
		{[]rsp.Signal{rsp.SIGALRM}, unix.SIGALRM, true},
		{[]rsp.Signal{rsp.SIGALRM}, unix.SIGUSR1, false},
		{[]rsp.Signal{rsp.SIGUSR1, rsp.SIGLOST, rsp.SIG32, rsp.SIG63}, unix.Signal(32), true},
		{[]rsp.Signal{rsp.SIG63}, unix.Signal(63), true},
		{[]rsp.Signal{rsp.SIGLOST}, unix.SIGPWR, false},
	} {
		set := (&session{}).signalSet(c.signals)
		if got := set.Has(c.linux); got != c.want {
			t.Errorf("%v has %v: %v, want %v", c.signals, c.linux, got, c.want)
		}
	}
}
