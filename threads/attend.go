package threads

import (
	"errors"

	"rspd/ptrace"
)

// Background tells whether there is anything to attend to that the client does
// not see: processes that it has let go and that have to stay traced, or threads
// that were dying then and are still to be reaped, without which the kernel
// holds back the end of their process (kernel/exit.c, delay_group_leader).
func (t *Table) Background() bool { return t.unwatched > 0 || len(t.leaving) > 0 }

// Attend lets what the client does not see go on, while in all-stop all that it
// does see stays stopped. It returns ptrace.ErrInput for the caller to look at
// its connection, and nil when there is nothing to attend to any more.
// Everything is stopped then.
func (t *Table) Attend() error {
	t.stopping, t.attending = false, true
	err := t.attend()
	t.attending = false
	return errors.Join(err, t.StopAll())
}

func (t *Table) attend() error {
	for t.Background() {
		if t.unsettled {
			t.unsettled = false
			if err := t.StopAll(); err != nil {
				return err
			}
			t.stopping = false
			continue
		}
		if err := t.proceedAll(); err != nil {
			return err
		}
		if err := t.stepOver(); err != nil {
			return err
		}
		event, err := t.kernel.Wait(ptrace.AnyThread)
		if errors.Is(err, ptrace.ErrNoTracees) {
			clear(t.leaving)
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.handle(event); err != nil {
			return err
		}
	}
	return nil
}

// proceedAll lets every LWP of the unwatched processes go on.
func (t *Table) proceedAll() error {
	for _, process := range t.processes {
		if !process.unwatched {
			continue
		}
		for _, lwp := range process.lwps {
			if lwp.state == lwpStopped && lwp.pending.Kind != NoStop {
				t.judge(lwp.pending)
				if err := t.pass(lwp.pending); err != nil {
					return err
				}
				continue
			}
			if err := t.proceed(lwp); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteLeaving remembers a thread that ends on its own, out of the table.
func (t *Table) noteLeaving(tid int) {
	if t.leaving == nil {
		t.leaving = map[int]bool{}
	}
	t.leaving[tid] = true
}
