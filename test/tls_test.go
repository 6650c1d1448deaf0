package test

import (
	"slices"
	"strings"
	"testing"

	"rspd/test/inferiors"
)

// seesAs checks that gdb finds a thread-local variable where the program sees
// it, with the value.
func (g *gdb) seesAs(variable, its, value string) {
	g.s.Helper()
	g.prints(variable, value)
	g.prints("&"+variable+" == "+its, "1")
}

// TestThreadLocalAddresses looks at thread-local variables of the program and of
// libraries in threads that have them, and in threads that don't yet.
func TestThreadLocalAddresses(t *testing.T) {
	notAgain(t, "it has 32-bit programs anyway")
	links := slices.Concat([]inferiors.Link{inferiors.Musl, inferiors.MuslStatic}, inferiors.Links, inferiors.Links32)
	for _, link := range links {
		t.Run(string(link), func(t *testing.T) {
			s := newSession(t)
			musl := link == inferiors.Musl || link == inferiors.MuslStatic
			if musl {
				gnuLacks(t, "it has no libthread_db for musl")
			}
			libraries := !strings.Contains(string(link), "static")
			if slices.Contains(inferiors.Links32, link) {
				gnuLacks(t, "13.1 gives 64-bit handles of 32-bit programs' threads")
			}
			program := native(t, "tls.c", link)
			v := s.launch(program)
			g := s.connected(v, program)
			g.fails("print own", "Cannot find thread-local")
			g.runs("break set")
			g.stopsIn("continue", "breakpoint-hit", "set")
			g.seesAs("own", "its_worker.own", "111")
			g.seesAs("wide.value", "its_worker.wide", "222")
			g.seesAs("zeroed", "its_worker.zeroed", "333")
			g.run("thread 1")
			g.seesAs("own", "its_main.own", "11")
			g.seesAs("wide.value", "its_main.wide", "22")
			g.seesAs("zeroed", "its_main.zeroed", "33")
			g.run("set variable own = 12")
			g.prints("*its_main.own", "12")
			g.matches("python print(gdb.selected_inferior().thread_from_handle(gdb.parse_and_eval('its_handle')).num)", `^2\s*$`)
			if libraries {
				g.seesAs("linked_variable", "its_linked_main", "44")
				g.run("thread 2")
				g.seesAs("linked_variable", "its_linked_worker", "444")
				g.lazily(musl)
			}
			g.exits("continue", 0)
		})
	}
}

// lazily goes on with libraries that are loaded while the program runs. glibc
// makes room for their variables in a thread that uses one, musl at once.
func (g *gdb) lazily(musl bool) {
	g.s.Helper()

	absent := func(variable, value string) {
		g.s.Helper()
		if musl {
			g.prints(variable, value)
		} else {
			g.fails("print "+variable, "Cannot find thread-local storage for Thread .*libtls(plugin|other).so")
		}
	}
	g.runs("break loaded", "break used", "break reloaded")
	g.stopsIn("continue", "breakpoint-hit", "loaded")
	absent("plugin_variable", "55")
	g.stopsIn("continue", "breakpoint-hit", "used")
	g.seesAs("plugin_variable", "its_plugin_worker", "555")
	g.run("thread 1")
	absent("plugin_variable", "55")
	g.run("thread 2")
	g.stopsIn("continue", "breakpoint-hit", "reloaded")
	absent("other_variable", "66")
}

// TestThreadLibraryPath gives a command of scripts for GNU gdbserver.
func TestThreadLibraryPath(t *testing.T) {
	s := newSession(t)
	_, g := s.allReady(2, inferiors.PIE)
	g.matches("monitor set libthread-db-search-path /no/such", "(?m)^libthread-db-search-path set to `/no/such'$")
}
