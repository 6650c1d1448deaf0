/* loop [COUNT]: calls hot again and again; without COUNT until stdin ends.
   A line on stdin is answered with "at" and how often hot was called.  */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

volatile unsigned long counter;

void hot(void)
{
	counter++;
}

static int asked(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	char line[256];
	if (poll(&in, 1, 0) <= 0)
		return 1;
	if (read(0, line, sizeof line) <= 0)
		return 0;
	printf("at %lu\n", counter);
	fflush(stdout);
	return 1;
}

unsigned long spin(unsigned long turns)
{
	unsigned long sum = 0;
	for (unsigned long i = 0; i < turns; i++)
		sum += i; /* range step */
	return sum; /* range end */
}

int main(int argc, char **argv)
{
	unsigned long limit = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	spin(100);
	while (limit == 0 || counter < limit) {
		hot();
		if (limit == 0 && counter % 512 == 0 && !asked())
			break;
	}
	return 0;
}
