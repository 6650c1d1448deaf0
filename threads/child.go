package threads

import "rspd/ptrace"

// ChildKind is what a new task is to its creator.
type ChildKind uint8

// The three kinds of children a debugger knows.
const (
	// ChildLWP: one more thread of the creator's process.
	ChildLWP ChildKind = iota
	// ChildFork: a process of its own.
	ChildFork
	// ChildVFork: a process of its own, whose creator is held until the child
	// executes a program or ends.
	ChildVFork
)

// KindOfChild is the one rule for what a new task is. It goes by facts of the
// child, not by the name of the event: the kernel chooses that name from the
// clone flags and the exit signal (kernel/fork.c, kernel_clone), and reports a
// process whose exit signal is not SIGCHLD as Cloned, like a thread.
//
// A task in its creator's thread group is an LWP, since that is what shares
// the process id, the signals and the fate of execve. Any other is a process;
// whether its creator is held (CLONE_VFORK) the event does tell, because the
// kernel tests that flag first.
func KindOfChild(event ptrace.EventKind, creatorGroup, childGroup int) ChildKind {
	switch {
	case childGroup == creatorGroup:
		return ChildLWP
	case event == ptrace.VForked:
		return ChildVFork
	}
	return ChildFork
}
