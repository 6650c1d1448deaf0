package rsp

import (
	"bytes"
	"math"
)

// LLDB's extensions of the protocol. The sections that the comments name are
// those of lldb/docs/resources/lldbgdbremote.md in LLVM's source.

// Extension is a packet of LLDB's that has no parameters, or none that
// matters:
//
//	jSignalsInfo             describe the signals; JSON
//	jThreadsInfo             describe all threads' stops; JSON
//	qGetWorkingDir           which directory do programs start in? Hex
//	qHostInfo                describe the machine; KeyValues
//	qLaunchSuccess           has the A packet started the program?
//	qProcessInfo             describe the process; KeyValues
//	qQueryGDBServer          which servers that debug wait for a client? JSON
//	qsProcessInfo            describe the next process of qfProcessInfo
//	qShlibInfoAddr           where is the list of libraries? Address
//	qVAttachOrWaitSupported  is there vAttachOrWait?
//	qWatchpointSupportInfo   how many watchpoints are there? KeyValues
//	QEnableErrorStrings      say what went wrong in words: ErrorString
//	QLaunchArch              the architecture of the program to launch
//	QListThreadsInStopReply  name all threads in stop replies
//	QSetDetachOnError        what to do when the connection is lost
//	QThreadSuffixSupported   take a ThreadSuffix
type Extension PacketName

// Packet returns the packet's name.
func (e Extension) Packet() PacketName { return PacketName(e) }

// AllocateMemory is _M: get new memory in the program. The answer is Address.
type AllocateMemory struct {
	Size                 uint64
	Read, Write, Execute bool
}

// Packet returns PacketAllocateMemory.
func (*AllocateMemory) Packet() PacketName { return PacketAllocateMemory }

// DeallocateMemory is _m: give memory of _M back.
type DeallocateMemory struct{ Address uint64 }

// Packet returns PacketDeallocateMemory.
func (*DeallocateMemory) Packet() PacketName { return PacketDeallocateMemory }

// StandardInput is I: bytes for the standard input of the program.
type StandardInput struct{ Data []byte }

// Packet returns PacketInput.
func (*StandardInput) Packet() PacketName { return PacketInput }

// LaunchArguments is A: start a program. The answer is OK; how it went is asked
// with qLaunchSuccess.
type LaunchArguments struct {
	// Arguments begin with the program. There is at least one.
	Arguments []string
}

// Packet returns PacketLaunchArguments.
func (*LaunchArguments) Packet() PacketName { return PacketLaunchArguments }

// ModulesInfo is jModulesInfo: describe several files; JSON is the question.
type ModulesInfo struct{ JSON []byte }

// Packet returns PacketModulesInfo.
func (*ModulesInfo) Packet() PacketName { return PacketModulesInfo }

// MultiBreakpoint is jMultiBreakpoint: several Z and z packets in one.
type MultiBreakpoint struct{ JSON []byte }

// Packet returns PacketMultiBreakpoint.
func (*MultiBreakpoint) Packet() PacketName { return PacketMultiBreakpoint }

// parseExtension reads the packets whose letters GDB leaves to others.
func (p *Parser) parseExtension(s *scanner) Request {
	switch {
	case s.data[0] == 'A':
		return parseLaunchArguments(s)
	case s.data[0] == 'I':
		s.name = PacketInput
		return &StandardInput{Data: p.hexData(s, s.rest())}
	case bytes.HasPrefix(s.data, []byte("_M")):
		s.pos++
		return parseAllocateMemory(s)
	case bytes.HasPrefix(s.data, []byte("_m")):
		s.name = PacketDeallocateMemory
		s.pos++
		r := &DeallocateMemory{Address: s.number()}
		s.end()
		return r
	case s.data[0] == '_':
		return &Unknown{Name: "_"}
	}
	name := string(longName(s))
	switch name {
	case "jSignalsInfo":
		return Extension(PacketSignalsInfo)
	case "jThreadsInfo":
		return Extension(PacketThreadsInfo)
	case "jModulesInfo":
		json := p.afterColon(s, PacketModulesInfo)
		return &ModulesInfo{JSON: json}
	case "jMultiBreakpoint":
		json := p.afterColon(s, PacketMultiBreakpoint)
		return &MultiBreakpoint{JSON: json}
	}
	return &Unknown{Name: name}
}

func (p *Parser) afterColon(s *scanner, name PacketName) []byte {
	s.name = name
	s.expect(':')
	return p.binaryData(s)
}

func parseAllocateMemory(s *scanner) Request {
	s.name = PacketAllocateMemory
	r := &AllocateMemory{Size: s.number()}
	s.expect(',')
	for !s.done() {
		switch {
		case s.accept('r'):
			r.Read = true
		case s.accept('w'):
			r.Write = true
		case s.accept('x'):
			r.Execute = true
		default:
			s.fail("none of the permissions r, w and x")
		}
	}
	if s.err == nil && r.Size == 0 {
		s.fail("no memory is asked for")
	}
	return r
}

