package unwind

import (
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"rspd/unwind/cfi"
)

// The registers in the order of machine code.
var encoded = [16]cfi.Register{
	cfi.RAX, cfi.RCX, cfi.RDX, cfi.RBX, cfi.RSP, cfi.RBP, cfi.RSI, cfi.RDI,
	cfi.R8, cfi.R9, cfi.R10, cfi.R11, cfi.R12, cfi.R13, cfi.R14, cfi.R15,
}

// general gives the general register that a name stands for, or is a part of,
// and the size of the part in bytes.
func general(r x86asm.Reg) (register cfi.Register, size int64, ok bool) {
	n := -1
	switch {
	case r >= x86asm.RAX && r <= x86asm.R15:
		n, size = int(r-x86asm.RAX), 8
	case r >= x86asm.EAX && r <= x86asm.R15L:
		n, size = int(r-x86asm.EAX), 4
	case r >= x86asm.AX && r <= x86asm.R15W:
		n, size = int(r-x86asm.AX), 2
	case r >= x86asm.AL && r <= x86asm.BL:
		n, size = int(r-x86asm.AL), 1
	case r >= x86asm.AH && r <= x86asm.BH:
		n, size = int(r-x86asm.AH), 1
	case r >= x86asm.SPB && r <= x86asm.R15B:
		n, size = int(r-x86asm.SPB)+4, 1
	}
	if n < 0 {
		return 0, 0, false
	}
	return encoded[n], size, true
}

// written lists the general registers that instructions change besides their
// operands (Intel SDM, volume 2).
var written = map[x86asm.Op][]cfi.Register{
	x86asm.CPUID:      {cfi.RAX, cfi.RBX, cfi.RCX, cfi.RDX},
	x86asm.MUL:        {cfi.RAX, cfi.RDX},
	x86asm.IMUL:       {cfi.RAX, cfi.RDX}, // of one operand
	x86asm.DIV:        {cfi.RAX, cfi.RDX},
	x86asm.IDIV:       {cfi.RAX, cfi.RDX},
	x86asm.RDTSC:      {cfi.RAX, cfi.RDX},
	x86asm.RDTSCP:     {cfi.RAX, cfi.RCX, cfi.RDX},
	x86asm.RDPMC:      {cfi.RAX, cfi.RDX},
	x86asm.RDMSR:      {cfi.RAX, cfi.RDX},
	x86asm.XGETBV:     {cfi.RAX, cfi.RDX},
	x86asm.CMPXCHG:    {cfi.RAX},
	x86asm.CMPXCHG8B:  {cfi.RAX, cfi.RDX},
	x86asm.CMPXCHG16B: {cfi.RAX, cfi.RDX},
	x86asm.CBW:        {cfi.RAX},
	x86asm.CWDE:       {cfi.RAX},
	x86asm.CDQE:       {cfi.RAX},
	x86asm.CWD:        {cfi.RDX},
	x86asm.CDQ:        {cfi.RDX},
	x86asm.CQO:        {cfi.RDX},
	x86asm.LAHF:       {cfi.RAX},
	x86asm.XLATB:      {cfi.RAX},
	x86asm.IN:         {cfi.RAX},
	x86asm.LOOP:       {cfi.RCX},
	x86asm.LOOPE:      {cfi.RCX},
	x86asm.LOOPNE:     {cfi.RCX},
	x86asm.SYSCALL:    {cfi.RAX, cfi.RCX, cfi.R11},
	x86asm.INT:        {cfi.RAX},
	x86asm.XBEGIN:     {cfi.RAX},
	x86asm.PCMPESTRI:  {cfi.RCX},
	x86asm.PCMPISTRI:  {cfi.RCX},
	x86asm.VPCMPESTRI: {cfi.RCX},
	x86asm.VPCMPISTRI: {cfi.RCX},
	x86asm.LODSB:      {cfi.RAX, cfi.RSI, cfi.RCX},
	x86asm.LODSW:      {cfi.RAX, cfi.RSI, cfi.RCX},
	x86asm.LODSD:      {cfi.RAX, cfi.RSI, cfi.RCX},
	x86asm.LODSQ:      {cfi.RAX, cfi.RSI, cfi.RCX},
	x86asm.SCASB:      {cfi.RDI, cfi.RCX},
	x86asm.SCASW:      {cfi.RDI, cfi.RCX},
	x86asm.SCASD:      {cfi.RDI, cfi.RCX},
	x86asm.SCASQ:      {cfi.RDI, cfi.RCX},
	x86asm.CMPSB:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.CMPSW:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.CMPSD:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.CMPSQ:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.STOSB:      {cfi.RDI, cfi.RCX},
	x86asm.STOSW:      {cfi.RDI, cfi.RCX},
	x86asm.STOSD:      {cfi.RDI, cfi.RCX},
	x86asm.STOSQ:      {cfi.RDI, cfi.RCX},
	x86asm.MOVSB:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.MOVSW:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.MOVSD:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.MOVSQ:      {cfi.RSI, cfi.RDI, cfi.RCX},
	x86asm.INSB:       {cfi.RDI, cfi.RCX},
	x86asm.INSW:       {cfi.RDI, cfi.RCX},
	x86asm.INSD:       {cfi.RDI, cfi.RCX},
	x86asm.OUTSB:      {cfi.RSI, cfi.RCX},
	x86asm.OUTSW:      {cfi.RSI, cfi.RCX},
	x86asm.OUTSD:      {cfi.RSI, cfi.RCX},
}

