package main

import (
	"fmt"
	"os"

	"rspd/cmd/rspd/doctor"
)

// commands are what rspd does besides serving, by first argument. They take
// the arguments after it and return the exit status. A serial device of
// such a name is written with its directory.
var commands = map[string]func(args []string) int{
	"console":   runConsole,
	"doctor":    runDoctor,
	"gdbserver": runLLDBServer,
	"platform":  runPlatform,
}

func runDoctor(args []string) int {
	if len(args) > 0 {
		fmt.Fprint(os.Stderr, "rspd doctor takes no arguments.\n")
		return 1
	}
	return doctor.Run(os.Stdout)
}
