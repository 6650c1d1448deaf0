/* become [fork] PROGRAM...: execute the first of the programs with the others
   as its arguments, and with fork in a child, whose status becomes its own.
   Without a program the status is 3.  */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

volatile long bits = 8 * sizeof(long);

void begun(void)
{
}

int main(int argc, char **argv)
{
	int status;
	pid_t child = 0;
	begun();
	if (argc > 1 && strcmp(argv[1], "fork") == 0) {
		argv++;
		argc--;
		child = fork();
	}
	if (child != 0) {
		while (waitpid(child, &status, 0) < 0)
			;
		return WEXITSTATUS(status);
	}
	if (argc < 2)
		return 3;
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
