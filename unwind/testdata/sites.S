/* Functions to be patched, templates of stubs, and hooks. Templates are in
   writable data, so that the dynamic linker fills in their pointers. */

	.macro SAVES register
	push	%\register
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \register, 0
	.endm
	.macro RESTORES register
	pop	%\register
	.cfi_adjust_cfa_offset -8
	.cfi_restore \register
	.endm
	.macro FUNCTION name
	.globl	\name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	.endm
	.macro END name
	.cfi_endproc
	.size	\name, . - \name
	.p2align 4
	.endm
	/* One case: patch length bytes at site_NAME. */
	.macro CASE name, length, kind, hop=0, tail=0, goal=0, entry=0, low=0
	.section .rodata
0:	.asciz	"\name"
	.section .data.cases, "aw"
	.quad	0b, \name, .Lsite_\name, \length, .Lstub_\name, .Lstub_end_\name, \kind, \hop, \tail, \goal, \entry, \low
	.text
	.endm
	.macro STUB name
	.data
	.p2align 4
.Lstub_\name:
	.endm
	.macro ENDSTUB name
.Lstub_end_\name:
	.text
	.endm

	.section .data.cases, "aw"
	.globl	patches
patches:

	.equ	JUMP, 0
	.equ	CALL, 1
	.equ	INDIRECT, 2
	.equ	ABSOLUTE, 3
	.equ	HOP, 4
	.equ	ALTERNATE, 0x70001000
	.equ	SCRATCH1, 0x70001010
	.equ	NESTING, 0x70001018
	.equ	FLAGS, 0x7000101c
	.text

/* ---- hooks ---- */

	.macro CALL_BODY
	SAVES	rbx
	SAVES	r9
	SAVES	r8
	SAVES	r10
	SAVES	r11
	SAVES	rcx
	SAVES	rdx
	SAVES	rsi
	SAVES	rdi
	SAVES	rax
	mov	%rsp, %rbx
	.cfi_def_cfa_register rbx
	and	$-16, %rsp
	call	hook_body
	mov	%rbx, %rsp
	.cfi_def_cfa_register rsp
	RESTORES	rax
	RESTORES	rdi
	RESTORES	rsi
	RESTORES	rdx
	RESTORES	rcx
	RESTORES	r11
	RESTORES	r10
	RESTORES	r8
	RESTORES	r9
	RESTORES	rbx
	.endm

	/* Keeps everything but flags. */
	FUNCTION hook
	CALL_BODY
	ret
	END	hook

	/* rr-call: ends the nesting and restores the flags that the stub saved. */
	FUNCTION hook_rr_call
	decl	NESTING
	CALL_BODY
	ret
	END	hook_rr_call

	/* rr: on its stack are the return address and the site's rsp. Its hooks
	   have the site's frame from the beginning, and call by way of a function
	   that gdb lets switch stacks. Each has the instructions after a kind of
	   system call. */
	.macro CFA_IN_MEMORY offset
	.cfi_escape 0x0f, 3, 0x77, \offset, 0x06	/* CFA = *(rsp + offset) */
	.endm
	.macro RR_HOOK name
	FUNCTION hook_\name
	CFA_IN_MEMORY 8
	.cfi_escape 0x10, 0x10, 2, 0x77, 0	/* rip at rsp */
	.endm
	.macro RR_HOOK_END name
	popq	SCRATCH1
	CFA_IN_MEMORY 0
	.cfi_escape 0x10, 0x10, 5, 0x0c, 0x10, 0x10, 0x00, 0x70	/* rip at SCRATCH1 */
	popq	%rsp
	.cfi_def_cfa rsp, 0
	jmp	*SCRATCH1
	END	hook_\name
	.endm
	FUNCTION __morestack
	CFA_IN_MEMORY 16
	.cfi_escape 0x16, 7, 2, 0x77, 8		/* rsp = rsp + 8 */
	.cfi_escape 0x10, 0x10, 2, 0x77, 0
	call	hook_rr_inner
	nop
	ret
	END	__morestack

	RR_HOOK	rr
	call	__morestack
	cmp	$-4095, %rax
	RR_HOOK_END rr
	RR_HOOK	rr_store
	call	__morestack
	mov	%rax, -8(%rbp)
	RR_HOOK_END rr_store
	RR_HOOK	rr_load
	call	__morestack
	mov	8(%rsp), %rdi
	mov	(%rdi), %rdi
	RR_HOOK_END rr_load
	RR_HOOK	rr_nops
	call	__morestack
	RR_HOOK_END rr_nops
	RR_HOOK	rr_before
	mov	%rcx, %r10
	call	__morestack
	RR_HOOK_END rr_before
	/* These don't come back to the function: they have its caller's frame. */
	RR_HOOK	rr_popret
	.cfi_offset rip, 16
	.cfi_escape 0x16, 7, 2, 0x23, 24	/* rsp = CFA + 24 */
	call	__morestack
	pop	%rdx
	CFA_IN_MEMORY 0
	pop	%rsp
	.cfi_def_cfa rsp, 0
	pop	%rdx
	.cfi_adjust_cfa_offset -8
	pop	%rsi
	.cfi_adjust_cfa_offset -8
	pop	SCRATCH1
	.cfi_adjust_cfa_offset -8
	.cfi_escape 0x10, 0x10, 5, 0x0c, 0x10, 0x10, 0x00, 0x70
	.cfi_escape 0x16, 7, 2, 0x77, 0		/* rsp = rsp */
	jmp	*SCRATCH1
	END	hook_rr_popret
	RR_HOOK	rr_retnop
	.cfi_offset rip, 0
	.cfi_escape 0x16, 7, 2, 0x23, 8		/* rsp = CFA + 8 */
	call	__morestack
	pop	%rdx
	CFA_IN_MEMORY 0
	pop	%rsp
	.cfi_def_cfa rsp, 0
	pop	SCRATCH1
	.cfi_adjust_cfa_offset -8
	.cfi_escape 0x10, 0x10, 5, 0x0c, 0x10, 0x10, 0x00, 0x70
	.cfi_escape 0x16, 7, 2, 0x77, 0
	jmp	*SCRATCH1
	END	hook_rr_retnop
	FUNCTION hook_rr_inner
	decl	NESTING
	CALL_BODY
	ret
	END	hook_rr_inner

	/* Goes to the copy of the displaced instructions, in the state of the
	   site. */
	FUNCTION hook_copy
	.cfi_def_cfa rsp, 16
	.cfi_offset rbx, -16
	nop
	jmp	*%r11
	END	hook_copy

