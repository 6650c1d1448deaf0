package test

import (
	"strings"
	"testing"
	"time"

	"rspd/test/inferiors"
)

// TestJumpPatchHostile debugs programs whose tables or patches make no sense: the
// server says why, in time, and has no rows for them.
func TestJumpPatchHostile(t *testing.T) {
	gnuLacks(t, "it knows nothing of jump patches")
	notAgain(t, "jump patches are looked for in 64-bit programs only")
	for what, want := range map[string]string{
		"version":   `has version 7; 1 is understood`,
		"loop":      `has a loop`,
		"nowhere":   `the table of jump patches ends here`,
		"odd":       `the table of jump patches ends here`,
		"canonical": `its site, 0x8000000000000000, is no address of a program`,
		"size":      `its stub would have \d+ bytes`,
		"unmapped":  `the stub at 0x10000 is in unmapped memory`,
		"data":      `is in memory that isn't executable`,
		"return":    `the return address 0x[0-9a-f]+ is in memory that isn't executable`,
		"rows":      `it has \d+ rows; 4096 is the most`,
		"outside":   `its row from 0x[0-9a-f]+ to 0x[0-9a-f]+ isn't within the stub`,
		"overlap":   `its stub at 0x[0-9a-f]+ overlaps another one`,
		"garbage":   `sled: jump to 0x[0-9a-f]+, 0 of 0 instructions described\n(?s).*06 06 .* can't be followed`,
		"truncated": `sled: jump to 0x[0-9a-f]+, 0 of 0 instructions described\n(?s).*48 8b 84 can't be followed`,
		"spin":      `sled: jump to 0x[0-9a-f]+, 1 of 1 instructions described\n`,
		"ladder":    `sled: jump to 0x[0-9a-f]+`,
		"many":      `the table has more than 65536 jump patches`,
		"jumps":     `sled`,
	} {
		t.Run(what, func(t *testing.T) {
			s := newSession(t)
			program := native(t, "hostile.c", inferiors.PIE)
			v, _ := s.serveIn("127.0.0.1:0", program, what)
			g := s.connected(v, program)
			g.run("break marker")
			began := time.Now()
			g.stopsIn("continue", "breakpoint-hit", "marker")
			g.matches("bt", `(?s)^#0 +marker .*\n#1 .* main \(`)
			list := g.matches("monitor jump-patch list", want)
			t.Logf("%.2f s, %d bytes", time.Since(began).Seconds(), len(strings.Join(list, "")))
			g.exits("continue", 0)
			v.stdout.wait(t, `done\n`)
		})
	}
}