// readOnly are the instructions that don't change their first operand, or
// change nothing that is kept track of.
var readOnly = map[x86asm.Op]bool{
	x86asm.CMP: true, x86asm.TEST: true, x86asm.NOP: true, x86asm.BT: true,
	x86asm.JMP: true, x86asm.PREFETCHNTA: true, x86asm.PREFETCHT0: true,
	x86asm.PREFETCHT1: true, x86asm.PREFETCHT2: true, x86asm.PREFETCHW: true,
	x86asm.CLFLUSH: true, x86asm.LDMXCSR: true, x86asm.VLDMXCSR: true,
	x86asm.FXRSTOR: true, x86asm.FXRSTOR64: true, x86asm.XRSTOR: true, x86asm.XRSTOR64: true,
	x86asm.MUL: true, x86asm.DIV: true, x86asm.IDIV: true, x86asm.INT: true,
	x86asm.COMISD: true, x86asm.COMISS: true, x86asm.UCOMISD: true, x86asm.UCOMISS: true,
	x86asm.PTEST: true, x86asm.VPTEST: true, x86asm.FLDCW: true, x86asm.FLDENV: true,
	x86asm.FLD: true, x86asm.FILD: true, x86asm.FRSTOR: true, x86asm.XBEGIN: true,
}

// beyond are the instructions whose effect isn't followed: what comes after
// them is unknown.
var beyond = map[x86asm.Op]bool{
	x86asm.IRET: true, x86asm.IRETD: true, x86asm.IRETQ: true, x86asm.LRET: true,
	x86asm.LCALL: true, x86asm.LJMP: true, x86asm.SYSEXIT: true, x86asm.SYSRET: true,
	x86asm.SYSENTER: true, x86asm.HLT: true, x86asm.UD0: true, x86asm.UD1: true, x86asm.UD2: true,
	x86asm.RSM: true, x86asm.ENTER: true, x86asm.POPA: true, x86asm.POPAD: true,
	x86asm.PUSHA: true, x86asm.PUSHAD: true, x86asm.SWAPGS: true, x86asm.ICEBP: true,
	x86asm.XABORT: true,
}

// saveAreas are the sizes that instructions store without saying so in an
// operand, in bytes (Intel SDM, volume 1, 8.1.10, 10.5.1 and 13.4). What XSAVE
// stores beyond its header depends on the processor.
var saveAreas = map[x86asm.Op]int64{
	x86asm.FXSAVE: 512, x86asm.FXSAVE64: 512, x86asm.FNSAVE: 108, x86asm.FNSTENV: 28,
	x86asm.XSAVE: 576, x86asm.XSAVE64: 576, x86asm.XSAVEC: 576, x86asm.XSAVEC64: 576,
	x86asm.XSAVEOPT: 576, x86asm.XSAVEOPT64: 576, x86asm.XSAVES: 576, x86asm.XSAVES64: 576,
}

// extended is the largest area of XSAVE that is known (with AMX).
const extended = 11008

// A step is one instruction and the state that it works on.
type step struct {
	*state
	in   x86asm.Inst
	pc   uint64
	next uint64
	// own tells that memory was read which the stub may have stored to, and
	// of which nothing is known.
	own bool
}

func (s *step) has(prefix x86asm.Prefix) bool {
	for _, p := range s.in.Prefix {
		if p == 0 {
			break
		}
		if p&0x0fff == prefix && p&x86asm.PrefixIgnored == 0 {
			return true
		}
	}
	return false
}

// absoluteMove tells the forms of MOV with an address of 64 bits (A0 to A3).
func absoluteMove(in x86asm.Inst) bool {
	op := in.Opcode >> 24
	return in.Op == x86asm.MOV && op >= 0xa0 && op <= 0xa3
}

