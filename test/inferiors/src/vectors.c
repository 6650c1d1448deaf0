/* vectors: puts the bytes 1, 2, ... into the widest vector register of number 5
   and prints, after a label, what is in it.  A 64-bit program has with AVX-512 the
   bytes 101, 102, ... in number 20, too.  */
#include <stdio.h>

static unsigned char in[64], out[64], more[64];

static void show(const char *name, const unsigned char *bytes, int size)
{
	printf("%s ", name);
	for (int i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

#ifdef __x86_64__
#define LOAD_MORE "vmovdqu64 %1, %%zmm20\n\t"
#define STORE_MORE "\n\tvmovdqu64 %%zmm20, %1"
#else
#define LOAD_MORE
#define STORE_MORE
#endif

/* Between the two instructions no code of the compiler's uses the register.  */
int main(void)
{
	for (int i = 0; i < 64; i++) {
		in[i] = i + 1;
		more[i] = i + 101;
	}
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f")) {
		__asm__ volatile("vmovdqu64 %2, %%zmm5\n\t" LOAD_MORE
				 ".globl loaded512\nloaded512:\n\tnop\n\t"
				 "vmovdqu64 %%zmm5, %0" STORE_MORE
				 : "=m"(out), "+m"(more) : "m"(in));
		show("zmm5", out, 64);
#ifdef __x86_64__
		show("zmm20", more, 64);
#endif
	} else if (__builtin_cpu_supports("avx")) {
		__asm__ volatile("vmovdqu %1, %%ymm5\n\t"
				 ".globl loaded256\nloaded256:\n\tnop\n\t"
				 "vmovdqu %%ymm5, %0"
				 : "=m"(out) : "m"(in));
		show("ymm5", out, 32);
	} else {
		__asm__ volatile("movdqu %1, %%xmm5\n\t"
				 ".globl loaded128\nloaded128:\n\tnop\n\t"
				 "movdqu %%xmm5, %0"
				 : "=m"(out) : "m"(in));
		show("xmm5", out, 16);
	}
	fflush(stdout);
	return 0;
}
