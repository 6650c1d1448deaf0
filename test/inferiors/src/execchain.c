/* execchain COUNT: executes itself COUNT times in a row, every second time from
   a thread that is not the first, while another waits.  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *name, left[12];

static void *again(void *arg)
{
	execl("/proc/self/exe", name, left, (char *)NULL);
	abort();
	return arg;
}

static void *bystander(void *arg)
{
	pause();
	return arg;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 20;
	pthread_t ids[2];
	name = argv[0];
	if (count == 0) {
		printf("the last\n");
		return 9;
	}
	snprintf(left, sizeof left, "%d", count - 1);
	if (count % 2 == 1)
		again(NULL);
	if (pthread_create(&ids[0], NULL, bystander, NULL) != 0 || pthread_create(&ids[1], NULL, again, NULL) != 0)
		return 1;
	pthread_join(ids[1], NULL);
	return 1;
}
