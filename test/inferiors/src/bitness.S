/* A 32-bit program that executes 64-bit code for a while, and ends with status
   5 if the registers that only that code has held their values.  */
	.text
	.globl _start, wide, inside, narrow
	.type _start, @function
_start:
	movl $0x11223344, %ecx
	ljmp $0x33, $wide		/* __USER_CS, asm/segment.h */
	.code64
wide:
	movabs $0x1122334455667788, %r8
	movabs $0x0123456789abcdef, %rdx
inside:
	nop
	xorl %ebx, %ebx
	movabs $0x1122334455667788, %rax
	cmpq %rax, %r8
	jne 1f
	movabs $0x0123456789abcdef, %rax
	cmpq %rax, %rdx
	jne 1f
	movl $5, %ebx
1:
	subq $8, %rsp
	movl $0x23, 4(%rsp)		/* __USER32_CS */
	movl $narrow, (%rsp)
	lret
	.code32
narrow:
	movl $252, %eax			/* exit_group */
	int $0x80
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