/* ---- rr's pull request 3322 ---- */

	.macro RR_SITE name
	FUNCTION \name
	SAVES	rbx
	SAVES	r12
	sub	$24, %rsp
	.cfi_adjust_cfa_offset 24
	mov	$1, %eax
	mov	%rax, %rbx
.Lsite_\name:
	syscall
	cmp	$-4095, %rax
.Lback_\name:
	jae	1f
	nop
1:	add	$24, %rsp
	.cfi_adjust_cfa_offset -24
	RESTORES	r12
	RESTORES	rbx
	ret
	END	\name
	.endm
	.macro RR_SWITCH
	mov	%rsp, SCRATCH1
	mov	$FLAGS + 2, %esp
	pushfw
	mov	SCRATCH1, %rsp
	incl	NESTING
	cmpl	$1, NESTING
	jne	1f
	mov	ALTERNATE, %rsp
	jmp	2f
1:	sub	$256, %rsp
2:	pushq	SCRATCH1
	.endm
	.macro RR_CALL_STUB name
	STUB	\name
	RR_SWITCH
	call	*4f(%rip)
	pop	%rsp
	syscall
	cmp	$-4095, %rax
	.fill	14, 1, 0x90
	jmp	*5f(%rip)
4:	.quad	hook_rr_call
5:	.quad	.Lback_\name
	ENDSTUB	\name
	.endm
	RR_SITE	rr_call
	RR_CALL_STUB rr_call
	CASE	rr_call, 8, JUMP

	/* The same bytes in a function with a frame pointer. */
	FUNCTION framed
	SAVES	rbp
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	push	%r13
	.cfi_offset r13, -24
	sub	$40, %rsp
	mov	$1, %eax
	mov	%rax, %r13
.Lsite_framed:
	syscall
	cmp	$-4095, %rax
.Lback_framed:
	mov	-8(%rbp), %r13
	.cfi_restore r13
	leave
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
	END	framed
	RR_CALL_STUB framed
	CASE	framed, 8, JUMP

/* ---- rr today ---- */

	.macro RR_STUB name, hook, trap=0
	STUB	\name
	RR_SWITCH
	push	%rax
