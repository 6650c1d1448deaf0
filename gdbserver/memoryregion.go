package gdbserver

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sort"

	"golang.org/x/sys/unix"

	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// unreadable are mappings that the kernel says can be read, though a debugger
// cannot: their pages are none of the program's (arch/x86/entry/vdso/vma.c).
var unreadable = []string{"[vvar]", "[vvar_vclock]"}

// memoryRegion answers qMemoryRegionInfo: the mapping that an address is in, or
// the gap.
func (s *session) memoryRegion(request *rsp.MemoryRegionQuery) (rsp.Reply, error) {
	if !request.HasAddress {
		return rsp.OK{}, nil
	}
	mappings, err := s.mappings()
	if err != nil {
		return nil, err
	}
	return describeRegion(mappings, request.Address), nil
}

// mappings are those of the selected thread's process.
func (s *session) mappings() ([]ptrace.Mapping, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	return ptrace.Mappings(lwp.TID)
}

func describeRegion(mappings []ptrace.Mapping, address uint64) rsp.KeyValues {
	next := sort.Search(len(mappings), func(i int) bool { return mappings[i].End > address })
	area := func(start, size uint64) rsp.KeyValues {
		return rsp.KeyValues{{Key: "start", Value: fmt.Sprintf("%x", start)}, {Key: "size", Value: fmt.Sprintf("%x", size)}}
	}
	if next == len(mappings) {
		// Up to the last address, whose successor does not fit.
		return area(address, math.MaxUint64-address)
	}
	m := &mappings[next]
	if address < m.Start {
		return area(address, m.Start-address)
	}
	var permissions string
	if m.Read && !slices.Contains(unreadable, m.Name) {
		permissions += "r"
	}
	if m.Write {
		permissions += "w"
	}
	if m.Execute {
		permissions += "x"
	}
	region := append(area(m.Start, m.End-m.Start), rsp.KeyValue{Key: "permissions", Value: permissions},
		rsp.KeyValue{Key: "flags"})
	if m.Name != "" {
		region = append(region, rsp.KeyValue{Key: "name", Value: rsp.HexText(m.Name)})
	}
	return region
}

// fileLoadAddress answers qFileLoadAddress: where a file is mapped first.
func (s *session) fileLoadAddress(request *rsp.FileLoadAddress) (rsp.Reply, error) {
	mappings, err := s.mappings()
	if err != nil {
		return nil, err
	}
	names := []string{request.Path}
	if target, err := filepath.EvalSymlinks(request.Path); err == nil {
		names = append(names, target)
	}
	for _, m := range mappings {
		if m.Inode != 0 && slices.Contains(names, m.Name) {
			return rsp.Address(m.Start), nil
		}
	}
	return nil, coded(codeNotThere, "%s is not mapped", request.Path)
}

// allocation names memory of _M.
type allocation struct {
	pid     int
	address uint64
}

// allocateMemory answers _M: the program maps new memory.
func (s *session) allocateMemory(request *rsp.AllocateMemory) (rsp.Reply, error) {
	protection := uint64(unix.PROT_NONE)
	if request.Read {
		protection |= unix.PROT_READ
	}
	if request.Write {
		protection |= unix.PROT_WRITE
	}
	if request.Execute {
		protection |= unix.PROT_EXEC
	}
	const compatMmap2 = 192 // asm/unistd_32.h
	lwp, result, err := s.call(unix.SYS_MMAP, compatMmap2, 0, request.Size, protection,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, math.MaxUint64, 0)
	if err != nil {
		return nil, err
	}
	if s.extended.allocations == nil {
		s.extended.allocations = map[allocation]uint64{}
	}
	s.extended.allocations[allocation{lwp.Process.PID, uint64(result)}] = request.Size
	return rsp.Address(result), nil
}

// deallocateMemory answers _m.
func (s *session) deallocateMemory(request *rsp.DeallocateMemory) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	key := allocation{process.PID, request.Address}
	size, found := s.extended.allocations[key]
	if !found {
		return nil, refusal("no memory was allocated at %#x", request.Address)
	}
	const compatMunmap = 91 // asm/unistd_32.h
	if _, _, err := s.call(unix.SYS_MUNMAP, compatMunmap, request.Address, size); err != nil {
		return nil, err
	}
	delete(s.extended.allocations, key)
	return rsp.OK{}, nil
}

