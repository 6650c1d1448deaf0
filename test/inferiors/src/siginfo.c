/* siginfo: one signal after the other, each with another kind of information.
   The handler keeps what it was told in seen.  */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

siginfo_t seen;
static char *page;
static volatile int count;

void handled(void)
{
}

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen = *info;
	if (sig == SIGSEGV)
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
	count++;
	handled();
}

static void await(int wanted)
{
	while (count < wanted)
		usleep(1000);
}

int main(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO;
	int signals[] = {SIGUSR1, SIGSEGV, SIGCHLD, SIGRTMIN, SIGRTMIN + 1, SIGSYS};
	for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);

	union sigval value = {.sival_ptr = &seen};
	sigqueue(getpid(), SIGUSR1, value);

	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[5] = 1;

	pid_t child = fork();
	if (child == 0) {
		for (volatile int i = 0; i < 50000000; i++)
			;
		_exit(5);
	}
	await(3);
	waitpid(child, NULL, 0);

	timer_t timer;
	struct sigevent event;
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGRTMIN;
	event.sigev_value.sival_ptr = &event;
	struct itimerspec soon = {.it_value = {.tv_nsec = 1000}};
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		return 1;
	timer_settime(timer, 0, &soon, NULL);
	await(4);

	int ends[2];
	if (pipe(ends) != 0)
		return 1;
	fcntl(ends[0], F_SETOWN, getpid());
	fcntl(ends[0], F_SETSIG, SIGRTMIN + 1);
	fcntl(ends[0], F_SETFL, O_ASYNC);
	if (write(ends[1], "x", 1) != 1)
		return 1;
	await(5);

	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return 1;
	syscall(SYS_getppid);
	return count;
}
