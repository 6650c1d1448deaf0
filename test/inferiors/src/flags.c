/* A program that saves its flags in several ways and puts them back. It ends with
   status 1 where the trap flag was among them. */
#include <stdio.h>

volatile unsigned long pushed;

void saves(void);
__asm__(
	".text\n"
	".type saves, @function\n"
	"saves:\n"
	"	.cfi_startproc\n"
	".globl push_flags, pushed_flags, push_word, pushed_word, put_back\n"
	"push_flags:\n"
	"	pushfq\n"
	"pushed_flags:\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	mov (%rsp), %rax\n"
	"	or %rax, pushed(%rip)\n"
	"put_back:\n"
	"	popfq\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	sub $6, %rsp\n"
	"	.cfi_adjust_cfa_offset 6\n"
	"push_word:\n"
	"	pushfw\n"
	"pushed_word:\n"
	"	.cfi_adjust_cfa_offset 2\n"
	"	movzwl (%rsp), %eax\n"
	"	or %rax, pushed(%rip)\n"
	"	popfw\n"
	"	.cfi_adjust_cfa_offset -2\n"
	"	add $6, %rsp\n"
	"	.cfi_adjust_cfa_offset -6\n"
	"	nop\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size saves, . - saves\n");

static __attribute__((noinline)) void caller(void)
{
	saves(); /* first */
	saves(); /* second */
	saves(); /* third */
	saves(); /* fourth */
}

int main(void)
{
	caller();
	printf("pushed %#lx\n", pushed & 0x100);
	return (pushed & 0x100) != 0;
}
