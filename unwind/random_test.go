package unwind_test

import (
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "seed of the random stubs")
	keepFlag  = flag.String("keep", "", "directory for the programs of random stubs")
	stubsFlag = flag.Int("stubs", 300, "number of random stubs")
)

// Random stubs are stepped through, and every row is compared with what the
// processor shows: the registers at the site are known.
func TestRandomStubs(t *testing.T) {
	runtime.LockOSThread() // ptrace is bound to a thread
	defer runtime.UnlockOSThread()
	const batch = 250
	var sum counts
	for done, seed := 0, *seedFlag; done < *stubsFlag; done, seed = done+batch, seed+1 {
		sum.add(stepThrough(t, seed, min(batch, *stubsFlag-done)))
	}
	t.Logf("%d stubs, %d instructions executed, %d in stubs of which %d with rows (%d certain), %d in hooks; %d registers compared, %d left open",
		sum.stubs, sum.steps, sum.inStub, sum.known, sum.certain, sum.inHook, sum.registers, sum.open)
	if sum.known*100 < sum.inStub*99 {
		t.Errorf("%d of %d instructions have rows", sum.known, sum.inStub)
	}
	if sum.faults*50 > sum.stubs {
		t.Errorf("%d of %d stubs got a fault", sum.faults, sum.stubs)
	}
	if sum.inHook == 0 || sum.certain == 0 {
		t.Error("hooks and certain rows have not been seen")
	}
}

type counts struct {
	stubs, steps, inStub, known, certain, inHook, registers, open, faults int
}

func (c *counts) add(o counts) {
	c.stubs += o.stubs
	c.steps += o.steps
	c.inStub += o.inStub
	c.known += o.known
	c.certain += o.certain
	c.inHook += o.inHook
	c.registers += o.registers
	c.open += o.open
	c.faults += o.faults
}

// A laboratory is a process that executes stubs.
type laboratory struct {
	t       *testing.T
	random  *rand.Rand
	pid     int
	memory  *os.File
	process *unwind.Process
	file    *os.File
	symbols map[string]uint64
	stubs   unwind.Extent
	hook    unwind.Extent
	stack   uint64
}

func stepThrough(t *testing.T, seed uint64, count int) (c counts) {
	t.Helper()
	l := newLaboratory(t, seed, count)
	for i := range count {
		l.patch(i)
	}
	patches, warnings := unwind.Find(l.process)
	if len(patches) != count || len(warnings) > 0 {
		t.Fatalf("seed %d: %d patches were found, %v", seed, len(patches), warnings)
	}
	for i, patch := range patches {
		if want := l.symbols[fmt.Sprintf("site%d", i)]; patch.Site != want {
			t.Fatalf("seed %d: patch %d is at %#x, not at %#x", seed, i, patch.Site, want)
		}
		regions := unwind.Derive(l.process, patch)
		c.add(l.run(seed, i, regions[0]))
		if t.Failed() {
			t.Fatalf("to see it again: -seed %d -stubs %d -keep DIRECTORY", seed, count)
		}
	}
	return c
}

