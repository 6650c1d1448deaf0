/* system: a command by system that ends with status 5.  */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	printf("status %x\n", system("exit 5"));
	return 0;
}
