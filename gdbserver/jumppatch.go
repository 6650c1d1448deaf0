package gdbserver

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rspd/gdbserver/jumppatch"
	"rspd/gdbserver/libraries"
	"rspd/rsp"
	"rspd/threads"
	"rspd/unwind"
	"rspd/unwind/hint"
)

// JumpPatches is how jump patches are dealt with.
type JumpPatches struct {
	// Find has them looked for when the client reads the list of libraries or
	// asks about them. Without it they are unknown to the server.
	Find bool
	// Hints are those that people give, for all processes.
	Hints []unwind.Hint
}

// patches are the jump patches of the processes.
type patches struct {
	options JumpPatches
	sets    map[*threads.AddressSpace]*jumppatch.Set
	// notifiers are the addresses of the functions in which a breakpoint tells
	// that a program has changed its table of patches.
	notifiers map[*threads.AddressSpace][]uint64
	folder    jumppatch.Folder
	made      int
}

// patches gives the set of a process's memory: a program that is executed gets
// another one, as a forked child does.
func (s *Server) patchSet(process *threads.Process) *jumppatch.Set {
	if s.patches.sets == nil {
		s.patches.sets = map[*threads.AddressSpace]*jumppatch.Set{}
		s.patches.notifiers = map[*threads.AddressSpace][]uint64{}
	}
	space := process.Memory()
	if set := s.patches.sets[space]; set != nil {
		return set
	}
	s.patches.made++
	name := fmt.Sprintf("%d-%d", process.PID, s.patches.made)
	set := jumppatch.NewSet(name, &s.patches.folder, s.patches.options.Hints)
	s.patches.sets[space] = set
	return set
}

// forgetPatches removes what belongs to memory that no process has any more.
func (s *Server) forgetPatches() {
	used := map[*threads.AddressSpace]bool{}
	for _, process := range s.table.Processes() {
		used[process.Memory()] = true
	}
	for space, set := range s.patches.sets {
		if !used[space] {
			// A file that somebody else has removed is gone, too.
			_ = set.Clear()
			delete(s.patches.sets, space)
			delete(s.patches.notifiers, space)
		}
	}
}

// inheritPatches gives a child, of whose birth a stop tells, what people have said
// of its parent's patches.
func (s *Server) inheritPatches(stop threads.Stop) {
	parent := s.patches.sets[stop.LWP.Process.Memory()]
	if child := s.table.Process(stop.Child); parent != nil && child != nil && child.Memory() != stop.LWP.Process.Memory() {
		s.patchSet(child).Inherit(parent)
	}
}

// listen puts breakpoints in the functions that a program calls when it has
// changed its table of patches.
func (s *Server) listen(process *threads.Process, set *jumppatch.Set) {
	space := process.Memory()
	notifiers := slices.Clone(set.Notifiers())
	for _, at := range s.patches.notifiers[space] {
		if !slices.Contains(notifiers, at) {
			// Its file is gone, and most often the memory with it.
			_ = space.RemoveInternal(at)
		}
	}
	for _, at := range notifiers {
		if err := space.InsertInternal(at, s.patchesNotified); err != nil {
			s.options.Threads.Debug("jump patches", "pid", process.PID, "notifications", err)
		}
	}
	s.patches.notifiers[space] = notifiers
}

// patchesNotified notes that the program has changed its table of patches: they
// are looked at when the client is told of a stop.
func (s *Server) patchesNotified(lwp *threads.LWP) {
	if set := s.patches.sets[lwp.Process.Memory()]; set != nil {
		set.Invalidate()
	}
}

// updatePatches looks for a process's patches. All its threads have to be stopped.
// A client that wants no breakpoints inserted gets none of the server's either.
func (s *session) updatePatches(lwp *threads.LWP, set *jumppatch.Set) error {
	changed, err := set.Update(lwp.TID, lwp.Process.Memory())
	s.unannounced[set] = s.unannounced[set] || changed
	if s.permitOperation(rsp.AllowInsertBreakpoints) == nil {
		s.server.listen(lwp.Process, set)
	}
	for _, warning := range set.Warnings() {
		s.server.options.Threads.Debug("jump patches", "pid", lwp.Process.PID, "warning", warning)
	}
	return err
}

