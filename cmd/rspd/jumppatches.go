package main

import (
	"fmt"
	"os"

	"rspd/gdbserver"
	"rspd/unwind/hint"
)

// defaultJumpPatches is --jump-patches=auto.
var defaultJumpPatches = gdbserver.JumpPatches{Find: true}

// setJumpPatches reads the value of --jump-patches: auto, off, or the name of a
// file of hints.
func setJumpPatches(patches *gdbserver.JumpPatches, value string) error {
	switch value {
	case "auto", "off":
		*patches = gdbserver.JumpPatches{Find: value == "auto"}
		return nil
	case "":
		return complaint("--jump-patches takes auto, off or the name of a file.")
	}
	file, err := os.Open(value)
	if err != nil {
		return complaintf("The jump patches can't be read: %v", err)
	}
	defer file.Close()
	hints, warnings, err := hint.Parse(file)
	if err != nil {
		return complaintf("%s: %v", value, err)
	}
	for _, warning := range warnings {
		fmt.Fprintf(os.Stderr, "%s: %v\n", value, warning)
	}
	*patches = gdbserver.JumpPatches{Find: true, Hints: hints}
	return nil
}
