/* surroundings ARGS...: print the arguments, the directory and the environment.  */
#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	char cwd[4096];
	printf("argc %d\n", argc);
	for (int i = 1; i < argc; i++)
		printf("arg %d <%s>\n", i, argv[i]);
	printf("cwd %s\n", getcwd(cwd, sizeof cwd));
	for (char **e = environ; *e != NULL; e++)
		printf("env %s\n", *e);
	printf("end\n");
	fflush(stdout);
	return argc - 1;
}