func newLaboratory(t *testing.T, seed uint64, count int) *laboratory {
	t.Helper()
	l := &laboratory{t: t, random: rand.New(rand.NewPCG(seed, 0)), symbols: map[string]uint64{}}
	directory := *keepFlag
	if directory == "" {
		directory = t.TempDir()
	}
	source := filepath.Join(directory, "stubs.S")
	program := filepath.Join(directory, "stubs")
	g := &generator{Rand: l.random}
	if err := os.WriteFile(source, []byte(g.program(count)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(need(t, "gcc"), "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,norelro", "-Wl,-z,separate-code",
		"-Wl,-Ttext=0x400000", "-Wl,--section-start=.hooks=0x800000", "-Wl,--section-start=.stubs=0xa00000", "-Wl,-Tdata=0x2000000",
		"-o", program, source).CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		l.symbols[s.Name] = s.Value
	}
	extent := func(name string) unwind.Extent {
		s := f.Section(name)
		return unwind.Extent{Start: s.Addr, End: s.Addr + s.Size}
	}
	l.stubs, l.hook = extent(".stubs"), extent(".hooks")

	command := exec.Command(program)
	command.SysProcAttr = &unix.SysProcAttr{Ptrace: true, Pdeathsig: unix.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	l.pid = command.Process.Pid
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	l.wait()
	if l.memory, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", l.pid), os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.memory.Close() })
	if l.file, err = os.Open(program); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.file.Close() })
	var registers unix.PtraceRegs
	if err := unix.PtraceGetRegs(l.pid, &registers); err != nil {
		t.Fatal(err)
	}
	l.stack = registers.Rsp &^ 0xfff

	// The stubs pass for anonymous memory.
	l.process = &unwind.Process{Memory: l.memory, Open: func(unwind.Mapping) (io.ReaderAt, error) { return l.file, nil }}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 {
			continue
		}
		m := unwind.Mapping{Start: p.Vaddr, End: p.Vaddr + p.Memsz, Offset: p.Off, Executable: true, Path: program}
		if m.Start <= l.stubs.Start && l.stubs.Start < m.End {
			m.Path = ""
		}
		l.process.Mappings = append(l.process.Mappings, m)
	}
	return l
}

func (l *laboratory) wait() {
	l.t.Helper()
	if signal := l.stopped(); signal != unix.SIGTRAP {
		l.t.Fatalf("the program got %v", signal)
	}
}

// stopped waits for the process to stop and gives the signal.
func (l *laboratory) stopped() unix.Signal {
	l.t.Helper()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(l.pid, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			l.t.Fatalf("waiting: %v, status %#x", err, status)
		}
		return status.StopSignal()
	}
}

// patch writes the jump from a site to its stub.
func (l *laboratory) patch(i int) {
	l.t.Helper()
	site := l.symbols[fmt.Sprintf("site%d", i)]
	jump := append([]byte{0xe9}, le32(int(l.symbols[fmt.Sprintf("stub%d", i)])-int(site)-5)...)
	if _, err := l.memory.WriteAt(jump, int64(site)); err != nil {
		l.t.Fatal(err)
	}
}

// frameOf gives registers as call frame information numbers them.
func frameOf(r *unix.PtraceRegs, memory io.ReaderAt) *cfi.Frame {
	f := &cfi.Frame{Memory: memory}
	f.Values = [cfi.Registers]uint64{
		r.Rax, r.Rdx, r.Rcx, r.Rbx, r.Rsi, r.Rdi, r.Rbp, r.Rsp,
		r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.Rip,
	}
	for i := range f.Known {
		f.Known[i] = true
	}
	return f
}

