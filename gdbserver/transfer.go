package gdbserver

import (
	"debug/elf"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/gdbserver/libraries"
	"rspd/gdbserver/osdata"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// object is one kind of thing that qXfer transfers.
type object struct {
	name  string
	read  func(s *session, annex string) ([]byte, error)
	write func(s *session, annex string, offset uint64, data []byte) (int, error)
}

// objects are the ones there are (manual, "General Query Packets", qXfer).
var objects = []object{
	{name: "features", read: (*session).featuresObject},
	{name: "auxv", read: (*session).auxiliaryVectorObject},
	{name: "exec-file", read: (*session).executableObject},
	{name: "libraries-svr4", read: (*session).librariesObject},
	{name: "threads", read: (*session).threadsObject},
	{name: "siginfo", read: (*session).siginfoObject, write: (*session).writeSiginfo},
	{name: "jump-patches", read: (*session).jumpPatchesObject},
	{name: "osdata", read: (*session).osdataObject},
}

func transferFeatures() []string {
	var features []string
	for _, object := range objects {
		if object.read != nil {
			features = append(features, "qXfer:"+object.name+":read")
		}
		if object.write != nil {
			features = append(features, "qXfer:"+object.name+":write")
		}
	}
	return features
}

func findObject(name string) *object {
	for i := range objects {
		if objects[i].name == name {
			return &objects[i]
		}
	}
	return nil
}

// transferred is an object that is sent in parts, so that all parts are of one
// moment and it is made only once.
type transferred struct {
	name, annex string
	thread      rsp.ThreadID
	data        []byte
	valid       bool
}

func (t *transferred) reset() { t.valid = false }

func (s *session) transferRead(request *rsp.TransferRead) (rsp.Reply, error) {
	object := findObject(request.Object)
	if object == nil || object.read == nil {
		return rsp.Empty{}, nil
	}
	kept := &s.document
	if request.Offset == 0 || !kept.valid || kept.name != request.Object || kept.annex != request.Annex || kept.thread != s.general {
		data, err := object.read(s, request.Annex)
		if err != nil {
			kept.reset()
			return nil, err
		}
		*kept = transferred{request.Object, request.Annex, s.general, data, true}
	}
	s.transfer = rsp.TransferPart(kept.data, request, s.conn.MaxPacket())
	return &s.transfer, nil
}

func (s *session) transferWrite(request *rsp.TransferWrite) (rsp.Reply, error) {
	object := findObject(request.Object)
	if object == nil || object.write == nil {
		return rsp.Empty{}, nil
	}
	s.document.reset()
	n, err := object.write(s, request.Annex, request.Offset, request.Data)
	if err != nil {
		return nil, err
	}
	return rsp.TransferWritten(n), nil
}

func noAnnex(annex string) error {
	if annex != "" {
		return rsp.Error{Code: 0}
	}
	return nil
}

func (s *session) featuresObject(annex string) ([]byte, error) {
	if annex != "target.xml" {
		// The manual's answer for an annex that is not there is E00.
		return nil, rsp.Error{Code: 0}
	}
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	var document string
	describe := func() error {
		document = s.describe(lwp).XML
		return nil
	}
	if lwp.Stopped() {
		err = describe()
	} else {
		// Which registers there are only a stopped thread shows.
		err = s.table.WhileStopped(describe)
	}
	return []byte(document), err
}

func (s *session) auxiliaryVectorObject(annex string) ([]byte, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	if err := noAnnex(annex); err != nil {
		return nil, err
	}
	return ptrace.AuxiliaryVector(lwp.TID)
}

// executableObject is the program's file name; the annex is the process id in
// hex, or empty for the selected process.
func (s *session) executableObject(annex string) ([]byte, error) {
	process, err := s.process()
	if annex != "" {
		id, parseErr := rsp.ParseThreadID([]byte(annex))
		if parseErr != nil {
			return nil, parseErr
		}
		if process = s.table.Process(id.TID); process == nil {
			return nil, refusal("process %d is not being debugged", id.TID)
		}
	} else if err != nil {
		return nil, err
	}
	name, err := process.Executable()
	return []byte(name), err
}

func (s *session) librariesObject(annex string) ([]byte, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	vector, err := ptrace.AuxiliaryVector(lwp.TID)
	if err != nil {
		return nil, err
	}
	list, err := libraries.Read(lwp.Process.Memory(), vector, annex)
	if err == nil && s.lldb() && list.MainLinkMap == 0 && annex == "" {
		return nil, refusal("the dynamic linker has not made its list yet")
	}
	// Who asks for what has come to a namespace has had the rest.
	if !strings.Contains(annex, "start=") && (err == nil || errors.Is(err, libraries.ErrNoList)) {
		if patched := s.patchLibraries(lwp); len(patched) > 0 {
			list.Libraries, err = append(list.Libraries, patched...), nil
		}
		s.librariesListed(lwp.Process)
	}
	if err != nil {
		return nil, err
	}
	if !s.lldb() {
		return list.Document(), nil
	}
	// lldb takes main-lm for the address of the struct r_debug.
	list.MainLinkMap, list.WithoutNamespaces = 0, true
	return []byte(namedEntities.Replace(string(list.Document()))), nil
}

// namedEntities spells quotation marks without '#', which would have to be
// escaped in a packet: LLDB's tests read the document as it comes.
var namedEntities = strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;")

// libraryInfoAddress answers qShlibInfoAddr with the address of the word that
// the address of the dynamic linker's struct r_debug is in, or nothing where
// there is none: lldb would read an error as an address.
func (s *session) libraryInfoAddress(rsp.Extension) (rsp.Reply, error) {
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	vector, err := ptrace.AuxiliaryVector(lwp.TID)
	if err != nil {
		return nil, err
	}
	place, err := libraries.DebugEntry(lwp.Process.Memory(), vector)
	if err != nil {
		return rsp.Empty{}, nil
	}
	return rsp.Address(place), nil
}

func (s *session) threadsObject(annex string) ([]byte, error) {
	if err := noAnnex(annex); err != nil {
		return nil, err
	}
	return s.listThreads()
}

// osdataObject is a table of the operating system; no process is needed.
func (s *session) osdataObject(annex string) ([]byte, error) { return osdata.Live().Document(annex) }

func (s *session) siginfoObject(annex string) ([]byte, error) {
	if err := noAnnex(annex); err != nil {
		return nil, err
	}
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	return siginfo(lwp)
}

// siginfo is the signal information of an LWP as its program would get it.
func siginfo(lwp *threads.LWP) ([]byte, error) {
	var info ptrace.Siginfo
	if err := lwp.Siginfo(&info); err != nil {
		if errors.Is(err, unix.EINVAL) {
			return nil, refusal("the thread was not stopped by a signal")
		}
		return nil, err
	}
	if lwp.Process.Machine() == elf.EM_386 {
		compat := info.Compat()
		return compat[:], nil
	}
	return info[:], nil
}

func (s *session) writeSiginfo(annex string, offset uint64, data []byte) (int, error) {
	if err := noAnnex(annex); err != nil {
		return 0, err
	}
	lwp, err := s.lwp()
	if err != nil {
		return 0, err
	}
	info, err := siginfo(lwp)
	if err != nil {
		return 0, err
	}
	if offset > uint64(len(info)) || uint64(len(data)) > uint64(len(info))-offset {
		return 0, refusal("the signal information has %d bytes", len(info))
	}
	copy(info[offset:], data)
	native := ptrace.Siginfo(info)
	if lwp.Process.Machine() == elf.EM_386 {
		compat := ptrace.CompatSiginfo(info)
		native = compat.Siginfo()
	}
	return len(data), lwp.SetSiginfo(&native)
}
