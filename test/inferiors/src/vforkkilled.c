/* vforkkilled signal|outside: the child of vfork dies before it executes
   anything, by a fault of its own, or killed by another thread of the parent.  */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t born;

static void *killer(void *arg)
{
	while (born == 0)
		usleep(100);
	kill(born, SIGKILL);
	return arg;
}

int main(int argc, char **argv)
{
	int outside = argc > 1 && strcmp(argv[1], "outside") == 0, status;
	pthread_t id;
	pid_t child;
	if (outside && pthread_create(&id, NULL, killer, NULL) != 0)
		return 1;
	child = vfork();
	if (child == 0) {
		/* Its memory is the parent's, so the killer sees this.  */
		born = syscall(SYS_getpid);
		if (outside)
			for (;;)
				pause();
		*(volatile int *)0x1234 = 1;
		_exit(1);
	}
	if (waitpid(child, &status, 0) != child)
		return 1;
	if (outside)
		pthread_join(id, NULL);
	printf("signal %d\n", WTERMSIG(status));
	return 0;
}
