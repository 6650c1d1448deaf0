/* relay WIDTH: WIDTH lines of threads, each of which makes the next one and
   ends.  */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_attr_t detached;

static void *runner(void *arg)
{
	pthread_t next;
	while (pthread_create(&next, &detached, runner, arg) != 0)
		;
	return NULL;
}

int main(int argc, char **argv)
{
	int width = argc > 1 ? atoi(argv[1]) : 10;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < width; i++)
		runner(NULL);
	for (;;)
		pause();
}
