/* doublefork: a child makes a grandchild and ends at once; the grandchild waits
   until it has another parent.  */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int pipes[2], status;
	char byte;
	pid_t first = getpid(), child;
	if (pipe(pipes) != 0 || (child = fork()) < 0)
		return 1;
	if (child == 0) {
		child = fork();
		if (child != 0)
			_exit(child < 0 ? 1 : 6);
		/* The end of the pipe: both others have closed theirs.  */
		close(pipes[1]);
		if (read(pipes[0], &byte, 1) != 1)
			_exit(1);
		write(1, getppid() == first ? "adopted by the first\n" : "orphan\n", getppid() == first ? 21 : 7);
		_exit(7);
	}
	if (waitpid(child, &status, 0) != child)
		return 1;
	printf("status %x\n", status);
	fflush(stdout);
	write(pipes[1], "x", 1);
	return 0;
}
