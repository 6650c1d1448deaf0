/* A program that puts a jump to a stub into its function work, and takes it out
   again.
   usage: jumppatch [wait | fork | exec]    wait: goes round until it is killed */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static void write_text(const uint8_t *bytes)
{
	void *text = (void *)((uintptr_t)SITE & -4096UL);
	mprotect(text, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(SITE, bytes, sizeof original);
	mprotect(text, 8192, PROT_READ | PROT_EXEC);
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
