package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/go-delve/liner"
	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// runConsole is rspd console COMM.
func runConsole(args []string) int {
	if len(args) != 1 || strings.HasPrefix(args[0], "--") {
		fmt.Fprintln(os.Stderr, "Usage: rspd console COMM")
		return 1
	}
	conn, err := dial(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer conn.Close()

	// While a reply is awaited Ctrl-C is for the program that is debugged.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, unix.SIGINT)
	defer signal.Stop(interrupts)

	terminal := openTerminal()
	defer terminal.close()
	c := conversation{newWirePeer(conn, interrupts), os.Stdout}
	if err := c.run(terminal.prompt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// terminal is where lines are typed, with a history that outlives it. Where
// standard input is no terminal, its lines are taken as they are.
type terminal struct {
	line    *liner.State
	history string // file name, "" for none
}

func openTerminal() *terminal {
	t := &terminal{line: liner.NewLiner(), history: historyFile(os.Getenv)}
	t.line.SetCtrlCAborts(true)
	t.line.SetTabCompletionStyle(liner.TabPrints)
	names := packetNames()
	t.line.SetCompleter(func(beginning string) []string { return complete(beginning, names) })
	if file, err := os.Open(t.history); err == nil {
		t.line.ReadHistory(file) // a bad history is no reason not to start
		file.Close()
	}
	return t
}

func (t *terminal) prompt() (string, error) {
	line, err := t.line.Prompt("rspd> ")
	if errors.Is(err, liner.ErrPromptAborted) {
		return "", errInterrupted
	}
	if errors.Is(err, liner.ErrNotTerminalOutput) {
		return "", fmt.Errorf("the console needs a terminal, or lines on standard input: %w", err)
	}
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(line) != "" {
		t.line.AppendHistory(line)
	}
	return line, nil
}

// close writes the history and gives the terminal back as it was.
func (t *terminal) close() {
	if err := t.save(); err != nil {
		fmt.Fprintf(os.Stderr, "The history was not saved: %v\n", err)
	}
	t.line.Close()
}

func (t *terminal) save() error {
	if t.history == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(t.history), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(t.history, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = t.line.WriteHistory(file)
	return errors.Join(err, file.Close())
}

// historyFile is where the XDG base directory specification puts a program's
// state, "" where there is no home.
func historyFile(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, programName, "history")
}

// packetNames are the requests that the wire package knows.
func packetNames() []string {
	var names []string
	for n := rsp.PacketUnknown + 1; n < rsp.PacketCount; n++ {
		names = append(names, n.String())
	}
	return names
}
