package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// underFilterEnv makes the test binary run the doctor under a seccomp filter
// that refuses the named system call.
const underFilterEnv = "DOCTOR_TEST_REFUSE"

var refusable = map[string]uint32{
	"ptrace":              unix.SYS_PTRACE,
	"openat2":             unix.SYS_OPENAT2,
	"nothing that's used": unix.SYS_REBOOT,
}

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(underFilterEnv); ok {
		if err := refuse(refusable[name]); err != nil {
			fmt.Println("no filter:", err)
			os.Exit(2)
		}
		os.Exit(Run(os.Stdout))
	}
	os.Exit(m.Run())
}

// refuse has the kernel answer EPERM to a system call of any thread.
func refuse(nr uint32) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread() // TSYNC gives the other threads this one's filter and no_new_privs
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}

func runUnderFilter(t *testing.T, name string) (status int, output string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), underFilterEnv+"="+name)
	text, err := cmd.Output()
	if status = cmd.ProcessState.ExitCode(); status == 2 {
		t.Skipf("skipped: no seccomp filter can be installed here: %s", text)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return status, string(text)
}

// skip passes over a test that this machine does not allow. Where all tests have
// to run it fails, since a fault of the examination would look the same.
func skip(t *testing.T, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, arguments...)
	}
	t.Skipf("skipped: "+format, arguments...)
}

func TestUnderSeccompFilters(t *testing.T) {
	status, output := runUnderFilter(t, "nothing that's used")
	if status != 0 {
		skip(t, "debugging doesn't work here to begin with:\n%s", output)
	}
	if !strings.Contains(output, "There is a filter, and it lets ptrace through.") {
		t.Errorf("an unimportant filter gives:\n%s", output)
	}
	for _, c := range []struct {
		call   string
		status int
		lines  []string
	}{
		{"ptrace", 1, []string{
			"fail  ptrace               Failed at starting a program under ptrace: operation not permitted.",
			"fail  seccomp              There is a filter, and ptrace doesn't work.",
			"Debugging can't work here",
		}},
		{"openat2", 0, []string{
			"warn  openat2              Not usable (operation not permitted)",
			"Debugging works here, within the limits above.",
		}},
	} {
		status, output := runUnderFilter(t, c.call)
		if status != c.status {
			t.Errorf("without %s: status %d, want %d", c.call, status, c.status)
		}
		for _, line := range c.lines {
			if !strings.Contains(output, line) {
				t.Errorf("without %s: %q is missing from\n%s", c.call, line, output)
			}
		}
	}
}

