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
	folder  jumppatch.Folder
	made    int
}

// patches gives the set of a process's memory: a program that is executed gets
// another one, as a forked child does.
func (s *Server) patchSet(process *threads.Process) *jumppatch.Set {
	if s.patches.sets == nil {
		s.patches.sets = map[*threads.AddressSpace]*jumppatch.Set{}
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
		}
	}
}

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
	update := func() error {
		_, err := set.Update(lwp.TID, lwp.Process.Memory())
		for _, warning := range set.Warnings() {
			s.server.options.Threads.Debug("jump patches", "pid", lwp.Process.PID, "warning", warning)
		}
		return err
	}
	if s.table.NonStop() && set.Idle(lwp.TID) {
		// Nothing is stopped for it.
		return set, nil
	}
	files := slices.Clone(set.Files())
	err := s.table.WhileStopped(update)
	s.unannounced = s.unannounced || !slices.Equal(files, set.Files())
	return set, err
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

// librariesListed notes that the client reads a list of libraries with what there is now.
func (s *session) librariesListed() { s.librariesRead, s.unannounced = true, false }

// announce looks, at a stop that is about to be told, for jump patches that came
// or went while the program ran. Where there are, the client is told that its
// libraries have changed instead: gdb reads the list, resumes without a word, and
// is told the stop then. It doesn't stop its user for both in one (gdb 13,
// handle_inferior_event, TARGET_WAITKIND_LOADED). lldb does, and is told both.
// The result is nil where there is nothing to announce.
func (s *session) announce(stop threads.Stop) rsp.Reply {
	if !s.patchesChanged(stop) {
		return nil
	}
	s.unannounced = false
	if s.lldb() {
		reply := s.stopReplyFor(stop)
		if told, ok := reply.(*rsp.ThreadStop); ok {
			told.Library = true
		}
		return reply
	}
	s.held, s.holds = stop, true
	stop.Kind = threads.NoStop
	reply := s.stopReplyFor(stop)
	s.stopReply.Reason = rsp.StopLibrary
	return reply
}

// patchesChanged tells whether there is news of jump patches for a client that
// takes it.
func (s *session) patchesChanged(stop threads.Stop) bool {
	// Of others than lldb only gdb says no-resumed.
	if !s.librariesRead || !s.client.noResumed && !s.lldb() || s.table.NonStop() {
		return false
	}
	set := s.server.patches.sets[stop.LWP.Process.Memory()]
	if set == nil {
		return false
	}
	switch stop.Kind {
	case threads.Stepped, threads.Breakpoint, threads.HardwareBreakpoint, threads.Watchpoint, threads.Signalled, threads.Interrupted:
	default:
		// What else stops isn't the program's own code, or is a step too.
		return false
	}
	registers, err := stop.LWP.Registers()
	if err != nil {
		return false
	}
	changed, err := set.Refresh(stop.LWP.TID, stop.LWP.Process.Memory(), registers.PC(), stop.Kind != threads.Stepped)
	if err != nil {
		s.server.options.Threads.Debug("jump patches", "pid", stop.PID, "error", err)
	}
	return changed || s.unannounced
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
	return "", refusal("say list, show ADDRESS or where")
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
	case instruction.Original == 0:
		return fmt.Sprintf("%#x is in the stub of %s; no original instruction corresponds to it.\n", pc, region.Name()), nil
	}
	return fmt.Sprintf("%#x is in the stub of %s and corresponds to %#x.\n", pc, region.Name(), instruction.Original), nil
}
