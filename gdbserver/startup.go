package gdbserver

import (
	"errors"
	"os"
	"slices"
	"strings"

	"rspd/host"
	"rspd/ptrace"
	"rspd/rsp"
	"rspd/threads"
)

// Startup is how programs are started.
type Startup struct {
	// Program is the program and Arguments its arguments, each quoted for a
	// shell.
	Program   string
	Arguments []string
	// Wrapper is a command that is to execute the program; nil for none.
	Wrapper []string
	// WithShell starts programs through $SHELL, or /bin/sh.
	WithShell bool
	// DisableRandomization gives them the same addresses each time.
	DisableRandomization bool
	// Environment is what their environment is made from, NAME=VALUE.
	Environment []string
	// Directory is where they start; "" for the server's own.
	Directory string
	// Input, Output and Errors are their standard descriptors.
	Input, Output, Errors *os.File
	// OwnTerminal gives programs a terminal of their own instead, whose other
	// end is the client's.
	OwnTerminal bool
	// files are those that the client has named in place of them.
	files host.StandardFiles
	// changes are the client's of the environment.
	changes host.Environment
}

// shellSpecial are the characters that mean something to some shell.
const shellSpecial = "\"!#$&*()\\|[]{}<>?'`~^; \t\n"

// quote protects one argument from a shell.
func quote(argument string) string {
	if argument == "" {
		return "''"
	}
	var quoted strings.Builder
	for i := range len(argument) {
		switch c := argument[i]; {
		case c == '\n':
			// A backslash before it would take it away.
			quoted.WriteString("'\n'")
		case strings.IndexByte(shellSpecial, c) >= 0:
			quoted.WriteByte('\\')
			fallthrough
		default:
			quoted.WriteByte(c)
		}
	}
	return quoted.String()
}

func quoteAll(arguments []string) []string {
	quoted := make([]string, len(arguments))
	for i, argument := range arguments {
		quoted[i] = quote(argument)
	}
	return quoted
}

// unquote takes arguments apart as a shell without expansions would.
func unquote(text string) ([]string, error) {
	var arguments []string
	var word strings.Builder
	inWord := false
	var mark byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case mark == '\'' && c != '\'', mark == '"' && c != '"' && c != '\\':
			word.WriteByte(c)
		case c == mark && mark != 0:
			mark = 0
		case mark == 0 && (c == '\'' || c == '"'):
			mark, inWord = c, true
		case c == '\\':
			if i++; i == len(text) {
				return nil, refusal("the arguments end in a backslash")
			}
			if mark == '"' && !strings.ContainsRune("\"\\$`", rune(text[i])) {
				word.WriteByte('\\')
			}
			word.WriteByte(text[i])
			inWord = true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				arguments = append(arguments, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if mark != 0 {
		return nil, refusal("the arguments have a quote that is not closed")
	}
	if inWord {
		arguments = append(arguments, word.String())
	}
	return arguments, nil
}

// command makes the program to execute, and how many others come before the
// one to debug: a shell, a wrapper.
func (u *Startup) command() (ptrace.Program, int, error) {
	path, err := host.FindProgram(u.Program)
	if err != nil {
		return ptrace.Program{}, 0, err
	}
	program := ptrace.Program{Environment: u.changes.Of(u.Environment), Directory: u.Directory,
		DisableRandomization: u.DisableRandomization, Input: u.Input, Output: u.Output, Errors: u.Errors}
	further := 0
	if u.WithShell {
		words := []string{"exec"}
		if len(u.Wrapper) > 0 {
			words = append(words, quoteAll(u.Wrapper)...)
			further++
		}
		words = append(append(words, quote(path)), u.Arguments...)
		shell := os.Getenv("SHELL")
		if shell == "" {
			shell = "/bin/sh"
		}
		program.Path = shell
		program.Arguments = []string{shell, "-c", strings.Join(words, " ")}
		return program, further + 1, nil
	}
	arguments, err := unquote(strings.Join(u.Arguments, " "))
	if err != nil {
		return ptrace.Program{}, 0, err
	}
	words := append([]string{path}, arguments...)
	program.Path = path
	if len(u.Wrapper) > 0 {
		if program.Path, err = host.FindProgram(u.Wrapper[0]); err != nil {
			return ptrace.Program{}, 0, err
		}
		words = append(slices.Clone(u.Wrapper), words...)
		further++
	}
	program.Arguments = words
	return program, further, nil
}

func (s *Server) launch(gone func() bool) (*threads.Process, error) {
	program, further, err := s.startup.command()
	if err != nil {
		return nil, err
	}
	if s.terminal == nil && !s.startup.OwnTerminal {
		s.terminal = takeForeground(s.startup.Errors)
	}
	program.Terminal = s.terminal.file()
	terminal, done, err := s.startup.openFiles(&program, gone)
	if err != nil {
		s.terminal.giveBack()
		return nil, err
	}
	process, err := s.table.Launch(program, further)
	done()
	if err != nil {
		if terminal != nil {
			terminal.close()
		}
		s.terminal.giveBack()
		return nil, err
	}
	s.startTerminal(terminal)
	s.printf("Process %s created; pid = %d\n", s.startup.Program, process.PID)
	return process, nil
}

func (s *session) disableRandomization(request *rsp.DisableRandomization) (rsp.Reply, error) {
	s.server.startup.DisableRandomization = request.Enable
	return rsp.OK{}, nil
}

func (s *session) startupWithShell(request *rsp.StartupWithShell) (rsp.Reply, error) {
	s.server.startup.WithShell = request.Enable
	return rsp.OK{}, nil
}

func (s *session) setEnvironment(request *rsp.EnvironmentSet) (rsp.Reply, error) {
	s.server.startup.changes.Set(request.Name, request.Value)
	return rsp.OK{}, nil
}

func (s *session) unsetEnvironment(request *rsp.EnvironmentUnset) (rsp.Reply, error) {
	s.server.startup.changes.Unset(request.Name)
	return rsp.OK{}, nil
}

func (s *session) resetEnvironment(*rsp.EnvironmentReset) (rsp.Reply, error) {
	s.server.startup.changes.Reset()
	return rsp.OK{}, nil
}

func (s *session) setWorkingDir(request *rsp.SetWorkingDir) (rsp.Reply, error) {
	directory, err := host.ExpandHome(request.Directory)
	if err != nil {
		return nil, refusal("programs cannot start in %s: %v", request.Directory, err)
	}
	if directory != "" {
		info, err := os.Stat(directory)
		if err != nil {
			return nil, refusal("programs cannot start in %s: %v", directory, errors.Unwrap(err))
		}
		if !info.IsDir() {
			return nil, refusal("programs cannot start in %s: it is not a directory", directory)
		}
	}
	s.server.startup.Directory = directory
	return rsp.OK{}, nil
}

func (s *session) execAndArgs(*rsp.ExecAndArgsQuery) (rsp.Reply, error) {
	startup := &s.server.startup
	if startup.Program == "" {
		return rsp.ExecAndArgs{}, nil
	}
	return rsp.ExecAndArgs{Set: true, Program: startup.Program, Arguments: strings.Join(startup.Arguments, " ")}, nil
}
