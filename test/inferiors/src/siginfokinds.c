/* siginfokinds KIND: causes a signal and prints what its handler is given: signal,
   code, and address or payload.
   mapped      SIGSEGV, no page at 0x1234
   protected   SIGSEGV, a page that may not be written
   noncanonical SIGSEGV, an address that no page can have
   illegal     SIGILL, ud2
   divide      SIGFPE, a division by zero
   beyond      SIGBUS, a page behind the end of its file
   int3        SIGTRAP, int3
   icebp       SIGTRAP, int1
   sigqueue    SIGUSR1 with the payload 0x123456789
   realtime    SIGRTMIN+5 with the payload -2
   tgkill      SIGUSR2 by tgkill  */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

volatile int zero;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	printf("signal %d code %d ", signal, info->si_code);
	if (info->si_code == SI_QUEUE)
		printf("payload %lx\n", (unsigned long)info->si_value.sival_ptr);
	else if (info->si_code == SI_TKILL)
		printf("self %d\n", info->si_pid == getpid());
	else if (signal == SIGSEGV || signal == SIGBUS)
		printf("address %lx\n", (unsigned long)(uintptr_t)info->si_addr);
	else
		printf("address %s\n", info->si_addr == NULL ? "none" : "some");
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "mapped";
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	for (int signal = 1; signal < 65; signal++)
		if (signal != SIGKILL && signal != SIGSTOP && signal != SIGCHLD && (signal < 32 || signal > 33))
			sigaction(signal, &action, NULL);
	if (strcmp(kind, "mapped") == 0)
		*(volatile int *)0x1234 = 1;
	if (strcmp(kind, "protected") == 0)
		*(volatile char *)mmap((void *)0x20000000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) = 1;
	if (strcmp(kind, "noncanonical") == 0)
		*(volatile int *)0x1234123412341234 = 1;
	if (strcmp(kind, "illegal") == 0)
		__asm__ volatile("ud2");
	if (strcmp(kind, "divide") == 0)
		zero = 1000 / zero;
	if (strcmp(kind, "beyond") == 0) {
		FILE *file = tmpfile();
		*(volatile char *)mmap((void *)0x30000000, 4096, PROT_WRITE, MAP_SHARED | MAP_FIXED, fileno(file), 0) = 1;
	}
	if (strcmp(kind, "int3") == 0)
		__asm__ volatile("int3");
	if (strcmp(kind, "icebp") == 0)
		__asm__ volatile(".byte 0xf1");
	if (strcmp(kind, "sigqueue") == 0)
		sigqueue(getpid(), SIGUSR1, (union sigval){.sival_ptr = (void *)0x123456789});
	if (strcmp(kind, "realtime") == 0)
		sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_ptr = (void *)-2});
	if (strcmp(kind, "tgkill") == 0)
		syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	return 1;
}
