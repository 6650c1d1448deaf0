package test

import (
	"fmt"
	"testing"

	"rspd/test/inferiors"
)

// TestSearch has the server look for bytes, with a breakpoint among them.
func TestSearch(t *testing.T) {
	s := newSession(t)
	_, g := s.allReady(2, inferiors.PIE)
	g.run("set breakpoint always-inserted on")
	first := g.value("&work")
	text := g.value(fmt.Sprintf("*(unsigned long *) %#x", first))
	g.run("break *" + fmt.Sprintf("%#x", first))
	place := fmt.Sprintf(`(?m)^%#x .*\n1 pattern found\.`, first)
	g.matches(fmt.Sprintf("find /1 %#x, +0x1000, %#xul", first-0x40, text), place)
	g.matches("show remote search-memory-packet", "currently enabled")
	g.matches(fmt.Sprintf("find /1 %#x, +8, %#xul", first+1, text), `Pattern not found\.`)
	if !serverGNU {
		// GNU gdbserver gives up without a look at what there is.
		found := g.matches(fmt.Sprintf(`find /1 $sp, +0x100000, "%s"`, s.mark), `(?m)^(0x[0-9a-f]+)\n1 pattern found\.`)
		g.prints(fmt.Sprintf(`*(char (*)[14]) %s`, found[1]), `"RSPD_TEST_MARK"`)
	}
	g.run("delete")
	g.exits("continue", 0)
}

// TestChecksum compares the program's sections with its file.
func TestChecksum(t *testing.T) {
	s := newSession(t)
	_, g := s.allReady(2, inferiors.NoPIE)
	g.run("set breakpoint always-inserted on")
	g.matches("compare-sections .text", `Section \.text, range 0x[0-9a-f]+ -- 0x[0-9a-f]+: matched\.`)
	g.run("set variable *(char *) work = 0")
	g.matches("compare-sections .text", `MIS-MATCHED!`)
}
