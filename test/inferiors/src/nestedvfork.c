/* nestedvfork [exec]: vfork three deep. Each waits for its child and adds one to
   its status; the innermost ends with 1, or becomes a shell that does.  */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int statuses[4], deepest;

static void nest(int depth, int exec)
{
	pid_t child = vfork();
	if (child == 0) {
		deepest = depth;
		if (depth == 3) {
			if (exec)
				execl("/bin/sh", "sh", "-c", "exit 1", (char *)NULL);
			_exit(exec ? 100 : 1);
		}
		nest(depth + 1, exec);
		_exit(statuses[depth + 1] + 1);
	}
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		_exit(200);
	statuses[depth] = WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	(void)argv;
	nest(1, argc > 1);
	printf("deepest %d, statuses %d %d %d\n", deepest, statuses[1], statuses[2], statuses[3]);
	return 0;
}
