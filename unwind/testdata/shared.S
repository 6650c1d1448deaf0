/* Functions that are patched to use stubs in common, and templates of those. */

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
	.endm
	.macro SITE
0:	.byte	0x0f, 0x1f, 0x44, 0, 0	/* nop of 5 bytes */
	.endm
	.macro CASE name, stub
	.section .rodata
1:	.asciz	"\name"
	.section .data.cases, "aw"
	.quad	1b, \name, 0b, \stub
	.text
	.endm
	.equ	CALLED, 0
	.equ	INSIDE, 1
	.equ	NUMBERED, 2

	.section .data.cases, "aw"
	.globl	cases
cases:
	.text

	.macro BODY
	call	hook_inner
	mov	%rbx, %rax
	.endm

	.irp name, called1, called2
FUNCTION \name
	SITE
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	mov	%rdi, %rbx
	BODY
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
END \name
CASE \name, CALLED
	.endr

	.irp size, 16, 48
FUNCTION inside\size
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	sub	$\size, %rsp
	.cfi_adjust_cfa_offset \size
	mov	%rdi, %rbx
	SITE
	BODY
	add	$\size, %rsp
	.cfi_adjust_cfa_offset -\size
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
END inside\size
CASE inside\size, INSIDE
	.endr

	.irp name, numbered1, numbered2
FUNCTION \name
0:	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	mov	%rdi, %rbx
	nop
	BODY
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
END \name
CASE \name, NUMBERED
	.endr

	.section .data.cases, "aw"
	.quad	0
	.data

	.macro SAVE
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%rbp
	mov	%rsp, %rbp
	and	$-16, %rsp
	.endm
	.macro RESTORE
	mov	%rbp, %rsp
	pop	%rbp
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	.endm

	/* Called by the sites. */
	.globl	called_stub, called_stub_end
called_stub:
	SAVE
	call	*1f(%rip)
	RESTORE
	ret
1:	.quad	hook_called
called_stub_end:

	/* A site's stub has pushed where to go on, below the red zone. */
	.globl	inside_common, inside_common_end
inside_common:
	SAVE
	call	*1f(%rip)
	RESTORE
	ret	$128
1:	.quad	hook_called
inside_common_end:

	/* A site's stub has pushed its number; the hook tells where to go on. */
	.globl	numbered_common, numbered_common_end
numbered_common:
	SAVE
	mov	64(%rbp), %rdi
	call	*1f(%rip)
	mov	%rax, 64(%rbp)
	RESTORE
	ret
1:	.quad	hook_numbered
numbered_common_end:

	.section .note.GNU-stack, "", @progbits
