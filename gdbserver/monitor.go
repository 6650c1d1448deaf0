package gdbserver

import (
	"fmt"
	"strings"

	"rspd/rsp"
)

// command is one that a person types after "monitor".
type command struct {
	words string
	help  string
	run   func(s *session, argument string) (string, error)
}

// commands are in the order in which help lists them. It is filled by init
// because help lists it.
var commands []command

func init() {
	commands = []command{
		{"help", "List these commands", (*session).monitorHelp},
		{"set debug", "0 or 1: print what happens to processes and threads",
			switchLog("Debug output", func(s *Server) Log { return s.options.Threads })},
		{"set remote-debug", "0 or 1: print the packets",
			switchLog("Protocol debug output", func(s *Server) Log { return s.options.Remote })},
		{"set debug-format", "all, timestamp or none: print the time with each line, or not", (*session).monitorDebugFormat},
		{"set libthread-db-search-path", "taken for scripts' sake: no libthread_db is used", (*session).monitorThreadLibrary},
		{"jump-patch", "list, show ADDRESS or where: jump patches that were found, one of them, or what the pc corresponds to;\n" +
			"    add SITE [length=BYTES] [entry=ADDRESS] [stub=START,END] [return=ADDRESS]\n" +
			"    [row=START,END,cfa=RULE[,REGISTER=RULE]...]...: describe one; remove SITE: take it back, or leave one out",
			(*session).monitorPatches},
		{"save-core", "[FILE]: write a core file of the selected process on this machine, by default core.PID",
			(*session).monitorSaveCore},
		{"syscall", "Show the system call that the selected thread is stopped at: number, arguments, result", (*session).monitorSyscall},
		{"version", "Show the version of this server", (*session).monitorVersion},
		{"exit", "Quit GDBserver: launched programs are killed, others let go", (*session).monitorExit},
	}
}

// monitor answers qRcmd. What a command prints goes out before the answer, so
// that a client that reads no error texts shows the reason of a failure too.
func (s *session) monitor(request *rsp.Monitor) (rsp.Reply, error) {
	words := strings.Join(strings.Fields(request.Command), " ")
	for _, command := range commands {
		argument, found := strings.CutPrefix(words+" ", command.words+" ")
		if !found {
			continue
		}
		output, err := command.run(s, strings.TrimSpace(argument))
		if err != nil {
			return s.monitorFailure(err.Error())
		}
		if output == "" {
			return rsp.OK{}, nil
		}
		return rsp.Hex(output), nil
	}
	return s.monitorFailure("Unknown monitor command; try \"monitor help\"")
}

func (s *session) monitorFailure(text string) (rsp.Reply, error) {
	if s.client.errorMessage {
		return nil, rsp.Error{Code: 1, Text: text}
	}
	if err := s.conn.Send(rsp.ConsoleOutput(text + "\n")); err != nil {
		return nil, connectionError{err}
	}
	return nil, rsp.Error{Code: 1}
}

func (s *session) monitorHelp(string) (string, error) {
	var text strings.Builder
	text.WriteString("The following monitor commands are supported:\n")
	for _, command := range commands {
		fmt.Fprintf(&text, "  %s\n    %s\n", command.words, command.help)
	}
	return text.String(), nil
}

func (s *session) monitorVersion(string) (string, error) { return s.server.options.Version + "\n", nil }

func (s *session) monitorExit(string) (string, error) {
	s.server.exiting = true
	s.afterReply = func() error { return errFinished }
	return "", nil
}

func switchLog(name string, choose func(s *Server) Log) func(s *session, argument string) (string, error) {
	return func(s *session, argument string) (string, error) {
		log := choose(s.server)
		switch argument {
		case "1":
			log.SetEnabled(true)
			return name + " enabled.\n", nil
		case "0":
			log.SetEnabled(false)
			return name + " disabled.\n", nil
		}
		return "", refusal("say 0 or 1")
	}
}

func (s *session) monitorDebugFormat(argument string) (string, error) {
	log := s.server.options.Remote
	switch argument {
	case "all", "timestamp":
		log.SetTimestamps(true)
		return "All extra debug format options enabled.\n", nil
	case "none", "":
		log.SetTimestamps(false)
		return "All extra debug format options disabled.\n", nil
	}
	return "", refusal("say all, timestamp or none")
}

// monitorThreadLibrary takes what scripts for GNU gdbserver say before they look
// at thread-local variables. Those are found without the library.
func (s *session) monitorThreadLibrary(path string) (string, error) {
	return fmt.Sprintf("This server needs no libthread_db.\nlibthread-db-search-path set to `%s'\n", path), nil
}

// symbol answers qSymbol: no symbol of the program is needed.
func (s *session) symbol(*rsp.Symbol) (rsp.Reply, error) { return rsp.OK{}, nil }