// parseLaunchArguments reads A: for each argument the number of hex digits, its
// index, both decimal, and the digits.
func parseLaunchArguments(s *scanner) Request {
	s.name = PacketLaunchArguments
	r := &LaunchArguments{}
	s.accept(' ')
	for s.err == nil {
		length := s.decimal()
		s.expect(',')
		index := s.decimal()
		s.expect(',')
		if s.err == nil && index != uint64(len(r.Arguments)) {
			s.fail("the arguments are not in order")
		}
		if s.err == nil && length > uint64(len(s.data)-s.pos) {
			s.fail("an argument is shorter than the packet says")
		}
		if s.err != nil {
			break
		}
		text := s.data[s.pos : s.pos+int(length)]
		s.pos += len(text)
		r.Arguments = append(r.Arguments, s.withoutNUL(string(s.hexTo(nil, text))))
		if s.done() {
			break
		}
		s.expect(',')
	}
	return r
}

// decimal takes a number that is not in hex, as some of LLDB's are.
func (s *scanner) decimal() uint64 {
	if s.err != nil {
		return 0
	}
	at := s.pos
	var v uint64
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		if v > math.MaxUint32 {
			s.failAt(at, "the number is too large")
			return 0
		}
		v = 10*v + uint64(s.data[s.pos]-'0')
		s.pos++
	}
	if s.pos == at {
		s.fail("a decimal number is missing")
	}
	return v
}

// MemoryRange is some bytes of memory.
type MemoryRange struct{ Address, Length uint64 }

// MultiMemRead reads several ranges of memory at once. The answer is
// MultiMemory.
type MultiMemRead struct{ Ranges []MemoryRange }

// Packet returns PacketMultiMemRead.
func (*MultiMemRead) Packet() PacketName { return PacketMultiMemRead }

const multiMemRead = "MultiMemRead:"

func parseMultiMemRead(s *scanner) Request {
	s.name = PacketMultiMemRead
	s.pos = len(multiMemRead)
	r := &MultiMemRead{}
	if !s.acceptText("ranges:") {
		s.fail("the ranges are missing")
	}
	for s.err == nil && !s.next(';') {
		var area MemoryRange
		area.Address = s.number()
		s.expect(',')
		area.Length = s.number()
		r.Ranges = append(r.Ranges, area)
		if !s.accept(',') {
			break
		}
	}
	s.expect(';')
	// What may follow are options of later versions.
	s.rest()
	if s.err == nil && len(r.Ranges) == 0 {
		s.fail("the ranges are missing")
	}
	return r
}

// MultiMemory is the reply to MultiMemRead: for each range how many bytes of it
// could be read, and then the bytes of all.
type MultiMemory struct {
	Lengths []int
	Data    []byte
}

// AppendTo appends the reply.
func (m *MultiMemory) AppendTo(dst []byte) []byte {
	for i, length := range m.Lengths {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendHexNumber(dst, uint64(length))
	}
	return AppendEscaped(append(dst, ';'), m.Data)
}

// Echo is qEcho: send the whole packet back, so that a client that has lost
// count knows which reply is whose.
type Echo struct{ Payload []byte }

// Packet returns PacketEcho.
func (*Echo) Packet() PacketName { return PacketEcho }

// SpeedTest is qSpeedTest: send a reply of that many bytes of data.
type SpeedTest struct{ Size int }

// Packet returns PacketSpeedTest.
func (*SpeedTest) Packet() PacketName { return PacketSpeedTest }

// RegisterInfoQuery is qRegisterInfo: describe a register. The answer is
// KeyValues, or an error behind the last.
type RegisterInfoQuery struct{ Number int }

// Packet returns PacketRegisterInfo.
func (*RegisterInfoQuery) Packet() PacketName { return PacketRegisterInfo }

// ThreadStopInfo is qThreadStopInfo: what did the thread stop for? The answer is
// a stop reply.
type ThreadStopInfo struct{ Thread ThreadID }

// Packet returns PacketThreadStopInfo.
func (*ThreadStopInfo) Packet() PacketName { return PacketThreadStopInfo }

// MemoryRegionQuery is qMemoryRegionInfo: which mapping is an address in? The
// answer is KeyValues. Without an address it asks whether the packet is known.
type MemoryRegionQuery struct {
	Address    uint64
	HasAddress bool
}

// Packet returns PacketMemoryRegionInfo.
func (*MemoryRegionQuery) Packet() PacketName { return PacketMemoryRegionInfo }

// FileLoadAddress is qFileLoadAddress: where is a file mapped? The answer is
// Address.
type FileLoadAddress struct{ Path string }

