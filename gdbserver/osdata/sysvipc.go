package osdata

import "strings"

// A translation turns a field of a file in /proc/sysvipc into a column.
type translation func(r *reader, field string) string

func same(_ *reader, field string) string      { return field }
func command(r *reader, field string) string   { return r.command(field) }
func userName(r *reader, field string) string  { return r.user(field) }
func groupName(r *reader, field string) string { return r.group(field) }
func moment(r *reader, field string) string    { return r.moment(field) }

// column is one of a table of sysvipc(7) objects and the heading of the field
// in the kernel's file that it comes from (ipc/shm.c, sem.c and msg.c).
type column struct {
	name, field string
	translate   translation
}

// who are the columns that all objects have.
var who = []column{{"user", "uid", userName}, {"group", "gid", groupName},
	{"creator user", "cuid", userName}, {"creator group", "cgid", groupName}}

var sharedMemoryColumns = concat(
	[]column{{"key", "key", same}, {"shmid", "shmid", same}, {"permissions", "perms", same}, {"size", "size", same},
		{"creator command", "cpid", command}, {"last op. command", "lpid", command}, {"num attached", "nattch", same}},
	who,
	[]column{{"last shmat() time", "atime", moment}, {"last shmdt() time", "dtime", moment}, {"last shmctl() time", "ctime", moment}})

var semaphoreColumns = concat(
	[]column{{"key", "key", same}, {"semid", "semid", same}, {"permissions", "perms", same}, {"num semaphores", "nsems", same}},
	who,
	[]column{{"last semop() time", "otime", moment}, {"last semctl() time", "ctime", moment}})

var messageQueueColumns = concat(
	[]column{{"key", "key", same}, {"msqid", "msqid", same}, {"permissions", "perms", same}, {"num used bytes", "cbytes", same},
		{"num messages", "qnum", same}, {"last msgsnd() command", "lspid", command}, {"last msgrcv() command", "lrpid", command}},
	who,
	[]column{{"last msgsnd() time", "stime", moment}, {"last msgrcv() time", "rtime", moment}, {"last msgctl() time", "ctime", moment}})

func concat(parts ...[]column) []column {
	var all []column
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func (r *reader) sharedMemory(d *document) error  { return r.objects(d, "shm", sharedMemoryColumns) }
func (r *reader) semaphores(d *document) error    { return r.objects(d, "sem", semaphoreColumns) }
func (r *reader) messageQueues(d *document) error { return r.objects(d, "msg", messageQueueColumns) }

// objects reads a file of /proc/sysvipc, whose first line has the headings.
func (r *reader) objects(d *document, file string, columns []column) error {
	lines, err := r.lines("sysvipc/" + file)
	if err != nil || len(lines) == 0 {
		return err
	}
	place := map[string]int{}
	headings := strings.Fields(lines[0])
	for i, heading := range headings {
		place[heading] = i
	}
	var names, values []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) < len(headings) {
			continue
		}
		values = values[:0]
		for _, c := range columns {
			value := ""
			if i, found := place[c.field]; found {
				value = c.translate(r, fields[i])
			}
			values = append(values, value)
		}
		d.item(names, values...)
	}
	return nil
}
