// Package doctor finds out whether this machine lets a process debug others:
// it tries what a debugger does on a child of its own, reads what the kernel
// says of the rest, and tells a person what each result means and what to do
// about it.
package doctor

import (
	"fmt"
	"io"
)

// Level is how a check came out.
type Level int

const (
	// OK means that nothing stands in the way.
	OK Level = iota

	// Warn means that debugging works, but not all of it or not everywhere.
	Warn

	// Fail means that debugging can't work until this is changed.
	Fail
)

func (l Level) String() string {
	switch l {
	case OK:
		return "ok"
	case Warn:
		return "warn"
	}
	return "fail"
}

// Finding is the result of one check.
type Finding struct {
	// Check is what was looked at, in a word or two.
	Check string
	Level Level

	// Meaning is a sentence on what was found; Advice one on what to do,
	// empty if there is nothing to.
	Meaning, Advice string
}

// Examine runs every check.
func Examine() []Finding {
	return judge(probe())
}

// Run examines the machine, writes the findings for a person to read, and
// returns the exit status: 1 if debugging can't work, otherwise 0.
func Run(w io.Writer) int {
	return report(w, Examine())
}

func report(w io.Writer, findings []Finding) int {
	warnings, failures := 0, 0
	for _, f := range findings {
		fmt.Fprintf(w, "%-5s %-20s %s\n", f.Level, f.Check, f.Meaning)
		if f.Advice != "" {
			fmt.Fprintf(w, "%26s -> %s\n", "", f.Advice)
		}
		switch f.Level {
		case Warn:
			warnings++
		case Fail:
			failures++
		}
	}
	switch {
	case failures > 0:
		fmt.Fprintln(w, "\nDebugging can't work here until the failures above are dealt with.")
		return 1
	case warnings > 0:
		fmt.Fprintln(w, "\nDebugging works here, within the limits above.")
	default:
		fmt.Fprintln(w, "\nDebugging works here.")
	}
	return 0
}
