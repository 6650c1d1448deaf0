// Webserver answers HTTP on a loopback port, whose number it prints, until its
// standard input ends.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
)

var served atomic.Int64

//go:noinline
func answer(path string) string {
	return fmt.Sprintf("hello %s, answer %d", path, served.Add(1))
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("serving", listener.Addr())
	err = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, answer(r.URL.Path))
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
