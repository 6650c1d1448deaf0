package main

import (
	"errors"
	"strconv"
	"strings"
)

// llvmOptions are the options of a server of LLVM's: lldb-server, debugserver. They
// have one dash or two, their values stand behind "=" or in the next argument, and
// they may follow the address. The program to be started and its arguments follow
// "--". They may do without where the program takes no option that the server does:
// behind the program's name options may still be the server's, as LLDB's tests have
// it, and those that are not are the program's.
type llvmOptions struct {
	complaints llvmComplaints
	// valued take a value, alone do not. short has names that stand for others.
	valued map[string]func(value string) error
	alone  map[string]*bool
	short  map[string]string
}

// llvmComplaints are what is said of an option that is unknown, that lacks its value,
// and whose value cannot be. Each is a format for the option's name.
type llvmComplaints struct{ unknown, missing, invalid string }

var (
	// lldbServerComplaints are those that LLDB's tests look for.
	lldbServerComplaints = llvmComplaints{"error: unknown argument '%s'", "error: %s: missing argument", "error: invalid '--%s' argument"}
	// debugserverComplaints are those of getopt_long(3), of which Delve looks for
	// the first.
	debugserverComplaints = llvmComplaints{"debugserver: unrecognized option '%s'", "debugserver: option '%s' requires an argument",
		"debugserver: option '--%s' cannot have that value"}
)

// llvmWords are the arguments that are no options.
type llvmWords struct {
	// address is where the client is, "" if that is not given.
	address string
	// program is what is to be started, with its arguments.
	program []string
}

func (o llvmOptions) parse(args []string) (llvmWords, error) {
	var words llvmWords
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			words.program = append(words.program, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if words.address != "" {
				words.program = append(words.program, arg)
			} else {
				words.address = arg
			}
			continue
		}
		name, value, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if long, found := o.short[name]; found {
			name = long
		}
		if flag, found := o.alone[name]; found && !joined {
			*flag = true
			continue
		}
		set, found := o.valued[name]
		if !found && len(words.program) > 0 {
			words.program = append(words.program, arg)
			continue
		}
		if !found {
			return words, complaintf(o.complaints.unknown, arg)
		}
		if !joined {
			if i++; i == len(args) {
				return words, complaintf(o.complaints.missing, arg)
			}
			value = args[i]
		}
		if err := set(value); errors.Is(err, errNotDescriptor) {
			return words, complaintf(o.complaints.invalid, name)
		} else if err != nil {
			return words, err
		}
	}
	return words, nil
}

// text is the value of an option as it is.
func text(target *string) func(string) error {
	return func(value string) error { *target = value; return nil }
}

// errNotDescriptor is for a value that is not a descriptor's number.
var errNotDescriptor = errors.New("not a descriptor")

// descriptor is a value that is the number of an open file.
func descriptor(target *int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errNotDescriptor
		}
		*target = n
		return nil
	}
}