.Llow_\name:	movl	$0, (%rsp)
	movl	$0, 4(%rsp)
	.if \trap
	mov	$\trap, %eax
	.endif
	jmp	*4f(%rip)
4:	.quad	\hook
	ENDSTUB	\name
	.endm
	.macro RR_CASE name, length
	CASE	\name, \length, JUMP, goal=.Lback_\name, low=".Llow_\name - .Lstub_\name"
	.endm

	RR_SITE	rr
	RR_STUB	rr, hook_rr
	RR_CASE	rr, 8

	/* Where an instruction traps that rr does itself. */
	FUNCTION rr_trap
	SAVES	rbx
	mov	$1, %ebx
.Lsite_rr_trap:
	cpuid
	nop
	nop
	nop
.Lback_rr_trap:
	RESTORES rbx
	ret
	END	rr_trap
	RR_STUB	rr_trap, hook_rr_nops, 7
	RR_CASE	rr_trap, 5

	FUNCTION rr_store
	SAVES	rbp
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	sub	$8, %rsp
	push	%r13
	.cfi_offset r13, -32
	sub	$32, %rsp
	mov	$1, %eax
.Lsite_rr_store:
	syscall
	mov	%rax, -8(%rbp)
.Lback_rr_store:
	add	$32, %rsp
	pop	%r13
	.cfi_restore r13
	leave
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
	END	rr_store
	RR_STUB	rr_store, hook_rr_store
	RR_CASE	rr_store, 6

	FUNCTION rr_load
	SAVES	rbx
	push	%rdi
	.cfi_adjust_cfa_offset 8
	mov	$1, %eax
.Lsite_rr_load:
	syscall
	mov	(%rsp), %rdi
.Lback_rr_load:
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	RESTORES rbx
	ret
	END	rr_load
	RR_STUB	rr_load, hook_rr_load
	RR_CASE	rr_load, 6

	FUNCTION rr_nops
	SAVES	r12
	mov	$1, %eax
.Lsite_rr_nops:
	syscall
	nop
	nop
	nop
.Lback_rr_nops:
	RESTORES r12
	ret
	END	rr_nops
	RR_STUB	rr_nops, hook_rr_nops
	RR_CASE	rr_nops, 5

	/* The instruction before the system call is displaced, too. */
	FUNCTION rr_before
	SAVES	r14
	mov	$1, %eax
.Lsite_rr_before:
	mov	%rcx, %r10
	syscall
.Lback_rr_before:
	RESTORES r14
	ret
	END	rr_before
	RR_STUB	rr_before, hook_rr_before
	RR_CASE	rr_before, 5

/* ---- stubs on the program's stack ---- */

	RR_SITE	extends
	STUB	extends
	lea	-0x80(%rsp), %rsp
	pushfq
	push	%rax
	push	%rbx
	push	%rbp
	mov	%rsp, %rbx
	xor	%ebp, %ebp
	and	$-16, %rsp
	call	*4f(%rip)
	mov	%rbx, %rsp
	pop	%rbp
	pop	%rbx
	pop	%rax
	popfq
	lea	0x80(%rsp), %rsp
	syscall
	cmp	$-4095, %rax
.Ltail_extends:
	.byte	0xe9, 0, 0, 0, 0
	.p2align 3
4:	.quad	hook
	ENDSTUB	extends
	CASE	extends, 8, JUMP, tail=".Ltail_extends - .Lstub_extends", goal=.Lback_extends

	/* Saves vector registers in an aligned area, and all callee-saved ones. */
	RR_SITE	vectors
	STUB	vectors
	endbr64
	lea	-0x80(%rsp), %rsp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rbp
	mov	%rsp, %rbp
	sub	$1024, %rsp
	and	$-64, %rsp
	fxsave64 (%rsp)
	movaps	%xmm1, 0x200(%rsp)
	mov	%rbx, 0x300(%rsp)
	xor	%ebx, %ebx
	xor	%r12d, %r12d
	mov	%rsp, %r13
	xor	%r14, %r14
	call	*4f(%rip)
	fxrstor64 (%rsp)
	mov	0x300(%r13), %rbx
	mov	%rbp, %rsp
	pop	%rbp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	sub	$-0x80, %rsp
	syscall
	cmp	$-4095, %rax
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_vectors
	ENDSTUB	vectors
	CASE	vectors, 8, JUMP

	/* Switches to a stack whose address is in memory; the site's is in rbx. */
	RR_SITE	switches
	STUB	switches
	push	%rbx
	mov	%rsp, %rbx
	push	%rax
	mov	6f(%rip), %rax
	mov	(%rax), %rsp
	push	%rbx
	push	%rcx
	push	%r11
	xor	%ecx, %ecx
	call	*4f(%rip)
	pop	%r11
	pop	%rcx
	pop	%rsp
	mov	-8(%rsp), %rax
	pop	%rbx
	syscall
	cmp	$-4095, %rax
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_switches
6:	.quad	other_stack
	ENDSTUB	switches
	CASE	switches, 8, JUMP

	/* A subroutine of the stub saves and restores. The entry isn't first. */
	RR_SITE	subroutine
	STUB	subroutine
