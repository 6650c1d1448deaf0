/* processes COUNT: makes COUNT - 1 children, all of which call ready and work
   and end with their number; then waits for them.  */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int number;

void ready(void)
{
}

int work(void)
{
	return number;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 20, sum = 0, pipes[2], status;
	char byte;
	if (pipe(pipes) != 0)
		return 1;
	for (number = 1; number < count; number++)
		if (fork() == 0) {
			/* Not before all are there.  */
			close(pipes[1]);
			if (read(pipes[0], &byte, 1) != 0)
				_exit(255);
			_exit(work());
		}
	number = 0;
	ready();
	close(pipes[1]);
	while (wait(&status) > 0)
		sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
	printf("sum %d\n", sum);
	return work();
}
