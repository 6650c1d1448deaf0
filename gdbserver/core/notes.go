package core

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"rspd/ptrace"
)

// The numbers of notes (include/uapi/linux/elf.h).
const (
	noteStatus      = 1          // NT_PRSTATUS
	noteFloat       = 2          // NT_PRFPREG
	noteProcess     = 3          // NT_PRPSINFO
	noteAuxiliary   = 6          // NT_AUXV
	noteFloat32     = 0x46e62b7f // NT_PRXFPREG
	noteFiles       = 0x46494c45 // NT_FILE
	noteSiginfo     = 0x53494749 // NT_SIGINFO
	noteXState      = 0x202      // NT_X86_XSTATE
	noteShadowStack = 0x204      // NT_X86_SHSTK
)

// record lays out a C structure of one of the two ABIs.
type record struct {
	bytes []byte
	// word is the size in bytes of a long.
	word int
}

func (r *record) align(n int) {
	for len(r.bytes)%n != 0 {
		r.bytes = append(r.bytes, 0)
	}
}

func (r *record) putByte(values ...byte) { r.bytes = append(r.bytes, values...) }

func (r *record) put16(value uint16) { r.bytes = binary.LittleEndian.AppendUint16(r.bytes, value) }

func (r *record) put32(value uint32) {
	r.align(4)
	r.bytes = binary.LittleEndian.AppendUint32(r.bytes, value)
}

// putWord appends a long.
func (r *record) putWord(value uint64) {
	if r.word == 4 {
		r.put32(uint32(value))
		return
	}
	r.align(8)
	r.bytes = binary.LittleEndian.AppendUint64(r.bytes, value)
}

func (r *record) putTime(t time.Duration) {
	r.putWord(uint64(t / time.Second))
	r.putWord(uint64(t % time.Second / time.Microsecond))
}

// putText appends text in a field of a size, with a zero behind it.
func (r *record) putText(text string, size int) {
	text = text[:min(len(text), size-1)]
	r.putByte(slices.Concat([]byte(text), make([]byte, size-len(text)))...)
}

// note appends a note: sizes and number, then owner and content, each padded to
// 4 bytes (elf(5), "Notes").
func (r *record) note(owner string, number uint32, content []byte) {
	r.put32(uint32(len(owner) + 1))
	r.put32(uint32(len(content)))
	r.put32(number)
	r.putByte(append([]byte(owner), 0)...)
	r.align(4)
	r.putByte(content...)
	r.align(4)
}

func (p *Process) wordSize() int {
	if p.Machine == elf.EM_386 {
		return 4
	}
	return 8
}

// notes are the content of the PT_NOTE segment.
func (p *Process) notes() []byte {
	all := record{word: p.wordSize()}
	for i := range p.Threads {
		thread := &p.Threads[i]
		all.note("CORE", noteStatus, p.status(thread))
		if i == 0 {
			all.note("CORE", noteProcess, p.process())
			all.note("CORE", noteAuxiliary, p.Auxiliary)
			if files, any := p.files(); any {
				all.note("CORE", noteFiles, files)
			}
		}
		if thread.Signal != 0 {
			all.note("CORE", noteSiginfo, p.siginfo(thread))
		}
		legacy := thread.XState[:min(len(thread.XState), ptrace.LegacySize)]
		if p.Machine == elf.EM_386 {
			all.note("CORE", noteFloat, float32State(thread.XState))
			all.note("LINUX", noteFloat32, legacy)
		} else {
			all.note("CORE", noteFloat, legacy)
		}
		if len(thread.XState) > ptrace.LegacySize {
			all.note("LINUX", noteXState, thread.XState)
		}
		if thread.HasShadowStack {
			all.note("LINUX", noteShadowStack, binary.LittleEndian.AppendUint64(nil, thread.ShadowStackPointer))
		}
	}
	return all.bytes
}

