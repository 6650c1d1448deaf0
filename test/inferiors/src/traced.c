/* A program whose functions uftrace patches while it runs: each begins with
   instructions that it can move. It goes round until it is killed. */
#include <unistd.h>

volatile int counted;

__attribute__((noinline)) long traced4(int k)
{
	volatile char room[200];
	for (int i = 0; i < 200; i++)
		room[i] = k + i;
	counted += room[k & 127];
	return counted;
}

__attribute__((noinline)) void traced3(int k)
{
	long sum = 0;
	for (int i = 0; i < 2; i++)
		sum += traced4(k + i);
	counted += sum;
}

__attribute__((noinline)) void traced2(int k)
{
	traced3(k + 1);
	counted++;
}

__attribute__((noinline)) void traced1(int k)
{
	traced2(k + 1);
	counted++;
}

int main(void)
{
	for (int i = 0;; i++) {
		traced1(i);
		usleep(20000);
	}
}