// call has the selected thread make a system call, which has one number for
// 64-bit programs and another for 32-bit ones, by an instruction of the vdso.
func (s *session) call(number, compatNumber uint64, arguments ...uint64) (*threads.LWP, int64, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, 0, err
	}
	registers, err := lwp.Registers()
	if err != nil {
		return nil, 0, err
	}
	call := ptrace.SyscallArguments{Number: number}
	if lwp.Process.Machine() == elf.EM_386 {
		call.Number, call.Compat = compatNumber, true
	}
	if call.Compat == registers.Executes64Bit() {
		return nil, 0, refusal("the thread executes code of another kind than its program")
	}
	copy(call.Arguments[:], arguments)
	address, err := syscallInstruction(lwp, call.Compat)
	if err != nil {
		return nil, 0, err
	}
	s.document.reset()
	result, err := lwp.Call(address, call)
	if err != nil {
		return nil, 0, err
	}
	// include/linux/err.h, MAX_ERRNO
	if result < 0 && result >= -4095 {
		return nil, 0, refusal("the program's system call failed: %v", unix.Errno(-result))
	}
	if call.Compat {
		result = int64(uint32(result))
	}
	return lwp, result, nil
}

// syscallInstruction finds a system call instruction in the vdso, which every
// program has unless the kernel was told otherwise.
func syscallInstruction(lwp *threads.LWP, compat bool) (uint64, error) {
	mappings, err := ptrace.Mappings(lwp.TID)
	if err != nil {
		return 0, err
	}
	for _, m := range mappings {
		if m.Name != "[vdso]" {
			continue
		}
		code := make([]byte, m.End-m.Start)
		n, err := lwp.Process.Memory().Read(m.Start, code)
		if err != nil {
			return 0, err
		}
		if offset := ptrace.FindSyscall(code[:n], compat); offset >= 0 {
			return m.Start + uint64(offset), nil
		}
	}
	return 0, refusal("the program has no vdso with a system call in it")
}

// multiMemRead answers MultiMemRead. A range that cannot be read has length 0.
func (s *session) multiMemRead(request *rsp.MultiMemRead) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	reply := &rsp.MultiMemory{}
	// At worst each byte is escaped, and each length has 8 digits and a comma.
	room := (s.conn.MaxPacket() - 9*len(request.Ranges) - 1) / 2
	for _, wanted := range request.Ranges {
		length := int(min(wanted.Length, uint64(max(room, 0))))
		start := len(reply.Data)
		reply.Data = append(reply.Data, make([]byte, length)...)
		n, err := process.Memory().Read(wanted.Address, reply.Data[start:])
		if err != nil {
			n = 0
		}
		reply.Data = reply.Data[:start+n]
		reply.Lengths = append(reply.Lengths, n)
		room -= n
	}
	return reply, nil
}

// multiBreakpoint answers jMultiBreakpoint: the answers to several Z and z
// packets, each as it would be alone.
func (s *session) multiBreakpoint(request *rsp.MultiBreakpoint) (rsp.Reply, error) {
	var asked struct {
		Requests []string `json:"breakpoint_requests"`
	}
	if err := json.Unmarshal(request.JSON, &asked); err != nil {
		return nil, refusal("the breakpoint requests are not understood: %v", err)
	}
	results := make([]string, 0, len(asked.Requests))
	parser := rsp.Parser{Dialect: rsp.LLDB}
	for _, text := range asked.Requests {
		results = append(results, string(s.oneBreakpoint(&parser, text).AppendTo(nil)))
	}
	return document(map[string][]string{"results": results})
}

func (s *session) oneBreakpoint(parser *rsp.Parser, text string) rsp.Reply {
	request, err := parser.Parse([]byte(text))
	if err != nil {
		return s.errorReply(err)
	}
	breakpoint, is := request.(*rsp.Breakpoint)
	if !is {
		return rsp.Empty{}
	}
	if process, err := s.process(); err == nil && !breakpoint.Insert && breakpoint.Type == rsp.SoftwareBreakpoint &&
		!process.Memory().HasBreakpoint(breakpoint.Address) {
		return s.errorReply(refusal("there is no breakpoint at %#x", breakpoint.Address))
	}
	reply, err := s.breakpoint(breakpoint)
	if err != nil {
		return s.errorReply(err)
	}
	return reply
}
