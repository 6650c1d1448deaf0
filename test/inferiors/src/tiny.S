/* The smallest program: no libc, one thread, a loop of a million turns, status 0.  */
	.text
	.globl _start, turn, turned
	.type _start, @function
_start:
	movl $1000000, %ecx
turn:
	nop
	nop
	decl %ecx
	jnz turn
turned:
	movl $231, %eax
	xorl %edi, %edi
	syscall
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