// patchesFeature announces qXfer:jump-patches:read.
const patchesFeature = "qXfer:jump-patches:read"

var errPatchesOff = errors.New("jump patches aren't looked for: the server was started with --jump-patches=off")

// jumpPatches looks for the jump patches of an LWP's process and gives what there
// is.
func (s *session) jumpPatches(lwp *threads.LWP) (*jumppatch.Set, error) {
	if !s.server.patches.options.Find {
		return nil, errPatchesOff
	}
	if lwp.Process.Machine() == elf.EM_386 {
		return nil, refusal("jump patches are looked for in 64-bit programs only")
	}
	s.server.forgetPatches()
	set := s.server.patchSet(lwp.Process)
	if s.table.NonStop() && set.Idle(lwp.TID) {
		// Nothing is stopped for it.
		return set, nil
	}
	return set, s.table.WhileStopped(func() error { return s.updatePatches(lwp, set) })
}

// patchLibraries gives the files that describe jump patches as libraries. They
// are in a namespace of their own, 0: the link maps of another one would be
// taken for neighbours of theirs (gdb 13, solist_update_incremental).
func (s *session) patchLibraries(lwp *threads.LWP) []libraries.Library {
	if !s.server.patches.options.Find || lwp.Process.Machine() == elf.EM_386 {
		return nil
	}
	set, err := s.jumpPatches(lwp)
	if err != nil {
		s.server.options.Threads.Debug("jump patches", "pid", lwp.Process.PID, "error", err)
	}
	if set == nil {
		return nil
	}
	var list []libraries.Library
	for _, file := range set.Files() {
		list = append(list, libraries.Library{Name: file.Path, Bias: file.Base, Dynamic: file.Base})
	}
	return list
}

// patchFile tells whether a file name is that of a file that describes jump
// patches, which is the server's and not in the root directory of the process.
func (s *session) patchFile(name string) bool {
	for _, set := range s.server.patches.sets {
		for _, file := range set.Files() {
			if file.Path == name {
				return true
			}
		}
	}
	return false
}

// librariesListed notes that the client reads the list of libraries of a process
// with what there is now.
func (s *session) librariesListed(process *threads.Process) {
	s.librariesRead = true
	delete(s.unannounced, s.server.patches.sets[process.Memory()])
}

// announce looks, at a stop that is about to be told, for jump patches that came
// or went while the program ran. Where there are, the client is told that its
// libraries have changed instead: gdb reads the list, resumes without a word, and
// is told the stop then. It doesn't stop its user for both in one (gdb 13,
// handle_inferior_event, TARGET_WAITKIND_LOADED). lldb does, and is told both.
// In non-stop other threads may be told of in between, so that the thread keeps
// its stop. The result is nil where there is nothing to announce.
func (s *session) announce(stop threads.Stop) rsp.Reply {
	if !s.patchesChanged(stop) {
		return nil
	}
	delete(s.unannounced, s.server.patches.sets[stop.LWP.Process.Memory()])
	if s.lldb() {
		reply := s.stopReplyFor(stop)
		if told, ok := reply.(*rsp.ThreadStop); ok {
			told.Library = true
		}
		return reply
	}
	if s.table.NonStop() {
		s.table.Postpone(stop)
	} else {
		s.held, s.holds = stop, true
	}
	stop.Kind = threads.NoStop
	reply := s.stopReplyFor(stop)
	s.stopReply.Reason = rsp.StopLibrary
	return reply
}

// patchesChanged tells whether there is news of jump patches for a client that
// takes it.
func (s *session) patchesChanged(stop threads.Stop) bool {
	// Of others than lldb only gdb says no-resumed.
	if !s.librariesRead || !s.client.noResumed && !s.lldb() {
		return false
	}
	set := s.server.patches.sets[stop.LWP.Process.Memory()]
	if set == nil {
		return false
	}
	switch stop.Kind {
	case threads.Stepped, threads.Breakpoint, threads.HardwareBreakpoint, threads.Watchpoint, threads.Signalled:
	case threads.Interrupted:
		if s.table.NonStop() {
			// Whoever has a thread stopped wants nothing else of it.
			return false
		}
	default:
		// What else stops isn't the program's own code, or is a step too.
		return false
	}
	registers, err := stop.LWP.Registers()
	if err != nil {
		return false
	}
	if set.Suspect(registers.PC(), stop.Kind != threads.Stepped) {
		changed, err := set.Changed(stop.LWP.TID, stop.LWP.Process.Memory())
		if changed {
			err = s.table.WhileStopped(func() error { return s.updatePatches(stop.LWP, set) })
		}
		if err != nil {
			s.server.options.Threads.Debug("jump patches", "pid", stop.PID, "error", err)
		}
	}
	return s.unannounced[set]
}

