package unwind

import (
	"container/heap"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"rspd/unwind/cfi"
)

// The limits of one stub.
const (
	maxInstructions = 4096
	maxRounds       = 16    // of a loop before it is given up to understand all of it
	maxTotal        = 40000 // visits of instructions
	// maxWork bounds the visits in all stubs of a process. Ten thousand stubs of
	// twenty instructions take as many.
	maxWork = 1 << 19
)

// A node is an instruction that control reaches.
type node struct {
	pc     uint64
	in     x86asm.Inst
	before *state
	edges  []edge // by which control comes
	visits int
	how    flow
	next   []uint64 // nodes that follow
	exits  []exit
	call   bool // the caller's registers aren't kept beyond the instruction
	known  bool // what follows is
}

type edge struct {
	from  uint64
	state *state
}

// outside is where edges to entries come from: no address of an instruction.
const outside = 1<<64 - 1

// An exit is a way out of the stub.
type exit struct {
	target uint64
	known  bool // the target is
	state  *state
	// back is the constant on top of the stack at the exit: where what is
	// jumped to will return to.
	back      uint64
	backKnown bool
}

func (n *node) end() uint64 { return n.pc + uint64(n.in.Len) }

// A graph is the code of a stub as far as control is followed.
type graph struct {
	process  *Process
	entries  []uint64
	nodes    map[uint64]*node
	work     workList
	queued   map[uint64]bool
	pending  map[uint64]*state // by return address: calls into the stub itself
	warnings []Warning
	total    int
}

func (g *graph) warn(address uint64, format string, args ...any) {
	if len(g.warnings) < 8 {
		g.warnings = append(g.warnings, Warning{address, fmt.Sprintf(format, args...)})
	}
}

// explore follows the code at entries, in anonymous executable memory, with the
// state there.
func explore(p *Process, entries []uint64, s *state) *graph {
	g := &graph{process: p, entries: entries}
	if p.work >= maxWork {
		g.warn(entries[0], "the stub is left out: the process has more of them than can be looked at")
		return g
	}
	g.search(s)
	if g.total > maxTotal || p.work >= maxWork {
		return g
	}
	// In the first round an instruction was visited when it was met, perhaps
	// before all that lead to it had been. What was learnt too early about a
	// loop stays in it. With the order known, a second round avoids that.
	g.work.order = g.order()
	g.search(s)
	return g
}

// search follows the code from the entry.
func (g *graph) search(s *state) {
	g.nodes, g.queued, g.pending = map[uint64]*node{}, map[uint64]bool{}, map[uint64]*state{}
	g.warnings, g.total = nil, 0
	for _, entry := range g.entries {
		g.reach(entry, edge{from: outside, state: s})
	}
	for {
		g.run()
		// Functions of the stub that weren't seen to return, and those that
		// were only called from elsewhere, are taken to keep the ABI.
		resumed := false
		for _, address := range sortedKeys(g.pending) {
			if g.nodes[address] == nil {
				g.reach(address, edge{from: address, state: g.pending[address]})
				resumed = true
			}
			delete(g.pending, address)
		}
		if !resumed {
			return
		}
	}
}

// order numbers the instructions so that each comes after those that lead to
// it, loops aside (reverse postorder).
func (g *graph) order() map[uint64]int {
	type frame struct {
		node *node
		next int
	}
	order := map[uint64]int{}
	seen := map[uint64]bool{}
	number := len(g.nodes)
	visit := func(root uint64) {
		stack := []frame{{g.nodes[root], 0}}
		seen[root] = true
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(top.node.next) {
				number--
				order[top.node.pc] = number
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.node.next[top.next]
			top.next++
			if n := g.nodes[next]; n != nil && !seen[next] {
				seen[next] = true
				stack = append(stack, frame{n, 0})
			}
		}
	}
	visit(g.entries[0])
	for _, pc := range sortedKeys(g.nodes) {
		if !seen[pc] {
			visit(pc)
		}
	}
	return order
}

// A workList gives addresses in an order, or, without one, first in, first out.
type workList struct {
	items []uint64
	order map[uint64]int
}

func (w *workList) Len() int { return len(w.items) }

func (w *workList) Less(i, j int) bool { return w.order[w.items[i]] < w.order[w.items[j]] }

func (w *workList) Swap(i, j int) { w.items[i], w.items[j] = w.items[j], w.items[i] }

func (w *workList) Push(x any) { w.items = append(w.items, x.(uint64)) }

func (w *workList) Pop() any {
	last := w.items[len(w.items)-1]
	w.items = w.items[:len(w.items)-1]
	return last
}

