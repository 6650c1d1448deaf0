/* daemon: goes into the background by daemon(3) and speaks from there.  */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	if (daemon(1, 1) != 0)
		return 1;
	printf("in the background, group %s\n", getpgrp() == getpid() ? "of its own" : "of another");
	return 4;
}
