package unwind_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A generator writes an assembly program of functions to be patched and of
// random stubs for them. What stubs do to registers and stacks is balanced, as
// a patcher's would be, but in any order; some lose registers, which rows must
// not deny.
type generator struct {
	*rand.Rand
	text   strings.Builder
	labels int
	depth  int // of stacks other than the site's
	// reserved registers hold what the stub needs.
	reserved map[string]bool
	framed   bool // the function needs rbp
}

var allRegisters = []string{
	"rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
}

var preserved = []string{"rbx", "rbp", "r12", "r13", "r14", "r15"}

func (g *generator) line(format string, args ...any) {
	fmt.Fprintf(&g.text, "\t"+format+"\n", args...)
}

func (g *generator) label() string {
	g.labels++
	return fmt.Sprintf(".L%d", g.labels)
}

func (g *generator) mark(label string) { fmt.Fprintf(&g.text, "%s:\n", label) }

// free gives a register of a list that isn't reserved.
func (g *generator) free(list []string) (string, bool) {
	var free []string
	for _, r := range list {
		if !g.reserved[r] {
			free = append(free, r)
		}
	}
	if len(free) == 0 {
		return "", false
	}
	return free[g.IntN(len(free))], true
}

// reserve keeps a register for the time of f.
func (g *generator) reserve(register string, f func()) {
	g.reserved[register] = true
	f()
	delete(g.reserved, register)
}

var half = map[string]string{
	"rax": "eax", "rcx": "ecx", "rdx": "edx", "rbx": "ebx", "rbp": "ebp", "rsi": "esi", "rdi": "edi",
	"r8": "r8d", "r9": "r9d", "r10": "r10d", "r11": "r11d", "r12": "r12d", "r13": "r13d", "r14": "r14d", "r15": "r15d",
}

// program writes count functions, and a stub for each.
func (g *generator) program(count int) string {
	g.text.WriteString(`
	.section .hooks, "ax", @progbits
	.globl	hook, quiet
	.type	hook, @function
hook:	/* keeps what the ABI says, and nothing else */
	.cfi_startproc
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	push	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	mov	$-1, %rbx
	lea	1(%rbx), %r12
	mov	%rbx, -64(%rsp)
	mov	%rbx, -8(%rsp)
	mov	%rbx, slots
	mov	%rbx, slots + 8
	mov	%rbx, %rax
	mov	%rbx, %rcx
	mov	%rbx, %rdx
	mov	%rbx, %rsi
	mov	%rbx, %rdi
	mov	%rbx, %r8
	mov	%rbx, %r9
	mov	%rbx, %r10
	mov	%rbx, %r11
	pop	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
	.cfi_endproc
	.size	hook, . - hook
	.data
	.p2align 4
	.globl	slots, choices, targets, alternate
slots:	.quad	0, 0, 0, 0
choices: .quad	0, 1, 2, 3
targets: .quad	area + 64, area + 128, area + 256
alternate: .quad other_stack + 0x8000
	.bss
area:	.skip	0x1000
other_stack: .skip	0x8000
	.skip	0x100
	.text
	.globl	_start
_start:	int3
`)
	for i := range count {
		g.function(i)
	}
	return g.text.String()
}

// A displaced is a form of patched functions: how they begin, what is replaced
// and what comes after.
type displaced struct {
	before, replaced, after string
}

