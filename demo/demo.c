/* What there is to see in a debugger: threads with names that change a total,
   a fork, a vfork, and a thread that writes to where nothing is.  */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3

static pthread_barrier_t named, begun;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
int total;
int *nowhere;

static void add(int amount)
{
	pthread_mutex_lock(&lock);
	total += amount;
	pthread_mutex_unlock(&lock);
}

static void *worker(void *arg)
{
	int number = (int)(long)arg;
	char name[16];
	snprintf(name, sizeof name, "worker-%d", number);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&named);
	pthread_barrier_wait(&begun);
	add(10 * number);
	return NULL;
}

static void ready(void)
{
}

static void *writer(void *arg)
{
	pthread_setname_np(pthread_self(), "writer");
	*nowhere = total;
	return arg;
}

static int status_of(pid_t child)
{
	int status = 0;
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

int main(void)
{
	pthread_t ids[WORKERS], last;

	pthread_barrier_init(&named, NULL, WORKERS + 1);
	pthread_barrier_init(&begun, NULL, WORKERS + 1);
	for (long i = 0; i < WORKERS; i++)
		pthread_create(&ids[i], NULL, worker, (void *)(i + 1));
	pthread_barrier_wait(&named);
	ready();
	pthread_barrier_wait(&begun);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(ids[i], NULL);
	printf("the workers made %d\n", total);
	fflush(stdout);

	pid_t child = fork();
	if (child == 0)
		_exit(5);
	printf("the forked child ended with %d\n", status_of(child));
	fflush(stdout);

	child = vfork();
	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	printf("/bin/true ended with %d\n", status_of(child));
	fflush(stdout);

	pthread_create(&last, NULL, writer, NULL);
	pthread_join(last, NULL);
	return 0;
}
