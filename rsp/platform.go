package rsp

import (
	"bytes"
	"math"
)

// The packets of LLDB's platform servers, which look after a machine rather than
// a process (lldb/docs/resources/lldbplatformpackets.md in LLVM's source). Numbers
// of processes and users are decimal, all others hex.

// ProcessInfoPID is qProcessInfoPID: describe a process of the machine. The
// answer is KeyValues.
type ProcessInfoPID struct{ PID int }

// Packet returns PacketProcessInfoPID.
func (*ProcessInfoPID) Packet() PacketName { return PacketProcessInfoPID }

// NameMatch is how FindProcesses compares names.
type NameMatch uint8

// The ways to compare names; MatchAny takes every name.
const (
	MatchAny NameMatch = iota
	MatchEqual
	MatchPrefix
	MatchSuffix
	MatchContained
	MatchExpression
)

var nameMatches = map[string]NameMatch{"equals": MatchEqual, "starts_with": MatchPrefix, "ends_with": MatchSuffix,
	"contains": MatchContained, "regex": MatchExpression}

// AnyID in FindProcesses takes processes of any user or group.
const AnyID = -1

// FindProcesses is qfProcessInfo: describe the first of the machine's processes
// that fit. The answer is KeyValues, and an error where none fits; that for the
// next ones is qsProcessInfo.
type FindProcesses struct {
	// Name is compared with the names of the executable files, without their
	// directories, as Match says.
	Name  string
	Match NameMatch
	// PID and Parent are 0 for any.
	PID, Parent int
	// The real and effective ids, or AnyID.
	User, Group, EffectiveUser, EffectiveGroup int
	// AllUsers asks for other users' processes as well.
	AllUsers bool
	// Triple is LLVM's name of an architecture, "" for any.
	Triple string
}

// Packet returns PacketFindProcesses.
func (*FindProcesses) Packet() PacketName { return PacketFindProcesses }

func parseFindProcesses(s *scanner) Request {
	s.name = PacketFindProcesses
	r := &FindProcesses{User: AnyID, Group: AnyID, EffectiveUser: AnyID, EffectiveGroup: AnyID}
	numbers := map[string]*int{"pid": &r.PID, "parent_pid": &r.Parent, "uid": &r.User, "gid": &r.Group,
		"euid": &r.EffectiveUser, "egid": &r.EffectiveGroup}
	s.accept(':')
	for !s.done() {
		key := string(s.until(':'))
		s.expect(':')
		at := s.pos
		if number, found := numbers[key]; found {
			*number = int(s.decimal())
		} else {
			switch key {
			case "name":
				r.Name = s.withoutNUL(s.hexString(';'))
			case "name_match":
				match, known := nameMatches[string(s.until(';'))]
				if !known {
					s.failAt(at, "names cannot be compared in that way")
				}
				r.Match = match
			case "all_users":
				switch string(s.until(';')) {
				case "1", "true", "yes", "on":
					r.AllUsers = true
				case "0", "false", "no", "off":
				default:
					s.failAt(at, "neither yes nor no")
				}
			case "triple":
				r.Triple = string(s.until(';'))
			default:
				s.fail("processes cannot be chosen by that")
			}
		}
		if !s.done() {
			s.expect(';')
		}
	}
	return r
}

// NameQuery is qUserName or qGroupName: what is the user or the group with that
// id called? The answer is Hex.
type NameQuery struct {
	Name PacketName
	ID   int
}

// Packet returns PacketUserName or PacketGroupName.
func (r *NameQuery) Packet() PacketName { return r.Name }

// PathComplete is qPathComplete: how may a path that begins like this go on? The
// answer is Completions.
type PathComplete struct {
	DirectoriesOnly bool
	Prefix          string
}

// Packet returns PacketPathComplete.
func (*PathComplete) Packet() PacketName { return PacketPathComplete }

// Completions is the reply to PathComplete: whole paths.
type Completions []string

// AppendTo appends 'M' and the paths in hex.
func (c Completions) AppendTo(dst []byte) []byte {
	dst = append(dst, 'M')
	for i, path := range c {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendHex(dst, path)
	}
	return dst
}

// LaunchGDBServer is qLaunchGDBServer: start a server that debugs. The answer is
// KeyValues that say where it listens.
type LaunchGDBServer struct {
	// Host is from where the client will connect to it.
	Host string
	// Port is where it is to listen, 0 for where it likes.
	Port int
}

// Packet returns PacketLaunchGDBServer.
func (*LaunchGDBServer) Packet() PacketName { return PacketLaunchGDBServer }

func parseLaunchGDBServer(s *scanner) Request {
	s.name = PacketLaunchGDBServer
	r := &LaunchGDBServer{}
	s.accept(';')
	for !s.done() {
		at := s.pos
		key, value, _ := bytes.Cut(s.until(';'), []byte{':'})
		switch string(key) {
		case "host":
			r.Host = string(value)
		case "port":
			number := &scanner{name: s.name, data: value}
			r.Port = int(number.decimal())
			number.end()
			if number.err != nil || r.Port > math.MaxUint16 {
				s.failAt(at, "that is no port")
			}
		}
		s.accept(';')
	}
	return r
}

