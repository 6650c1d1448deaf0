// Bench puts the same packets to two servers, in turn and in several rounds,
// and prints for each measure both medians and their ratio. It asserts nothing.
//
// It speaks the protocol itself over blocking sockets, so that as little as
// possible of the time is the client's.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"rspd/test/inferiors"
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	ours := flag.String("rspd", "build/rspd", "the `server` to be measured")
	peer := flag.String("peer", "gdbserver", "the `server` to compare with")
	rounds := flag.Int("rounds", 5, "how many `times` each measure is taken of each server")
	only := flag.String("run", ".", "take only the measures whose name matches this `expression`")
	flag.Parse()
	matching, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	dir, err := os.MkdirTemp("", "rspd-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	builder := &inferiors.Builder{Dir: dir}
	programs, err := buildPrograms(builder)
	if err != nil {
		return err
	}
	var servers [2]string
	for i, name := range []string{*ours, *peer} {
		if servers[i], err = exec.LookPath(name); err != nil {
			return err
		}
		fmt.Printf("%-5s %s\n", column[i], version(servers[i]))
	}
	fmt.Printf("%-5s %d rounds, each server in turn; %d CPUs; median (lowest to highest)\n\n", "", *rounds, runtime.NumCPU())

	var wanted []measure
	for _, m := range append(measures, patchMeasures...) {
		if matching.MatchString(m.name) {
			wanted = append(wanted, m)
		}
	}
	results := make([][2]samples, len(wanted))
	for round := range *rounds {
		for i, m := range wanted {
			for turn := range servers {
				which := (turn + round) % len(servers)
				value, offered, err := m.take(servers[which], programs)
				if err != nil {
					return fmt.Errorf("%s with %s: %w", m.name, servers[which], err)
				}
				if offered {
					results[i][which] = append(results[i][which], value)
				}
			}
		}
	}
	return printTable(os.Stdout, wanted, results)
}

var column = [2]string{"rspd", "peer"}

// version returns the first line of what a server says of itself.
func version(server string) string {
	output, err := exec.Command(server, "--version").Output()
	if err != nil {
		return server
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return line
}
