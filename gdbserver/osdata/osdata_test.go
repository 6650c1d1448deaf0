package osdata

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

func statLine(pid, name string, group, processor int) string {
	fields := make([]string, 50)
	for i := range fields {
		fields[i] = "0"
	}
	fields[0], fields[2], fields[36] = "S", fmt.Sprint(group), fmt.Sprint(processor)
	return pid + " (" + name + ") " + strings.Join(fields, " ") + "\n"
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}
func owned(by uint32) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeDir | 0o555, Sys: &syscall.Stat_t{Uid: by}}
}

// machine is a /proc with a process of two threads, one without a command
// line, a thread of the kernel, and one of another group.
func machine() System {
	names := map[string]string{"0": "root", "1000": "ada"}
	find := func(id string) (string, error) {
		if name, found := names[id]; found {
			return name, nil
		}
		return "", errors.New("unknown id")
	}
	return System{User: find, Group: find, Location: time.UTC, Proc: fstest.MapFS{
		"9":               owned(0),
		"9/stat":          file(statLine("9", "a) (b", 9, 3)),
		"9/cmdline":       file("/bin/a\x00one two\x00<&>\x01\x00"),
		"9/task/9/stat":   file(statLine("9", "a) (b", 9, 3)),
		"9/task/12/stat":  file(statLine("12", "worker", 9, 0)),
		"9/fd/0":          link("/dev/null"),
		"9/fd/11":         link("socket:[77]"),
		"9/fd/2":          link("/tmp/log (deleted)"),
		"10":              owned(1000),
		"10/stat":         file(statLine("10", "kthread", 0, 1)),
		"10/cmdline":      file(""),
		"10/task/10/stat": file(statLine("10", "kthread", 0, 1)),
		"8":               owned(55),
		"8/stat":          file(statLine("8", "child", 9, 1)),
		"8/cmdline":       file("child\x00"),
		"8/task/8/stat":   file(statLine("8", "child", 9, 1)),
		// One that ended between the list and the look.
		"13":       owned(0),
		"self":     owned(0),
		"cpuinfo":  file("processor\t: 0\nmodel name\t: A: B\npower management:\n\nprocessor\t: 1\nflags\t\t: fpu vme\n\n"),
		"modules":  file("nfs 16384 2 sunrpc,lockd, Live 0xffffffffc0000000\nhidden 4096 0 - Live 0x0000000000000000 (OE)\n"),
		"net/tcp":  file("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0\n"),
		"net/udp6": file(" 12: 00000000000000000000000001000000:0035 B80D01200000000067452301EFCDAB89:01BB 07 00000000:00000000 00:00000000 00000000    0 0 1 2 0 0\n"),
		"sysvipc/shm": file("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n" +
			"     -5142          7  1666            8589934592     9   999      1  1000     0     0    55 1700000000          0 1709251199   0  0\n"),
		"sysvipc/sem": file("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n         1          2   600          3     0     0     0     0          0  1700000000\n"),
	}}
}

