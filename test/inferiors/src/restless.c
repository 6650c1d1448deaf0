/* restless LEDGER END KINDS: does everything that a debugger has to follow, until
   CLOCK_MONOTONIC shows END milliseconds; it then ends with status 7.  One thread
   always calls called and counts.  KINDS are letters for what goes on besides:
     t  threads come and go
     f  children are forked and end with status 3, or by SIGKILL
     v  children are made by vfork; they end with status 5, or execute the
        program again, as "leaf", which ends with status 4
     s  threads send themselves SIGUSR1, also while it is blocked
     a  a timer sends SIGALRM
     x  threads other than the first execute the program again
     w  they do when there is a byte on the standard input
   Whoever has waited for a child appends "PID STATUS\n" to LEDGER, where STATUS is
   that of waitpid.  scratch is for the debugger.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

volatile unsigned long counter;
unsigned char scratch[256];
static volatile sig_atomic_t signalled;
static const char *ledger, *end, *kinds;

__attribute__((noinline)) void called(void)
{
	counter++;
}

static void handle(int signal)
{
	signalled = signal;
}

static void fail(const char *what)
{
	perror(what);
	abort();
}

static pthread_t begin(void *(*life)(void *))
{
	pthread_t id;
	/* While another thread executes a program the kernel makes none that shares
	   its working directory (kernel/fork.c, copy_fs).  */
	while ((errno = pthread_create(&id, NULL, life, NULL)) != 0)
		if (errno != EAGAIN)
			fail("pthread_create");
	return id;
}

static int over(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000 >= atoll(end);
}

static void block(int how)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(how, &all, NULL);
}

static void await(pid_t child)
{
	int status;
	if (child < 0)
		return;
	while (waitpid(child, &status, 0) < 0)
		;
	char line[64];
	int length = snprintf(line, sizeof line, "%d %d\n", child, status);
	int file = open(ledger, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (write(file, line, length) != length)
		fail(ledger);
	close(file);
}

static void *count(void *arg)
{
	for (;;) {
		called();
		usleep(300);
	}
	return arg;
}

static void *live(void *arg)
{
	called();
	usleep(500);
	return arg;
}

static void *thread(void *arg)
{
	for (;;) {
		pthread_t ids[3];
		for (int i = 0; i < 3; i++)
			ids[i] = begin(live);
		for (int i = 0; i < 3; i++)
			pthread_join(ids[i], NULL);
		usleep(1000);
	}
	return arg;
}

static void *make(void *arg)
{
	for (int i = 0;; i++) {
		pid_t child = fork();
		if (child == 0) {
			called();
			usleep(1000);
			if (i % 4 == 3)
				kill(getpid(), SIGKILL);
			_exit(3);
		}
		await(child);
		usleep(2000);
	}
	return arg;
}

static void *lend(void *arg)
{
	/* A leaf keeps the mask, and has no handlers.  */
	block(SIG_BLOCK);
	for (volatile int i = 0;; i++) {
		pid_t child = vfork();
		if (child == 0) {
			called();
			if (i % 2 == 0)
				execl("/proc/self/exe", "leaf", ledger, end, kinds, NULL);
			_exit(5);
		}
		await(child);
		usleep(2000);
	}
	return arg;
}

static void *disturb(void *arg)
{
	for (;;) {
		raise(SIGUSR1);
		block(SIG_BLOCK);
		raise(SIGUSR1);
		called();
		block(SIG_UNBLOCK);
		usleep(2000);
	}
	return arg;
}

static void *execute(void *arg)
{
	char byte;
	if (strchr(kinds, 'w') && read(STDIN_FILENO, &byte, 1) < 0)
		fail("read");
	usleep(40000);
	/* Until the new image has its handlers.  */
	block(SIG_BLOCK);
	execl("/proc/self/exe", "restless", ledger, end, kinds, NULL);
	fail("execl");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	ledger = argv[1], end = argv[2], kinds = argv[3];
	if (strcmp(argv[0], "leaf") == 0) {
		called();
		usleep(1000);
		return 4;
	}
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	block(SIG_UNBLOCK);
	static const struct { char kind; void *(*life)(void *); } lives[] = {
		{ 't', thread }, { 'f', make }, { 'v', lend }, { 's', disturb }, { 'x', execute },
	};
	begin(count);
	for (int i = 0; i < sizeof lives / sizeof *lives; i++)
		if (strchr(kinds, lives[i].kind))
			begin(lives[i].life);
	if (strchr(kinds, 'a')) {
		struct itimerval timer = { { 0, 5000 }, { 0, 5000 } };
		setitimer(ITIMER_REAL, &timer, NULL);
	}
	while (!over())
		usleep(5000);
	return 7;
}
