// Package threads is the model of the processes and LWPs under debugging: who
// exists, who may run, what stopped and is yet to be told, which breakpoints
// lie in whose memory, and what a new child is.
//
// A [Table] is driven by one goroutine, the tracer's. It makes no system call
// of its own: everything it learns and does goes through [Kernel], which
// package ptrace implements for real and a simulated kernel for tests.
//
// # All-stop
//
// [Table.Resume] sets LWPs going and [Table.Wait] returns when one of them has
// something to report, with every other LWP stopped. What the others stopped
// for in the same moment is kept with them and reported when they are resumed.
// An LWP that the client did not resume is never touched.
//
// # Non-stop
//
// [Table.SetNonStop] changes the mode. Wait then returns with only the LWP that
// is reported stopped, and waits for [Table.Acknowledge] before it reports the
// next. What the kernel allows for stopped threads alone (debug registers, to
// attach, to detach) is done while all of them are stopped for a moment.
//
// # Identity
//
// The kernel uses thread ids again. An [LWP] is a value of its own for each
// thread that lived, and the table forgets it when the kernel says it ended.
package threads
