package main

import (
	"strconv"
	"strings"
)

// llvmOptions are the options of a server of LLVM's: lldb-server, debugserver. They
// have one dash or two, their values stand behind "=" or in the next argument, and
// they may follow the address.
type llvmOptions struct {
	// program is the server's name, for what is said of mistakes.
	program string
	// valued take a value, alone do not. short has names that stand for others.
	valued map[string]func(value string) error
	alone  map[string]*bool
	short  map[string]string
}

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
			words.program = args[i+1:]
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if words.address != "" {
				// What follows the address is the program, "--" or not.
				words.program = args[i:]
				break
			}
			words.address = arg
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
		if !found {
			return words, complaintf("%s: unrecognized option '%s'", o.program, arg)
		}
		if !joined {
			if i++; i == len(args) {
				return words, complaintf("%s: option '%s' requires an argument", o.program, arg)
			}
			value = args[i]
		}
		if err := set(value); err != nil {
			return words, err
		}
	}
	return words, nil
}

// text is the value of an option as it is.
func text(target *string) func(string) error {
	return func(value string) error { *target = value; return nil }
}

// descriptor is a value that is the number of an open file.
func descriptor(target *int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return complaintf("%q is not a descriptor.", value)
		}
		*target = n
		return nil
	}
}