// What the child tries must agree with what this test process, which has not
// been hindered, can see for itself, and must leave no child behind.
func TestProbe(t *testing.T) {
	f := probe()
	if !f.ptraceWorks() {
		skip(t, "ptrace is not permitted here: launch %v, seize %v, interrupt %v", f.launch, f.seize, f.interrupt)
	}
	if f.memFile != nil || f.procErr != nil || f.kernelRelease == "" {
		t.Errorf("ptrace works, yet /proc/PID/mem: %v, /proc: %v, kernel %q", f.memFile, f.procErr, f.kernelRelease)
	}
	if f.xstateErr == nil && (f.xstate.components&3 != 3 || f.xstate.size < 576) {
		t.Errorf("XSAVE state %+v lacks x87 and SSE, which every x86-64 CPU has", f.xstate)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err == nil && len(bytes.TrimSpace(children)) != 0 {
		t.Errorf("children left: %s", children)
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); err != unix.ECHILD {
		t.Errorf("waiting for any child: %v, want ECHILD", err)
	}
}

// healthy are the facts of a machine where everything works.
func healthy() facts {
	return facts{
		kernelRelease: "6.1.0-18-amd64", yamaScope: -1, sysPtrace: true, root: true,
		xstate: xstate{size: 2696, components: 0x2e7},
	}
}

func TestJudge(t *testing.T) {
	noPtrace := func(f *facts) {
		f.launch, f.seize, f.interrupt = unix.EPERM, errUntried, errUntried
		f.xstateErr, f.memFile = errUntried, errUntried
		for i := range f.debugRegisters {
			f.debugRegisters[i] = errUntried
		}
	}
	for _, c := range []struct {
		name   string
		change func(*facts)
		want   string // "level check" of everything that is not ok
	}{
		{"healthy", func(*facts) {}, ""},
		{"old kernel", func(f *facts) { f.kernelRelease = "4.19.0" }, "warn kernel"},
		{"ancient kernel", func(f *facts) { f.kernelRelease = "3.2.1" }, "fail kernel"},
		{"strange kernel", func(f *facts) { f.kernelRelease = "next" }, "warn kernel"},
		{"Yama 1 with the capability", func(f *facts) { f.yamaScope = 1 }, ""},
		{"Yama 1 for a user", func(f *facts) { f.yamaScope, f.sysPtrace, f.root = 1, false, false }, "warn Yama, warn CAP_SYS_PTRACE"},
		{"Yama 2 for a user", func(f *facts) {
			f.yamaScope, f.sysPtrace, f.root = 2, false, false
			noPtrace(f)
		}, "fail ptrace, fail Yama, warn CAP_SYS_PTRACE, warn hardware breakpoints, warn registers, warn memory"},
		{"Yama 3", func(f *facts) {
			f.yamaScope = 3
			noPtrace(f)
		}, "fail ptrace, fail Yama, warn hardware breakpoints, warn registers, warn memory"},
		{"security module", noPtrace, "fail ptrace, warn hardware breakpoints, warn registers, warn memory"},
		{"seize refused", func(f *facts) { f.seize = unix.EPERM }, "fail ptrace"},
		{"harmless seccomp", func(f *facts) { f.seccompMode = 2 }, ""},
		{"hindering seccomp", func(f *facts) {
			f.seccompMode = 2
			noPtrace(f)
		}, "fail ptrace, fail seccomp, warn hardware breakpoints, warn registers, warn memory"},
		{"Docker with the host's processes", func(f *facts) { f.container = "Docker" }, ""},
		{"Docker", func(f *facts) { f.container, f.pidNamespace, f.sysPtrace = "Docker", true, false },
			"warn CAP_SYS_PTRACE, warn container"},
		{"no debug registers", func(f *facts) {
			for i := range f.debugRegisters {
				f.debugRegisters[i] = unix.ENODEV
			}
		}, "warn hardware breakpoints"},
		{"no XSAVE", func(f *facts) { f.xstateErr = unix.ENODEV }, "warn registers"},
		{"no /proc/PID/mem", func(f *facts) { f.memFile = unix.EACCES }, "fail memory"},
		{"no openat2", func(f *facts) { f.openat2 = unix.ENOSYS }, "warn openat2"},
		{"no /proc", func(f *facts) { f.procErr = unix.ENOENT }, "fail /proc"},
		{"hidepid as root", func(f *facts) { f.hidePID = "2" }, ""},
		{"hidepid for a user", func(f *facts) { f.hidePID, f.sysPtrace = "invisible", false }, "warn CAP_SYS_PTRACE, warn /proc"},
		{"hidepid off", func(f *facts) { f.hidePID, f.sysPtrace = "0", false }, "warn CAP_SYS_PTRACE"},
	} {
		f := healthy()
		c.change(&f)
		var got []string
		for _, finding := range judge(f) {
			if finding.Meaning == "" {
				t.Errorf("%s: %s has no meaning", c.name, finding.Check)
			}
			if finding.Level != OK {
				got = append(got, finding.Level.String()+" "+finding.Check)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, ", "), c.want)
		}
		if status, want := report(&bytes.Buffer{}, judge(f)), strings.Contains(c.want, "fail"); (status == 1) != want {
			t.Errorf("%s: exit status %d", c.name, status)
		}
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	status := report(&out, []Finding{
		{"one", OK, "Fine.", ""},
		{"two", Warn, "Less so.", "Do that."},
	})
	want := `ok    one                  Fine.
warn  two                  Less so.
                           -> Do that.

Debugging works here, within the limits above.
`
	if out.String() != want || status != 0 {
		t.Errorf("status %d, report:\n%swant:\n%s", status, out.String(), want)
	}
}

func TestXstateNames(t *testing.T) {
	f := healthy()
	f.xstate = xstate{size: 2696, components: 0x2ff}
	if got, want := judgeXstate(f).Meaning, "x87, SSE, AVX, MPX, AVX-512, PKRU (2696 bytes of XSAVE state)."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReadStatus(t *testing.T) {
	for _, c := range []struct {
		text      string
		mode      int
		sysPtrace bool
	}{
		{"Name:\tx\nCapEff:\t000001ffffffffff\nSeccomp:\t0\nSeccomp_filters:\t3\n", 0, true},
		{"CapEff:\t00000000a80425fb\nSeccomp:\t2\n", 2, false},
		{"CapPrm:\t0000000000080000\nCapEff:\t0000000000080000\n", 0, true},
		{"", 0, false},
	} {
		if mode, sysPtrace := readStatus(c.text); mode != c.mode || sysPtrace != c.sysPtrace {
			t.Errorf("%q: %d, %v", c.text, mode, sysPtrace)
		}
	}
}

func TestFindContainer(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{}, ""},
		{map[string]string{"/.dockerenv": ""}, "Docker"},
		{map[string]string{"/run/.containerenv": ""}, "Podman"},
		{map[string]string{"/proc/1/environ": "A=1\x00container=lxc\x00"}, "lxc"},
		{map[string]string{"/proc/1/environ": "mycontainer=x\x00"}, ""},
		{map[string]string{"/proc/self/cgroup": "0::/\n"}, ""},
		{map[string]string{"/proc/self/cgroup": "0::/kubepods.slice/docker-1\n"}, "Kubernetes"},
		{map[string]string{"/proc/self/cgroup": "4:memory:/docker/12ab\n"}, "Docker"},
	} {
		read := func(path string) ([]byte, error) {
			if text, ok := c.files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		}
		exists := func(path string) bool { _, ok := c.files[path]; return ok }
		if got := findContainer(read, exists); got != c.want {
			t.Errorf("%q: %q, want %q", c.files, got, c.want)
		}
	}
}

func TestFindHidePID(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n":                                               "",
		"22 1 0:21 / /proc rw - proc proc rw,gid=4,hidepid=invisible\n":                                       "invisible",
		"22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n23 22 0:22 / /proc/sys rw - proc proc rw,hidepid=1\n": "2",
		"22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n23 22 0:22 / /proc rw - proc proc rw\n":               "",
	} {
		if got := findHidePID(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
