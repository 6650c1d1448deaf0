/* hits THREADS CALLS [timer]: each of THREADS threads calls visited with 0 to
   CALLS - 1; then the program says how many calls there were and what they
   added up to. With timer, SIGALRM comes to the program all the while, and
   its end is not before the first.  */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

int calls, visits, sum;
volatile int alarms;
const char *where = "here";

__attribute__((noinline)) void visited(int x)
{
	__atomic_fetch_add(&visits, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&sum, x, __ATOMIC_SEQ_CST);
}

static void alarmed(int signal)
{
	(void)signal;
	alarms++;
}

static void *visitor(void *arg)
{
	for (int i = 0; i < calls; i++)
		visited(i);
	return arg;
}

void finished(void)
{
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;
	calls = argc > 2 ? atoi(argv[2]) : 1000;
	int timer = argc > 3 && strcmp(argv[3], "timer") == 0;
	if (timer) {
		struct sigaction action = {.sa_handler = alarmed, .sa_flags = SA_RESTART};
		struct itimerval often = {{0, 700}, {0, 700}};
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &often, NULL);
	}
	pthread_t *ids = calloc(count, sizeof *ids);
	for (int i = 1; i < count; i++)
		if (pthread_create(&ids[i], NULL, visitor, NULL) != 0) {
			perror("pthread_create");
			return 1;
		}
	visitor(NULL);
	for (int i = 1; i < count; i++)
		pthread_join(ids[i], NULL);
	while (timer && alarms == 0)
		;
	finished();
	printf("%d visits add up to %d\n", visits, sum);
	return 0;
}
