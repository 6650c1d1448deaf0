/* A program that patches one of its functions, and says so: the first
   instruction of work, a nop of 5 bytes, becomes a jump to a stub that counts.

     cc -g -o example example.c && ./example */
#define _GNU_SOURCE
#define JUMP_PATCH_IMPLEMENTATION
#include "jump_patch.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static volatile long counted, worked;

void count(void) { counted++; }

__attribute__((noinline)) void work(void);
__asm__(".text\n"
	".globl work\n"
	".type work, @function\n"
	"work:\n"
	"	.cfi_startproc\n"
	"	nopl 8(%rax,%rax,1)\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size work, . - work\n");

/* sub $136,%rsp; call *hook(%rip); add $136,%rsp; jmp *back(%rip) */
static const uint8_t stub[] = {
	0x48, 0x81, 0xec, 0x88, 0x00, 0x00, 0x00,
	0xff, 0x15, 0x0d, 0x00, 0x00, 0x00,
	0x48, 0x81, 0xc4, 0x88, 0x00, 0x00, 0x00,
	0xff, 0x25, 0x08, 0x00, 0x00, 0x00,
};

/* The debugger's server would find all of this by itself; it shows how to say
   it. */
static const struct jump_patch_row rows[] = {
	{.start = 0, .end = 7, .cfa = {.kind = JUMP_PATCH_REGISTER, .reg = 7, .offset = 0}},
	{.start = 7, .end = 20, .cfa = {.kind = JUMP_PATCH_REGISTER, .reg = 7, .offset = 136}},
	{.start = 20, .end = 26, .cfa = {.kind = JUMP_PATCH_REGISTER, .reg = 7, .offset = 0}},
};

static struct jump_patch patch;

static uint8_t *near(uint8_t *address)
{
	uintptr_t base = (uintptr_t)address & ~0xfffUL;
	for (uintptr_t at = base + 0x400000; at < base + 0x70000000; at += 0x10000) {
		void *p = mmap((void *)at, 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (p == (void *)at)
			return p;
		if (p != MAP_FAILED)
			munmap(p, 4096);
	}
	return 0;
}

int main(void)
{
	uint8_t *site = (uint8_t *)work, *page = near(site);
	if (!page) {
		perror("no memory near the program");
		return 1;
	}
	void *hook = (void *)count, *back = site + 5;
	memcpy(page, stub, sizeof stub);
	memcpy(page + 26, &hook, 8);
	memcpy(page + 34, &back, 8);
	mprotect(page, 4096, PROT_READ | PROT_EXEC);

	uint8_t *text = (uint8_t *)((uintptr_t)site & ~0xfffUL);
	int32_t distance = page - (site + 5);
	mprotect(text, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
	site[0] = 0xe9;
	memcpy(site + 1, &distance, 4);
	mprotect(text, 8192, PROT_READ | PROT_EXEC);

	patch = (struct jump_patch){
		.site = (uint64_t)site, .length = 5,
		.stub = (uint64_t)page, .size = sizeof stub + 16,
		.return_address = (uint64_t)back,
		.rows = rows, .row_count = sizeof rows / sizeof rows[0],
	};
	jump_patch_add(&patch);
	for (int i = 0; i < 3; i++) {
		work();
		worked++;
	}
	printf("counted %ld of %ld\n", counted, worked);
	fflush(stdout);
	return counted != worked;
}
