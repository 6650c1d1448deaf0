/* The function work, which programs patch, and the stub for that. */
#include <stdint.h>
#include <string.h>

volatile int counted, worked;

__attribute__((noinline)) void hook(void)
{
	counted++; /* in the hook */
}

extern uint8_t stub[], tail[], stub_end[];

__asm__(
	".text\n"
	".type work, @function\n"
	"work:\n"
	".cfi_startproc\n"
	"	push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	".cfi_rel_offset rbx, 0\n"
	"	mov %edi, %ebx\n"
	"	add $0x1234567, %ebx\n"
	"	nop\n"
	"	mov %ebx, worked(%rip)\n"
	"	pop %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	".cfi_restore rbx\n"
	"	ret\n"
	".cfi_endproc\n"
	".size work, . - work\n"
	".section .data.rel, \"aw\"\n"
	"stub:\n"
	"	lea -128(%rsp), %rsp\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	and $-16, %rsp\n"
	"	call *pointer(%rip)\n"
	"	mov %rbp, %rsp\n"
	"	pop %rbp\n"
	"	lea 128(%rsp), %rsp\n"
	"	add $0x1234567, %ebx\n"
	"tail:\n"
	"	.byte 0xe9, 0, 0, 0, 0\n"
	"	.p2align 3\n"
	"pointer:\n"
	"	.quad hook\n"
	"stub_end:\n"
	".text\n");

void work(int n);

/* Labels would be functions to lldb. */
#define SITE ((uint8_t *)work + 3) /* the add */
#define BACK ((uint8_t *)work + 9)
#define LATER ((uint8_t *)work + 10)

__attribute__((noinline)) static void middle(int n)
{
	work(n + 1);
	counted += 0; /* after work */
}

__attribute__((noinline)) void marker(void) { __asm__ volatile(""); }

static uint8_t *page, original[6];

static void jump(uint8_t *at, const uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = 0xe9;
	memcpy(at + 1, &distance, 4);
}
