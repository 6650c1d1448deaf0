/* watch [threads]: known stores to, then loads from, globals of 1, 2, 4 and 8
   bytes, one to a line; with threads, one store from each of three threads.  */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

volatile uint8_t byte;
volatile uint16_t half;
volatile uint32_t word;
volatile uint64_t quad;
volatile uint64_t sink;
volatile struct { uint32_t before, inside, behind; } neighbours;
uint32_t untouched = 9;

void stores(void)
{
	byte = 0x11;
	byte = 0x22;
	half = 0x1111;
	half = 0x2222;
	word = 0x11111111;
	word = 0x22222222;
	quad = 0x1111111111111111;
	quad = 0x2222222222222222;
	neighbours.before = 1;
	neighbours.inside = 2;
	neighbours.behind = 3;
}

void loads(void)
{
	sink = byte;
	sink = half;
	sink = word;
	sink = quad;
}

int summed(int n)
{
	int local = 0;
	for (int i = 1; i <= n; i++)
		local += i;
	return local;
}

static void *storer(void *arg)
{
	word = (uint32_t)(long)arg;
	return NULL;
}

void finished(void)
{
}

int main(int argc, char **argv)
{
	(void)argv;
	stores();
	loads();
	summed(3);
	if (argc > 1)
		for (long i = 1; i <= 3; i++) {
			pthread_t id;
			pthread_create(&id, NULL, storer, (void *)i);
			pthread_join(id, NULL);
		}
	finished();
	return 0;
}
