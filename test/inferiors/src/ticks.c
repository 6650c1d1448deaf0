/* ticks THREADS: each of THREADS threads counts in its own element of ticks
   until a debugger sets finish; the main thread then says "done".  While
   forking is set to N, the main thread makes N children that end with status
   3; leaving has the thread of that number end.  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

volatile unsigned long ticks[16];
volatile int finish, forking, forked, leaving = -1;

__attribute__((noinline)) void tick(int index)
{
	ticks[index]++;
}

__attribute__((noinline)) void child_tick(void)
{
	ticks[0]++;
}

void started(void)
{
}

static void make_child(void)
{
	pid_t child = fork();
	if (child == 0) {
		child_tick();
		_exit(3);
	}
	int status;
	while (waitpid(child, &status, 0) < 0)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		forked++;
}

static void *count(void *arg)
{
	int index = (int)(long)arg;
	while (!finish && leaving != index) {
		tick(index);
		usleep(500);
		if (index == 0 && forking > 0) {
			forking--;
			make_child();
		}
	}
	return arg;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 2;
	pthread_t ids[16];
	for (long i = 1; i < n; i++)
		if (pthread_create(&ids[i], NULL, count, (void *)i) != 0)
			return 1;
	started();
	count(NULL);
	for (int i = 1; i < n; i++)
		pthread_join(ids[i], NULL);
	printf("done\n");
	fflush(stdout);
	return 7;
}
