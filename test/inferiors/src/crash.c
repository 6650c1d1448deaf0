/* crash segv|fpe|ill|abrt: die of that signal.  */
#include <stdlib.h>
#include <string.h>

volatile int zero;

void die(const char *how)
{
	if (strcmp(how, "segv") == 0)
		*(volatile int *)0x1234 = 1;
	if (strcmp(how, "fpe") == 0)
		zero = 1000 / zero;
	if (strcmp(how, "ill") == 0)
		__asm__ volatile("ud2");
	if (strcmp(how, "abrt") == 0)
		abort();
}

int main(int argc, char **argv)
{
	die(argc > 1 ? argv[1] : "segv");
	return 0;
}