.Lsave_subroutine:
	push	%r12
	push	%rcx
	push	%r11
	xor	%r12d, %r12d
	sub	$16, %rsp
	call	*4f(%rip)
	add	$16, %rsp
	pop	%r11
	pop	%rcx
	pop	%r12
	ret	$16
.Lentry_subroutine:
	sub	$128, %rsp
	push	%rax
	push	$7
	call	.Lsave_subroutine
	mov	-16(%rsp), %rax
	mov	-8(%rsp), %rax
	add	$128, %rsp
	syscall
	cmp	$-4095, %rax
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_subroutine
	ENDSTUB	subroutine
	CASE	subroutine, 8, JUMP, entry=".Lentry_subroutine - .Lstub_subroutine"

/* ---- other ways to the stub ---- */

	.macro SIMPLE_STUB name
	STUB	\name
	lea	-0x80(%rsp), %rsp
	push	%r11
	push	%rcx
	call	*4f(%rip)
	pop	%rcx
	pop	%r11
	lea	0x80(%rsp), %rsp
	.endm

	FUNCTION indirect
	SAVES	rbx
	mov	$1, %eax
.Lsite_indirect:
	mov	$3, %ebx
	syscall
	cmp	$-4095, %rax
	nop
.Lback_indirect:
	RESTORES	rbx
	ret
	END	indirect
	SIMPLE_STUB indirect
	mov	$3, %ebx
	syscall
	cmp	$-4095, %rax
	nop
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_indirect
	ENDSTUB	indirect
	CASE	indirect, 14, INDIRECT

	FUNCTION absolute
	SAVES	rbx
	mov	$1, %eax
.Lsite_absolute:
	mov	$3, %ebx
	syscall
	cmp	$-4095, %rax
	nop
.Lback_absolute:
	RESTORES	rbx
	ret
	END	absolute
	SIMPLE_STUB absolute
	mov	$3, %ebx
	syscall
	cmp	$-4095, %rax
	nop
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_absolute
	ENDSTUB	absolute
	CASE	absolute, 14, ABSOLUTE

	FUNCTION hops
	SAVES	rbx
	mov	$1, %eax
.Lsite_hops:
	syscall
.Lback_hops:
	RESTORES	rbx
	ret
	END	hops
.Lroom_hops:
	.fill	16, 1, 0xcc
	SIMPLE_STUB hops
	syscall
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_hops
	ENDSTUB	hops
	CASE	hops, 2, HOP, hop=.Lroom_hops

	/* A call instead of the nop that compilers leave for tracers. */
	FUNCTION traced
.Lsite_traced:
	nopl	8(%rax,%rax,1)
	SAVES	rbx
	mov	$1, %eax
	syscall
	RESTORES	rbx
	ret
	END	traced
	STUB	traced
	push	%rbp
	mov	%rsp, %rbp
	push	%rbx
	push	%rcx
	xor	%ebx, %ebx
	call	*4f(%rip)
	mov	-8(%rbp), %rbx
	mov	-16(%rbp), %rcx
	leave
	ret
4:	.quad	hook
	ENDSTUB	traced
	CASE	traced, 5, CALL

/* ---- stubs that stand in for the function ---- */

	FUNCTION popret
	push	%rsi
	.cfi_adjust_cfa_offset 8
	push	%rdx
	.cfi_adjust_cfa_offset 8
	mov	$1, %eax
.Lsite_popret:
	syscall
	pop	%rdx
	.cfi_adjust_cfa_offset -8
	pop	%rsi
	.cfi_adjust_cfa_offset -8
