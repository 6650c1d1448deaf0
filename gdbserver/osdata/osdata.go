// Package osdata makes the tables of the operating system that gdb's "info os"
// shows: processes, threads, open files, sockets and others, as the documents
// that it reads with qXfer:osdata:read (GDB manual, "Operating System
// Information" and "General Query Packets").
//
// Names of tables and columns are those of GNU gdbserver, by which clients and
// scripts know them (gdb/nat/linux-osdata.c of gdb 13). Everything is read from
// /proc (proc(5)) at the moment of asking, so a table is not of one instant: a
// process that ends meanwhile is left out. What the server's user may not see,
// the descriptors of other users' processes above all, is left out too.
package osdata

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"time"
)

// A System is what the tables are made from.
type System struct {
	// Proc is the proc file system.
	Proc fs.FS
	// User and Group give the name that belongs to a decimal id, or an error
	// if there is none, and then the id stands for the name.
	User, Group func(id string) (string, error)
	// Location is the time zone of the times.
	Location *time.Location
}

// Live is the system that the server runs on.
func Live() System {
	return System{
		Proc: os.DirFS("/proc"),
		User: func(id string) (string, error) {
			found, err := user.LookupId(id)
			if err != nil {
				return "", err
			}
			return found.Username, nil
		},
		Group: func(id string) (string, error) {
			found, err := user.LookupGroupId(id)
			if err != nil {
				return "", err
			}
			return found.Name, nil
		},
		Location: time.Local,
	}
}

// table is one kind of table.
type table struct {
	// annex is what a client asks for, and the word after "info os".
	annex string
	// name is the type attribute of the document.
	name string
	// title and description stand in the table of tables.
	title, description string
	fill               func(r *reader, d *document) error
}

// tables are all but the table of tables, in the order in which that has them.
var tables = []table{
	{"cpus", "cpus", "CPUs", "Listing of all cpus/cores on the system", (*reader).cpus},
	{"files", "files", "File descriptors", "Listing of all file descriptors", (*reader).files},
	{"modules", "modules", "Kernel modules", "Listing of all loaded kernel modules", (*reader).modules},
	{"msg", "message queues", "Message queues", "Listing of all message queues", (*reader).messageQueues},
	{"processes", "processes", "Processes", "Listing of all processes", (*reader).processes},
	{"procgroups", "process groups", "Process groups", "Listing of all process groups", (*reader).processGroups},
	{"semaphores", "semaphores", "Semaphores", "Listing of all semaphores", (*reader).semaphores},
	{"shm", "shared memory", "Shared-memory regions", "Listing of all shared-memory regions", (*reader).sharedMemory},
	{"sockets", "I sockets", "Sockets", "Listing of all internet-domain sockets", (*reader).sockets},
	{"threads", "threads", "Threads", "Listing of all threads", (*reader).threads},
}

// Document makes the table that annex names, in UTF-8: "cpus", "files",
// "modules", "msg", "processes", "procgroups", "semaphores", "shm", "sockets",
// "threads", or "" and "types" for the table of these. It is empty for another
// annex, which gdb takes for "Wrong osdata type?". A table that the kernel
// does not have, that of modules for example, has no rows. The error says why
// /proc cannot be read.
func (s System) Document(annex string) ([]byte, error) {
	if annex == "" || annex == "types" {
		d := newDocument("types")
		for _, t := range tables {
			d.item([]string{"Type", "Description", "Title"}, t.annex, t.description, t.title)
		}
		return d.end(), nil
	}
	for _, t := range tables {
		if t.annex != annex {
			continue
		}
		r := &reader{system: s, users: map[string]string{}, groups: map[string]string{}}
		d := newDocument(t.name)
		if err := t.fill(r, d); err != nil {
			return nil, fmt.Errorf("the table of %s cannot be made: %w", t.name, err)
		}
		return d.end(), nil
	}
	return nil, nil
}
