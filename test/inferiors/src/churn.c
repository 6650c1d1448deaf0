/* churn ROUNDS WIDTH: WIDTH threads are made and joined, ROUNDS times.  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int born;

static void *life(void *arg)
{
	__atomic_fetch_add(&born, 1, __ATOMIC_SEQ_CST);
	return arg;
}

void finished(void)
{
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10;
	int width = argc > 2 ? atoi(argv[2]) : 4;
	pthread_t *ids = calloc(width, sizeof *ids);
	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < width; i++)
			if (pthread_create(&ids[i], NULL, life, NULL) != 0)
				return 1;
		for (int i = 0; i < width; i++)
			pthread_join(ids[i], NULL);
	}
	finished();
	printf("born %d\n", born);
	return 0;
}
