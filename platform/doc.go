// Package platform is the other of LLDB's two servers: it looks after a machine
// for one client (lldb's command "platform connect"). It starts programs and
// servers that debug, and what else it is asked for package host answers.
//
// It debugs nothing itself. Each server that debugs is a process of its own, which
// gets a socket that listens already, so that the ports that may be used are known
// to be free, and a descriptor that closes with the platform: a server that nobody
// has connected to by then ends.
//
// The working directory of the process is the client's, so a process has one
// client, as with lldb-server.
package platform
