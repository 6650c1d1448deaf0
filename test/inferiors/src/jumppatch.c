/* A program that puts a jump to a stub into its function work, and takes it out
   again.
   usage: jumppatch [wait | fork | exec]    wait: goes round until it is killed */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int counted, worked;

__attribute__((noinline)) void hook(void)
{
	counted++; /* in the hook */
}

extern uint8_t stub[], displaced[], tail[], stub_end[];

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
	"	mov %ebx, worked(%rip)\n"
	"	pop %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	".cfi_restore rbx\n"
	"	ret\n"
	".cfi_endproc\n"
	".size work, . - work\n"
	".section .data.rel\n"
	"stub:\n"
	"	lea -128(%rsp), %rsp\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	and $-16, %rsp\n"
	"	call *pointer(%rip)\n"
	"	mov %rbp, %rsp\n"
	"	pop %rbp\n"
	"	lea 128(%rsp), %rsp\n"
	"displaced:\n"
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

__attribute__((noinline)) void marker(void) { __asm__ volatile(""); }

__attribute__((noinline)) static void middle(int n)
{
	work(n + 1);
	counted += 0; /* after work */
}

static uint8_t *page, original[6];

static void write_text(const uint8_t *bytes)
{
	void *text = (void *)((uintptr_t)SITE & -4096UL);
	mprotect(text, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(SITE, bytes, sizeof original);
	mprotect(text, 8192, PROT_READ | PROT_EXEC);
}

static void jump(uint8_t *at, const uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = 0xe9;
	memcpy(at + 1, &distance, 4);
}

static void patch(void)
{
	page = mmap((void *)(((uintptr_t)SITE & -4096UL) + (16 << 20)), 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (page == MAP_FAILED)
		abort();
	memcpy(page, stub, stub_end - stub);
	jump(page + (tail - stub), BACK);
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	uint8_t replacement[sizeof original];
	memcpy(original, SITE, sizeof original);
	memset(replacement, 0x90, sizeof replacement);
	int32_t distance = page - (SITE + 5);
	replacement[0] = 0xe9;
	memcpy(replacement + 1, &distance, 4);
	write_text(replacement);
}

static void unpatch(void)
{
	write_text(original);
	munmap(page, 4096);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	middle(1);
	patch();
	middle(2);
	if (!strcmp(mode, "fork")) {
		pid_t child = fork();
		if (child == 0) {
			middle(3);
			_exit(0);
		}
		waitpid(child, 0, 0);
	}
	if (!strcmp(mode, "exec"))
		execl("/proc/self/exe", argv[0], "executed", (char *)0);
	while (!strcmp(mode, "wait")) {
		middle(4);
		usleep(1000);
	}
	unpatch();
	marker(); /* unpatched */
	printf("counted %d\n", counted);
	return 0;
}
