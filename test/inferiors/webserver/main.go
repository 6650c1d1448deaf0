// Webserver [WORKERS] answers HTTP on a loopback port, whose number it prints,
// until its standard input ends. WORKERS are goroutines that do something now and
// then, but for the first few, which never pause.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// served counts the answers, and urgent the signals by which the runtime takes the
// processor from goroutines: it hands on to the program what it has used itself.
var served, urgent, spent atomic.Int64

//go:noinline
func answer(path string) string {
	return fmt.Sprintf("hello %s, answer %d", path, served.Add(1))
}

//go:noinline
func page(path string) string {
	first := "<p>"
	text := answer(path)
	last := "</p>"
	return first + text + last
}

// spin has no call in its loop: a goroutine in it is stopped by a signal only.
//
//go:noinline
func spin(count int) (sum int) {
	for i := range count {
		sum += i
	}
	return sum
}

const restless = 4

func work(index int) {
	for {
		count, pause := 10, 100*time.Millisecond
		if index < restless {
			count, pause = 50_000_000, 0
		}
		spent.Add(int64(spin(count)))
		time.Sleep(pause)
	}
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
	if len(os.Args) > 1 {
		workers, err := strconv.Atoi(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		signals := make(chan os.Signal, 100)
		signal.Notify(signals, syscall.SIGURG)
		go func() {
			for range signals {
				urgent.Add(1)
			}
		}()
		for i := range workers {
			go work(i)
		}
	}
	fmt.Println("serving", listener.Addr())
	err = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, page(r.URL.Path))
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
