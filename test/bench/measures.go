package main

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rspd/test/inferiors"
)

// A measure is one thing to be timed. take starts a server of its own; offered
// is false if the server does not have what is measured.
type measure struct {
	name, unit string
	lower      bool
	take       func(server string, p *programs) (value float64, offered bool, err error)
}

// A program is an inferior at fixed addresses.
type program struct {
	path    string
	symbols map[string]uint64
}

type programs struct{ tiny, loop, churn, hits, syscalls, patches program }

func buildPrograms(b *inferiors.Builder) (*programs, error) {
	p := &programs{}
	for source, into := range map[string]*program{"tiny.S": &p.tiny, "loop.c": &p.loop, "churn.c": &p.churn, "hits.c": &p.hits,
		"syscalls.c": &p.syscalls, "manypatches.c": &p.patches} {
		path, err := b.Native(source, inferiors.Static)
		if err != nil {
			return nil, err
		}
		if *into, err = load(path); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func load(path string) (program, error) {
	file, err := elf.Open(path)
	if err != nil {
		return program{}, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return program{}, err
	}
	p := program{path, map[string]uint64{}}
	for _, s := range symbols {
		p.symbols[s.Name] = s.Value
	}
	return p, nil
}

const (
	startups     = 15
	steps        = 10000
	stepTurns    = 5000
	turnLength   = 4
	smallReads   = 40000
	largeReads   = 3000
	largeSize    = 8 << 10
	binarySize   = 16 << 10
	registerSets = 30000
	hits         = 4000
	falseHits    = 20000
	churnRounds  = 300
	churnWidth   = 10
	systemCalls  = 100000
	// neverCalled is a system call that the program does not make, reboot(2).
	neverCalled = 169
)

var measures = []measure{
	{name: "start-up to the first stop reply", unit: "ms", lower: true, take: startUp},
	{name: "step, vCont;s", unit: "steps/s", take: onTiny(stepping)},
	{name: "range step, vCont;r", unit: "instructions/s", take: onTiny(rangeStepping)},
	{name: "empty answer, vMustReplyEmpty", unit: "replies/s", take: onLoop(repeated(smallReads, 1, func(program) string {
		return "vMustReplyEmpty"
	}, 0))},
	{name: "read 64 B, m", unit: "reads/s", take: onLoop(repeated(smallReads, 1, func(p program) string {
		return fmt.Sprintf("m%x,40", p.symbols["main"])
	}, 128))},
	{name: "read 8 KiB, m", unit: "MiB/s", take: onLoop(repeated(largeReads, largeSize, func(p program) string {
		return fmt.Sprintf("m%x,%x", p.symbols["main"], largeSize)
	}, 2*largeSize))},
	{name: "read 16 KiB, x", unit: "MiB/s", take: onLoop(offered("binary-upload+", repeated(largeReads, binarySize, func(p program) string {
		return fmt.Sprintf("x%x,%x", p.symbols["main"], binarySize)
	}, binarySize)))},
	{name: "write 64 B, M", unit: "writes/s", take: onLoop(writing(smallReads, 1, func(sp uint64) string {
		return fmt.Sprintf("M%x,40:%s", sp, strings.Repeat("a5", 64))
	}))},
	{name: "write 8 KiB, X", unit: "MiB/s", take: onLoop(writing(largeReads, largeSize, func(sp uint64) string {
		return fmt.Sprintf("X%x,%x:%s", sp, largeSize, strings.Repeat("x", largeSize))
	}))},
	{name: "read all registers, g", unit: "reads/s", take: onLoop(repeated(registerSets, 1, func(program) string { return "g" }, 560))},
	{name: "breakpoint hit and step over", unit: "hits/s", take: onLoop(hitting)},
	{name: "hit of a false condition", unit: "hits/s", take: falseHitting(1)},
	{name: "hit of a false condition, 2 threads", unit: "hits/s", take: falseHitting(2)},
	{name: "system calls, none caught", unit: "calls/s", take: calling("QCatchSyscalls:0")},
	{name: "system calls, another caught", unit: "calls/s", take: calling(fmt.Sprintf("QCatchSyscalls:1;%x", neverCalled))},
	{name: "threads made and joined", unit: "threads/s", take: churning},
	{name: "peak memory, 3,000 threads seen", unit: "KiB", lower: true, take: memory},
}

// rate returns how often a second something happened.
func rate(count float64, begun time.Time) float64 { return count / time.Since(begun).Seconds() }

// perSecond is rate in units of size bytes, or MiB where size is more than one.
func perSecond(count, size int, begun time.Time) float64 {
	if size == 1 {
		return rate(float64(count), begun)
	}
	return rate(float64(count)*float64(size)/(1<<20), begun)
}

type taker func(s *session, p program) (float64, bool, error)

func onTiny(take taker) func(string, *programs) (float64, bool, error) {
	return func(server string, p *programs) (float64, bool, error) { return on(server, p.tiny, take) }
}

func onLoop(take taker) func(string, *programs) (float64, bool, error) {
	return func(server string, p *programs) (float64, bool, error) { return on(server, p.loop, take, "1000000000") }
}

func on(server string, p program, take taker, args ...string) (float64, bool, error) {
	s, err := begin(server, p.path, args...)
	if err != nil {
		return 0, false, err
	}
	defer s.end()
	return take(s, p)
}

// offered takes a measure only of a server that has a feature.
func offered(feature string, take taker) taker {
	return func(s *session, p program) (float64, bool, error) {
		if !strings.Contains(s.features, feature) {
			return 0, false, nil
		}
		return take(s, p)
	}
}

func startUp(server string, p *programs) (float64, bool, error) {
	var all samples
	for range startups {
		begun := time.Now()
		s, err := begin(server, p.tiny.path)
		if err != nil {
			return 0, false, err
		}
		all = append(all, float64(time.Since(begun).Microseconds())/1000)
		s.end()
	}
	return all.median(), true, nil
}

func stepping(s *session, _ program) (float64, bool, error) {
	step := "vCont;s:" + s.thread
	begun := time.Now()
	for range steps {
		reply, err := s.ask(step)
		if err != nil {
			return 0, false, err
		}
		if reply[0] != 'T' {
			return 0, false, fmt.Errorf("%s: %q", step, reply)
		}
	}
	return rate(steps, begun), true, nil
}

func rangeStepping(s *session, p program) (float64, bool, error) {
	turn := p.symbols["turn"]
	end := p.symbols["turned"]
	if _, err := s.must("vCont;s:"+s.thread, "T05"); err != nil {
		return 0, false, err
	}
	registers, err := s.must("g", "")
	if err != nil {
		return 0, false, err
	}
	if len(registers) < 3*16 {
		return 0, false, fmt.Errorf("g: %q", registers)
	}
	// Register 2 of x86-64 is rcx, the loop's counter; not every server has P.
	registers = registers[:2*16] + fmt.Sprintf("%02x%02x000000000000", stepTurns&255, stepTurns>>8) + registers[3*16:]
	if _, err := s.must("G"+registers, "OK"); err != nil {
		return 0, false, err
	}
	begun := time.Now()
	reply, err := s.must(fmt.Sprintf("vCont;r%x,%x:%s", turn, end, s.thread), "T05")
	if err != nil {
		return 0, false, err
	}
	value := rate(stepTurns*turnLength, begun)
	pc, err := stopPC(reply)
	if err == nil && pc != end {
		err = fmt.Errorf("the range ended at %#x, not at %#x", pc, end)
	}
	return value, true, err
}

// repeated asks the same again and again; a reply shows that it is no error by
// its length at least.
func repeated(count, size int, packet func(program) string, length int) taker {
	return func(s *session, p program) (float64, bool, error) {
		payload := packet(p)
		begun := time.Now()
		for i := range count {
			reply, err := s.ask(payload)
			if err != nil {
				return 0, false, err
			}
			if i == 0 && len(expand(reply)) < length {
				return 0, false, fmt.Errorf("%s: %d bytes, %.40q", payload, len(reply), reply)
			}
		}
		return perSecond(count, size, begun), true, nil
	}
}

// writing writes below the stack pointer, where nothing is in use.
func writing(count, size int, packet func(sp uint64) string) taker {
	return func(s *session, _ program) (float64, bool, error) {
		sp, err := s.stackPointer()
		if err != nil {
			return 0, false, err
		}
		payload := packet(sp - 2*largeSize)
		if _, err := s.must(payload, "OK"); err != nil {
			return 0, false, err
		}
		begun := time.Now()
		for range count {
			reply, err := s.ask(payload)
			if err != nil {
				return 0, false, err
			}
			if string(reply) != "OK" {
				return 0, false, fmt.Errorf("%.40s: %q", payload, reply)
			}
		}
		return perSecond(count, size, begun), true, nil
	}
}

// stackPointer returns register 7 of x86-64.
func (s *session) stackPointer() (uint64, error) {
	reply, err := s.must("?", "T05")
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(reply, "07:")
	if !found {
		return 0, fmt.Errorf("no stack pointer in %q", reply)
	}
	return stopPC("10:" + after)
}

// hitting goes from hit to hit as gdb does: the breakpoint is taken out, the
// thread steps, the breakpoint comes back, the thread goes on.
func hitting(s *session, p program) (float64, bool, error) {
	hot := p.symbols["hot"]
	place := fmt.Sprintf("0,%x,1", hot)
	if _, err := s.must("Z"+place, "OK"); err != nil {
		return 0, false, err
	}
	resume := "vCont;c:" + s.thread
	if _, err := s.must(resume, "T05"); err != nil {
		return 0, false, err
	}
	packets := []struct{ payload, prefix string }{
		{"z" + place, "OK"}, {"vCont;s:" + s.thread, "T05"}, {"Z" + place, "OK"}, {resume, "T05"},
	}
	var last string
	begun := time.Now()
	for range hits {
		for _, packet := range packets {
			reply, err := s.must(packet.payload, packet.prefix)
			if err != nil {
				return 0, false, err
			}
			last = reply
		}
	}
	value := rate(hits, begun)
	pc, err := stopPC(last)
	if err == nil && pc != hot {
		err = fmt.Errorf("stopped at %#x, not at %#x", pc, hot)
	}
	return value, true, err
}

// falseHitting runs into a breakpoint whose condition, which the server
// evaluates, is false until a thread has hit it falseHits times.
func falseHitting(threads int) func(string, *programs) (float64, bool, error) {
	return func(server string, p *programs) (float64, bool, error) {
		return on(server, p.hits, offered("ConditionalBreakpoints+", func(s *session, p program) (float64, bool, error) {
			// The argument, register 5 of x86-64, has 32 bits: reg 5, zero_ext
			// 32, const16, equal, end of the manual's "Bytecode Descriptions".
			condition := fmt.Sprintf("2600052a2023%04x1327", falseHits)
			if _, err := s.must(fmt.Sprintf("Z0,%x,1;X%x,%s", p.symbols["visited"], len(condition)/2, condition), "OK"); err != nil {
				return 0, false, err
			}
			begun := time.Now()
			if _, err := s.must("vCont;c", "T05"); err != nil {
				return 0, false, err
			}
			elapsed := time.Since(begun)
			memory, err := s.must(fmt.Sprintf("m%x,4", p.symbols["visits"]), "")
			if err != nil {
				return 0, false, err
			}
			bytes, err := hex.DecodeString(memory)
			if err != nil || len(bytes) != 4 {
				return 0, false, fmt.Errorf("the count of visits is %q", memory)
			}
			visits := binary.LittleEndian.Uint32(bytes)
			if visits < falseHits {
				return 0, false, fmt.Errorf("stopped after %d hits, not after %d", visits, falseHits)
			}
			return float64(visits) / elapsed.Seconds(), true, nil
		}), fmt.Sprint(threads), fmt.Sprint(2*falseHits))
	}
}

func churned(server string, p *programs) (*session, float64, error) {
	s, err := begin(server, p.churn.path, fmt.Sprint(churnRounds), fmt.Sprint(churnWidth))
	if err != nil {
		return nil, 0, err
	}
	finished := fmt.Sprintf("Z0,%x,1", p.churn.symbols["finished"])
	if _, err := s.must(finished, "OK"); err != nil {
		s.end()
		return nil, 0, err
	}
	begun := time.Now()
	if _, err := s.must("vCont;c", "T05"); err != nil {
		s.end()
		return nil, 0, err
	}
	return s, rate(churnRounds*churnWidth, begun), nil
}

// calling times a program that makes system calls from their first to its end.
func calling(catch string) func(server string, p *programs) (float64, bool, error) {
	return func(server string, p *programs) (float64, bool, error) {
		s, err := begin(server, p.syscalls.path, "count", strconv.Itoa(systemCalls))
		if err != nil {
			return 0, false, err
		}
		defer s.end()
		if !strings.Contains(s.features, "QCatchSyscalls+") {
			return 0, false, nil
		}
		start := fmt.Sprintf("%x,1", p.syscalls.symbols["begin"])
		for _, packet := range [][2]string{{"Z0," + start, "OK"}, {"vCont;c", "T05"}, {"z0," + start, "OK"}, {catch, "OK"}} {
			if _, err := s.must(packet[0], packet[1]); err != nil {
				return 0, false, err
			}
		}
		begun := time.Now()
		if _, err := s.must("vCont;c", "W"); err != nil {
			return 0, false, err
		}
		return rate(systemCalls, begun), true, nil
	}
}

func churning(server string, p *programs) (float64, bool, error) {
	s, value, err := churned(server, p)
	if err != nil {
		return 0, false, err
	}
	s.end()
	return value, true, nil
}

func memory(server string, p *programs) (float64, bool, error) {
	s, _, err := churned(server, p)
	if err != nil {
		return 0, false, err
	}
	defer s.end()
	value, err := s.peakMemory()
	return value, true, err
}
