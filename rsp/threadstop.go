package rsp

import (
	"strconv"
	"strings"
)

// ThreadStop is LLDB's form of a stop reply, which the answers to
// qThreadStopInfo have too ("Stop reply packet extensions"). Its signal numbers
// are the machine's own, once native-signals was agreed on.
type ThreadStop struct {
	Signal int
	// Thread comes first, whatever the client.
	Thread       ThreadID
	Multiprocess bool
	Name         string
	// Threads are those of the process and PCs their program counters, for a
	// client that has sent QListThreadsInStopReply.
	Threads []int
	PCs     []uint64
	// Stops is the jstopinfo document: why each thread has stopped.
	Stops []byte
	// Registers are those of the thread that are likely to be asked for.
	Registers []RegisterValue
	// Reason is LLDB's word for it, and Description goes with some of them.
	Reason, Description string
	// Watch is the key of a watchpoint, "watch", "rwatch" or "awatch", with the
	// Address that was watched; or empty.
	Watch   string
	Address uint64
	// Fork is the key of a new process, "fork" or "vfork", with the Child; or
	// empty.
	Fork  string
	Child ThreadID
	// Library says that the list of libraries is to be read again.
	Library bool
}

// AppendTo appends the reply.
func (r *ThreadStop) AppendTo(dst []byte) []byte {
	dst = appendHexByte(append(dst, 'T'), byte(r.Signal))
	dst = r.Thread.AppendTo(append(dst, "thread:"...), r.Multiprocess)
	dst = append(dst, ';')
	if r.Name != "" {
		if strings.ContainsAny(r.Name, "$#+-;:*}") {
			dst = appendHex(append(dst, "hexname:"...), r.Name)
		} else {
			dst = append(append(dst, "name:"...), r.Name...)
		}
		dst = append(dst, ';')
	}
	if len(r.Threads) > 0 {
		dst = append(dst, "threads"...)
		mark := byte(':')
		for _, tid := range r.Threads {
			dst = appendHexNumber(append(dst, mark), uint64(tid))
			mark = ','
		}
		dst = append(dst, ';')
	}
	if r.Library {
		dst = append(dst, "library:;"...)
	}
	if len(r.Stops) > 0 {
		dst = appendHex(append(dst, "jstopinfo:"...), r.Stops)
		dst = append(dst, ';')
	}
	if len(r.PCs) > 0 {
		dst = append(dst, "thread-pcs"...)
		mark := byte(':')
		for _, pc := range r.PCs {
			dst = append(dst, mark)
			for shift := 56; shift >= 0; shift -= 8 {
				dst = appendHexByte(dst, byte(pc>>shift))
			}
			mark = ','
		}
		dst = append(dst, ';')
	}
	for i := range r.Registers {
		register := &r.Registers[i]
		if register.Number < 0x100 {
			dst = appendHexByte(dst, byte(register.Number))
		} else {
			dst = appendHexNumber(dst, uint64(register.Number))
		}
		dst = append(appendHex(append(dst, ':'), register.Value), ';')
	}
	if r.Watch != "" {
		dst = append(append(dst, r.Watch...), ':')
		dst = append(appendHexNumber(dst, r.Address), ';')
	}
	if r.Reason != "" {
		dst = append(append(append(dst, "reason:"...), r.Reason...), ';')
	}
	if r.Description != "" {
		dst = append(appendHex(append(dst, "description:"...), r.Description), ';')
	}
	if r.Fork != "" {
		dst = append(append(dst, r.Fork...), ':')
		dst = append(r.Child.AppendTo(dst, r.Multiprocess), ';')
	}
	return dst
}

// Decimal is a reply of one number that is not in hex.
type Decimal int

// AppendTo appends the digits.
func (d Decimal) AppendTo(dst []byte) []byte { return strconv.AppendInt(dst, int64(d), 10) }
