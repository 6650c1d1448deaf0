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
		{"set debug", "0 or 1: print what happens to processes and threads", switchLog(func(s *Server) Log { return s.options.Threads })},
		{"set remote-debug", "0 or 1: print the packets", switchLog(func(s *Server) Log { return s.options.Remote })},
		{"version", "Show the version of this server", (*session).monitorVersion},
		{"exit", "Quit the server: launched programs are killed, others let go", (*session).monitorExit},
	}
}

func (s *session) monitor(request *rsp.Monitor) (rsp.Reply, error) {
	words := strings.Join(strings.Fields(request.Command), " ")
	for _, command := range commands {
		argument, found := strings.CutPrefix(words+" ", command.words+" ")
		if !found {
			continue
		}
		output, err := command.run(s, strings.TrimSpace(argument))
		if err != nil {
			return nil, err
		}
		if output == "" {
			return rsp.OK{}, nil
		}
		return rsp.Hex(output), nil
	}
	return rsp.Hex("Unknown monitor command; try \"monitor help\".\n"), nil
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

func switchLog(choose func(s *Server) Log) func(s *session, argument string) (string, error) {
	return func(s *session, argument string) (string, error) {
		if argument != "0" && argument != "1" {
			return "", refusal("say 0 or 1")
		}
		log := choose(s.server)
		if log == nil {
			return "", refusal("this server keeps no such log")
		}
		log.SetEnabled(argument == "1")
		return "", nil
	}
}

// symbol answers qSymbol: no symbol of the program is needed.
func (s *session) symbol(*rsp.Symbol) (rsp.Reply, error) { return rsp.OK{}, nil }
