package test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"rspd/rsp"
	"rspd/test/inferiors"
)

// TestSigtrapOfTheProgram has SIGTRAP that the program sends itself, and an int3
// of its own, be neither lost nor unmasked, with a breakpoint in the way and
// without, whether the client steps through the program's breakpoints or the
// server passes them. Where the program blocks or ignores SIGTRAP a breakpoint
// cannot be in the way: the kernel delivers its trap by unblocking the signal
// and resetting its action (kernel/signal.c, force_sig_info_to_task), before a
// tracer is told.
func TestSigtrapOfTheProgram(t *testing.T) {
	notAgain(t, "it reads rip")
	for _, mode := range []string{"handled", "ignored", "blocked"} {
		points := []string{"none"}
		if mode == "handled" {
			points = append(points, "passed", "reported")
		}
		for _, point := range points {
			t.Run(mode+"/"+point, func(t *testing.T) {
				gnuLacks(t, "13.1 takes a SIGTRAP that was sent for one of its own")
				s := newSession(t)
				program := native(t, "sigtrap.c", inferiors.NoPIE)
				v := s.launch(program, mode)
				c := s.client(v, childEvents...)
				address := symbol(t, program, "before")
				switch point {
				case "passed":
					c.must(fmt.Sprintf("Z0,%x,1;X3,220027", address)) // const8 0, end
				case "reported":
					c.insert(leader(v.inferior), address)
				}
				hits, traps := 0, 0
				for packet := "vCont;c"; ; {
					stop := c.resume(packet)
					packet = "vCont;c"
					if end, exited := stop.(*rsp.Exited); exited {
						if end.Status != 0 {
							t.Errorf("exit with %d", end.Status)
						}
						break
					}
					reply, stopped := stop.(*rsp.StopReply)
					if !stopped {
						t.Fatalf("%T", stop)
					}
					if pc := c.ask("p10"); reply.Reason == rsp.StopSoftBreak && pc == fmt.Sprintf("%x", binary.LittleEndian.AppendUint64(nil, address)) {
						hits++
						c.remove(reply.Thread, address)
						c.resume("vCont;s:" + reply.Thread.String())
						c.insert(reply.Thread, address)
						continue
					}
					if reply.Signal != rsp.SIGTRAP {
						t.Fatalf("%+v", reply)
					}
					if reply.Reason == rsp.StopSoftBreak {
						// It is at the program's own int3, behind which the
						// program is to go on (gdb, infrun.c).
						pc, err := rsp.ParseHex([]byte(c.ask("p10")))
						if err != nil || len(pc) != 8 {
							t.Fatal(pc, err)
						}
						c.must(fmt.Sprintf("P10=%x", binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(pc)+1)))
					}
					traps++
					packet = fmt.Sprintf("vCont;C%02x:%v;c", int(rsp.SIGTRAP), reply.Thread)
				}
				c.vanish()
				v.wait()
				if got, want := v.stdout.all(t), s.alone(program, mode); got != want {
					t.Errorf("it printed %q, alone %q", got, want)
				}
				wantTraps := map[string]int{"handled": 2, "ignored": 1, "blocked": 0}[mode]
				wantHits := map[string]int{"reported": 3}[point]
				if traps != wantTraps || hits != wantHits {
					t.Errorf("%d SIGTRAP, want %d; %d hits, want %d", traps, wantTraps, hits, wantHits)
				}
			})
		}
	}
}
