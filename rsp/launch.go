package rsp

import "strings"

// Run is vRun: start a program. The answer is a stop reply.
type Run struct {
	// Filename is the program, or empty for the last one.
	Filename string
	// Arguments are the program's arguments without its own name. When
	// single-inf-arg was agreed on in qSupported there is at most one, which
	// holds all of them as for a shell.
	Arguments []string
}

// Packet returns PacketRun.
func (*Run) Packet() PacketName { return PacketRun }

func parseRun(s *scanner) Request {
	s.name = PacketRun
	r := &Run{}
	s.expect(';')
	r.Filename = s.path()
	for s.accept(';') {
		r.Arguments = append(r.Arguments, s.withoutNUL(s.hexString(';')))
	}
	s.end()
	return r
}

// path takes a hex-encoded name that is to be given to the system.
func (s *scanner) path() string { return s.withoutNUL(s.hexString(';')) }

func (s *scanner) withoutNUL(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		s.fail("a name or an argument can't hold a zero byte")
	}
	return text
}

// ExecAndArgsQuery is qExecAndArgs: which program and arguments was the
// server started with? The answer is ExecAndArgs.
type ExecAndArgsQuery struct{}

var theExecAndArgsQuery = &ExecAndArgsQuery{}

// Packet returns PacketExecAndArgs.
func (*ExecAndArgsQuery) Packet() PacketName { return PacketExecAndArgs }

// ExecAndArgs is the reply to qExecAndArgs.
type ExecAndArgs struct {
	// Set says that the server was started with a program or arguments.
	Set bool
	// Program is the file name, or empty if only arguments are known.
	Program string
	// Arguments are as the user would type them after "set args", quoted
	// where needed.
	Arguments string
}

// AppendTo appends "U" or "S;program;arguments;".
func (e ExecAndArgs) AppendTo(dst []byte) []byte {
	if !e.Set {
		return append(dst, 'U')
	}
	dst = appendHex(append(dst, 'S', ';'), e.Program)
	dst = appendHex(append(dst, ';'), e.Arguments)
	return append(dst, ';')
}

// DisableRandomization is QDisableRandomization: start programs without
// address space randomization, or with it.
type DisableRandomization struct {
	// Enable disables randomization.
	Enable bool
}

// Packet returns PacketDisableRandomization.
func (*DisableRandomization) Packet() PacketName { return PacketDisableRandomization }

// StartupWithShell is QStartupWithShell: start programs through a shell, or
// directly.
type StartupWithShell struct{ Enable bool }

// Packet returns PacketStartupWithShell.
func (*StartupWithShell) Packet() PacketName { return PacketStartupWithShell }

// EnvironmentSet is QEnvironmentHexEncoded: set a variable for programs
// started later.
type EnvironmentSet struct {
	// Name is never empty and holds no '='. Value may be empty.
	Name, Value string
}

// Packet returns PacketEnvironmentSet.
func (*EnvironmentSet) Packet() PacketName { return PacketEnvironmentSet }

func parseEnvironmentSet(s *scanner) Request {
	s.name = PacketEnvironmentSet
	s.expect(':')
	text := s.path()
	s.end()
	name, value, found := strings.Cut(text, "=")
	if !found {
		s.fail("the variable has no '='")
	}
	if name == "" {
		s.fail("the variable's name is empty")
	}
	return &EnvironmentSet{Name: name, Value: value}
}

// EnvironmentUnset is QEnvironmentUnset: remove a variable for programs
// started later.
type EnvironmentUnset struct {
	// Name is never empty.
	Name string
}

// Packet returns PacketEnvironmentUnset.
func (*EnvironmentUnset) Packet() PacketName { return PacketEnvironmentUnset }

func parseEnvironmentUnset(s *scanner) Request {
	s.name = PacketEnvironmentUnset
	s.expect(':')
	r := &EnvironmentUnset{Name: s.path()}
	s.end()
	if r.Name == "" {
		s.fail("the variable's name is empty")
	}
	return r
}

// EnvironmentReset is QEnvironmentReset: forget what the client has set and
// unset.
type EnvironmentReset struct{}

var theEnvironmentReset = &EnvironmentReset{}

// Packet returns PacketEnvironmentReset.
func (*EnvironmentReset) Packet() PacketName { return PacketEnvironmentReset }

// SetWorkingDir is QSetWorkingDir: start programs in a directory.
type SetWorkingDir struct {
	// Directory is empty for the server's own.
	Directory string
}

// Packet returns PacketSetWorkingDir.
func (*SetWorkingDir) Packet() PacketName { return PacketSetWorkingDir }

func parseSetWorkingDir(s *scanner) Request {
	s.name = PacketSetWorkingDir
	s.expect(':')
	r := &SetWorkingDir{Directory: s.path()}
	s.end()
	return r
}
