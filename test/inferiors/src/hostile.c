/* A program whose table of jump patches, or whose patches, make no sense.
   usage: hostile WHAT */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define JUMP_PATCH_IMPLEMENTATION
#include "jump_patch.h"

#define PAGES 256
#define STUB (PAGES * 4096)
#define SLED 70000

void sled(void);
__asm__(
	".text\n"
	".balign 4096\n"
	".type sled, @function\n"
	"sled:\n"
	"	.cfi_startproc\n"
	"	.fill 70000, 1, 0x90\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size sled, . - sled\n"
	".balign 4096\n");

volatile int data, called;

__attribute__((noinline)) void marker(void) { __asm__ volatile(""); }

static uint8_t *stub;
static struct jump_patch entries[SLED];
static struct jump_patch_row rows[2];

static void map(void)
{
	uint8_t *near = (uint8_t *)((uintptr_t)sled & -4096UL) + (64 << 20);
	stub = mmap(near, STUB, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (stub == MAP_FAILED || mprotect((void *)((uintptr_t)sled & -4096UL), SLED + 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
		abort();
	memset(stub, 0x90, STUB);
	stub[STUB - 1] = 0xc3;
}

static void jump(uint8_t *at, const uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = 0xe9;
	memcpy(at + 1, &distance, 4);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint8_t *site = (uint8_t *)sled;
	struct jump_patch *e = &entries[0];
	map();
	*e = (struct jump_patch){.site = (uint64_t)site, .length = 5, .stub = (uint64_t)stub, .size = 64, .return_address = (uint64_t)site + 5};
	__jump_patch_descriptor.first = e;
	if (!strcmp(what, "version"))
		__jump_patch_descriptor.version = 7;
	if (!strcmp(what, "loop"))
		e->next = e;
	if (!strcmp(what, "nowhere"))
		e->next = (void *)0x1000;
	if (!strcmp(what, "odd"))
		e->next = (void *)0x8000000000000001;
	if (!strcmp(what, "canonical"))
		e->site = 0x8000000000000000;
	if (!strcmp(what, "size"))
		e->size = ~0UL;
	if (!strcmp(what, "unmapped"))
		e->stub = 0x10000;
	if (!strcmp(what, "data"))
		e->stub = (uint64_t)entries;
	if (!strcmp(what, "return"))
		e->return_address = (uint64_t)&data;
	if (!strcmp(what, "rows")) {
		e->rows = rows;
		e->row_count = ~0UL >> 8;
	}
	if (!strcmp(what, "outside")) {
		rows[0] = (struct jump_patch_row){.start = 32, .end = 128, .cfa = {.kind = JUMP_PATCH_REGISTER, .reg = 7}};
		e->rows = rows;
		e->row_count = 1;
	}
	if (!strcmp(what, "overlap")) {
		entries[1] = *e;
		entries[1].site += 16;
		entries[1].stub += 32;
		e->next = &entries[1];
	}
	if (!strcmp(what, "many") || !strcmp(what, "jumps")) {
		/* Each has a stub that is as long as can be, and ends at the same place. */
		int n = !strcmp(what, "many") ? SLED : SLED / 8;
		for (int i = 0; i < n; i++) {
			entries[i] = (struct jump_patch){.site = (uint64_t)site + i, .entry = (uint64_t)stub};
			if (*what == 'm' && i + 1 < n)
				entries[i].next = &entries[i + 1];
			if (*what == 'j')
				jump(site + 8 * i, stub + i);
		}
	}
	if (!strcmp(what, "garbage") || !strcmp(what, "truncated") || !strcmp(what, "spin") || !strcmp(what, "ladder")) {
		uint8_t *to = stub + 64;
		__jump_patch_descriptor.first = 0;
		if (*what == 'g')
			memset(to, 0x06, 64); /* no instruction of 64-bit code */
		if (*what == 't') {
			to = stub + STUB - 3;
			memcpy(to, "\x48\x8b\x84", 3); /* the beginning of a mov */
		}
		if (*what == 's')
			memcpy(to, "\xeb\xfe", 2);
		if (*what == 'l') /* each instruction is reached in many ways */
			for (int i = 0; i < 60000; i += 6)
				memcpy(to + i, (uint8_t[]){0x50, 0x75, 0x02, 0x75, 0x80 + i % 100, 0x51}, 6);
		jump(site, to);
	}
	marker();
	printf("done\n");
	return 0;
}
