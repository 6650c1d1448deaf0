/* leader [hold]: the first thread leaves and another ends the program with
   status 7.  With hold, the other one waits for a byte or the end of stdin.  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t first;
int after;

void leader_gone(void)
{
	after++;
}

static void *survivor(void *arg)
{
	pthread_join(first, NULL);
	leader_gone();
	if (arg != NULL) {
		char byte;
		write(1, "ready\n", 6);
		if (read(0, &byte, 1) < 0)
			exit(1);
	}
	leader_gone();
	exit(7);
}

int main(int argc, char **argv)
{
	(void)argv;
	pthread_t id;
	first = pthread_self();
	if (pthread_create(&id, NULL, survivor, argc > 1 ? &first : NULL) != 0)
		return 1;
	pthread_exit(NULL);
}
