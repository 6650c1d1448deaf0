/* registers.S for 32 bits. The segment that %gs selects begins at first; one
   whose selector is in other_selector begins at second.  */
	.data
	.balign 64
	.globl vectors
vectors:
	.quad 0x0101010101010101, 0x0202020202020202
	.globl saved_vector, saved_eax, saved_flags, saved_segment, saved_pid, other_selector
saved_vector:
	.zero 16
saved_eax:
	.long 0
saved_flags:
	.long 0
saved_segment:
	.long 0
saved_pid:
	.long 0
other_selector:
	.long 0
first:
	.long 0x1111
second:
	.long 0x2222
/* struct user_desc, asm/ldt.h: any free entry, base, limit in pages, 32 bits.  */
first_area:
	.long -1, first, 0xfffff, 0x51
second_area:
	.long -1, second, 0xfffff, 0x51

	.text
	.globl _start, loaded, store, called, done
	.type _start, @function
_start:
	movl $243, %eax			/* set_thread_area */
	movl $first_area, %ebx
	int $0x80
	movl first_area, %eax
	leal 3(,%eax,8), %eax
	movl %eax, %gs
	movl $243, %eax
	movl $second_area, %ebx
	int $0x80
	movl second_area, %eax
	leal 3(,%eax,8), %eax
	movl %eax, other_selector

	movl $0x11111111, %eax
	movl $0x42, %ebx
	movl $0x33333333, %ecx
	movl $0xdddddddd, %edx
	movl $0x55555555, %esi
	movl $0xffffffff, %edi
	movl $0xf0000000, %ebp
	movups vectors, %xmm0
	fldpi
loaded:
	nop
store:
	movups %xmm0, saved_vector
	movl %eax, saved_eax
	pushfl
	popl saved_flags
	movl %gs:0, %eax
	movl %eax, saved_segment
	movl %ebx, %esi
	movl $20, %eax			/* getpid */
	int $0x80
called:
	movl %eax, saved_pid
done:
	movl $252, %eax			/* exit_group */
	movl %esi, %ebx
	int $0x80
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
