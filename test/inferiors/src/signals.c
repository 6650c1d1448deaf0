/* signals MODE: what arrives is counted and printed.
   count    SIGUSR1 three times, SIGUSR2 once, to itself
   queue    SIGUSR1 with the payload 42
   ignored  SIGUSR1 while it is ignored
   masked   SIGUSR1 while it is blocked, then unblocked
   realtime SIGRTMIN+3 four times with the payloads 1 to 4, queued while blocked
   wait     says "ready", then reports each SIGUSR1 until SIGTERM
   stop     SIGSTOP to itself, then says "continued"  */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

volatile int usr1, usr2, terminated;
volatile int payloads[8], payload_count;

static void count(int sig)
{
	if (sig == SIGUSR1)
		usr1++;
	if (sig == SIGUSR2)
		usr2++;
	if (sig == SIGTERM)
		terminated = 1;
}

static void payload(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	payloads[payload_count++] = info->si_value.sival_int;
}

static void handle(int sig, void (*plain)(int), void (*full)(int, siginfo_t *, void *))
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	if (full != NULL) {
		action.sa_sigaction = full;
		action.sa_flags = SA_SIGINFO;
	} else
		action.sa_handler = plain;
	sigaction(sig, &action, NULL);
}

void unmask(sigset_t *set)
{
	sigprocmask(SIG_UNBLOCK, set, NULL);
}

void finished(void)
{
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "count";
	sigset_t set;
	sigemptyset(&set);
	handle(SIGUSR1, count, NULL);
	handle(SIGUSR2, count, NULL);

	if (strcmp(mode, "count") == 0) {
		for (int i = 0; i < 3; i++)
			raise(SIGUSR1);
		raise(SIGUSR2);
	}
	if (strcmp(mode, "queue") == 0) {
		union sigval value = {.sival_int = 42};
		handle(SIGUSR1, NULL, payload);
		sigqueue(getpid(), SIGUSR1, value);
	}
	if (strcmp(mode, "ignored") == 0) {
		signal(SIGUSR1, SIG_IGN);
		raise(SIGUSR1);
	}
	if (strcmp(mode, "masked") == 0) {
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGUSR1);
		unmask(&set);
	}
	if (strcmp(mode, "realtime") == 0) {
		sigaddset(&set, SIGRTMIN + 3);
		sigprocmask(SIG_BLOCK, &set, NULL);
		handle(SIGRTMIN + 3, NULL, payload);
		for (int i = 1; i <= 4; i++) {
			union sigval value = {.sival_int = i};
			sigqueue(getpid(), SIGRTMIN + 3, value);
		}
		unmask(&set);
	}
	if (strcmp(mode, "wait") == 0) {
		sigset_t old;
		int seen = 0;
		sigaddset(&set, SIGUSR1);
		sigaddset(&set, SIGTERM);
		handle(SIGTERM, count, NULL);
		sigprocmask(SIG_BLOCK, &set, &old);
		write(1, "ready\n", 6);
		while (!terminated) {
			sigsuspend(&old);
			if (usr1 != seen) {
				seen = usr1;
				printf("got %d\n", seen);
				fflush(stdout);
			}
		}
	}
	if (strcmp(mode, "stop") == 0) {
		raise(SIGSTOP);
		printf("continued\n");
		fflush(stdout);
	}
	finished();
	printf("usr1 %d usr2 %d payloads %d:", usr1, usr2, payload_count);
	for (int i = 0; i < payload_count; i++)
		printf(" %d", payloads[i]);
	printf("\n");
	fflush(stdout);
	return 0;
}
