package threads

import (
	"slices"

	"rspd/ptrace"
)

// SyscallSet are system calls, by their numbers in the ABI by which each is
// made. The zero value is none.
type SyscallSet struct {
	all     bool
	numbers []uint64
}

// AllSyscalls is every system call.
var AllSyscalls = SyscallSet{all: true}

// Syscalls is the set of the numbers given.
func Syscalls(numbers ...uint64) SyscallSet {
	sorted := slices.Clone(numbers)
	slices.Sort(sorted)
	return SyscallSet{numbers: slices.Compact(sorted)}
}

func (s SyscallSet) any() bool { return s.all || len(s.numbers) > 0 }

// Has tells whether a number is in.
func (s SyscallSet) Has(number uint64) bool {
	if s.all {
		return true
	}
	_, found := slices.BinarySearch(s.numbers, number)
	return found
}

// CatchSyscalls chooses the system calls of which entry and return are
// reported, from the next resumption on. Children inherit it, and it outlives
// execve. A call that is single-stepped over is not reported, as the kernel
// stops for one or the other, and where the client steps on from an entry the
// step ends at the return.
//
// A return is reported whether the entry was or not: the client may have wanted
// to know only since then. exit(2) and its like have none.
//
// A list still stops the process twice in every call. A seccomp filter
// (SECCOMP_RET_TRACE) would stop it in those of the list alone, but it cannot be
// taken away, goes on to all descendants, and fails its calls with ENOSYS once
// there is no tracer (seccomp(2)): nobody could be let go any more.
func (p *Process) CatchSyscalls(set SyscallSet) { p.syscalls = set }

// Syscall is the system call that the LWP is in or has made last, of those
// that CatchSyscalls had it stop at; the phase is OutsideSyscall when there is
// none. At its return number and arguments are those of the entry.
func (l *LWP) Syscall() ptrace.Syscall { return l.syscall }

// syscallStop finds out what a stop at a system call means. Whether it is the
// entry or the return only the kernel knows for sure (PTRACE_GET_SYSCALL_INFO):
// counting goes wrong where stops were left out in between.
func (t *Table) syscallStop(lwp *LWP, stop Stop) (Stop, error) {
	var call ptrace.Syscall
	if err := t.kernel.Syscall(lwp.TID, &call); err != nil {
		return stop, err
	}
	launching := lwp.launching
	lwp.launching = false
	switch call.Phase {
	case ptrace.SyscallEntry:
		lwp.inSyscall, lwp.followed = true, true
		lwp.syscall = call
		stop.Kind = SyscallEntry
	case ptrace.SyscallReturn:
		if launching {
			return Stop{}, nil
		}
		if !lwp.followed {
			// The registers still have what the entry had.
			registers, err := lwp.Registers()
			if err != nil {
				return stop, err
			}
			lwp.syscall.Number, lwp.syscall.Arguments = registers.SyscallOf(call.ABI)
			lwp.syscall.ABI = call.ABI
		}
		lwp.followed = false
		lwp.syscall.Phase, lwp.syscall.Result, lwp.syscall.Failed = call.Phase, call.Result, call.Failed
		stop.Kind = SyscallReturn
	default:
		return Stop{}, nil
	}
	if stop.Syscall = lwp.syscall.Number; !lwp.Process.syscalls.Has(stop.Syscall) {
		return Stop{}, nil
	}
	return stop, nil
}
