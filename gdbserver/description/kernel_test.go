package description

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"rspd/ptrace"
)

// withStoppedProgram calls body with a program stopped before its first
// instruction.
func withStoppedProgram(t *testing.T, body func(tracer *ptrace.Tracer, pid int)) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		tracer, err := ptrace.NewTracer()
		if err != nil {
			t.Error(err)
			return
		}
		defer tracer.Close()
		pid, err := tracer.Launch(ptrace.Program{
			Path: "/bin/true", Arguments: []string{"true"}, Input: null, Output: null, Errors: null,
		})
		if err != nil {
			t.Error(err)
			return
		}
		body(tracer, pid)
		end(t, tracer, pid)
	}()
	<-done
}

func end(t *testing.T, tracer *ptrace.Tracer, pid int) {
	if err := tracer.Kill(pid); err != nil {
		t.Error(err)
		return
	}
	for {
		event, err := tracer.Wait(pid)
		if err != nil {
			t.Error(err)
			return
		}
		if event.Ended() {
			return
		}
		if err := tracer.Continue(pid, 0); err != nil && !errors.Is(err, ptrace.ErrGone) {
			t.Error(err)
			return
		}
	}
}

// TestKernelTakesEveryRegister writes all registers of the extended state to
// a program in which no component is in use, and finds them again in the
// kernel's copy, and, after the processor has had them, once more.
func TestKernelTakesEveryRegister(t *testing.T) {
	layout := ptrace.HostXSaveLayout()
	if layout.Size == ptrace.LegacySize {
		t.Skip("this machine has no XSAVE")
	}
	d := AMD64(layout, false)
	withStoppedProgram(t, func(tracer *ptrace.Tracer, pid int) {
		random := rand.New(rand.NewPCG(1, 2))
		s := &State{XState: make([]byte, layout.Size)}
		read := func() []byte {
			clear(s.XState)
			if _, err := tracer.XState(pid, s.XState); err != nil {
				t.Error(err)
			}
			return d.AppendAll(nil, s)
		}
		read()

		g := make([]byte, d.Size)
		for i := range d.Registers {
			r := &d.Registers[i]
			value := g[r.Offset : r.Offset+r.Size()]
			fill(random, value)
			switch r.Name {
			case "fctrl":
				copy(value, []byte{0x7f, 0x0f, 0, 0})
			case "fstat":
				// No exception pending, top 5.
				copy(value, []byte{0x00, 0x28, 0, 0})
			case "mxcsr":
				copy(value, []byte{0xbf, 0x7f, 0, 0})
			case "pkru":
				// The program's own memory has key 0.
				value[0] &^= 3
			}
		}
		sets, err := d.SetAll(g, s)
		if err != nil || sets != XState {
			t.Errorf("%v, %v", sets, err)
			return
		}
		if err := tracer.SetXState(pid, s.XState); err != nil {
			t.Error(err)
			return
		}
		want := d.AppendAll(nil, s)
		compare := func(when string, except map[string]bool) {
			t.Helper()
			got := read()
			for i := range d.Registers {
				r := &d.Registers[i]
				end := r.Offset + r.Size()
				if !except[r.Name] && !bytes.Equal(got[r.Offset:end], want[r.Offset:end]) {
					t.Errorf("%s: %s is %x, want %x", when, r.Name, got[r.Offset:end], want[r.Offset:end])
				}
			}
		}
		compare("in the kernel", nil)

		if err := tracer.Step(pid, 0); err != nil {
			t.Error(err)
			return
		}
		if _, err := tracer.Wait(pid); err != nil {
			t.Error(err)
			return
		}
		// AMD's processors keep the addresses of the last x87 instruction
		// only while an exception is pending, and no other has all of them.
		compare("after an instruction", map[string]bool{
			"fioff": true, "fiseg": true, "fooff": true, "foseg": true, "fop": true,
		})
	})
}

// TestKernelTakesASingleRegister writes one register of each component alone,
// which works only if its component is marked.
func TestKernelTakesASingleRegister(t *testing.T) {
	layout := ptrace.HostXSaveLayout()
	if layout.Size == ptrace.LegacySize {
		t.Skip("this machine has no XSAVE")
	}
	d := AMD64(layout, false)
	random := rand.New(rand.NewPCG(3, 4))
	for _, name := range []string{"st3", "fctrl", "ftag", "xmm9", "mxcsr", "ymm9h", "k3", "zmm9h", "xmm25", "zmm25h", "pkru"} {
		r := d.ByName(name)
		if r == nil {
			continue
		}
		withStoppedProgram(t, func(tracer *ptrace.Tracer, pid int) {
			s := &State{XState: make([]byte, layout.Size)}
			if _, err := tracer.XState(pid, s.XState); err != nil {
				t.Error(err)
				return
			}
			value := make([]byte, r.Size())
			fill(random, value)
			switch name {
			case "mxcsr":
				copy(value, []byte{0x80, 0x7f, 0, 0})
			case "fctrl":
				copy(value, []byte{0x7f, 0x0f, 0, 0})
			case "ftag":
				// All registers are zero: the last four in use.
				copy(value, []byte{0xff, 0x55, 0, 0})
			}
			if _, err := d.SetRegister(r, value, s); err != nil {
				t.Error(err)
				return
			}
			want := d.AppendAll(nil, s)
			if err := tracer.SetXState(pid, s.XState); err != nil {
				t.Error(name, err)
				return
			}
			clear(s.XState)
			if _, err := tracer.XState(pid, s.XState); err != nil {
				t.Error(err)
				return
			}
			if got := d.AppendRegister(nil, r, s); !bytes.Equal(got, value) {
				t.Errorf("%s is %x, want %x", name, got, value)
			}
			if got := d.AppendAll(nil, s); !bytes.Equal(got, want) {
				t.Errorf("a write of %s changed other registers", name)
			}
		})
	}
}
