/* Registers of every kind hold known values at the label loaded; what they hold
   at the label store is written to memory, so that a debugger's writes show.
   No libc: the program ends with the low byte of rbx.  */
	.data
	.balign 64
	.globl vectors
vectors:
	.quad 0x0101010101010101, 0x0202020202020202
	.quad 0x0303030303030303, 0x0404040404040404
	.globl saved_vector
saved_vector:
	.zero 32
	.globl saved_rax, saved_flags, saved_fs
saved_rax:
	.quad 0
saved_flags:
	.quad 0
saved_fs:
	.quad 0
	.globl block
block:
	.quad 0x1122334455667788, 0x99aabbccddeeff00

	.text
	.globl _start, loaded, store, done
	.type _start, @function
_start:
	movabs $0x1111111111111111, %rax
	movabs $0x42, %rbx
	movabs $0x3333333333333333, %rcx
	movabs $0x4444444444444444, %rdx
	movabs $0x5555555555555555, %rsi
	movabs $0x6666666666666666, %rdi
	movabs $0x8888888888888888, %r8
	movabs $0xffffffffffffffff, %r15
	movups vectors(%rip), %xmm0
	fldpi
loaded:
	nop
store:
	movups %xmm0, saved_vector(%rip)
	movq %rax, saved_rax(%rip)
	pushfq
	popq saved_flags(%rip)
	movq %rbx, %r12
	movl $158, %eax
	movl $0x1003, %edi
	leaq saved_fs(%rip), %rsi
	syscall
done:
	movl $231, %eax
	movq %r12, %rdi
	syscall
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