// address gives the effective address of an operand in memory, and whether it
// is computed from the stack pointer.
func (s *step) address(m x86asm.Mem) (v value, viaStack bool) {
	disp := m.Disp
	if !absoluteMove(s.in) {
		disp = int64(int32(disp)) // x86asm gives some of them unsigned
	}
	vector := false
	for _, p := range s.in.Prefix {
		vector = vector || p.IsVEX() || p.IsEVEX()
	}
	switch {
	case m.Index != 0, s.has(x86asm.PrefixAddrSize):
		return value{}, false
	case m.Base == x86asm.RIP:
		v = number(int64(s.next) + disp)
	case m.Base == 0 && vector:
		// The decoder writes addresses relative to rip like absolute ones.
		return value{}, false
	case m.Base == 0:
		v = number(disp)
	default:
		register, size, ok := general(m.Base)
		if !ok || size != 8 {
			return value{}, false
		}
		v, viaStack = s.registers[register].plus(disp), register == cfi.RSP
	}
	if m.Segment == x86asm.FS || m.Segment == x86asm.GS {
		if v.kind != constant {
			return value{}, false
		}
		v.kind = fsBase
		if m.Segment == x86asm.GS {
			v.kind = gsBase
		}
	}
	return v, viaStack
}

// size gives the size of the memory operand.
func (s *step) size() int64 {
	if n := int64(s.in.MemBytes); n > 0 {
		return n
	}
	return 8
}

func (s *step) get(arg x86asm.Arg) value {
	switch arg := arg.(type) {
	case x86asm.Reg:
		register, size, ok := general(arg)
		switch {
		case ok && size == 8:
			return s.registers[register]
		case ok && size == 4 && s.registers[register].kind == constant:
			v := s.registers[register]
			v.offset = int64(uint32(v.offset))
			return v
		}
	case x86asm.Imm:
		return number(int64(arg))
	case x86asm.Mem:
		address, _ := s.address(arg)
		return s.read(address, s.size())
	}
	return value{}
}

func (s *step) read(address value, size int64) value {
	v := s.load(address, size, s.pc)
	if v.kind == unknown || v.kind == base && v.name == s.pc {
		s.own = s.own || s.stored(address, size)
	}
	return v
}

func (s *step) put(arg x86asm.Arg, v value) {
	switch arg := arg.(type) {
	case x86asm.Reg:
		if register, size, ok := general(arg); ok {
			s.set(register, size, v)
		}
	case x86asm.Mem:
		address, viaStack := s.address(arg)
		size := s.size()
		switch {
		case v.kind == constant && size == 4:
			v.offset = int64(uint32(v.offset))
		case size != 8:
			v = value{}
		}
		s.store(address, size, v, viaStack)
	}
}

// set changes a register, or size bytes of it.
func (s *step) set(register cfi.Register, size int64, v value) {
	switch {
	case size == 4 && v.kind == constant:
		v.offset = int64(uint32(v.offset))
	case size < 8:
		v = value{}
	}
	if register == cfi.RSP && v.kind == unknown {
		v = s.moved()
	}
	if register == cfi.RSP {
		v = s.switched(v)
	}
	s.registers[register] = v
}

// switched makes a value the stack pointer.
func (s *step) switched(v value) value {
	if s.own && v.kind == base {
		// It may well be the site's, and what is below it overwritten.
		s.clearBelow(value{kind: initial, register: cfi.RSP})
		s.initialAssumed |= OtherStack
	}
	v = s.useAsStack(v)
	s.stackMoved(v)
	return v
}

// moved gives the new stack pointer after an instruction that moved it by an
// unknown distance, or elsewhere.
func (s *step) moved() value {
	old := s.rsp()
	mask, constantMask := s.in.Args[1].(x86asm.Imm)
	if s.in.Op != x86asm.AND || !constantMask || mask >= 0 || !old.onSiteStack() {
		return s.fresh(s.pc)
	}
	s.clearBelow(old)
	v := s.fresh(s.pc | near)
	switch {
	case old.kind == initial:
		v.register, v.slot = cfi.RSP, old.offset
	case old.bounded():
		v.register, v.slot = cfi.RSP, old.slot+old.offset
	}
	v.assumed = old.assumed
	return v
}

func (s *step) push(size int64, v value) {
	if size != 8 {
		v = value{}
	}
	rsp := s.rsp().plus(-size)
	s.registers[cfi.RSP] = rsp
	s.store(rsp, size, v, true)
}

func (s *step) pop(size int64) value {
	rsp := s.rsp()
	v := s.read(rsp, size)
	s.registers[cfi.RSP] = s.rsp().plus(size)
	return v
}

