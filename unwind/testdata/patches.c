/* A program that patches itself. Each case replaces instructions of a function
   of sites.S by a jump to a stub, which is a copy of a template of sites.S in
   anonymous memory.
   usage: patches [above | fork | late | unpatch]
     above: run on a stack below the alternate one
     fork: run in a child
     late: make each patch when its turn comes, in memory that is executable before
     unpatch: undo all of them at the end, and run again */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JUMP, CALL, INDIRECT, ABSOLUTE, HOP };

struct patch {
	const char *name;
	long (*function)(long fd, const void *data, long size);
	uint8_t *site;
	uint64_t length;
	const uint8_t *stub, *stub_end;
	uint64_t kind;
	uint8_t *hop;       /* room for the longer jump */
	uint64_t tail;      /* offset of an E9 in the stub, or 0 */
	uint8_t *tail_to;   /* where it leads */
	uint64_t entry;     /* offset of the entry in the stub */
	uint64_t low;       /* offset of two MOVs of the halves of tail_to, or 0 */
};
extern struct patch patches[];

#define SCRATCH 0x70000000UL /* of rr: one page before it, and its thread locals */
#define THREAD_LOCALS 0x70001000UL
#define ALTERNATE (*(volatile uint64_t *)THREAD_LOCALS)

volatile long hooked, signals;
volatile uint64_t other_stack;
static volatile int null;

__attribute__((noinline)) void hook_inner(void) { hooked++; }

__attribute__((noinline)) void hook_body(void)
{
	hook_inner();
	__asm__ volatile("");
}

static void on_signal(int signal) { signals += signal; }

__attribute__((noinline)) void marker(void) { __asm__ volatile(""); }

static volatile long sum;

__attribute__((noinline)) static void level3(struct patch *p)
{
	volatile char text[8] = "x";
	sum += p->function(null, (const void *)text, 1);
	sum++;
}

__attribute__((noinline)) static void level2(struct patch *p, long a, long b, long c)
{
	long before = sum;
	level3(p);
	sum += a * b + c - before;
}

__attribute__((noinline)) static void level1(struct patch *p)
{
	level2(p, sum + 3, sum + 5, sum + 7);
	sum++;
}

static uint8_t *page;
static size_t used;

static void near(uint8_t *address)
{
	uintptr_t base = (uintptr_t)address & ~0xfffUL;
	for (uintptr_t at = base + 0x400000; at < base + 0x70000000; at += 0x10000) {
		page = mmap((void *)at, 0x4000, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (page == (void *)at)
			return;
		if (page != MAP_FAILED)
			munmap(page, 0x4000);
	}
	abort();
}

static void relative(uint8_t *at, uint8_t op, uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = op;
	memcpy(at + 1, &distance, 4);
}

static uint8_t originals[64][32];

static void apply(struct patch *p)
{
	uint8_t *stub = page + used, *site = p->site, *entry = stub + p->entry;
	size_t size = p->stub_end - p->stub;
	memcpy(stub, p->stub, size);
	if (p->tail)
		relative(stub + p->tail, 0xe9, p->tail_to);
	if (p->low) {
		memcpy(stub + p->low + 3, &p->tail_to, 4);
		memcpy(stub + p->low + 7 + 4, (uint8_t *)&p->tail_to + 4, 4);
	}
	used = (used + size + 15) & ~15UL;
	uint8_t *text = (uint8_t *)((uintptr_t)site & ~0xfffUL);
	mprotect(text, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(originals[p - patches], site, p->length);
	switch (p->kind) {
	case JUMP:
		relative(site, 0xe9, entry);
		memset(site + 5, 0x90, p->length - 5);
		break;
	case CALL:
		relative(site, 0xe8, entry);
		memset(site + 5, 0x90, p->length - 5);
		break;
	case INDIRECT:
		memcpy(site, "\xff\x25\0\0\0\0", 6);
		memcpy(site + 6, &entry, 8);
		break;
	case ABSOLUTE: /* movabs $entry,%r11; jmp *%r11 */
		memcpy(site, "\x49\xbb", 2);
		memcpy(site + 2, &entry, 8);
		memcpy(site + 10, "\x41\xff\xe3", 3);
		memset(site + 13, 0x90, p->length - 13);
		break;
	case HOP:
		relative(p->hop, 0xe9, entry);
		site[0] = 0xeb;
		site[1] = p->hop - (site + 2);
		memset(site + 2, 0x90, p->length - 2);
		break;
	}
	mprotect(text, 0x2000, PROT_READ | PROT_EXEC);
	fprintf(stderr, "%s: site %p, stub %p to %p\n", p->name, site, stub, stub + size);
}

static void undo(struct patch *p)
{
	uint8_t *text = (uint8_t *)((uintptr_t)p->site & ~0xfffUL);
	mprotect(text, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(p->site, originals[p - patches], p->length);
	mprotect(text, 0x2000, PROT_READ | PROT_EXEC);
}

static int late;

static void *run(void *unused)
{
	marker();
	for (struct patch *p = patches; p->name; p++) {
		if (late) {
			apply(p);
			marker();
		}
		level1(p);
	}
	return unused;
}

int main(int argc, char **argv)
{
	null = open("/dev/null", O_WRONLY);
	mmap((void *)SCRATCH, 0x2000, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	uint8_t *block = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ALTERNATE = (uint64_t)block + (1 << 20) - 64;
	other_stack = (uint64_t)block + (7 << 17);
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
	sigaction(SIGUSR1, &action, 0);
	sigaltstack(&stack, 0);
	const char *mode = argc > 1 ? argv[1] : "";
	near((uint8_t *)patches[0].site);
	late = !strcmp(mode, "late");
	for (struct patch *p = patches; p->name && !late; p++)
		apply(p);
	if (!late)
		mprotect(page, 0x4000, PROT_READ | PROT_EXEC);
	if (!strcmp(mode, "fork")) {
		pid_t child = fork();
		if (child == 0) {
			run(0);
			_exit(0);
		}
		waitpid(child, 0, 0);
	} else if (!strcmp(mode, "above")) {
		pthread_t thread;
		pthread_attr_t attributes;
		pthread_attr_init(&attributes);
		pthread_attr_setstack(&attributes, block, 512 << 10);
		pthread_create(&thread, &attributes, run, 0);
		pthread_join(thread, 0);
	} else {
		run(0);
	}
	if (!strcmp(mode, "unpatch")) {
		for (struct patch *p = patches; p->name; p++)
			undo(p);
		run(0);
	}
	printf("hooked %ld\n", hooked);
	return 0;
}
