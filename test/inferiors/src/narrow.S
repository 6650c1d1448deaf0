/* A 64-bit program at addresses below 4 GiB that executes 32-bit code for a
   while, and ends with status 5: what that has computed.  */
	.text
	.globl _start, inside, wide
	.type _start, @function
_start:
	movabs $0x1122334455667788, %r12
	movq %rsp, %r13
	leaq stack_end(%rip), %rsp
	subq $8, %rsp
	movl $0x23, 4(%rsp)		/* __USER32_CS, asm/segment.h */
	movl $narrow, (%rsp)
	lret
	.code32
narrow:
	movl $4, %ebx
inside:
	nop
	pushl %ebx
	popl %edi
	incl %edi
	ljmp $0x33, $wide		/* __USER_CS */
	.code64
wide:
	movl $231, %eax			/* exit_group */
	syscall
	.size _start, . - _start
	.bss
	.balign 16
	.zero 4096
stack_end:
	.section .note.GNU-stack, "", @progbits