func TestDocument(t *testing.T) {
	for annex, want := range map[string][]string{
		"processes": {
			`<osdata type="processes">`,
			`<item><column name="pid">8</column><column name="user">55</column><column name="command">child</column><column name="cores">1</column></item>`,
			`<item><column name="pid">9</column><column name="user">root</column><column name="command">/bin/a one two &lt;&amp;&gt;` + "\ufffd" + `</column><column name="cores">0,3</column></item>`,
			`<item><column name="pid">10</column><column name="user">ada</column><column name="command">[kthread]</column><column name="cores">1</column></item>`,
		},
		"procgroups": {
			`<osdata type="process groups">`,
			`<item><column name="pgid">9</column><column name="leader command">a) (b</column><column name="pid">9</column><column name="command line">/bin/a one two &lt;&amp;&gt;` + "\ufffd" + `</column></item>`,
			`<item><column name="pgid">9</column><column name="leader command">a) (b</column><column name="pid">8</column><column name="command line">child</column></item>`,
		},
		"threads": {
			`<osdata type="threads">`,
			`<item><column name="pid">8</column><column name="command">child</column><column name="tid">8</column><column name="core">1</column></item>`,
			`<item><column name="pid">9</column><column name="command">a) (b</column><column name="tid">9</column><column name="core">3</column></item>`,
			`<item><column name="pid">9</column><column name="command">a) (b</column><column name="tid">12</column><column name="core">0</column></item>`,
			`<item><column name="pid">10</column><column name="command">kthread</column><column name="tid">10</column><column name="core">1</column></item>`,
		},
		"files": {
			`<osdata type="files">`,
			`<item><column name="pid">9</column><column name="command">a) (b</column><column name="file descriptor">0</column><column name="name">/dev/null</column></item>`,
			`<item><column name="pid">9</column><column name="command">a) (b</column><column name="file descriptor">2</column><column name="name">/tmp/log (deleted)</column></item>`,
			`<item><column name="pid">9</column><column name="command">a) (b</column><column name="file descriptor">11</column><column name="name">socket:[77]</column></item>`,
		},
		"sockets": {
			`<osdata type="I sockets">`,
			`<item><column name="local address">127.0.0.1</column><column name="local port">22</column><column name="remote address">0.0.0.0</column><column name="remote port">0</column><column name="state">LISTEN</column><column name="user">ada</column><column name="family">INET</column><column name="protocol">STREAM</column></item>`,
			`<item><column name="local address">::1</column><column name="local port">53</column><column name="remote address">2001:db8::123:4567:89ab:cdef</column><column name="remote port">443</column><column name="state">CLOSE</column><column name="user">root</column><column name="family">INET6</column><column name="protocol">DGRAM</column></item>`,
		},
		"shm": {
			`<osdata type="shared memory">`,
			`<item><column name="key">-5142</column><column name="shmid">7</column><column name="permissions">1666</column><column name="size">8589934592</column><column name="creator command">a) (b</column><column name="last op. command">999</column><column name="num attached">1</column><column name="user">ada</column><column name="group">root</column><column name="creator user">root</column><column name="creator group">55</column><column name="last shmat() time">Tue Nov 14 22:13:20 2023</column><column name="last shmdt() time"></column><column name="last shmctl() time">Thu Feb 29 23:59:59 2024</column></item>`,
		},
		"semaphores": {
			`<osdata type="semaphores">`,
			`<item><column name="key">1</column><column name="semid">2</column><column name="permissions">600</column><column name="num semaphores">3</column><column name="user">root</column><column name="group">root</column><column name="creator user">root</column><column name="creator group">root</column><column name="last semop() time"></column><column name="last semctl() time">Tue Nov 14 22:13:20 2023</column></item>`,
		},
		"msg": {`<osdata type="message queues">`},
		"modules": {
			`<osdata type="modules">`,
			`<item><column name="name">nfs</column><column name="size">16384</column><column name="num uses">2</column><column name="dependencies">sunrpc,lockd,</column><column name="status">Live</column><column name="address">ffffffffc0000000</column></item>`,
			`<item><column name="name">hidden</column><column name="size">4096</column><column name="num uses">0</column><column name="dependencies">-</column><column name="status">Live</column><column name="address">0</column></item>`,
		},
		"cpus": {
			`<osdata type="cpus">`,
			`<item><column name="processor">0</column><column name="model name">A: B</column><column name="power management"></column></item>`,
			`<item><column name="processor">1</column><column name="flags">fpu vme</column></item>`,
		},
	} {
		t.Run(annex, func(t *testing.T) {
			got, err := machine().Document(annex)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Join(want, "\n") + "\n</osdata>\n"; string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestTypes(t *testing.T) {
	named, err := machine().Document("types")
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := machine().Document("")
	if err != nil {
		t.Fatal(err)
	}
	if string(named) != string(unnamed) {
		t.Errorf("types is\n%s\nand the empty annex\n%s", named, unnamed)
	}
	if row := `<item><column name="Type">shm</column><column name="Description">Listing of all shared-memory regions</column><column name="Title">Shared-memory regions</column></item>`; !strings.Contains(string(named), row) {
		t.Errorf("%s\nlacks\n%s", named, row)
	}
	for _, table := range tables {
		if got := strings.Count(string(named), `<column name="Type">`+table.annex+`</column>`); got != 1 {
			t.Errorf("%s is listed %d times", table.annex, got)
		}
	}
	if other, err := machine().Document("nonsense"); len(other) != 0 || err != nil {
		t.Errorf("an unknown annex gives %q, %v", other, err)
	}
}

func TestNoProc(t *testing.T) {
	system := machine()
	system.Proc = failing{}
	for _, table := range tables {
		if got, err := system.Document(table.annex); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %q, %v", table.annex, got, err)
		}
	}
}

type failing struct{}

func (failing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "1 (x", "1 ) x (", "1 (x) S 1 2", statLine("1", "x", 1, 1)[:20]} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("stat %q: %+v", text, got)
		}
	}
	for _, line := range []string{"", "0: 0:0 0:0 01 0 0 0 0", "0: 0100007F 00000000:0000 0A 0 0 0 0", "0: 010000ZZ:0016 00000000:0000 0A 0 0 0 0",
		"0: 0100007F:10016 00000000:0000 0A 0 0 0 0", "0: 0100007F:0016 00000000:0000 0AAA 0 0 0 0"} {
		if got, ok := parseSocket(line); ok {
			t.Errorf("socket %q: %+v", line, got)
		}
	}
	if got, ok := parseSocket("0: 0100007F:0016 00000000:0000 7F 0 0 0 0"); !ok || got.state != "(unknown)" {
		t.Errorf("a state that is not known: %+v, %v", got, ok)
	}
}
