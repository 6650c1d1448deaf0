/* recurse DEPTH: sum to DEPTH by recursion.  */
#include <stdio.h>
#include <stdlib.h>

void bottom(void)
{
}

unsigned long descend(unsigned long depth)
{
	if (depth == 0) {
		bottom();
		return 0;
	}
	return depth + descend(depth - 1);
}

int main(int argc, char **argv)
{
	unsigned long sum = descend(argc > 1 ? strtoul(argv[1], NULL, 10) : 10);
	printf("sum %lu\n", sum);
	return 0;
}