// next takes an address from the list.
func (w *workList) next() uint64 {
	if w.order != nil {
		return heap.Pop(w).(uint64)
	}
	pc := w.items[0]
	w.items = w.items[1:]
	return pc
}

// add adds an address. One that the first round didn't meet comes last.
func (w *workList) add(pc uint64) {
	if w.order == nil {
		w.items = append(w.items, pc)
		return
	}
	if _, ok := w.order[pc]; !ok {
		w.order[pc] = len(w.order)
	}
	heap.Push(w, pc)
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// reach notes that control comes to an address with a state.
func (g *graph) reach(pc uint64, e edge) {
	n := g.nodes[pc]
	if n == nil {
		if len(g.nodes) >= maxInstructions {
			g.warn(pc, "the stub has more than %d instructions; the rest is left out", maxInstructions)
			return
		}
		n = &node{pc: pc}
		g.nodes[pc] = n
	}
	found := false
	for i := range n.edges {
		if n.edges[i].from == e.from {
			if n.edges[i].state.equal(e.state) {
				return
			}
			if n.visits > maxRounds {
				e.state = widen(n.edges[i].state, e.state, pc)
			}
			n.edges[i], found = e, true
		}
	}
	if !found {
		n.edges = append(n.edges, e)
	}
	if !g.queued[pc] {
		g.queued[pc] = true
		g.work.add(pc)
	}
}

func (g *graph) run() {
	for g.work.Len() > 0 {
		pc := g.work.next()
		delete(g.queued, pc)
		g.visit(g.nodes[pc])
		g.total++
		g.process.work++
		if g.total > maxTotal || g.process.work >= maxWork {
			g.warn(pc, "the stub's loops take too long to understand; it is left out")
			for _, n := range g.nodes {
				n.before = nil
			}
			g.work.items = nil
			return
		}
	}
}

func (g *graph) visit(n *node) {
	before := n.edges[0].state
	for _, e := range n.edges[1:] {
		before = join(before, e.state, n.pc)
	}
	if n.visits++; n.visits > 1 && n.before != nil && n.before.equal(before) {
		return
	}
	n.before = before
	if n.visits == 1 {
		code := g.process.code(n.pc, 15)
		in, err := decode(code)
		if err != nil {
			g.warn(n.pc, "% x can't be followed: %v", code[:min(len(code), 8)], err)
			n.before = nil
			n.how = stops
			return
		}
		n.in = in
	}
	if n.in.Len == 0 {
		n.before = nil
		return
	}
	s := &step{state: before.clone(), in: n.in, pc: n.pc, next: n.end()}
	how, target, known := s.flow(g.process)
	n.how, n.known = how, known
	n.next, n.exits = n.next[:0], n.exits[:0]
	switch how {
	case falls:
		if s.execute() {
			g.follow(n, s.next, s.state)
		}
	case jumps:
		g.jump(n, target, known, s.state)
	case branches:
		s.execute()
		g.jump(n, target, known, s.state.clone())
		g.follow(n, s.next, s.state)
	case calls:
		g.call(n, s, target, known)
	case returns:
		s.execute()
		g.jump(n, target, known, s.state)
	}
}

// follow continues at an address in the stub's memory.
func (g *graph) follow(n *node, target uint64, s *state) {
	if !g.process.foreign(target) {
		n.exits = append(n.exits, exit{target: target, known: true, state: s})
		return
	}
	n.next = append(n.next, target)
	g.reach(target, edge{from: n.pc, state: s})
}

// jump continues where a jump leads, inside or outside.
func (g *graph) jump(n *node, target uint64, known bool, s *state) {
	if known && g.process.foreign(target) {
		g.follow(n, target, s)
		return
	}
	x := exit{target: target, known: known, state: s}
	if n.how != returns {
		if v, ok := s.content(s.rsp(), 8); ok && v.kind == constant {
			x.back, x.backKnown = uint64(v.offset), true
		}
	}
	n.exits = append(n.exits, x)
	if x.backKnown && n.how != branches && g.process.foreign(x.back) {
		// A call in the disguise of a jump.
		n.call = true
		after := s.clone()
		after.registers[cfi.RSP] = after.rsp().plus(8)
		after.called()
		g.follow(n, x.back, after)
	}
}

func (g *graph) call(n *node, s *step, target uint64, known bool) {
	after := s.state.clone()
	after.called()
	if !known || !g.process.foreign(target) {
		n.call = true
		g.follow(n, s.next, after)
		return
	}
	s.push(8, number(int64(s.next)))
	if target != s.next { // otherwise it only tells where it is
		n.call = true
		g.pending[s.next] = after
	}
	g.follow(n, target, s.state)
}
