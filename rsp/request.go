package rsp

import "bytes"

// A Request is one packet from a client, understood. Its concrete types are
// pointers to the request structs of this package.
type Request interface {
	// Packet returns which packet it was, for dispatch tables and logs.
	Packet() PacketName
}

// Unknown is a packet that is not understood, or an operation or type of a
// known packet that is not. The server answers it with Empty ("Overview").
type Unknown struct {
	// Name is what names the packet: its letter, or what precedes the
	// first ':', ';', ',' or '?', and for vFile and qXfer also the operation.
	Name string
}

// Packet returns PacketUnknown.
func (*Unknown) Packet() PacketName { return PacketUnknown }

// A Parser turns payloads into requests. The zero value reads GDB's dialect.
// It keeps the requests and their data, so that parsing the packets of a
// running session allocates nothing.
type Parser struct {
	// Dialect decides what the letters with two meanings mean.
	Dialect Dialect

	scratch []byte // what the byte slices of the request point into

	// The requests whose structs are reused.
	readRegisters  ReadRegisters
	readRegister   ReadRegister
	writeRegister  WriteRegister
	writeRegisters WriteRegisters
	readMemory     ReadMemory
	writeMemory    WriteMemory
	setThread      SetThread
	threadAlive    ThreadAlive
	resume         Resume
	vCont          VCont
	breakpoint     Breakpoint
	transferRead   TransferRead
	transferWrite  TransferWrite
	filePread      FilePread
	filePwrite     FilePwrite
}

// Parse reads the payload of one packet. The request, and all slices in it,
// are valid until the next Parse and as long as payload is not changed;
// strings stay. The error is a *MalformedError for a packet whose name is
// known and whose parameters are not as the manual has them. A packet whose
// name is not known is no error but *Unknown. Parse does not change payload.
func (p *Parser) Parse(payload []byte) (Request, error) {
	s := scanner{data: payload}
	r := p.parse(&s)
	if s.err != nil {
		return nil, s.err
	}
	return r, nil
}

func (p *Parser) parse(s *scanner) Request {
	if len(s.data) == 0 {
		return &Unknown{}
	}
	s.pos = 1
	switch letter := s.data[0]; letter {
	case 'm':
		return p.parseReadMemory(s, PacketReadMemory)
	case 'x':
		return p.parseReadMemory(s, PacketReadMemoryBinary)
	case 'M':
		if bytes.HasPrefix(s.data, []byte(multiMemRead)) {
			return parseMultiMemRead(s)
		}
		return p.parseWriteMemory(s)
	case 'X':
		return p.parseWriteMemoryBinary(s)
	case 'v':
		return p.parseV(s)
	case 'g':
		return p.parseReadRegisters(s)
	case 'G':
		return p.parseWriteRegisters(s)
	case 'p':
		return p.parseReadRegister(s)
	case 'P':
		return p.parseWriteRegister(s)
	case 'H':
		return p.parseSetThread(s)
	case 'T':
		return p.parseThreadAlive(s)
	case 'c':
		return p.parseResume(s, PacketContinue)
	case 'C':
		return p.parseResume(s, PacketContinueSignal)
	case 's':
		return p.parseResume(s, PacketStep)
	case 'S':
		return p.parseResume(s, PacketStepSignal)
	case 'Z':
		return p.parseBreakpoint(s, PacketInsertBreakpoint)
	case 'z':
		return p.parseBreakpoint(s, PacketRemoveBreakpoint)
	case 'q', 'Q':
		return p.parseQuery(s)
	case '?':
		return bare(s, PacketStopReason, theStopReasonQuery)
	case '!':
		return bare(s, PacketExtendedMode, theExtendedMode)
	case 'k':
		return bare(s, PacketKill, theKill)
	case 'D':
		return parseDetach(s)
	case 'R':
		return parseRestart(s)
	case 'A', 'I', 'j', '_':
		return p.parseExtension(s)
	default:
		return &Unknown{Name: string(s.data[:1])}
	}
}

// nameEnds are the bytes that end a packet's long name.
const nameEnds = ":;,?"

// longName takes the name of a q, Q or v packet.
func longName(s *scanner) []byte {
	name := s.data
	if i := bytes.IndexAny(name, nameEnds); i >= 0 {
		name = name[:i]
	}
	s.pos = len(name)
	return name
}

