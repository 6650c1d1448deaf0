package rsp

// Allowances are operations that QAllow permits or not.
type Allowances uint8

// What a debugger may do ("QAllow").
const (
	AllowWriteRegisters Allowances = 1 << iota
	AllowWriteMemory
	AllowInsertBreakpoints
	AllowInsertTracepoints
	AllowInsertFastTracepoints
	// AllowStop is to stop the program, as by an interrupt.
	AllowStop

	// AllowAll is what holds until QAllow says otherwise.
	AllowAll = 1<<iota - 1
)

var allowanceNames = map[string]Allowances{
	"WriteReg":        AllowWriteRegisters,
	"WriteMem":        AllowWriteMemory,
	"InsertBreak":     AllowInsertBreakpoints,
	"InsertTrace":     AllowInsertTracepoints,
	"InsertFastTrace": AllowInsertFastTracepoints,
	"Stop":            AllowStop,
}

// Allow is QAllow: what the debugger is permitted to do from now on. What it
// does not name stays as it is; operations of other names are none that a server
// knows.
type Allow struct{ Permitted, Refused Allowances }

// Packet returns PacketAllow.
func (*Allow) Packet() PacketName { return PacketAllow }

func parseAllow(s *scanner) Request {
	s.name = PacketAllow
	r := &Allow{}
	s.expect(':')
	for {
		operation := allowanceNames[string(s.until(':'))]
		s.expect(':')
		if s.toggle() {
			r.Permitted, r.Refused = r.Permitted|operation, r.Refused&^operation
		} else {
			r.Permitted, r.Refused = r.Permitted&^operation, r.Refused|operation
		}
		if !s.accept(';') {
			break
		}
	}
	s.end()
	return r
}