var functions = []displaced{
	{
		before:   "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\nsub $32, %rsp\n.cfi_adjust_cfa_offset 32",
		replaced: "mov $7, %ecx\nadd %rcx, %rax",
		after:    "add $32, %rsp\n.cfi_adjust_cfa_offset -32\npop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\nret",
	},
	{
		before:   "push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbp, 0\nmov %rsp, %rbp\n.cfi_def_cfa_register %rbp\npush %r13\n.cfi_offset %r13, -24\nsub $24, %rsp",
		replaced: "cmp $-4095, %rax\nmov %rax, %r13",
		after:    "mov -8(%rbp), %r13\n.cfi_restore %r13\nleave\n.cfi_def_cfa %rsp, 8\n.cfi_restore %rbp\nret",
	},
	{
		before:   "nop",
		replaced: "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\npush %r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r12, 0\nsub $40, %rsp\n.cfi_adjust_cfa_offset 40\nxor %ebx, %ebx",
		after:    "add $40, %rsp\n.cfi_adjust_cfa_offset -40\npop %r12\n.cfi_adjust_cfa_offset -8\n.cfi_restore %r12\npop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\nret",
	},
	{
		before:   "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\npush %r14\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r14, 0",
		replaced: "mov %rax, %rdx\npop %r14\n.cfi_adjust_cfa_offset -8\n.cfi_restore %r14\npop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\nret",
		after:    "nop",
	},
	{
		before:   "push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbp, 0\nmov %rsp, %rbp\n.cfi_def_cfa_register %rbp\npush %rbx\n.cfi_offset %rbx, -24\npush %rcx",
		replaced: "mov -8(%rbp), %rbx\n.cfi_restore %rbx\nleave\n.cfi_def_cfa %rsp, 8\n.cfi_restore %rbp\nret",
		after:    "nop",
	},
	{
		before:   "sub $8, %rsp\n.cfi_adjust_cfa_offset 8",
		replaced: "push %rdi\n.cfi_adjust_cfa_offset 8\nmov %rax, %r15\n.cfi_undefined %r15\npop %rdi\n.cfi_adjust_cfa_offset -8",
		after:    "add $8, %rsp\n.cfi_adjust_cfa_offset -8\nret",
	},
}

// function writes one function, and its stub.
func (g *generator) function(i int) {
	form := functions[g.IntN(len(functions))]
	replaced := strings.ReplaceAll(form.replaced, "\n", "\n\t")
	fmt.Fprintf(&g.text, "\t.text\n\t.globl f%d, site%d, end%d\n\t.type f%d, @function\n\t.p2align 4\nf%d:\n\t.cfi_startproc\n", i, i, i, i, i)
	g.line("%s", form.before)
	fmt.Fprintf(&g.text, "site%d:\n\t%s\nend%d:\n\t%s\n\t.cfi_endproc\n\t.size f%d, . - f%d\n", i, replaced, i, form.after, i, i)

	fmt.Fprintf(&g.text, "\t.section .stubs, \"ax\", @progbits\n\t.globl stub%d\n\t.p2align 4\nstub%d:\n", i, i)
	g.reserved, g.depth = map[string]bool{}, 0
	g.framed = strings.Contains(form.before, "%rbp")
	g.layers(1 + g.IntN(6))
	for line := range strings.Lines(form.replaced) {
		if !strings.HasPrefix(line, ".cfi") {
			g.line("%s", strings.TrimSpace(line))
		}
	}
	g.exit(fmt.Sprintf("end%d", i))
}

// exit leads back to a label.
func (g *generator) exit(label string) {
	switch g.IntN(5) {
	case 0, 1:
		g.line("jmp %s", label)
	case 2:
		pointer := g.label()
		g.line("jmp *%s(%%rip)", pointer)
		g.mark(pointer)
		g.line(".quad %s", label)
	case 3:
		g.line("push $%s", label)
		g.line("ret")
	case 4:
		g.line("movabs $%s, %%r11", label)
		g.line("jmp *%%r11")
	}
}

// layers writes what saves something, n layers within, and what restores it.
func (g *generator) layers(n int) {
	g.noise()
	if n == 0 {
		g.body()
		return
	}
	g.layer(n - 1)
	g.noise()
}

