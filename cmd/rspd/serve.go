package main

import "errors"

// serve debugs what the options name for the listener's clients, one after
// the other, until there is nothing left to do.
//
// SEAM: the session is package gdbserver's. What goes here: start or attach
// to the program, listener.Announce(), then Accept and serve until --once,
// the program's end, or the client's word ends it.
func serve(o options, l *logs, listener *Listener) error {
	return errors.New("rspd: this build has no debugging session yet")
}
