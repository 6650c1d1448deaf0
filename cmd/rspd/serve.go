package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"rspd/gdbserver"
	"rspd/rsp"
)

// serve debugs what the options name for the listener's clients, one after
// the other, until there is nothing left to do. Its thread is the tracer and
// has to be the goroutine's for good.
func serve(o options, l *logs, listener clients, end *ender, adjust func(*gdbserver.Options)) (err error) {
	settings := serverOptions(o, l, listener)
	if adjust != nil {
		adjust(&settings)
	}
	server, err := gdbserver.New(settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	end.add(func() {
		listener.Close()
		server.Quit()
	})
	switch {
	case len(o.program) > 0:
		if err = server.Launch(o.program); errors.Is(err, unix.ENOENT) {
			// What gdbserver says when the shell did not find the program.
			err = complaintf("%v\nDuring startup program exited with code 127.\nExiting", err)
		}
	case o.attachPID != 0:
		err = server.Attach(o.attachPID)
	}
	if err != nil {
		return err
	}
	for {
		listener.Announce()
		ending, err := server.Unattended(listener.Fd())
		if err != nil || ending == gdbserver.Finished {
			return err
		}
		connection, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		end.add(func() {
			connection.Close()
			server.Quit()
		})
		ending, err = server.Serve(connection)
		connection.Close()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		if ending == gdbserver.Finished || o.once {
			return nil
		}
		fmt.Fprintln(os.Stderr, "Remote side has terminated connection.  GDBserver will reopen the connection.")
	}
}

// serverOptions turns the command line into what package gdbserver takes.
func serverOptions(o options, l *logs, listener clients) gdbserver.Options {
	options := gdbserver.Options{
		Messages:            os.Stderr,
		Threads:             l.threads(),
		Connections:         l.eventLoop(),
		Remote:              l.remote(),
		Version:             "rspd " + versionNumber(),
		ShortStopReplies:    o.disabled.stopReplyT,
		NoThreadInStopReply: o.disabled.stopThread,
		Extended:            o.multi,
		JumpPatches:         o.jumpPatches,
		Startup: gdbserver.Startup{
			Wrapper:              o.wrapper,
			WithShell:            o.startupWithShell,
			DisableRandomization: o.disableRandomization,
			Environment:          os.Environ(),
			Input:                os.Stdin,
			Output:               os.Stdout,
			Errors:               os.Stderr,
		},
	}
	if o.disabled.vCont {
		options.Disabled = append(options.Disabled, rsp.PacketVCont, rsp.PacketVContQuery)
	}
	if o.disabled.qC {
		options.Disabled = append(options.Disabled, rsp.PacketCurrentThread)
	}
	if o.disabled.qfThreadInfo {
		options.Disabled = append(options.Disabled, rsp.PacketFirstThreadInfo, rsp.PacketNextThreadInfo)
	}
	if listener.Stdio() {
		options.EndsUntold = true
		// The client speaks on them; the program gets the rest.
		if null, err := os.Open(os.DevNull); err == nil {
			options.Startup.Input = null
		}
		options.Startup.Output = os.Stderr
	}
	return options
}