func (p *Parser) parseQuery(s *scanner) Request {
	name := longName(s)
	switch string(name) {
	case "qAttached":
		return parseAttachedQuery(s)
	case "qC":
		return bare(s, PacketCurrentThread, theCurrentThreadQuery)
	case "qCRC":
		return parseChecksumMemory(s)
	case "qExecAndArgs":
		return bare(s, PacketExecAndArgs, theExecAndArgsQuery)
	case "qfThreadInfo":
		return bare(s, PacketFirstThreadInfo, theFirstThreadInfo)
	case "qsThreadInfo":
		return bare(s, PacketNextThreadInfo, theNextThreadInfo)
	case "qGetTLSAddr":
		return parseTLSAddressQuery(s)
	case "qOffsets":
		return bare(s, PacketOffsets, theOffsetsQuery)
	case "qRcmd":
		return parseMonitor(s)
	case "qSearch":
		return p.parseSearch(s)
	case "qSupported":
		return p.parseSupportedQuery(s)
	case "qSymbol":
		return parseSymbol(s)
	case "qThreadExtraInfo":
		return parseThreadExtraInfo(s)
	case "qXfer":
		return p.parseTransfer(s)
	case "QAllow":
		return parseAllow(s)
	case "QCatchSyscalls":
		return parseCatchSyscalls(s)
	case "QDisableRandomization":
		return &DisableRandomization{Enable: toggle(s, PacketDisableRandomization)}
	case "QEnvironmentHexEncoded":
		return parseEnvironmentSet(s)
	case "QEnvironmentUnset":
		return parseEnvironmentUnset(s)
	case "QEnvironmentReset":
		return bare(s, PacketEnvironmentReset, theEnvironmentReset)
	case "QNonStop":
		return &NonStop{Enable: toggle(s, PacketNonStop)}
	case "QPassSignals":
		if p.Dialect == LLDB {
			// LLDB's tests have a blank at the end.
			s.data = bytes.TrimRight(s.data, " ")
		}
		return &PassSignals{Signals: parseSignals(s, PacketPassSignals)}
	case "QProgramSignals":
		return &ProgramSignals{Signals: parseSignals(s, PacketProgramSignals)}
	case "QSetWorkingDir":
		return parseSetWorkingDir(s)
	case "QStartNoAckMode":
		return bare(s, PacketStartNoAckMode, theStartNoAckMode)
	case "QStartupWithShell":
		return &StartupWithShell{Enable: toggle(s, PacketStartupWithShell)}
	case "QThreadEvents":
		return &ThreadEvents{Enable: toggle(s, PacketThreadEvents)}
	case "QThreadOptions":
		return parseThreadOptions(s)
	}
	return parseExtensionQuery(s, string(name))
}

func (p *Parser) parseV(s *scanner) Request {
	name := longName(s)
	switch string(name) {
	case "vCont":
		return p.parseVCont(s)
	case "vFile":
		return p.parseFile(s)
	case "vAttach":
		return parseAttach(s)
	case "vCtrlC":
		return bare(s, PacketCtrlC, theCtrlC)
	case "vKill":
		return parseKillProcess(s)
	case "vMustReplyEmpty":
		return bare(s, PacketMustReplyEmpty, theMustReplyEmpty)
	case "vRun":
		return parseRun(s)
	case "vStopped":
		return bare(s, PacketStopAcknowledgment, theStopAcknowledgment)
	case "vStdio":
		return bare(s, PacketOutputAcknowledgment, theOutputAcknowledgment)
	case "vAttachName":
		return parseAttachNamed(s, PacketAttachName)
	case "vAttachOrWait":
		return parseAttachNamed(s, PacketAttachOrWait)
	case "vAttachWait":
		return parseAttachNamed(s, PacketAttachWait)
	}
	return &Unknown{Name: string(name)}
}

// bare returns the request of a packet that has no parameters.
func bare(s *scanner, name PacketName, r Request) Request {
	s.name = name
	s.end()
	return r
}

// toggle reads the parameter of a packet that turns something on or off.
func toggle(s *scanner, name PacketName) bool {
	s.name = name
	s.expect(':')
	on := s.toggle()
	s.end()
	return on
}
