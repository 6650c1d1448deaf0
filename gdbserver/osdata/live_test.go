package osdata

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// rows reads a table of this machine; each row is by column.
func rows(t *testing.T, annex string) []map[string]string {
	t.Helper()
	text, err := Live().Document(annex)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Items []struct {
			Columns []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:",chardata"`
			} `xml:"column"`
		} `xml:"item"`
	}
	if err := xml.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", annex, err)
	}
	var rows []map[string]string
	for _, item := range document.Items {
		row := map[string]string{}
		for _, column := range item.Columns {
			row[column.Name] = column.Value
		}
		rows = append(rows, row)
	}
	return rows
}

// has checks that one row has all the values.
func has(t *testing.T, annex string, want map[string]string) {
	t.Helper()
	all := rows(t, annex)
next:
	for _, row := range all {
		for column, value := range want {
			if row[column] != value {
				continue next
			}
		}
		return
	}
	t.Errorf("%s has no row with %v", annex, want)
}

func TestLive(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name, pid := strings.TrimSpace(string(comm)), strconv.Itoa(os.Getpid())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	open, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	// The group of this process may be one from outside its pid namespace.
	leader := exec.Command("cat")
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := leader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = input.Close()
		_ = leader.Wait()
	}()
	group := strconv.Itoa(leader.Process.Pid)

	has(t, "processes", map[string]string{"pid": pid, "user": me.Username, "command": strings.Join(os.Args, " ")})
	has(t, "procgroups", map[string]string{"pid": group, "pgid": group})
	has(t, "threads", map[string]string{"pid": pid, "tid": pid, "command": name})
	has(t, "files", map[string]string{"pid": pid, "command": name, "file descriptor": fmt.Sprint(open.Fd()), "name": "/dev/null"})
	has(t, "sockets", map[string]string{"local address": "127.0.0.1", "local port": fmt.Sprint(listener.Addr().(*net.TCPAddr).Port),
		"remote address": "0.0.0.0", "state": "LISTEN", "user": me.Username, "family": "INET", "protocol": "STREAM"})
	has(t, "cpus", map[string]string{"processor": "0"})
}

// TestLiveIPC makes an object of each kind of sysvipc(7).
func TestLiveIPC(t *testing.T) {
	if _, err := os.Stat("/proc/sysvipc"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the kernel has no System V IPC")
	}
	for _, object := range []struct {
		annex, id    string
		get, control uintptr
		size         uintptr
	}{
		{annex: "shm", id: "shmid", get: unix.SYS_SHMGET, size: 4096, control: unix.SYS_SHMCTL},
		{annex: "semaphores", id: "semid", get: unix.SYS_SEMGET, size: 3, control: unix.SYS_SEMCTL},
		{annex: "msg", id: "msqid", get: unix.SYS_MSGGET, size: 0o640 | unix.IPC_CREAT, control: unix.SYS_MSGCTL},
	} {
		t.Run(object.annex, func(t *testing.T) {
			id, _, errno := unix.Syscall(object.get, unix.IPC_PRIVATE, object.size, 0o640|unix.IPC_CREAT)
			if errno != 0 {
				t.Fatal(errno)
			}
			defer func() {
				// semctl takes the command third, the others second.
				second, third := uintptr(unix.IPC_RMID), uintptr(0)
				if object.control == unix.SYS_SEMCTL {
					second, third = 0, unix.IPC_RMID
				}
				if _, _, errno := unix.Syscall(object.control, id, second, third); errno != 0 {
					t.Error(errno)
				}
			}()
			has(t, object.annex, map[string]string{"key": "0", object.id: fmt.Sprint(id), "permissions": "640"})
		})
	}
}
