package cfi

// A Register is a DWARF register number (System V ABI, AMD64 supplement,
// figure 3.36), which differs from the order in machine code.
type Register uint8

// The registers that a row has rules for. RIP stands for the return address.
const (
	RAX Register = iota
	RDX
	RCX
	RBX
	RSI
	RDI
	RBP
	RSP
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
	RIP
	// Registers is their number.
	Registers = 17
)

// CalleeSaved lists the registers, besides rsp, that a function preserves for
// its caller (AMD64 supplement, section 3.2.1).
var CalleeSaved = [...]Register{RBX, RBP, R12, R13, R14, R15}

var registerNames = [Registers]string{
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
}

// String returns the assembler's name of the register.
func (r Register) String() string {
	if int(r) < len(registerNames) {
		return registerNames[r]
	}
	return "?"
}
