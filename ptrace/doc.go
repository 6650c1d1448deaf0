// Package ptrace is the Linux kernel as a debugger sees it: typed calls of
// ptrace(2), decoded wait statuses, signal information, debug registers,
// memory and the facts of /proc. It knows no protocol and decides nothing.
//
// # One thread
//
// The kernel binds a tracee to the thread that attached to it, not to the
// tracer's process: a call from any other thread fails with ESRCH. A [Tracer]
// therefore belongs to the goroutine that made it, which has to be locked to
// its operating system thread (runtime.LockOSThread) and must not unlock it.
// Only [Tracer.Wait] blocks. Memory reads and /proc work from anywhere.
//
// # Seized, never stopped by signals
//
// Every tracee is seized (PTRACE_SEIZE) and stopped with PTRACE_INTERRUPT, so
// that no SIGSTOP is left pending when it is let go, group stops are told from
// signals, and new children arrive in a PTRACE_EVENT_STOP of their own.
//
// # A tracee may be gone at any moment
//
// SIGKILL and execve in another thread take a stopped tracee away between two
// calls. Each call then fails with an error for which errors.Is(err, [ErrGone])
// holds; the stream of [Tracer.Wait] tells what became of it.
package ptrace
