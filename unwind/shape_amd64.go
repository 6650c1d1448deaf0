package unwind

// A Shape is the known form of a patcher's stubs.
type Shape string

// The known shapes.
const (
	// RRJump is rr's stub that leaves the return address on the hook's stack
	// and jumps to the hook, and its variant that traps.
	RRJump Shape = "rr"
	// RRCall is the stub of rr's pull request 3322, which calls the hook and
	// has the displaced instructions after the call.
	RRCall Shape = "rr-call"
	// GDBTracepoint is the jump pad of a fast tracepoint, as gdb's server
	// writes it.
	GDBTracepoint Shape = "gdb-fast-tracepoint"
)

// any8 stands for a byte of any value in a pattern.
const any8 = -1

// What stubs of each shape begin with.
var shapes = []struct {
	shape   Shape
	pattern []int
	then    []int // occurs after the pattern
}{
	{
		shape: RRCall,
		// mov %rsp,(scratch); mov $saved_flags+2,%esp; pushfw; mov (scratch),%rsp
		pattern: rrSaves,
		// call *target(%rip); pop %rsp; syscall
		then: []int{0xff, 0x15, any8, any8, any8, any8, 0x5c, 0x0f, 0x05},
	},
	{
		shape:   RRJump,
		pattern: rrSaves,
		// movl low,(%rsp); movl high,4(%rsp)
		then: []int{0xc7, 0x04, 0x24, any8, any8, any8, any8, 0xc7, 0x44, 0x24, 0x04},
	},
	{
		shape: GDBTracepoint,
		pattern: []int{
			0x54, 0x55, 0x57, 0x56, 0x52, 0x51, 0x53, 0x50, // push rsp rbp rdi rsi rdx rcx rbx rax
			0x41, 0x57, 0x41, 0x56, 0x41, 0x55, 0x41, 0x54, // push r15 r14 r13 r12
			0x41, 0x53, 0x41, 0x52, 0x41, 0x51, 0x41, 0x50, // push r11 r10 r9 r8
			0x9c,       // pushfq
			0x48, 0xbf, // movabs address,%rdi
		},
		then: []int{0x57, 0x48, 0x83, 0xec, 0x18, 0x48, 0xb8}, // push %rdi; sub $24,%rsp; movabs
	},
}

var rrSaves = []int{
	0x48, 0x89, 0x24, 0x25, 0x10, 0x10, 0x00, 0x70,
	0xbc, 0x1e, 0x10, 0x00, 0x70,
	0x66, 0x9c,
	0x48, 0x8b, 0x24, 0x25, 0x10, 0x10, 0x00, 0x70,
}

// keeps are the assumptions that the makers of a shape's stubs keep: rr's
// scratch memory is one page for each thread, its hooks have a stack of their
// own, and gdb's tracepoints are hit
// without changing anything.
func (s Shape) keeps() Assumption {
	switch s {
	case RRCall, RRJump:
		return HooksKeepABI | NoAliasing | PrivateMemory | OtherStack
	case GDBTracepoint:
		return HooksKeepABI | NoAliasing
	}
	return 0
}

// longest is how far a pattern may reach.
const longest = 160

// recognise gives the shape of the stub with this code, if it is a known one.
func recognise(code []byte) Shape {
	for _, s := range shapes {
		if !match(code, s.pattern) {
			continue
		}
		for rest := code[len(s.pattern):]; len(rest) >= len(s.then); rest = rest[1:] {
			if match(rest, s.then) {
				return s.shape
			}
		}
	}
	return ""
}

func match(code []byte, pattern []int) bool {
	if len(code) < len(pattern) {
		return false
	}
	for i, b := range pattern {
		if b != any8 && int(code[i]) != b {
			return false
		}
	}
	return true
}
