/* posix_spawn [spawnp]: a shell by posix_spawn, or found in PATH by
   posix_spawnp, that ends with status 5.  */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	char *args[] = {"sh", "-c", "exit 5", NULL};
	pid_t child;
	int status;
	(void)argv;
	if ((argc > 1 ? posix_spawnp(&child, "sh", NULL, NULL, args, environ)
		      : posix_spawn(&child, "/bin/sh", NULL, NULL, args, environ)) != 0)
		return 1;
	if (waitpid(child, &status, 0) != child)
		return 1;
	printf("status %x\n", status);
	return 0;
}