// KillSpawned is qKillSpawnedProcess: end a process that the server has started.
type KillSpawned struct{ PID int }

// Packet returns PacketKillSpawned.
func (*KillSpawned) Packet() PacketName { return PacketKillSpawned }

// FilePermissions is qPlatform_mkdir or qPlatform_chmod: make a directory, or
// change the permissions of a file. The answer is FileOutcome of the system's
// error number.
type FilePermissions struct {
	Name PacketName
	// Mode is the permission bits as Linux has them.
	Mode     uint32
	Filename string
}

// Packet returns PacketMakeDirectory or PacketChangeMode.
func (r *FilePermissions) Packet() PacketName { return r.Name }

// Shell is qPlatform_shell: have a shell execute a command. The answer is
// ShellResult.
type Shell struct {
	Command string
	// Timeout is in seconds, 0 for the server's own.
	Timeout uint32
	// Directory is where the shell starts, "" for where the server is.
	Directory string
}

// Packet returns PacketShell.
func (*Shell) Packet() PacketName { return PacketShell }

func parseShell(s *scanner) Request {
	s.name = PacketShell
	s.expect(':')
	r := &Shell{Command: s.fileName()}
	if s.accept(',') {
		if r.Timeout = uint32(s.numberUpTo(math.MaxUint32)); r.Timeout == math.MaxUint32 {
			r.Timeout = 0
		}
	}
	if s.accept(',') {
		r.Directory = s.fileName()
	}
	s.end()
	return r
}

// ShellResult is the reply to Shell.
type ShellResult struct {
	// Status is the exit status and Signal what ended the shell, 0 for none.
	Status, Signal uint32
	// Output is what the command wrote to both of its outputs.
	Output []byte
}

// AppendTo appends "F,status,signal,output", the output as binary data.
func (r *ShellResult) AppendTo(dst []byte) []byte {
	dst = appendHexNumber(append(dst, "F,"...), uint64(r.Status))
	dst = appendHexNumber(append(dst, ','), uint64(r.Signal))
	return AppendEscaped(append(dst, ','), r.Output)
}

// FileSymlink is vFile:symlink: make a symbolic link. The answer is FileOutcome.
type FileSymlink struct {
	// Target is what Link is to point to.
	Target, Link string
}

// Packet returns PacketFileSymlink.
func (*FileSymlink) Packet() PacketName { return PacketFileSymlink }

// FileOutcome is how LLDB's file packets that yield nothing went: 0, or an error
// number. LLDB reads it likewise in answer to vFile:unlink, where it takes the
// -1 of FileResult for nothing it knows.
type FileOutcome uint32

// AppendTo appends "F0", or "Ferrno,errno".
func (o FileOutcome) AppendTo(dst []byte) []byte {
	dst = appendHexNumber(append(dst, 'F'), uint64(o))
	if o != 0 {
		dst = appendHexNumber(append(dst, ','), uint64(o))
	}
	return dst
}

// parsePlatformQuery reads the packets of platform servers.
func parsePlatformQuery(s *scanner, name string) Request {
	switch name {
	case "qProcessInfoPID":
		s.name = PacketProcessInfoPID
		s.expect(':')
		r := &ProcessInfoPID{PID: int(s.decimal())}
		s.end()
		return r
	case "qfProcessInfo":
		return parseFindProcesses(s)
	case "qUserName", "qGroupName":
		s.name = map[string]PacketName{"qUserName": PacketUserName, "qGroupName": PacketGroupName}[name]
		s.expect(':')
		r := &NameQuery{Name: s.name, ID: int(s.decimal())}
		s.end()
		return r
	case "qPathComplete":
		s.name = PacketPathComplete
		s.expect(':')
		r := &PathComplete{DirectoriesOnly: s.number() == 1}
		s.expect(',')
		r.Prefix = s.fileName()
		s.end()
		return r
	case "qLaunchGDBServer":
		return parseLaunchGDBServer(s)
	case "qKillSpawnedProcess":
		s.name = PacketKillSpawned
		s.expect(':')
		r := &KillSpawned{PID: int(s.decimal())}
		s.end()
		return r
	case "qPlatform_mkdir", "qPlatform_chmod":
		s.name = map[string]PacketName{"qPlatform_mkdir": PacketMakeDirectory, "qPlatform_chmod": PacketChangeMode}[name]
		s.expect(':')
		r := &FilePermissions{Name: s.name, Mode: uint32(s.numberUpTo(0o7777))}
		s.expect(',')
		r.Filename = s.fileName()
		s.end()
		return r
	case "qPlatform_shell":
		return parseShell(s)
	}
	return &Unknown{Name: name}
}