// run executes one stub from its site on.
func (l *laboratory) run(seed uint64, i int, r *unwind.Region) (c counts) {
	t := l.t
	c.stubs = 1
	var registers unix.PtraceRegs
	if err := unix.PtraceGetRegs(l.pid, &registers); err != nil {
		t.Fatal(err)
	}
	random := func() uint64 { return l.random.Uint64()&0x00007fffffffff00 | 0x5a }
	for _, p := range []*uint64{
		&registers.Rax, &registers.Rbx, &registers.Rcx, &registers.Rdx, &registers.Rsi, &registers.Rdi,
		&registers.R8, &registers.R9, &registers.R10, &registers.R11, &registers.R12, &registers.R13, &registers.R14, &registers.R15,
	} {
		*p = random()
	}
	registers.Rip, registers.Rsp = r.Site, l.stack-0x4000-8*uint64(l.random.IntN(64))
	registers.Rbp = registers.Rsp + 8*uint64(2+l.random.IntN(8))
	registers.Eflags, registers.Orig_rax = 0x202, ^uint64(0)
	// The frame of the function, and what else is on the stack.
	content := make([]byte, 512)
	for at := 0; at < len(content); at += 8 {
		copy(content[at:], le64(random()))
	}
	if _, err := l.memory.WriteAt(content, int64(registers.Rsp-128)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.memory.WriteAt(le64(l.random.Uint64N(4)), int64(l.symbols["choices"])); err != nil {
		t.Fatal(err)
	}
	if err := unix.PtraceSetRegs(l.pid, &registers); err != nil {
		t.Fatal(err)
	}

	// What is right: the site as the caller of the stub, or its caller.
	want := frameOf(&registers, l.memory)
	want.Values[cfi.RIP] = r.Return
	module, err := unwind.NewModule(l.file)
	if err != nil {
		t.Fatal(err)
	}
	if r.StandsIn {
		row, err := module.Row(r.Site)
		if err != nil {
			t.Fatal(err)
		}
		if want, err = row.Unwind(want); err != nil {
			t.Fatal(err)
		}
	}
	// compare checks the frame that a row gives.
	compare := func(what string, in *unwind.Instruction, got *cfi.Frame) {
		for register := range got.Values {
			if !got.Known[register] {
				c.open++
				continue
			}
			if r.StandsIn && !want.Known[register] {
				continue
			}
			c.registers++
			if got.Values[register] != want.Values[register] {
				t.Errorf("seed %d, stub %d of %s, %s at %#x (stub+%#x): %v is %#x, not %#x; %v row %v", seed, i, r.Name(), what,
					in.Address, in.Address-r.Target, cfi.Register(register), got.Values[register], want.Values[register], in.Confidence, in.Row)
			}
		}
	}
	const most = 5000
	for range most {
		if err := unix.PtraceSingleStep(l.pid); err != nil {
			t.Fatal(err)
		}
		signal := l.stopped()
		if err := unix.PtraceGetRegs(l.pid, &registers); err != nil {
			t.Fatal(err)
		}
		c.steps++
		pc := registers.Rip
		if signal != unix.SIGTRAP {
			// A stub may have lost what the displaced instructions need.
			c.faults++
			return c
		}
		switch {
		case l.stubs.Start <= pc && pc < l.stubs.End:
			c.inStub++
			in := r.At(pc)
			if in == nil || in.Address != pc {
				t.Errorf("seed %d, stub %d: %#x (stub+%#x) was executed but not found; %v", seed, i, pc, pc-r.Target, r.Warnings)
				return c
			}
			if in.Confidence == unwind.Unknown {
				continue
			}
			c.known++
			if in.Confidence == unwind.Certain {
				c.certain++
			}
			got, err := in.Row.Unwind(frameOf(&registers, l.memory))
			if err != nil {
				t.Errorf("seed %d, stub %d at stub+%#x: row %v: %v", seed, i, pc-r.Target, in.Row, err)
				return c
			}
			compare("the row", in, got)
		case l.hook.Start <= pc && pc < l.hook.End:
			c.inHook++
			row, err := module.Row(pc)
			if err != nil {
				t.Fatal(err)
			}
			caller, err := row.Unwind(frameOf(&registers, l.memory))
			if err != nil {
				t.Fatal(err)
			}
			in := r.At(caller.Values[cfi.RIP] - 1)
			if in == nil {
				t.Errorf("seed %d, stub %d: the call before %#x was not found", seed, i, caller.Values[cfi.RIP])
				return c
			}
			if in.Confidence == unwind.Unknown {
				continue
			}
			got, err := in.Row.Unwind(caller)
			if err != nil {
				t.Errorf("seed %d, stub %d, from the hook: row %v: %v", seed, i, in.Row, err)
				return c
			}
			compare("from a hook, the row", in, got)
		default:
			if !r.StandsIn && pc != r.Return {
				t.Errorf("seed %d, stub %d: it leads to %#x, not to %#x", seed, i, pc, r.Return)
			}
			return c
		}
		if t.Failed() {
			for _, in := range r.Instructions {
				t.Logf("+%#x %v %v %v", in.Address-r.Target, in.Confidence, in.Row, in.Assumptions.List())
			}
			return c
		}
	}
	t.Errorf("seed %d, stub %d doesn't end", seed, i)
	return c
}
