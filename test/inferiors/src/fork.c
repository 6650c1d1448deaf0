/* fork MODE: a child that ends with status 5, and a parent that says so.
   fork, vfork (child runs exit at once), vforkexec (child becomes MODE child),
   spawn (posix_spawn of MODE child), twice (two children, one after the other).  */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
int shared = 1;

int child_work(void)
{
	shared += 10;
	return 5;
}

void parent_work(int status)
{
	shared += 100;
	printf("child status %d shared %d\n", status, shared);
	fflush(stdout);
}

static int reap(pid_t child)
{
	int status;
	while (waitpid(child, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int forked(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(child_work());
	return reap(child);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "fork";
	char *again[] = {"child-of-fork", "child", NULL};
	pid_t child;

	if (strcmp(mode, "child") == 0)
		return child_work();
	if (strcmp(mode, "fork") == 0)
		parent_work(forked());
	if (strcmp(mode, "twice") == 0) {
		parent_work(forked());
		parent_work(forked());
	}
	if (strcmp(mode, "vfork") == 0) {
		child = vfork();
		if (child == 0)
			_exit(5);
		parent_work(reap(child));
	}
	if (strcmp(mode, "vforkexec") == 0) {
		child = vfork();
		if (child == 0) {
			execv("/proc/self/exe", again);
			_exit(1);
		}
		parent_work(reap(child));
	}
	if (strcmp(mode, "spawn") == 0) {
		if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, again, environ) != 0)
			return 1;
		parent_work(reap(child));
	}
	return 0;
}
