package test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// seeds are the random cases of one test, each of which follows from a number.
type seeds struct {
	// option is the flag that names the first case, which then is the only one
	// unless limit is given, too; 0 is for one that nobody has had.
	option string
	first  uint64
	// limit is how long the test goes on; 0 is for usual, or short with -short.
	limit, usual, short time.Duration
}

// play plays cases at once, as many as there are processors, one after the other
// until the time is over. It returns how many there were.
func (s seeds) play(t *testing.T, play func(t *testing.T, seed uint64)) uint64 {
	t.Helper()
	if s.first == 0 {
		s.first = uint64(time.Now().UnixNano())
		if s.limit == 0 {
			s.limit = s.usual
			if testing.Short() {
				s.limit = s.short
			}
		}
	}
	end := time.Now().Add(s.limit)
	var next, cases atomic.Uint64
	t.Logf("from %s %d on", s.option, s.first)
	t.Run("cases", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("worker", func(t *testing.T) {
				t.Parallel()
				for {
					seed := s.first + next.Add(1) - 1
					if seed != s.first && !time.Now().Before(end) {
						return
					}
					if !t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, seed) }) {
						return
					}
					cases.Add(1)
				}
			})
		}
	})
	return cases.Load()
}