// Packet returns PacketFileLoadAddress.
func (*FileLoadAddress) Packet() PacketName { return PacketFileLoadAddress }

// OutputAcknowledgment is vStdio: the client has taken in the notification
// "Stdio", or the answer to the last vStdio. The answer is the next ConsoleOutput,
// or OK if there is none.
type OutputAcknowledgment struct{}

var theOutputAcknowledgment = &OutputAcknowledgment{}

// Packet returns PacketOutputAcknowledgment.
func (*OutputAcknowledgment) Packet() PacketName { return PacketOutputAcknowledgment }

// SaveRegisterState is QSaveRegisterState: keep a copy of all registers. The
// answer is Decimal, by which RestoreRegisterState names it.
type SaveRegisterState struct{ ThreadSuffix }

// Packet returns PacketSaveRegisterState.
func (*SaveRegisterState) Packet() PacketName { return PacketSaveRegisterState }

// RestoreRegisterState is QRestoreRegisterState: put the registers back, and
// forget the copy.
type RestoreRegisterState struct {
	ID int
	ThreadSuffix
}

// Packet returns PacketRestoreRegisterState.
func (*RestoreRegisterState) Packet() PacketName { return PacketRestoreRegisterState }

// SetStandardFile is QSetSTDIN, QSetSTDOUT or QSetSTDERR: the file that a
// program to be launched has in the place of that descriptor.
type SetStandardFile struct {
	Name PacketName
	Path string
}

// Packet returns PacketSetStandardInput, PacketSetStandardOutput or
// PacketSetStandardErrors.
func (r *SetStandardFile) Packet() PacketName { return r.Name }

// ModuleInfo is qModuleInfo: describe a file of the machine. The answer is
// KeyValues.
type ModuleInfo struct{ Path, Triple string }

// Packet returns PacketModuleInfo.
func (*ModuleInfo) Packet() PacketName { return PacketModuleInfo }

// SaveCore is qSaveCore: write a core file. The answer is KeyValues with its
// name.
type SaveCore struct {
	// Path is where the client would like it; empty leaves it to the server.
	Path string
}

// Packet returns PacketSaveCore.
func (*SaveCore) Packet() PacketName { return PacketSaveCore }

// AttachNamed is vAttachName, vAttachWait or vAttachOrWait: attach to a process
// by the name of its program, now, once one has been started, or either.
type AttachNamed struct {
	Packets PacketName
	Program string
}

// Packet returns PacketAttachName, PacketAttachWait or PacketAttachOrWait.
func (r *AttachNamed) Packet() PacketName { return r.Packets }

func parseAttachNamed(s *scanner, name PacketName) Request {
	s.name = name
	s.expect(';')
	r := &AttachNamed{Packets: name, Program: s.path()}
	s.end()
	if s.err == nil && r.Program == "" {
		s.fail("the program's name is empty")
	}
	return r
}

// plainExtensions are the q and Q packets whose parameters do not matter.
var plainExtensions = map[string]PacketName{
	"qGetWorkingDir":          PacketWorkingDirQuery,
	"qHostInfo":               PacketHostInfo,
	"qLaunchSuccess":          PacketLaunchSuccess,
	"qProcessInfo":            PacketProcessInfo,
	"qQueryGDBServer":         PacketQueryGDBServer,
	"qsProcessInfo":           PacketNextProcess,
	"qShlibInfoAddr":          PacketLibraryInfoAddress,
	"qVAttachOrWaitSupported": PacketAttachOrWaitSupported,
	"qWatchpointSupportInfo":  PacketWatchpointSupportInfo,
	"QEnableErrorStrings":     PacketEnableErrorStrings,
	"QLaunchArch":             PacketLaunchArch,
	"QListThreadsInStopReply": PacketListThreadsInStopReply,
	"QSetDetachOnError":       PacketSetDetachOnError,
	"QThreadSuffixSupported":  PacketThreadSuffixSupported,
}