// width gives the operand size of pushes and pops.
func (s *step) width() int64 {
	if s.has(x86asm.PrefixDataSize) || s.has(x86asm.PrefixData16) {
		return 2
	}
	return 8
}

// execute changes the state as the instruction does; calls as if they had
// returned. It reports whether what follows is known.
func (s *step) execute() bool {
	in, args := s.in, s.in.Args
	if beyond[in.Op] {
		return false
	}
	repeated := s.has(x86asm.PrefixREP) || s.has(x86asm.PrefixREPN)
	switch in.Op {
	case x86asm.MOV:
		s.put(args[0], s.get(args[1]))
	case x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD:
		v := value{}
		if register, ok := args[1].(x86asm.Reg); ok && in.Op == x86asm.MOVSXD {
			if v = s.get(register); v.kind == constant {
				v.offset = int64(int32(v.offset))
			}
		}
		s.put(args[0], v)
	case x86asm.LEA:
		m, ok := args[1].(x86asm.Mem)
		if !ok {
			return false
		}
		m.Segment = 0
		v, _ := s.address(m)
		s.put(args[0], v)
	case x86asm.PUSH:
		v := s.get(args[0])
		s.push(s.width(), v)
	case x86asm.PUSHF, x86asm.PUSHFD, x86asm.PUSHFQ:
		s.push(s.width(), value{})
	case x86asm.POPF, x86asm.POPFD, x86asm.POPFQ:
		s.pop(s.width())
	case x86asm.POP:
		// An address in terms of rsp is computed after the increment.
		v := s.pop(s.width())
		if s.width() != 8 {
			v = value{}
		}
		s.put(args[0], v)
	case x86asm.ADD, x86asm.SUB, x86asm.INC, x86asm.DEC:
		s.put(args[0], s.sum())
	case x86asm.XOR, x86asm.SBB:
		v := value{}
		if args[0] == args[1] && in.Op == x86asm.XOR {
			v = number(0)
		}
		s.put(args[0], v)
	case x86asm.AND:
		v := value{}
		if a, b := s.get(args[0]), s.get(args[1]); a.kind == constant && b.kind == constant {
			v = number(a.offset & b.offset)
			v.assumed = a.assumed | b.assumed
		}
		s.put(args[0], v)
	case x86asm.XCHG:
		a, b := s.get(args[0]), s.get(args[1])
		if a.kind == base && a.name == s.pc { // of an earlier round
			a = value{}
		}
		s.put(args[0], b)
		s.put(args[1], a)
	case x86asm.XADD:
		a := s.get(args[0])
		s.put(args[1], a)
		s.put(args[0], value{})
	case x86asm.LEAVE:
		s.set(cfi.RSP, 8, s.registers[cfi.RBP])
		s.registers[cfi.RBP] = s.pop(8)
	case x86asm.CALL:
		s.called()
	case x86asm.RET:
		s.pop(8)
		if n, ok := args[0].(x86asm.Imm); ok {
			s.registers[cfi.RSP] = s.rsp().plus(int64(n))
		}
	case x86asm.STOSB, x86asm.STOSW, x86asm.STOSD, x86asm.STOSQ,
		x86asm.MOVSB, x86asm.MOVSW, x86asm.MOVSD, x86asm.MOVSQ,
		x86asm.INSB, x86asm.INSW, x86asm.INSD:
		s.string(repeated)
	case x86asm.MASKMOVDQU, x86asm.MASKMOVQ, x86asm.VMASKMOVDQU:
		s.store(value{}, 16, value{}, false)
	case x86asm.BTC, x86asm.BTR, x86asm.BTS:
		if _, ok := args[1].(x86asm.Reg); ok && s.in.MemBytes > 0 {
			s.store(value{}, 8, value{}, false) // the bit may lie beyond the operand
		} else {
			s.put(args[0], value{})
		}
	case x86asm.MULX:
		s.put(args[0], value{})
		s.put(args[1], value{})
	case x86asm.WRFSBASE, x86asm.WRGSBASE:
		s.dropThreadLocal()
	case x86asm.IMUL:
		if args[1] != nil {
			s.put(args[0], value{})
		} else {
			s.forget(written[in.Op])
		}
	default:
		if size, ok := saveAreas[in.Op]; ok {
			s.saveArea(size)
			break
		}
		if !readOnly[in.Op] && args[0] != nil {
			s.put(args[0], value{})
		}
		s.forget(written[in.Op])
	}
	return true
}

