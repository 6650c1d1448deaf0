package platform

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"rspd/rsp"
)

// debugger is a server that debugs and that has been started.
type debugger struct {
	*child
	port int
	path string
}

// startDebugger starts one that listens on a port, or for 0 on one of those that
// the options name, and that debugs a program from the beginning, if there is one.
func (s *Session) startDebugger(port int, program []string) (*debugger, error) {
	endpoint, err := s.listen(port)
	if err != nil {
		return nil, err
	}
	defer endpoint.Socket.Close()
	var arguments []string
	if len(program) > 0 {
		arguments = append([]string{"--"}, program...)
	}
	command := s.options.Debugger(arguments)
	command.ExtraFiles = []*os.File{endpoint.Socket, s.children.lent}
	remove := func() {
		if endpoint.Path != "" {
			// It removes the file itself, if it ends in good order.
			_ = os.Remove(endpoint.Path)
		}
	}
	if err := command.Start(); err != nil {
		remove()
		return nil, err
	}
	s.options.Processes.Debug("server started", "pid", command.Process.Pid, "port", endpoint.Port, "path", endpoint.Path)
	return &debugger{s.children.add(command, remove), endpoint.Port, endpoint.Path}, nil
}

func (s *Session) listen(port int) (Endpoint, error) {
	ports := s.options.Ports
	if port != 0 || len(ports) == 0 {
		ports = []int{port}
	}
	for _, port := range ports {
		endpoint, err := s.options.Listen(port)
		if err == nil || !errors.Is(err, unix.EADDRINUSE) {
			return endpoint, err
		}
	}
	if len(ports) == 1 {
		return Endpoint{}, coded(codeLaunchDebugger, "port %d is taken", ports[0])
	}
	return Endpoint{}, coded(codeLaunchDebugger, "all of the %d ports for servers are taken", len(ports))
}

// launchDebugger answers qLaunchGDBServer. The server listens on the address that
// the client has reached this one at, whatever host the client comes from: that is
// the one that it knows.
func (s *Session) launchDebugger(request *rsp.LaunchGDBServer) (rsp.Reply, error) {
	server, err := s.startDebugger(request.Port, nil)
	if err != nil {
		return nil, coded(codeLaunchDebugger, "%v", err)
	}
	info := rsp.KeyValues{
		{Key: "pid", Value: strconv.Itoa(server.command.Process.Pid)},
		{Key: "port", Value: strconv.Itoa(s.toldPort(server))},
	}
	if server.path != "" {
		info = append(info, rsp.KeyValue{Key: "socket_name", Value: rsp.HexText(server.path)})
	}
	return info, nil
}

func (s *Session) toldPort(server *debugger) int {
	if server.port == 0 {
		return 0
	}
	return server.port + s.options.PortOffset
}

// waitingDebuggers answers qQueryGDBServer: the server that was started with the
// session.
func (s *Session) waitingDebuggers(rsp.Extension) (rsp.Reply, error) {
	type place struct {
		Port int    `json:"port"`
		Path string `json:"socket_name,omitempty"`
	}
	if s.waiting == nil {
		return nil, coded(codeNoDebugger, "no server waits for a client")
	}
	select {
	case <-s.waiting.gone:
		return nil, coded(codeNoDebugger, "the server has ended")
	default:
	}
	text, err := json.Marshal([]place{{s.toldPort(s.waiting), s.waiting.path}})
	if err != nil {
		return nil, err
	}
	return rsp.Binary(text), nil
}

// killSpawned answers qKillSpawnedProcess.
func (s *Session) killSpawned(request *rsp.KillSpawned) (rsp.Reply, error) {
	one := s.children.find(request.PID)
	if one == nil {
		return nil, coded(codeNotSpawned, "process %d was not started here, or has ended", request.PID)
	}
	if !one.kill() {
		return nil, coded(codeNotKilled, "process %d does not end", request.PID)
	}
	return rsp.OK{}, nil
}