// release gives the stop that was held back, if there is one that is still to be
// told.
func (s *session) release() (rsp.Reply, bool) {
	if !s.holds {
		return nil, false
	}
	s.holds = false
	if s.table.NonStop() || s.table.LWP(s.held.LWP.TID) != s.held.LWP {
		return nil, false
	}
	s.selectLWP(s.held.LWP)
	return s.stopReplyFor(s.held), true
}

func (s *session) jumpPatchesObject(annex string) ([]byte, error) {
	if err := noAnnex(annex); err != nil {
		return nil, err
	}
	lwp, err := s.lwp()
	if err != nil {
		return nil, err
	}
	set, err := s.jumpPatches(lwp)
	if err != nil {
		return nil, err
	}
	return set.Document()
}

func (s *session) monitorPatches(argument string) (string, error) {
	lwp, err := s.lwp()
	if err != nil {
		return "", err
	}
	set, err := s.jumpPatches(lwp)
	if err != nil {
		return "", err
	}
	verb, argument, _ := strings.Cut(argument, " ")
	switch {
	case verb == "add" && argument != "":
		return s.addPatch(lwp, set, argument)
	case verb == "remove" && argument != "":
		return s.removePatch(lwp, set, argument)
	case verb == "list" && argument == "":
		return set.List(), nil
	case verb == "show" && argument != "":
		at, err := strconv.ParseUint(argument, 0, 64)
		if err != nil {
			return "", refusal("%q is not an address", argument)
		}
		text, ok := set.Show(at)
		if !ok {
			return "", refusal("no jump patch is at %#x", at)
		}
		return text, nil
	case verb == "where" && argument == "":
		return s.wherePatched(lwp, set)
	}
	return "", refusal("say list, show ADDRESS, where, add SITE or remove SITE")
}

// addPatch takes what a person knows of a patch.
func (s *session) addPatch(lwp *threads.LWP, set *jumppatch.Set, argument string) (string, error) {
	told, err := hint.Words(strings.Fields(argument))
	if err != nil {
		return "", refusal("%v", err)
	}
	set.Add(told)
	if _, err := s.jumpPatches(lwp); err != nil {
		return "", err
	}
	if err := set.Added(told); err != nil {
		return "", refusal("%v", err)
	}
	text, _ := set.Show(told.Site)
	return text, nil
}

// removePatch takes it back.
func (s *session) removePatch(lwp *threads.LWP, set *jumppatch.Set, argument string) (string, error) {
	site, err := strconv.ParseUint(argument, 0, 64)
	if err != nil {
		return "", refusal("%q is not an address", argument)
	}
	if !set.Remove(site) {
		return "", refusal("no jump patch is at %#x", site)
	}
	_, err = s.jumpPatches(lwp)
	return "", err
}

func (s *session) wherePatched(lwp *threads.LWP, set *jumppatch.Set) (string, error) {
	registers, err := lwp.Registers()
	if err != nil {
		return "", err
	}
	pc := registers.PC()
	region, instruction := set.At(pc)
	switch {
	case instruction == nil:
		return fmt.Sprintf("%#x is not in a jump patch's stub.\n", pc), nil
	case instruction.Shared:
		return fmt.Sprintf("%#x is in a stub that several patches share, %s among them.\n", pc, region.Name()), nil
	case instruction.Original == 0:
		return fmt.Sprintf("%#x is in the stub of %s; no original instruction corresponds to it.\n", pc, region.Name()), nil
	}
	return fmt.Sprintf("%#x is in the stub of %s and corresponds to %#x.\n", pc, region.Name(), instruction.Original), nil
}