// parseExtensionQuery reads LLDB's q and Q packets. Two of them run their
// parameter into the name.
func parseExtensionQuery(s *scanner, name string) Request {
	if plain, found := plainExtensions[name]; found {
		return Extension(plain)
	}
	switch name {
	case "qEcho":
		s.name = PacketEcho
		s.rest()
		return &Echo{Payload: s.data}
	case "qSpeedTest":
		s.name = PacketSpeedTest
		s.expect(':')
		if !s.acceptText("response_size:") {
			s.fail("the size of the reply is missing")
		}
		r := &SpeedTest{Size: int(s.decimal())}
		s.accept(';')
		s.rest()
		return r
	case "qMemoryRegionInfo":
		s.name = PacketMemoryRegionInfo
		r := &MemoryRegionQuery{}
		if s.accept(':') {
			r.Address, r.HasAddress = s.number(), true
		}
		s.end()
		return r
	case "qFileLoadAddress":
		s.name = PacketFileLoadAddress
		s.expect(':')
		r := &FileLoadAddress{Path: s.path()}
		s.end()
		return r
	case "QSaveRegisterState":
		s.name = PacketSaveRegisterState
		r := &SaveRegisterState{ThreadSuffix: lldbSuffix(s)}
		s.end()
		return r
	case "QRestoreRegisterState":
		s.name = PacketRestoreRegisterState
		s.expect(':')
		r := &RestoreRegisterState{ID: int(s.decimal())}
		r.ThreadSuffix = lldbSuffix(s)
		s.end()
		return r
	case "QSetSTDIN", "QSetSTDOUT", "QSetSTDERR":
		packet := map[string]PacketName{"QSetSTDIN": PacketSetStandardInput, "QSetSTDOUT": PacketSetStandardOutput,
			"QSetSTDERR": PacketSetStandardErrors}[name]
		s.name = packet
		s.expect(':')
		r := &SetStandardFile{Name: packet, Path: s.path()}
		s.end()
		return r
	case "QEnvironment":
		return parsePlainEnvironment(s)
	case "QSetDisableASLR":
		return &DisableRandomization{Enable: toggle(s, PacketDisableRandomization)}
	case "qModuleInfo":
		s.name = PacketModuleInfo
		s.expect(':')
		r := &ModuleInfo{Path: s.path()}
		s.expect(';')
		r.Triple = s.path()
		s.end()
		return r
	case "qSaveCore":
		s.name = PacketSaveCore
		r := &SaveCore{}
		if s.accept(';') && s.acceptText("path-hint:") {
			r.Path = s.path()
		}
		s.accept(';')
		s.end()
		return r
	}
	if number, found := cutPrefix(s, "qRegisterInfo", PacketRegisterInfo); found {
		r := &RegisterInfoQuery{Number: int(number.numberUpTo(math.MaxInt32))}
		number.end()
		s.take(number)
		return r
	}
	if thread, found := cutPrefix(s, "qThreadStopInfo", PacketThreadStopInfo); found {
		r := &ThreadStopInfo{Thread: thread.threadID()}
		thread.end()
		s.take(thread)
		return r
	}
	return parsePlatformQuery(s, name)
}

// cutPrefix gives a scanner of what follows a name that nothing ends.
func cutPrefix(s *scanner, prefix string, name PacketName) (*scanner, bool) {
	if !bytes.HasPrefix(s.data, []byte(prefix)) || len(s.data) == len(prefix) {
		return nil, false
	}
	return &scanner{name: name, data: s.data, pos: len(prefix)}, true
}

func (s *scanner) take(other *scanner) { s.pos, s.err = other.pos, other.err }

func lldbSuffix(s *scanner) ThreadSuffix {
	parser := Parser{Dialect: LLDB}
	return parser.threadSuffix(s)
}

// parsePlainEnvironment reads QEnvironment, whose text stands as it is.
func parsePlainEnvironment(s *scanner) Request {
	s.name = PacketEnvironmentSet
	s.expect(':')
	name, value, found := bytes.Cut(s.rest(), []byte{'='})
	if s.err == nil && (!found || len(name) == 0) {
		s.fail("the variable has no name or no '='")
	}
	return &EnvironmentSet{Name: s.withoutNUL(string(name)), Value: s.withoutNUL(string(value))}
}

// KeyValue is one entry of KeyValues.
type KeyValue struct{ Key, Value string }

// KeyValues is a reply of the form "key:value;key:value;". A value that is a
// text is Hex digits of it.
type KeyValues []KeyValue

// AppendTo appends the reply.
func (k KeyValues) AppendTo(dst []byte) []byte {
	for _, entry := range k {
		dst = append(append(append(append(dst, entry.Key...), ':'), entry.Value...), ';')
	}
	return dst
}

// Binary is a reply of bytes as binary data: LLDB's x, and its JSON documents,
// whose closing braces have to be escaped.
type Binary []byte

// AppendTo appends the bytes, escaped.
func (b Binary) AppendTo(dst []byte) []byte { return AppendEscaped(dst, []byte(b)) }

// Raw is a reply of bytes as they are: the echo of what was received.
type Raw []byte

// AppendTo appends the bytes.
func (r Raw) AppendTo(dst []byte) []byte { return append(dst, r...) }

// HexText is text in hex digits, as the values of KeyValues have it.
func HexText(text string) string { return string(appendHex(nil, text)) }

// ErrorString is Error for a client that has sent QEnableErrorStrings: "Enn;"
// and the text in hex.
type ErrorString Error

// AppendTo appends the reply.
func (e ErrorString) AppendTo(dst []byte) []byte {
	dst = appendHexByte(append(dst, 'E'), e.Code)
	if e.Text == "" {
		return dst
	}
	return appendHex(append(dst, ';'), e.Text)
}
