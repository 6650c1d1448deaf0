/* threads N [hold]: N threads in all, each with a name, that meet at a barrier.
   With hold, the program says "ready" and waits for a byte or the end of stdin
   before it lets them go on.  Each thread then calls work once.  */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t arrived, released;
int thread_count;
int worked;
__thread int slot = 1000;

void work(int index)
{
	slot += index;
	__atomic_fetch_add(&worked, 1, __ATOMIC_SEQ_CST);
}

int add(int a, int b)
{
	return a + b;
}

void all_ready(void)
{
}

static void *worker(void *arg)
{
	int index = (int)(long)arg;
	char name[16];
	snprintf(name, sizeof name, "worker-%d", index);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&arrived);
	pthread_barrier_wait(&released);
	work(index);
	return arg;
}

int main(int argc, char **argv)
{
	thread_count = argc > 1 ? atoi(argv[1]) : 2;
	int hold = argc > 2 && strcmp(argv[2], "hold") == 0;
	pthread_t *ids = calloc(thread_count, sizeof *ids);
	pthread_barrier_init(&arrived, NULL, thread_count);
	pthread_barrier_init(&released, NULL, thread_count);
	for (long i = 1; i < thread_count; i++)
		if (pthread_create(&ids[i], NULL, worker, (void *)i) != 0) {
			perror("pthread_create");
			return 1;
		}
	pthread_barrier_wait(&arrived);
	all_ready();
	if (hold) {
		char byte;
		write(1, "ready\n", 6);
		if (read(0, &byte, 1) < 0)
			return 1;
	}
	pthread_barrier_wait(&released);
	work(0);
	for (int i = 1; i < thread_count; i++)
		pthread_join(ids[i], NULL);
	printf("worked %d\n", worked);
	fflush(stdout);
	return 0;
}
