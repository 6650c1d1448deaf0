/* A program that patches its function work in memory that it had before main, and
   then tells other things of the patch, by a table, than its code shows.
   usage: patchtable [threads]    threads: another thread runs meanwhile */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define JUMP_PATCH_IMPLEMENTATION
#include "jump_patch.h"

#include "work.h"

volatile int finish;

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
