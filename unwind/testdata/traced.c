/* A program whose function collected has an instruction long enough for a fast
   tracepoint. It runs until it is killed. */
#include <unistd.h>

volatile int passed, value;

__attribute__((noinline)) void collected(int k)
{
	volatile char room[64];
	room[k & 63] = k;
	passed += room[3];
	__asm__ volatile(".globl tracepoint\ntracepoint: movl $0x12345, value(%rip)");
	passed++;
}

__attribute__((noinline)) static void middle(int k)
{
	collected(k + 1);
	passed++;
}

int main(void)
{
	for (int i = 0;; i++) {
		middle(i);
		usleep(20000);
	}
}
