/* sigtrap handled|ignored|blocked: sends itself SIGTRAP and meets an int3 of its
   own, and says how often its handler ran, and what its mask and action are in
   the end. Blocked: the signal stays pending until it is taken by sigtimedwait.  */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile int handled, codes[4];

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	codes[handled++ % 4] = info->si_code;
}

void before(void)
{
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "handled";
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO}, now;
	sigset_t trap, mask;
	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	if (strcmp(mode, "ignored") == 0)
		action = (struct sigaction){.sa_handler = SIG_IGN};
	if (strcmp(mode, "blocked") == 0)
		sigprocmask(SIG_BLOCK, &trap, NULL);
	sigaction(SIGTRAP, &action, NULL);
	before();
	kill(getpid(), SIGTRAP);
	before();
	if (strcmp(mode, "handled") == 0)
		__asm__ volatile("int3");
	before();
	if (strcmp(mode, "blocked") == 0) {
		siginfo_t info;
		struct timespec none = {0, 0};
		int taken = sigtimedwait(&trap, &info, &none);
		printf("taken %d code %d\n", taken, taken > 0 ? info.si_code : 0);
	}
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigaction(SIGTRAP, NULL, &now);
	printf("handled %d codes %d %x blocked %d action %s\n", handled, codes[0], (unsigned)codes[1], sigismember(&mask, SIGTRAP),
	       now.sa_handler == SIG_IGN ? "ignore" : now.sa_sigaction == handler ? "handler" : "other");
	return 0;
}
