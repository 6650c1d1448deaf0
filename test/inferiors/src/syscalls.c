/* syscalls MODE: system calls that can be foretold.
   plain       three calls of umask, one of close that fails, then the end
   count N     N calls of getppid
   interrupted a nanosleep and a read that a child interrupts by a signal each,
               when they wait; the read is restarted, the nanosleep is not
   stopped     says "ready" and sleeps 300 ms in nanosleep, which goes on with
               restart_syscall where it was stopped meanwhile
   exec        executes itself with "plain"
   vfork       a vfork child that executes "plain", and its end
   fork        a child that calls umask, and its end  */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int result;

void begin(void)
{
}

int add(int a, int b)
{
	return a + b;
}

static volatile int *handled; /* shared with the child */

static void handler(int signal)
{
	(void)signal;
	++*handled;
}

static void plain(void)
{
	begin();
	syscall(SYS_umask, 022);
	syscall(SYS_umask, 027);
	result = syscall(SYS_umask, 022);
	result = syscall(SYS_close, 99999);
}

/* waits until a parent sleeps in a system call, which it doesn't while it is
   stopped for a tracer. */
static void until_asleep(pid_t parent)
{
	char path[32], state = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", parent);
	while (state != 'S') {
		FILE *stat = fopen(path, "r");
		if (getppid() != parent || stat == NULL || fscanf(stat, "%*d (syscalls) %c", &state) != 1)
			_exit(1);
		fclose(stat);
		usleep(100);
	}
}

static void interrupt(pid_t parent)
{
	int before = *handled;
	until_asleep(parent);
	kill(parent, SIGALRM);
	while (*handled == before && getppid() == parent)
		usleep(100);
}

static void interrupted(void)
{
	struct timespec long_time = {.tv_sec = 100};
	struct sigaction action = {.sa_handler = handler};
	pid_t parent = getpid();
	int ends[2];
	char byte;
	sigaction(SIGALRM, &action, NULL);
	handled = mmap(NULL, sizeof *handled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pipe(ends) != 0 || handled == MAP_FAILED)
		exit(9);
	begin();
	if (fork() == 0) {
		interrupt(parent);
		interrupt(parent);
		until_asleep(parent);
		_exit(write(ends[1], "x", 1) != 1);
	}
	result = syscall(SYS_nanosleep, &long_time, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	result = syscall(SYS_read, ends[0], &byte, 1);
	wait(NULL);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "plain";
	if (strcmp(mode, "plain") == 0) {
		plain();
	} else if (strcmp(mode, "count") == 0) {
		struct timespec from, to;
		begin();
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (long n = atol(argv[2]); n > 0; n--)
			syscall(SYS_getppid);
		clock_gettime(CLOCK_MONOTONIC, &to);
		printf("%.9f seconds\n", to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
	} else if (strcmp(mode, "interrupted") == 0) {
		interrupted();
	} else if (strcmp(mode, "stopped") == 0) {
		struct timespec time = {.tv_nsec = 300000000};
		begin();
		write(1, "ready\n", 6);
		result = nanosleep(&time, NULL);
		printf("slept %d\n", result);
	} else if (strcmp(mode, "exec") == 0) {
		begin();
		execl("/proc/self/exe", "syscalls", "plain", (char *)NULL);
	} else if (strcmp(mode, "vfork") == 0) {
		begin();
		if (vfork() == 0) {
			execl("/proc/self/exe", "syscalls", "plain", (char *)NULL);
			_exit(1);
		}
		wait(NULL);
	} else if (strcmp(mode, "fork") == 0) {
		begin();
		if (fork() == 0) {
			syscall(SYS_umask, 022);
			_exit(0);
		}
		wait(NULL);
	}
	return 4;
}
