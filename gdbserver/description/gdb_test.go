package description

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rspd/ptrace"
)

// remoteRegister is what gdb makes of a register in a target description.
type remoteRegister struct{ size, number, offset int }

// gdbRegisters lets gdb load target.xml and returns its view of the registers
// that have a number in the remote protocol, and its complaints.
func gdbRegisters(t *testing.T, architecture, xml string) (map[string]remoteRegister, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "target.xml")
	if err := os.WriteFile(path, []byte(xml), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gdb := exec.CommandContext(ctx, "gdb", "-batch", "-nx",
		"-ex", "set architecture "+architecture,
		"-ex", "set tdesc filename "+path,
		"-ex", "maintenance print remote-registers")
	var complaints bytes.Buffer
	gdb.Stderr = &complaints
	output, err := gdb.Output()
	if err != nil {
		t.Fatalf("gdb: %v\n%s", err, complaints.Bytes())
	}

	// Name, number, number within the kind, offset, size, type, and for a
	// register of the target description its remote number and offset.
	registers := map[string]remoteRegister{}
	for line := range strings.Lines(string(output)) {
		var name, kind string
		var number, relative, regcacheOffset int
		var r remoteRegister
		n, _ := fmt.Sscan(line, &name, &number, &relative, &regcacheOffset, &r.size, &kind, &r.number, &r.offset)
		if n == 8 {
			registers[name] = r
		}
	}
	return registers, complaints.String()
}

func requireGDB(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("gdb"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("gdb is not installed")
		}
		t.Skip("skipped: gdb is not installed")
	}
}

// TestGDBAcceptsEveryDescription compares gdb's view of each description with
// ours, register by register.
func TestGDBAcceptsEveryDescription(t *testing.T) {
	requireGDB(t)
	for _, m := range machines() {
		d := m.description()
		architecture := "i386:x86-64"
		if m.program32 {
			architecture = "i386"
		}
		got, complaints := gdbRegisters(t, architecture, d.XML)
		if complaints != "" {
			t.Errorf("%s: gdb complains: %s", m.name, complaints)
		}
		if len(got) != len(d.Registers) {
			t.Errorf("%s: gdb has %d registers, want %d", m.name, len(got), len(d.Registers))
		}
		for i := range d.Registers {
			r := &d.Registers[i]
			want := remoteRegister{r.Size(), r.Number, r.Offset}
			if got[r.Name] != want {
				t.Errorf("%s: gdb has %s as %+v, want %+v", m.name, r.Name, got[r.Name], want)
			}
		}
	}
}

// TestGDBRefusesABadDescription shows that the test above can fail.
func TestGDBRefusesABadDescription(t *testing.T) {
	requireGDB(t)
	d := AMD64(xsaveLayout(832, map[int]ptrace.XSaveComponent{2: {Offset: 576, Size: 256}}), false)
	for name, change := range map[string][2]string{
		"an unknown type":       {`type="i387_ext"`, `type="i387_extended"`},
		"a type not defined":    {`<union id="vec128">`, `<union id="vec129">`},
		"a register missing":    {`name="xmm15"`, `name="xmm99"`},
		"an upper half missing": {`name="ymm3h"`, `name="ymm3u"`},
		"a tag not closed":      {"</union>", ""},
	} {
		xml := strings.Replace(d.XML, change[0], change[1], 1)
		if xml == d.XML {
			t.Fatalf("%s: nothing to change", name)
		}
		got, complaints := gdbRegisters(t, "i386:x86-64", xml)
		if complaints == "" && len(got) == len(d.Registers) {
			t.Errorf("%s: gdb accepts it", name)
		}
	}
}
