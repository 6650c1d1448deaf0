/* threadfork fork|vfork THREADS EACH: THREADS threads make EACH children each, at
   the same time. A child of fork ends with its number, one of vfork becomes a
   shell that does.  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int each, spawn, sum;

static void *maker(void *arg)
{
	long base = (long)arg;
	for (int i = 0; i < each; i++) {
		int status, number = (base + i) % 100;
		char command[20];
		pid_t child;
		snprintf(command, sizeof command, "exit %d", number);
		child = spawn ? vfork() : fork();
		if (child == 0) {
			if (spawn)
				execl("/bin/sh", "sh", "-c", command, (char *)NULL);
			_exit(number);
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			abort();
		if (!WIFEXITED(status) || WEXITSTATUS(status) != number)
			printf("child %d: status %x\n", number, status);
		__atomic_fetch_add(&sum, number, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[64];
	int count = argc > 2 ? atoi(argv[2]) : 4;
	spawn = argc > 1 && strcmp(argv[1], "vfork") == 0;
	each = argc > 3 ? atoi(argv[3]) : 5;
	for (long i = 0; i < count && i < 64; i++)
		if (pthread_create(&ids[i], NULL, maker, (void *)(i * each)) != 0)
			return 1;
	for (int i = 0; i < count && i < 64; i++)
		pthread_join(ids[i], NULL);
	printf("sum %d\n", sum);
	return 0;
}
