/* A program that patches a line of its function lines, as a hot-patcher does: the
   stub has the displaced instruction after the call of a hook. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

volatile int counted, signals, result;

__attribute__((noinline)) void hook(void)
{
	counted++; /* in the hook */
}

int plus(int n) { return n + 40; }

static void on_signal(int signal) { signals += signal; }

uint8_t *site, *page;

__attribute__((noinline)) int lines(int n)
{
	int a = n; /* first */
	__asm__ volatile( /* patched */
		"lea 0f(%%rip), %%rax\n\tmov %%rax, site(%%rip)\n"
		"0:	add $0x1000000, %%ebx" : "+b"(a) : : "rax");
	a += 1; /* after */
	return a; /* last */
}

static void jump(uint8_t *at, const uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = 0xe9;
	memcpy(at + 1, &distance, 4);
}

/* sub $136,%rsp; pushfq; push %rax; call *hook(%rip); pop %rax; popfq;
   add $136,%rsp; the displaced instruction; jmp site + 6 */
static const uint8_t stub[] = {
	0x48, 0x81, 0xec, 0x88, 0x00, 0x00, 0x00, 0x9c, 0x50, 0xff, 0x15, 0x16, 0x00, 0x00, 0x00, 0x58, 0x9d,
	0x48, 0x81, 0xc4, 0x88, 0x00, 0x00, 0x00, 0x81, 0xc3, 0x00, 0x00, 0x00, 0x01, 0xe9, 0, 0, 0, 0,
};

static void patch(void)
{
	uint8_t *text = (uint8_t *)((uintptr_t)site & -4096UL);
	void (*pointer)(void) = hook;
	page = mmap(text + (16 << 20), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || mprotect(text, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		abort();
	memcpy(page, stub, sizeof stub);
	jump(page + sizeof stub - 5, site + 6);
	memcpy(page + 9 + 6 + 0x16, &pointer, 8);
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	jump(site, page);
	site[5] = 0x90;
	mprotect(text, 8192, PROT_READ | PROT_EXEC);
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	result = lines(1);
	patch();
	while (counted < 100)
		result = lines(2); /* call */
	printf("%d %d\n", result, counted);
	return 0;
}
