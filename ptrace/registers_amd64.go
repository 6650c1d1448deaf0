package ptrace

import "unsafe"

// Registers is the kernel's struct user_regs_struct for x86-64
// (sys/user.h; arch/x86/include/asm/user_64.h): 27 slots of 8 bytes in the
// machine's byte order, 216 bytes, in the kernel's own order. It is the
// buffer of PTRACE_GETREGS (12) and PTRACE_SETREGS (13), which use this
// layout for every tracee; PTRACE_GETREGSET with NT_PRSTATUS would fill it
// with the 68-byte i386 layout when the tracee runs 32-bit code.
//
// The segment selectors and Eflags hold 16- and 32-bit values in their 8-byte
// slots. OrigRax is the number of the system call the thread is in, or -1.
type Registers struct {
	R15     uint64
	R14     uint64
	R13     uint64
	R12     uint64
	Rbp     uint64
	Rbx     uint64
	R11     uint64
	R10     uint64
	R9      uint64
	R8      uint64
	Rax     uint64
	Rcx     uint64
	Rdx     uint64
	Rsi     uint64
	Rdi     uint64
	OrigRax uint64
	Rip     uint64
	Cs      uint64
	Eflags  uint64
	Rsp     uint64
	Ss      uint64
	FsBase  uint64
	GsBase  uint64
	Ds      uint64
	Es      uint64
	Fs      uint64
	Gs      uint64
}

// Slot names one 8-byte field of Registers, so that a table of registers can
// say where a register lives. Its value is the field's index.
type Slot uint8

// The slots of Registers, in the kernel's order.
const (
	SlotR15 Slot = iota
	SlotR14
	SlotR13
	SlotR12
	SlotRbp
	SlotRbx
	SlotR11
	SlotR10
	SlotR9
	SlotR8
	SlotRax
	SlotRcx
	SlotRdx
	SlotRsi
	SlotRdi
	SlotOrigRax
	SlotRip
	SlotCs
	SlotEflags
	SlotRsp
	SlotSs
	SlotFsBase
	SlotGsBase
	SlotDs
	SlotEs
	SlotFs
	SlotGs

	// Slots is how many slots Registers has.
	Slots = 27
)

// Offset is the slot's distance in bytes from the start of Registers. It is
// also the slot's address for PTRACE_PEEKUSER and PTRACE_POKEUSER, since
// struct user starts with the registers.
func (s Slot) Offset() int { return int(s) * 8 }

// Get returns the value of a slot.
func (r *Registers) Get(s Slot) uint64 { return r.slots()[s] }

// Set changes the value of a slot.
func (r *Registers) Set(s Slot, value uint64) { r.slots()[s] = value }

// PC is the address of the next instruction.
func (r *Registers) PC() uint64 { return r.Rip }

// SetPC changes the address of the next instruction. When the thread is
// stopped in a system call that the kernel means to restart, OrigRax decides
// whether it still rewinds the new address: the caller sets it to -1 to
// prevent that (arch/x86/kernel/signal.c, arch_do_signal_or_restart).
func (r *Registers) SetPC(address uint64) { r.Rip = address }

// userCS is the code segment of 64-bit code, __USER_CS of
// arch/x86/include/asm/segment.h, and xenUserCS what a Xen guest has instead
// (FLAT_RING3_CS64, include/xen/interface/xen.h).
const (
	userCS    = 0x33
	xenUserCS = 0xe033
)

// Executes64Bit tells whether the code at Rip is 64-bit code. A program may
// change between the two kinds whenever it wants, by a far jump.
func (r *Registers) Executes64Bit() bool { return r.Cs == userCS || r.Cs == xenUserCS }

// SP is the stack pointer.
func (r *Registers) SP() uint64 { return r.Rsp }

func (r *Registers) slots() *[Slots]uint64 {
	return (*[Slots]uint64)(unsafe.Pointer(r))
}
