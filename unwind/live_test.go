package unwind_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rspd/unwind"
	"rspd/unwind/image"
)

// inspect gives what is needed of a running process, which must be stopped.
func inspect(pid int) (*unwind.Process, error) {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	defer maps.Close()
	p := &unwind.Process{Memory: memory, Open: func(m unwind.Mapping) (io.ReaderAt, error) {
		if m.Path == "[vdso]" {
			return ownVDSO()
		}
		return os.Open(m.Path)
	}}
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		m, err := parseMapping(lines.Text())
		if err != nil {
			return nil, err
		}
		p.Mappings = append(p.Mappings, m)
	}
	return p, lines.Err()
}

func parseMapping(line string) (m unwind.Mapping, err error) {
	var permissions, device string
	var inode uint64
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return m, fmt.Errorf("%q is no line of a map", line)
	}
	_, err = fmt.Sscanf(line, "%x-%x %s %x %s %d", &m.Start, &m.End, &permissions, &m.Offset, &device, &inode)
	m.Executable = strings.Contains(permissions, "x")
	if len(fields) > 5 {
		m.Path = strings.Join(fields[5:], " ")
	}
	return m, err
}

// ownVDSO gives this process's vDSO, which is the same as in others.
func ownVDSO() (io.ReaderAt, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(maps)) {
		if m, err := parseMapping(strings.TrimSpace(line)); err == nil && m.Path == "[vdso]" {
			memory, err := os.Open("/proc/self/mem")
			if err != nil {
				return nil, err
			}
			defer memory.Close()
			content := make([]byte, m.End-m.Start)
			if _, err := memory.ReadAt(content, int64(m.Start)); err != nil {
				return nil, err
			}
			return strings.NewReader(string(content)), nil
		}
	}
	return nil, fmt.Errorf("this process has no vDSO")
}

// A summary is what a debugger's script is told of an image.
type summary struct {
	File    string
	Base    uint64
	Regions []regionSummary
}

type regionSummary struct {
	Name         string
	Function     string
	Shape        string
	Kind         string
	Site, Return uint64
	Length       int
	StandsIn     bool
	Instructions []instructionSummary
	Warnings     []string
}

type instructionSummary struct {
	Address, Original uint64
	Length            int
	Confidence, Row   string
	Assumptions       []string
}

func summarize(regions []*unwind.Region) []regionSummary {
	var list []regionSummary
	for _, r := range regions {
		s := regionSummary{Name: r.Name(), Function: r.Function, Shape: string(r.Shape), Kind: string(r.Kind), Site: r.Site, Return: r.Return, Length: r.Length, StandsIn: r.StandsIn}
		for _, in := range r.Instructions {
			s.Instructions = append(s.Instructions, instructionSummary{
				in.Address, in.Original, in.Length, in.Confidence.String(), in.Row.String(), in.Assumptions.List(),
			})
		}
		for _, w := range r.Warnings {
			s.Warnings = append(s.Warnings, w.String())
		}
		list = append(list, s)
	}
	return list
}

// deriveAll finds and derives everything in a process.
func deriveAll(p *unwind.Process) ([]*unwind.Region, []unwind.Warning) {
	patches, warnings := unwind.Find(p)
	var regions []*unwind.Region
	for _, patch := range patches {
		regions = append(regions, unwind.Derive(p, patch)...)
	}
	unwind.Settle(p, regions)
	return regions, warnings
}

// deriveProcess is what the debuggers' scripts run: it writes the image of a
// process to a file and describes it on standard output.
func deriveProcess(pid int, file string) error {
	p, err := inspect(pid)
	if err != nil {
		return err
	}
	regions, warnings := deriveAll(p)
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	made, err := image.Write(regions, p.Memory)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, made.Content, 0o644); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(summary{file, made.Base, summarize(regions)})
}

const deriveVariable = "UNWIND_TEST_DERIVE"

func TestMain(m *testing.M) {
	if file := os.Getenv(deriveVariable); file != "" {
		var pid int
		if _, err := fmt.Sscan(os.Args[len(os.Args)-1], &pid); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if err := deriveProcess(pid, file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// need finds a command, or skips the test, except where tests must be
// complete.
func need(t *testing.T, command string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err != nil {
		missing(t, err)
	}
	return path
}

// missing ends a test that needs something that is not installed.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// build compiles the program that patches itself.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	return compile(t, append([]string{"testdata/patches.c", "testdata/sites.S", "-lpthread"}, flags...)...)
}

// compile compiles a program.
func compile(t *testing.T, arguments ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "patches")
	arguments = append([]string{"-g", "-O2", "-o", program}, arguments...)
	if out, err := exec.Command(need(t, "gcc"), arguments...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return program
}
