// Package simulation is a kernel that runs small programs under a tracer, so
// that every order of events can be tried and tried again.
//
// It keeps to ptrace(2) for seized tracees, and where the manual is silent to
// what kernel/ptrace.c, kernel/signal.c, kernel/exit.c and fs/exec.c of Linux
// do: what takes part in which stop, what a stop satisfies, what SIGKILL
// makes vanish, who waits for whom.
//
// Everything that could happen in one order or another is put to a
// [Scheduler]: one that draws from a seeded source repeats a run to the last
// detail.
package simulation
