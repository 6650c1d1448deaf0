/* A program that patches itself with stubs that several sites share: one that they
   call, and others that a short stub of each site goes on to.
   usage: shared [late]
     late: make each patch when its turn comes */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CALLED, INSIDE, NUMBERED };

struct site {
	const char *name;
	long (*function)(long);
	uint8_t *site;
	long stub;
};
extern struct site cases[];
extern const uint8_t called_stub[], called_stub_end[], inside_common[], inside_common_end[], numbered_common[], numbered_common_end[];

volatile long hooked;
static uint8_t *copies[64];

__attribute__((noinline)) void hook_inner(void) { hooked++; }
__attribute__((noinline)) void hook_called(void)
{
	hook_inner();
	hooked++;
}
__attribute__((noinline)) uint8_t *hook_numbered(long number)
{
	hook_inner();
	return copies[number];
}
__attribute__((noinline)) void marker(void) { __asm__ volatile(""); }

static volatile long sum;

__attribute__((noinline)) static void level2(struct site *s)
{
	volatile char text[8] = "x";
	sum += s->function(text[0]);
	sum++;
}

__attribute__((noinline)) static void level1(struct site *s)
{
	level2(s);
	sum++;
}

static uint8_t *page, *next;

static uint8_t *put(const void *code, size_t size)
{
	uint8_t *at = next;
	memcpy(at, code, size);
	next += (size + 15) & ~15UL;
	return at;
}

static void jump(uint8_t *at, uint8_t op, const uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = op;
	memcpy(at + 1, &distance, 4);
}

static uint8_t *called, *inside, *numbered;

static void apply(int i)
{
	uint8_t *site = cases[i].site, *entry = called;
	mprotect(page, 0x1000, PROT_READ | PROT_WRITE);
	if (cases[i].stub == INSIDE) {
		/* lea -128(%rsp),%rsp; push %rax; movabs $site+5,%rax; xchg %rax,(%rsp) */
		uint8_t code[32] = "\x48\x8d\x64\x24\x80\x50\x48\xb8........\x48\x87\x04\x24";
		uint8_t *back = site + 5;
		memcpy(code + 8, &back, 8);
		entry = put(code, 25);
		jump(entry + 20, 0xe9, inside);
	} else if (cases[i].stub == NUMBERED) {
		uint8_t code[16] = {0x6a, i}; /* push $i */
		entry = put(code, 7);
		jump(entry + 2, 0xe9, numbered);
		copies[i] = put(site, 10);
		jump(copies[i] + 5, 0xe9, site + 5);
	}
	mprotect(page, 0x1000, PROT_READ | PROT_EXEC);
	void *text = (void *)((uintptr_t)site & ~0xfffUL);
	mprotect(text, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC);
	jump(site, cases[i].stub == CALLED ? 0xe8 : 0xe9, entry);
	mprotect(text, 0x2000, PROT_READ | PROT_EXEC);
}

int main(int argc, char **argv)
{
	int late = argc > 1 && !strcmp(argv[1], "late");
	uintptr_t base = ((uintptr_t)main & ~0xfffUL) + 0x400000;
	do
		page = mmap((void *)(base += 0x10000), 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	while (page != (void *)base);
	next = page;
	called = put(called_stub, called_stub_end - called_stub);
	inside = put(inside_common, inside_common_end - inside_common);
	numbered = put(numbered_common, numbered_common_end - numbered_common);
	mprotect(page, 0x1000, PROT_READ | PROT_EXEC);
	for (int i = 0; cases[i].name && !late; i++)
		apply(i);
	marker();
	for (int i = 0; cases[i].name; i++) {
		if (late) {
			apply(i);
			marker();
		}
		level1(&cases[i]);
	}
	printf("hooked %ld\n", hooked);
	return 0;
}
