/* A program that patches its function work in memory that it had before main, and
   then tells other things of the patch, by a table, than its code shows.
   usage: patchtable [threads]    threads: another thread runs meanwhile */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JUMP_PATCH_IMPLEMENTATION
#include "jump_patch.h"

volatile int counted, worked, finish;

__attribute__((noinline)) void hook(void) { counted++; }

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
	work(n);
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

/* The text and the page stay as they are mapped from now on. */
__attribute__((constructor)) static void prepare(void)
{
	uint8_t *text = (uint8_t *)((uintptr_t)SITE & -4096UL);
	page = mmap(text + (16 << 20), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (page == MAP_FAILED || mprotect(text, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		abort();
	memcpy(original, SITE, sizeof original);
}

static void patch(void)
{
	memcpy(page, stub, stub_end - stub);
	jump(page + (tail - stub), BACK);
	jump(SITE, page);
	SITE[5] = 0x90;
}

static void unpatch(void) { memcpy(SITE, original, sizeof original); }

static struct jump_patch told;

static void tell(uint8_t *return_address)
{
	told = (struct jump_patch){
		.site = (uint64_t)SITE, .length = sizeof original,
		.stub = (uint64_t)page, .size = stub_end - stub,
		.return_address = (uint64_t)return_address,
	};
	jump_patch_add(&told);
}

static void *tick(void *unused)
{
	while (!finish)
		usleep(1000);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int threads = argc > 1 && !strcmp(argv[1], "threads");
	if (threads)
		pthread_create(&thread, 0, tick, 0);
	setvbuf(stdout, 0, _IONBF, 0);
	middle(1);
	patch();
	middle(2);
	tell(LATER);
	middle(3);
	jump_patch_remove(&told);
	middle(4);
	for (int i = 0; i < 100; i++) {
		tell(i % 2 ? LATER : BACK);
		jump_patch_remove(&told);
	}
	unpatch();
	marker();
	finish = 1;
	if (threads)
		pthread_join(thread, 0);
	printf("counted %d\n", counted);
	return 0;
}
