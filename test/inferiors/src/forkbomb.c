/* forkbomb COUNT: makes children that make children, COUNT in all, and counts
   those that ended well.  */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Makes count descendants and returns how many ended well.  */
static int bomb(int count)
{
	int pipes[2], well = 0, part;
	if (count == 0)
		return 0;
	if (pipe(pipes) != 0)
		return 0;
	/* Three branches, each of which is one child and what that makes.  */
	for (int branch = 0; branch < 3; branch++) {
		int share = (count + branch) / 3;
		if (share == 0)
			continue;
		pid_t child = fork();
		if (child == 0) {
			int below = bomb(share - 1);
			write(pipes[1], &below, sizeof below);
			_exit(0);
		}
	}
	close(pipes[1]);
	while (read(pipes[0], &part, sizeof part) == sizeof part)
		well += part;
	close(pipes[0]);
	for (int status; wait(&status) > 0;)
		well += status == 0;
	return well;
}

int main(int argc, char **argv)
{
	printf("%d\n", bomb(argc > 1 ? atoi(argv[1]) : 500));
	return 0;
}
