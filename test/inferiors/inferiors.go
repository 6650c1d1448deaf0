// Package inferiors holds small deterministic programs to be debugged, and
// builds them with the compilers that are installed.
//
// The sources are embedded and written beside the programs, so that a debugger
// finds them where the debug information says.
package inferiors

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"rspd/unwind/hint"
)

//go:embed src/*.c src/*.h src/*.cc src/*.S goroutines/main.go webserver/main.go
var sources embed.FS

// A Link is the way in which a C, C++ or assembly program is linked.
type Link string

// The ways to link a program. PIE is the default of Debian's gcc.
const (
	PIE       Link = "pie"
	NoPIE     Link = "nopie"
	Static    Link = "static"
	StaticPIE Link = "static-pie"
	// Musl and MuslStatic use the C library musl.
	Musl       Link = "musl"
	MuslStatic Link = "musl-static"
	// These are programs of 32 bits, for i386.
	PIE32       Link = "pie-32"
	NoPIE32     Link = "nopie-32"
	Static32    Link = "static-32"
	StaticPIE32 Link = "static-pie-32"
)

// Links lists every way to link a program with the usual C library.
var Links = []Link{PIE, NoPIE, Static, StaticPIE}

// Links32 is Links for 32 bits.
var Links32 = []Link{PIE32, NoPIE32, Static32, StaticPIE32}

var linkFlags = map[Link][]string{
	PIE:        {"-fPIE", "-pie"},
	NoPIE:      {"-fno-pie", "-no-pie"},
	Static:     {"-fno-pie", "-static"},
	StaticPIE:  {"-fPIE", "-static-pie"},
	Musl:       {"-fPIE", "-pie"},
	MuslStatic: {"-fno-pie", "-static"},

	PIE32:       {"-m32", "-fPIE", "-pie"},
	NoPIE32:     {"-m32", "-fno-pie", "-no-pie"},
	Static32:    {"-m32", "-fno-pie", "-static"},
	StaticPIE32: {"-m32", "-fPIE", "-static-pie"},
}

// flags are what the compiler and the linker are told, for the program and for
// the shared objects that belong to it.
func (l Link) flags() (program, object []string) {
	program = linkFlags[l]
	if slices.Contains(Links32, l) {
		object = []string{"-m32"}
	}
	return program, object
}

// Of32Bits is the same way to link a program of 32 bits. For one that is that
// already, and for musl, of which Debian has no such library, it is the way
// itself.
func (l Link) Of32Bits() Link {
	if narrow := l + "-32"; slices.Contains(Links32, narrow) {
		return narrow
	}
	return l
}

func (l Link) static() bool {
	return slices.Contains([]Link{Static, StaticPIE, MuslStatic, Static32, StaticPIE32}, l)
}

// A Missing error names a compiler that is not installed.
type Missing struct{ Tool string }

func (m *Missing) Error() string { return m.Tool + " is not installed" }

// A Builder builds each program at most once into a directory of its own
// below Dir. Its methods may be called from several goroutines.
type Builder struct {
	Dir string

	mu    sync.Mutex
	built map[string]*build
}

type build struct {
	once sync.Once
	path string
	err  error
}

// Native builds the C, C++ or assembly program in the named source, such as
// "threads.c", with debug information and without optimisation, and returns
// the path of the program. A compiler that is absent gives a *Missing error.
func (b *Builder) Native(source string, link Link) (string, error) {
	return b.once(source+" "+string(link), func(dir string) (string, error) {
		return native(dir, source, link)
	})
}

// Go builds the Go program in the named directory, such as "goroutines", with
// inlining and optimisation off, and returns its path. A go command that is
// absent gives a *Missing error.
func (b *Builder) Go(name string, link Link) (string, error) {
	return b.once(name+" go "+string(link), func(dir string) (string, error) {
		return golang(dir, name, link)
	})
}

func (b *Builder) once(key string, make func(dir string) (string, error)) (string, error) {
	b.mu.Lock()
	if b.built == nil {
		b.built = map[string]*build{}
	}
	it := b.built[key]
	if it == nil {
		it = &build{}
		b.built[key] = it
	}
	b.mu.Unlock()
	it.once.Do(func() {
		dir := filepath.Join(b.Dir, strings.NewReplacer(" ", "-", ".", "-").Replace(key))
		if it.err = os.MkdirAll(dir, 0o755); it.err == nil {
			it.path, it.err = make(dir)
		}
	})
	return it.path, it.err
}

