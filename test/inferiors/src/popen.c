/* popen: a command that says "hello" into a pipe and ends with status 5.  */
#include <stdio.h>

int main(void)
{
	char line[16];
	FILE *pipe = popen("echo hello; exit 5", "r");
	if (pipe == NULL || fgets(line, sizeof line, pipe) == NULL)
		return 1;
	printf("%s", line);
	printf("status %x\n", pclose(pipe));
	return 0;
}
