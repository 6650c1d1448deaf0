/* echo: each line of stdin goes back to stdout with "echo " before it.  */
#include <stdio.h>

int lines;

void echoed(void)
{
	lines++;
}

int main(void)
{
	char line[4096];
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		echoed();
		printf("echo %s", line);
		fflush(stdout);
	}
	return 0;
}
