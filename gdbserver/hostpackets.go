package gdbserver

import (
	"rspd/host"
	"rspd/rsp"
)

// hostPackets are those that package host answers, and that are the same whether
// anything is being debugged or not.
func hostPackets() map[rsp.PacketName]handler {
	packets := map[rsp.PacketName]handler{}
	for _, name := range host.Packets() {
		packets[name] = func(s *session, request rsp.Request) (rsp.Reply, error) { return s.host.Answer(request) }
	}
	packets[rsp.PacketFileOpen] = on((*session).fileOpen)
	return packets
}

// fileOpen answers vFile:open, also for the files that this server has made for
// its clients.
func (s *session) fileOpen(request *rsp.FileOpen) (rsp.Reply, error) {
	if s.patchFile(request.Filename) {
		return s.host.OpenOwn(request.Filename)
	}
	return s.host.Answer(request)
}
