/* sharer: makes a process that shares its memory and sleeps, and stops by SIGUSR1. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static char stack[1 << 16];

static int sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

int main(void)
{
	if (clone(sleeper, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) < 0)
		return 1;
	puts("made");
	fflush(stdout);
	raise(SIGUSR1);
	return 0;
}