// sum gives the result of ADD, SUB, INC and DEC, if it is known.
func (s *step) sum() value {
	if register, ok := s.in.Args[0].(x86asm.Reg); ok {
		if _, size, ok := general(register); !ok || size < 4 {
			return value{}
		}
	}
	a := s.get(s.in.Args[0])
	b := number(1)
	if s.in.Args[1] != nil {
		b = s.get(s.in.Args[1])
	}
	minus := s.in.Op == x86asm.SUB || s.in.Op == x86asm.DEC
	assumed := a.assumed | b.assumed
	switch {
	case b.kind == constant && minus:
		a = a.plus(-b.offset)
	case b.kind == constant:
		a = a.plus(b.offset)
	case a.kind == constant && !minus:
		a = b.plus(a.offset)
	case minus && a.kind != unknown && a.origin() == b.origin():
		a = number(a.offset - b.offset)
	default:
		return value{}
	}
	a.assumed = assumed
	return a
}

// string changes the state as a string instruction does.
func (s *step) string(repeated bool) {
	address, size := s.registers[cfi.RDI], int64(s.in.MemBytes)
	if size == 0 {
		size = 8
	}
	if repeated {
		count := s.registers[cfi.RCX]
		if count.kind == constant && count.offset >= 0 && count.offset < 1<<16 {
			size *= count.offset
		} else if address.kind != unknown {
			// It may go either way and as far as it likes.
			address.offset, size = address.offset-stackDepth, 2*stackDepth
		}
	}
	if size > 0 {
		s.store(address, size, value{}, false)
	}
	s.forget(written[s.in.Op])
}

func (s *step) saveArea(size int64) {
	m, ok := s.in.Args[0].(x86asm.Mem)
	if !ok {
		return
	}
	address, viaStack := s.address(m)
	s.store(address, size, value{}, viaStack)
	if size == 576 {
		// Saved registers may lie above as far as the area allows.
		for i := range s.cells {
			c := &s.cells[i]
			if c.overlaps(address.plus(size), extended-size) {
				c.content.assumed |= NoAliasing
			}
		}
		s.suspect(address, extended, viaStack)
	}
}

// dropThreadLocal forgets what is in memory relative to fs or gs.
func (s *step) dropThreadLocal() {
	s.cells = slices.DeleteFunc(s.cells, func(c cell) bool {
		return c.address.kind == fsBase || c.address.kind == gsBase
	})
}

func (s *step) forget(registers []cfi.Register) {
	for _, register := range registers {
		s.registers[register] = value{}
	}
}

// A flow is how control leaves an instruction.
type flow uint8

const (
	falls    flow = iota // to the next instruction
	jumps                // to a target
	branches             // to a target or the next instruction
	calls                // to a target, and then to the next instruction
	returns              // to the address on the stack
	stops                // nowhere that can be followed
)

var conditional = []x86asm.Op{
	x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JCXZ, x86asm.JE, x86asm.JECXZ,
	x86asm.JG, x86asm.JGE, x86asm.JL, x86asm.JLE, x86asm.JNE, x86asm.JNO, x86asm.JNP,
	x86asm.JNS, x86asm.JO, x86asm.JP, x86asm.JRCXZ, x86asm.JS, x86asm.LOOP, x86asm.LOOPE,
	x86asm.LOOPNE, x86asm.XBEGIN,
}

// flow tells where an instruction leads. known says whether the target is.
func (s *step) flow(p *Process) (how flow, target uint64, known bool) {
	switch {
	case s.in.Op == x86asm.JMP:
		how = jumps
	case s.in.Op == x86asm.CALL:
		how = calls
	case s.in.Op == x86asm.RET:
		v, ok := s.content(s.rsp(), 8)
		return returns, uint64(v.offset), ok && v.kind == constant
	case s.in.Op == x86asm.INT:
		if n, ok := s.in.Args[0].(x86asm.Imm); ok && n == 3 {
			return stops, 0, false
		}
		return falls, 0, false
	case beyond[s.in.Op]:
		return stops, 0, false
	case slices.Contains(conditional, s.in.Op):
		how = branches
	default:
		return falls, 0, false
	}
	switch arg := s.in.Args[0].(type) {
	case x86asm.Rel:
		return how, s.next + uint64(int64(arg)), true
	case x86asm.Reg:
		v := s.get(arg)
		return how, uint64(v.offset), v.kind == constant
	case x86asm.Mem:
		address, _ := s.address(arg)
		if address.kind == unknown {
			return how, 0, false
		}
		if v, ok := s.content(address, 8); ok && v.kind == constant {
			return how, uint64(v.offset), true
		}
		if address.kind == constant {
			target, known = p.word(uint64(address.offset))
			return how, target, known
		}
	}
	return how, 0, false
}