func (g *generator) layer(n int) {
	inner := func() { g.layers(n) }
	switch g.IntN(13) {
	case 12:
		// Flags are saved at a fixed address, as rr does.
		g.line("mov %%rsp, slots")
		g.line("mov $slots + 32, %%esp")
		g.line("pushfq")
		g.line("mov slots, %%rsp")
		inner()
	case 0:
		size := 8 * (1 + g.IntN(40))
		switch g.IntN(3) {
		case 0:
			g.line("lea -%d(%%rsp), %%rsp", size)
		case 1:
			g.line("sub $%d, %%rsp", size)
		case 2:
			g.line("add $-%d, %%rsp", size)
		}
		inner()
		if g.IntN(2) == 0 {
			g.line("lea %d(%%rsp), %%rsp", size)
		} else {
			g.line("add $%d, %%rsp", size)
		}
	case 1, 2:
		var saved []string
		for range 1 + g.IntN(6) {
			saved = append(saved, allRegisters[g.IntN(len(allRegisters))])
		}
		for _, r := range saved {
			g.line("push %%%s", r)
		}
		inner()
		for _, r := range slices.Backward(saved) {
			if g.reserved[r] {
				g.line("lea 8(%%rsp), %%rsp")
				continue
			}
			g.line("pop %%%s", r)
		}
	case 3:
		g.line("pushfq")
		inner()
		g.line("popfq")
	case 4:
		r, ok := g.free(preserved)
		if !ok {
			inner()
			return
		}
		g.line("push %%%s", r)
		g.line("mov %%rsp, %%%s", r)
		g.line("and $-%d, %%rsp", 16<<g.IntN(4))
		g.reserve(r, inner)
		g.line("mov %%%s, %%rsp", r)
		g.line("pop %%%s", r)
	case 5:
		if g.reserved["rbp"] {
			inner()
			return
		}
		g.line("push %%rbp")
		g.line("mov %%rsp, %%rbp")
		g.line("sub $%d, %%rsp", 8*g.IntN(20))
		g.reserve("rbp", inner)
		g.line("leave")
	case 6:
		r, ok := g.free(preserved)
		if !ok || g.depth > 0 {
			inner()
			return
		}
		g.depth++
		g.line("push %%%s", r)
		g.line("mov %%rsp, %%%s", r)
		g.line("mov alternate, %%rsp")
		g.reserve(r, inner)
		g.line("mov %%%s, %%rsp", r)
		g.line("pop %%%s", r)
		g.depth--
	case 7:
		g.line("mov %%rsp, slots")
		if g.depth == 0 {
			g.depth++
			g.line("mov alternate, %%rsp")
			defer func() { g.depth-- }()
		} else {
			g.line("sub $%d, %%rsp", 8*(1+g.IntN(10)))
		}
		g.line("pushq slots")
		inner()
		g.line("pop %%rsp")
	case 8:
		var saved []string
		for range 1 + g.IntN(5) {
			if r, ok := g.free(allRegisters); ok && !slices.Contains(saved, r) {
				saved = append(saved, r)
			}
		}
		size := 8 * (len(saved) + g.IntN(5))
		g.line("sub $%d, %%rsp", size)
		for i, r := range saved {
			g.line("mov %%%s, %d(%%rsp)", r, 8*i)
		}
		inner()
		for i, r := range saved {
			g.line("mov %d(%%rsp), %%%s", 8*i, r)
		}
		g.line("add $%d, %%rsp", size)
	case 9:
		a, okA := g.free(allRegisters)
		b, okB := g.free(allRegisters)
		if !okA || !okB || a == b {
			inner()
			return
		}
		g.line("xchg %%%s, %%%s", a, b)
		g.layers(n)
		g.line("xchg %%%s, %%%s", a, b)
	case 10:
		// Two ways to another stack pointer, as rr has.
		other, done := g.label(), g.label()
		g.line("mov %%rsp, slots")
		g.line("cmpq $%d, choices + %d", g.IntN(4), 8*g.IntN(4))
		g.line("jne %s", other)
		if g.depth == 0 {
			g.line("mov alternate, %%rsp")
		} else {
			g.line("sub $512, %%rsp")
		}
		g.line("jmp %s", done)
		g.mark(other)
		g.line("sub $%d, %%rsp", 64*(1+g.IntN(4)))
		g.mark(done)
		g.line("pushq slots")
		g.depth++
		inner()
		g.depth--
		g.line("pop %%rsp")
	case 11:
		r, ok := g.free(preserved)
		if !ok {
			inner()
			return
		}
		other, ok := g.free(allRegisters)
		if !ok || other == r {
			inner()
			return
		}
		g.line("push %%%s", r)
		g.line("mov %%%s, %%%s", other, r)
		g.line("mov $%d, %%%s", g.IntN(1000), half[other])
		g.reserve(r, inner)
		if !g.reserved[other] {
			g.line("mov %%%s, %%%s", r, other)
		}
		g.line("pop %%%s", r)
	}
}

