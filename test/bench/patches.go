package main

import (
	"fmt"
	"strconv"
	"time"
)

// manyPatches is how many jump patches are many.
const manyPatches = 1000

// patchMeasures are those of jump patches. The list of libraries is what a server
// looks for them for, when a debugger connects.
var patchMeasures = []measure{
	{name: "list of libraries, no jump patch", unit: "ms", lower: true, take: listing(0)},
	{name: "list of libraries, 100 jump patches", unit: "ms", lower: true, take: listing(100)},
	{name: "list of libraries, 1,000 jump patches", unit: "ms", lower: true, take: listing(manyPatches)},
	{name: "breakpoint hit, 1,000 jump patches", unit: "hits/s", take: hittingPatched(manyPatches)},
	{name: "breakpoint hit, they aren't looked for", unit: "hits/s", take: hittingPatched(manyPatches, "--jump-patches=off")},
}

// patched starts a server on a program that has made so many jump patches.
func patched(server string, p *programs, count int, options ...string) (*session, error) {
	s, err := beginWith(server, options, p.patches.path, strconv.Itoa(count))
	if err != nil {
		return nil, err
	}
	place := fmt.Sprintf("0,%x,1", p.patches.symbols["ready"])
	for _, packet := range [][2]string{{"Z" + place, "OK"}, {"vCont;c", "T05"}, {"z" + place, "OK"}} {
		if _, err := s.must(packet[0], packet[1]); err != nil {
			s.end()
			return nil, err
		}
	}
	return s, nil
}

// libraries reads the list of libraries as gdb does.
func (s *session) libraries() error {
	for offset := 0; ; {
		reply, err := s.must(fmt.Sprintf("qXfer:libraries-svr4:read::%x,1000", offset), "")
		if err != nil {
			return err
		}
		if reply == "" || reply[0] != 'm' {
			return nil // the end, or there is none
		}
		offset += len(reply) - 1
	}
}

func listing(count int) func(string, *programs) (float64, bool, error) {
	return func(server string, p *programs) (float64, bool, error) {
		s, err := patched(server, p, count)
		if err != nil {
			return 0, false, err
		}
		defer s.end()
		begun := time.Now()
		if err := s.libraries(); err != nil {
			return 0, false, err
		}
		return float64(time.Since(begun).Microseconds()) / 1000, true, nil
	}
}

// hittingPatched is hitting after the list was read, so that the server looks for
// news at each stop. Of servers that don't know the options it is not taken.
func hittingPatched(count int, options ...string) func(string, *programs) (float64, bool, error) {
	return func(server string, p *programs) (float64, bool, error) {
		s, err := patched(server, p, count, options...)
		if err != nil {
			if len(options) > 0 {
				return 0, false, nil
			}
			return 0, false, err
		}
		defer s.end()
		if err := s.libraries(); err != nil {
			return 0, false, err
		}
		return hitting(s, p.patches)
	}
}