// Source returns the text of the named source.
func Source(name string) (string, error) {
	if text, err := sources.ReadFile("src/" + name); err == nil {
		return string(text), nil
	}
	text, err := sources.ReadFile(name + "/main.go")
	return string(text), err
}

// LineOf returns the number, from 1, of the first line of the named source
// that contains text.
func LineOf(source, text string) (int, error) {
	body, err := Source(source)
	if err != nil {
		return 0, err
	}
	for i, line := range strings.Split(body, "\n") {
		if strings.Contains(line, text) {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("%s has no line with %q", source, text)
}

func native(dir, source string, link Link) (string, error) {
	compiler := "gcc"
	if filepath.Ext(source) == ".cc" {
		compiler = "g++"
	}
	if link == Musl || link == MuslStatic {
		compiler = "musl-gcc"
	}
	if err := place(dir, "src/"+source, source); err != nil {
		return "", err
	}
	if slices.Contains(Links32, link) {
		if err := makes32Bits(); err != nil {
			return "", err
		}
	}
	program := strings.TrimSuffix(source, filepath.Ext(source))
	own, others := link.flags()
	args := append([]string{"-g", "-O0", "-pthread", "-fno-omit-frame-pointer"}, own...)
	args = append(args, "-o", program, source)
	switch source {
	case "registers.S", "tiny.S", "registers32.S", "bitness.S", "narrow.S":
		args = append(args, "-nostdlib")
	case "clones.c":
		args = append(args, "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fcf-protection=none", "-mno-sse", "-mno-red-zone")
	case "jumppatch.c", "patchtable.c", "hostile.c":
		if err := place(dir, "src/work.h", "work.h"); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "jump_patch.h"), []byte(hint.Header), 0o600); err != nil {
			return "", err
		}
	case "library.c":
		if err := objects(dir, compiler, others, "linked", "plugin"); err != nil {
			return "", err
		}
		args = append(args, "-L.", "-llinked", "-ldl", "-Wl,-rpath,$ORIGIN")
	case "tls.c":
		if link.static() {
			break
		}
		if err := objects(dir, compiler, others, "tlslinked", "tlsplugin", "tlsother"); err != nil {
			return "", err
		}
		args = append(args, "-DLIBRARIES", "-L.", "-ltlslinked", "-ldl", "-Wl,-rpath,$ORIGIN")
	}
	if err := run(dir, compiler, args...); err != nil {
		return "", err
	}
	return filepath.Join(dir, program), nil
}

// objects builds shared objects.
func objects(dir, compiler string, flags []string, names ...string) error {
	for _, name := range names {
		source := name + ".c"
		if err := place(dir, "src/"+source, source); err != nil {
			return err
		}
		args := append([]string{"-g", "-O0", "-fPIC", "-shared", "-o", "lib" + name + ".so", source}, flags...)
		if err := run(dir, compiler, args...); err != nil {
			return err
		}
	}
	return nil
}

// makes32Bits tells whether gcc can make 32-bit programs, which takes headers
// and libraries that Debian has in gcc-multilib.
var makes32Bits = sync.OnceValue(func() error {
	path, err := exec.LookPath("gcc")
	if err != nil {
		return &Missing{"gcc"}
	}
	trial := exec.Command(path, "-m32", "-x", "c", "-o", os.DevNull, "-")
	trial.Stdin = strings.NewReader("#include <stdio.h>\nint main(void) { return puts(\"\"); }\n")
	if output, err := trial.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", &Missing{"gcc -m32"}, output)
	}
	return nil
})

func golang(dir, name string, link Link) (string, error) {
	if err := place(dir, name+"/main.go", "main.go"); err != nil {
		return "", err
	}
	mode := "exe"
	if link == PIE {
		mode = "pie"
	}
	err := run(dir, "go", "build", "-buildmode="+mode, "-gcflags=all=-N -l", "-o", name, "main.go")
	return filepath.Join(dir, name), err
}

func place(dir, embedded, name string) error {
	text, err := sources.ReadFile(embedded)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), text, 0o644)
}

func run(dir, tool string, args ...string) error {
	path, err := exec.LookPath(tool)
	if err != nil {
		return &Missing{tool}
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GO111MODULE=off", "GOFLAGS=", "CGO_ENABLED=0")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", tool, strings.Join(args, " "), err, output.String())
	}
	return nil
}