// body is the innermost part.
func (g *generator) body() {
	for range g.IntN(4) {
		switch g.IntN(6) {
		case 0, 1, 2:
			g.hook()
		case 3:
			// A loop; its counter is kept by what is in it.
			r, ok := g.free(preserved)
			if !ok {
				continue
			}
			again := g.label()
			g.line("push %%%s", r)
			g.line("mov $%d, %%%s", 1+g.IntN(3), half[r])
			g.mark(again)
			g.reserve(r, func() {
				if g.IntN(2) == 0 {
					g.hook()
				}
				g.noise()
			})
			g.line("dec %%%s", r)
			g.line("jnz %s", again)
			g.line("pop %%%s", r)
		case 4:
			// A function of the stub.
			function, over := g.label(), g.label()
			g.line("call %s", function)
			g.line("jmp %s", over)
			g.mark(function)
			g.line("push %%rsi")
			g.noise()
			g.line("lea 8(%%rsp), %%rsp")
			g.line("ret")
			g.mark(over)
		case 5:
			g.noise()
		}
	}
}

func (g *generator) hook() {
	switch g.IntN(3) {
	case 0:
		g.line("call hook")
	case 1:
		pointer, over := g.label(), g.label()
		g.line("call *%s(%%rip)", pointer)
		g.line("jmp %s", over)
		g.mark(pointer)
		g.line(".quad hook")
		g.mark(over)
	case 2:
		if g.reserved["rax"] {
			g.line("call hook")
			return
		}
		g.line("movabs $hook, %%rax")
		g.line("call *%%rax")
	}
}

// noise writes instructions that change registers which nothing needs, and
// memory that isn't the stub's.
func (g *generator) noise() {
	for range g.IntN(3) {
		r, ok := g.free(allRegisters)
		if !ok || g.framed && r == "rbp" {
			continue
		}
		switch g.IntN(12) {
		case 0:
			g.line("xor %%%s, %%%s", half[r], half[r])
		case 1:
			g.line("mov $%d, %%%s", g.Int32(), r)
		case 2:
			g.line("lea %d(%%rsp), %%%s", g.IntN(64), r)
		case 3:
			g.line("mov targets + %d, %%%s", 8*g.IntN(3), r)
			g.line("mov %%rdx, %d(%%%s)", g.IntN(32), r)
		case 4:
			g.line("nopw 0(%%rax,%%rax,1)")
		case 5:
			skip := g.label()
			g.line("cmpq $%d, choices + %d", g.IntN(4), 8*g.IntN(4))
			g.line("%s %s", []string{"je", "jne", "ja", "jbe"}[g.IntN(4)], skip)
			g.line("mov $%d, %%%s", g.Int32(), half[r])
			g.mark(skip)
		case 6:
			if other, ok := g.free(allRegisters); ok {
				g.line("imul $%d, %%%s, %%%s", g.IntN(100), other, r)
			}
		case 7:
			g.line("movq %%xmm1, %%%s", r)
		case 8:
			g.line("movzbl choices(%%rip), %%%s", half[r])
		case 9:
			g.line("add $%d, %%%s", g.IntN(1000), half[r])
		case 10:
			g.line("test %%%s, %%%s", r, r)
		case 11:
			g.line("endbr64")
		}
	}
}
