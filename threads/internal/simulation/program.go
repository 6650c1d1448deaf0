package simulation

import "fmt"

// Operation is what one instruction of a simulated program does. Each one is
// one byte long.
type Operation uint8

const (
	// Nop does nothing.
	Nop Operation = iota
	// Store writes 8 bytes at the address Argument.
	Store
	// Load reads 8 bytes at the address Argument.
	Load
	// Int3 is a breakpoint of the program's own.
	Int3
	// Clone starts a thread at the instruction Argument.
	Clone
	// Fork starts a process at the instruction Argument.
	Fork
	// VFork is Fork that lends the memory and waits.
	VFork
	// CloneProcess is Fork with an exit signal other than SIGCHLD, which the
	// kernel reports as a clone.
	CloneProcess
	// VForkCopy is VFork without CLONE_VM: the creator waits though the child
	// has a copy of the memory.
	VForkCopy
	// CloneWait is Clone with CLONE_VFORK: the creator waits for the thread.
	CloneWait
	// Share is Fork with CLONE_VM: the memory stays common.
	Share
	// Exec executes the program number Argument.
	Exec
	// Exit ends the thread with the status Argument.
	Exit
	// ExitGroup ends the process with the status Argument.
	ExitGroup
	// Raise sends the signal Argument to the thread itself.
	Raise
	// Pause sleeps until a signal is handled.
	Pause
	// Jump goes to the instruction Argument.
	Jump
)

var operationNames = [...]string{"nop", "store", "load", "int3", "clone", "fork", "vfork", "cloneprocess", "vforkcopy", "clonewait", "share",
	"exec",
	"exit", "exitgroup", "raise", "pause", "jump"}

// isCall tells whether it is a system call.
func (o Operation) isCall() bool {
	switch o {
	case Clone, Fork, VFork, CloneProcess, VForkCopy, CloneWait, Share, Exec, Exit, ExitGroup, Raise:
		return true
	}
	return false
}

func (o Operation) String() string { return operationNames[o] }

// ParseOperation finds an operation by its name.
func ParseOperation(name string) (Operation, error) {
	for i, known := range operationNames {
		if known == name {
			return Operation(i), nil
		}
	}
	return 0, fmt.Errorf("there is no operation %q", name)
}

// Instruction is an operation with its argument.
type Instruction struct {
	Operation Operation
	Argument  uint64
}

func (i Instruction) String() string { return fmt.Sprintf("%v %d", i.Operation, i.Argument) }

// Program is a list of instructions, loaded at Code. It begins at the first
// one; each way through it has to end.
type Program []Instruction

// Where things lie in each process.
const (
	Code     = 0x1000
	Data     = 0x8000
	DataSize = 64
	codeByte = 0x90
	int3     = 0xcc
)

func (p Program) bytes() []byte {
	code := make([]byte, len(p))
	for i, instruction := range p {
		code[i] = codeByte
		if instruction.Operation == Int3 {
			code[i] = int3
		}
	}
	return code
}