// status is struct elf_prstatus.
func (p *Process) status(thread *Thread) []byte {
	r := record{word: p.wordSize()}
	r.put32(uint32(thread.Signal))
	r.put32(uint32(thread.Siginfo.Code()))
	r.put32(0) // si_errno
	r.put16(uint16(thread.Signal))
	r.putWord(thread.Record.Pending)
	r.putWord(thread.Record.Blocked)
	for _, id := range []int{thread.TID, thread.Record.Parent, thread.Record.Group, thread.Record.Session} {
		r.put32(uint32(id))
	}
	for _, t := range []time.Duration{thread.Record.User, thread.Record.System, thread.Record.ChildrenUser, thread.Record.ChildrenSystem} {
		r.putTime(t)
	}
	if p.Machine == elf.EM_386 {
		for _, slot := range registers32 {
			r.put32(uint32(thread.Registers.Get(slot)))
		}
	} else {
		for slot := range ptrace.Slot(ptrace.Slots) {
			r.putWord(thread.Registers.Get(slot))
		}
	}
	r.put32(1) // pr_fpvalid
	r.align(r.word)
	return r.bytes
}

// registers32 is struct user_regs_struct of 32-bit programs
// (arch/x86/include/asm/user_32.h).
var registers32 = []ptrace.Slot{ptrace.SlotRbx, ptrace.SlotRcx, ptrace.SlotRdx, ptrace.SlotRsi, ptrace.SlotRdi, ptrace.SlotRbp,
	ptrace.SlotRax, ptrace.SlotDs, ptrace.SlotEs, ptrace.SlotFs, ptrace.SlotGs, ptrace.SlotOrigRax, ptrace.SlotRip,
	ptrace.SlotCs, ptrace.SlotEflags, ptrace.SlotRsp, ptrace.SlotSs}

// process is struct elf_prpsinfo. A process that is traced counts as stopped.
func (p *Process) process() []byte {
	const states = "RSDTZW"
	state := strings.IndexByte(states, p.Leader.State)
	if state < 0 {
		state = strings.IndexByte(states, 'T')
	}
	zombie := byte(0)
	if states[state] == 'Z' {
		zombie = 1
	}
	r := record{word: p.wordSize()}
	r.putByte(byte(state), states[state], zombie, byte(p.Leader.Nice))
	r.putWord(p.Leader.Flags)
	if p.Machine == elf.EM_386 {
		r.put16(uint16(p.Leader.UserID))
		r.put16(uint16(p.Leader.GroupID))
	} else {
		r.put32(p.Leader.UserID)
		r.put32(p.Leader.GroupID)
	}
	for _, id := range []int{p.PID, p.Leader.Parent, p.Leader.Group, p.Leader.Session} {
		r.put32(uint32(id))
	}
	r.putText(p.Leader.Name, 16)
	r.putText(p.Arguments, 80)
	return r.bytes
}

func (p *Process) siginfo(thread *Thread) []byte {
	if p.Machine == elf.EM_386 {
		compat := thread.Siginfo.Compat()
		return compat[:]
	}
	return thread.Siginfo[:]
}

// files are the mapped files: how many there are, the unit of their offsets,
// then for each its addresses and its offset, and at the end the names.
func (p *Process) files() ([]byte, bool) {
	var names record
	places := record{word: p.wordSize()}
	count := 0
	for i := range p.Areas {
		area := &p.Areas[i]
		if area.Inode == 0 {
			continue
		}
		count++
		places.putWord(area.Start)
		places.putWord(area.End)
		places.putWord(area.Offset / pageSize)
		// /proc has a line feed as four characters (fs/seq_file.c, seq_path).
		names.putByte(append([]byte(strings.ReplaceAll(area.Name, `\012`, "\n")), 0)...)
	}
	head := record{word: p.wordSize()}
	head.putWord(uint64(count))
	head.putWord(pageSize)
	return slices.Concat(head.bytes, places.bytes, names.bytes), count > 0
}
