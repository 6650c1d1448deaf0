/* A program that puts jumps to stubs in the place of so many of its functions'
   first instructions, calls ready, and then the function hot for ever.
   usage: manypatches COUNT    at most 4096 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM 64 /* bytes of a stub */

volatile long counted;

void hook(void) { counted++; }

extern uint8_t functions[];
__asm__(
	".text\n"
	".balign 4096\n"
	"functions:\n"
	".rept 4096\n"
	"	.cfi_startproc\n"
	"	nopl 8(%rax,%rax,1)\n"
	"	ret\n"
	"	.balign 16\n"
	"	.cfi_endproc\n"
	".endr\n");

/* sub $136,%rsp; push %rbx; call *hook(%rip); pop %rbx; add $136,%rsp; the nop; jmp back */
static const uint8_t stub[] = {
	0x48, 0x81, 0xec, 0x88, 0x00, 0x00, 0x00, 0x53, 0xff, 0x15, 0x12, 0x00, 0x00, 0x00, 0x5b,
	0x48, 0x81, 0xc4, 0x88, 0x00, 0x00, 0x00, 0x0f, 0x1f, 0x44, 0x00, 0x08, 0xe9, 0, 0, 0, 0,
};

static void jump(uint8_t *at, const uint8_t *to)
{
	int32_t distance = to - (at + 5);
	*at = 0xe9;
	memcpy(at + 1, &distance, 4);
}

__attribute__((noinline)) void ready(void) { __asm__ volatile(""); }

__attribute__((noinline)) void hot(void) { counted++; }

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;
	void (*pointer)(void) = hook;
	uint8_t *page = mmap(functions + (16 << 20), 4096 * ROOM, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (page == MAP_FAILED || count > 4096 || mprotect(functions, 4096 * 16, PROT_READ | PROT_WRITE | PROT_EXEC))
		return 1;
	for (int i = 0; i < count; i++) {
		uint8_t *site = functions + 16 * i, *to = page + ROOM * i;
		memcpy(to, stub, sizeof stub);
		memcpy(to + sizeof stub, &pointer, 8);
		jump(to + sizeof stub - 5, site + 5);
		jump(site, to);
	}
	mprotect(functions, 4096 * 16, PROT_READ | PROT_EXEC);
	if (count > 0)
		mprotect(page, 4096 * ROOM, PROT_READ | PROT_EXEC);
	for (int i = 0; i < count; i++)
		((void (*)(void))(functions + 16 * i))();
	if (counted != count)
		return 1;
	ready();
	for (;;)
		hot();
}
