package host

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// Environment is what a client has changed in the environment of programs to be
// started. The zero value changes nothing.
type Environment struct {
	// changes are values, or nil for variables to be unset.
	changes map[string]*string
}

// Set gives a variable a value.
func (e *Environment) Set(name, value string) { e.change(name, &value) }

// Unset removes a variable.
func (e *Environment) Unset(name string) { e.change(name, nil) }

// Reset forgets the changes.
func (e *Environment) Reset() { e.changes = nil }

func (e *Environment) change(name string, value *string) {
	if e.changes == nil {
		e.changes = map[string]*string{}
	}
	e.changes[name] = value
}

// Of is the environment that is made from another, NAME=VALUE: first what stayed
// of that, then what was set, by name.
func (e *Environment) Of(base []string) []string {
	var environment []string
	for _, entry := range base {
		name, _, _ := strings.Cut(entry, "=")
		if _, changed := e.changes[name]; !changed {
			environment = append(environment, entry)
		}
	}
	names := make([]string, 0, len(e.changes))
	for name := range e.changes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if value := e.changes[name]; value != nil {
			environment = append(environment, name+"="+*value)
		}
	}
	return environment
}

// StandardFiles are the names of the files that a program to be started gets for
// its descriptors 0, 1 and 2 (QSetSTDIN, QSetSTDOUT, QSetSTDERR), "" for those
// that it gets otherwise.
type StandardFiles [3]string

// Set names a file, or none.
func (f *StandardFiles) Set(request *rsp.SetStandardFile) {
	switch request.Name {
	case rsp.PacketSetStandardInput:
		f[0] = request.Path
	case rsp.PacketSetStandardOutput:
		f[1] = request.Path
	case rsp.PacketSetStandardErrors:
		f[2] = request.Path
	}
}

// Open puts the files that are named into the places of the three descriptors and
// returns them to be closed once the program has been started; what it had opened
// before an error is closed. A wait for the other end of a named pipe is given up
// when gone reports true.
func (f *StandardFiles) Open(places [3]**os.File, gone func() bool) (opened []*os.File, err error) {
	for i, name := range f {
		if name == "" {
			continue
		}
		if i == 2 && name == f[1] {
			*places[2] = *places[1]
			continue
		}
		flags := os.O_RDONLY
		if i > 0 {
			flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		}
		file, err := OpenWaiting(name, flags|unix.O_NOCTTY, 0o666, gone)
		if err != nil {
			for _, file := range opened {
				_ = file.Close()
			}
			return nil, fmt.Errorf("the program cannot have %s: %w", name, errors.Unwrap(err))
		}
		opened = append(opened, file)
		*places[i] = file
	}
	return opened, nil
}

// LaunchSuccess answers qLaunchSuccess: how the launch went that ended in err,
// which is nil for one that succeeded.
func LaunchSuccess(err error) rsp.Reply {
	if err == nil {
		return rsp.OK{}
	}
	return rsp.Text("E" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("#$*}", r) {
			return '?'
		}
		return r
	}, err.Error()))
}