.Lback_popret:
	ret
	END	popret
	STUB	popret
	RR_SWITCH
	call	*4f(%rip)
	pop	%rsp
	syscall
	pop	%rdx
	pop	%rsi
	ret
	.fill	14, 1, 0x90
	jmp	*5f(%rip)
4:	.quad	hook_rr_call
5:	.quad	.Lback_popret + 1
	ENDSTUB	popret
	CASE	popret, 5, JUMP

	/* rr's hooks for what doesn't come back. */
	FUNCTION rr_popret
	push	%rsi
	.cfi_adjust_cfa_offset 8
	push	%rdx
	.cfi_adjust_cfa_offset 8
	mov	$1, %eax
.Lsite_rr_popret:
	syscall
	pop	%rdx
	.cfi_adjust_cfa_offset -8
	pop	%rsi
	.cfi_adjust_cfa_offset -8
	ret
.Lback_rr_popret:
	END	rr_popret
	RR_STUB	rr_popret, hook_rr_popret
	RR_CASE	rr_popret, 5

	/* Behind its end the function goes on with the same frame. */
	FUNCTION rr_retnop
	mov	$1, %eax
.Lsite_rr_retnop:
	syscall
	ret
	nopl	0(%rax,%rax,1)
.Lback_rr_retnop:
	nop
	xor	%eax, %eax
	ret
	END	rr_retnop
	RR_STUB	rr_retnop, hook_rr_retnop
	RR_CASE	rr_retnop, 8

	/* The displaced instructions save registers, so that the frame moves. */
	FUNCTION entry
.Lsite_entry:
	SAVES	rbx
	SAVES	r12
	sub	$24, %rsp
	.cfi_adjust_cfa_offset 24
.Lback_entry:
	mov	$1, %eax
	mov	%rax, %rbx
	syscall
	add	$24, %rsp
	.cfi_adjust_cfa_offset -24
	RESTORES	r12
	RESTORES	rbx
	ret
	END	entry
	SIMPLE_STUB entry
	push	%rbx
	push	%r12
	sub	$24, %rsp
	jmp	*5f(%rip)
4:	.quad	hook
5:	.quad	.Lback_entry
	ENDSTUB	entry
	CASE	entry, 7, JUMP

	/* The end of a function with a frame pointer, whole in the stub. */
	FUNCTION leaves
	SAVES	rbp
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	push	%rbx
	.cfi_offset rbx, -24
	sub	$24, %rsp
	mov	$1, %eax
	mov	%rax, %rbx
	syscall
.Lsite_leaves:
	mov	-8(%rbp), %rbx
	.cfi_restore rbx
	leave
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
	END	leaves
	SIMPLE_STUB leaves
	mov	-8(%rbp), %rbx
	leave
	ret
4:	.quad	hook
	ENDSTUB	leaves
	CASE	leaves, 6, JUMP

	/* Only the hook goes to the displaced instructions. */
	FUNCTION copied
	SAVES	rbx
	mov	$1, %eax
.Lsite_copied:
	mov	%rax, %rbx
	syscall
.Lback_copied:
	RESTORES	rbx
	ret
	END	copied
	STUB	copied
	lea	5f(%rip), %r11
	jmp	*4f(%rip)
	.p2align 3
4:	.quad	hook_copy
5:	mov	%rax, %rbx
	syscall
.Ltail_copied:
	.byte	0xe9, 0, 0, 0, 0
	ENDSTUB	copied
	CASE	copied, 5, JUMP, tail=".Ltail_copied - .Lstub_copied", goal=.Lback_copied

/* ---- several exits ---- */

	FUNCTION branches
	SAVES	rbx
	mov	$1, %eax
	mov	%rax, %rbx
.Lsite_branches:
	cmp	$-4095, %rax
	jae	.Lfar_branches
.Lback_branches:
	nop
	syscall
.Lfar_branches:
	RESTORES	rbx
	ret
	END	branches
	SIMPLE_STUB branches
	cmp	$-4095, %rax
	jae	1f
	jmp	*5f(%rip)
1:	jmp	*6f(%rip)
4:	.quad	hook
5:	.quad	.Lback_branches
6:	.quad	.Lfar_branches
	ENDSTUB	branches
	CASE	branches, 8, JUMP

	.section .data.cases, "aw"
	.quad	0
	.section .note.GNU-stack, "", @progbits
