/* child CALL FLAGS SIGNAL: makes one child by clone or clone3 with FLAGS, names
   with commas between them or "none", and the exit signal SIGNAL, a number. The
   child ends with status 7, or with "exec" among the flags becomes a shell that
   does. Says in the end what the child was: "process STATUS", or "thread".  */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint64_t flag;
} names[] = {
	{"vm", CLONE_VM}, {"fs", CLONE_FS}, {"files", CLONE_FILES}, {"sighand", CLONE_SIGHAND}, {"vfork", CLONE_VFORK},
	{"parent", CLONE_PARENT}, {"thread", CLONE_THREAD}, {"sysvsem", CLONE_SYSVSEM}, {"untraced", CLONE_UNTRACED},
	{"ptrace", CLONE_PTRACE}, {"io", CLONE_IO}, {"newpid", CLONE_NEWPID}, {"newns", CLONE_NEWNS}, {"newuser", CLONE_NEWUSER},
	{"newuts", CLONE_NEWUTS}, {"newipc", CLONE_NEWIPC}, {"pidfd", 0x1000}, {"clear_sighand", 0x100000000},
};

static volatile int over;
static int exec;

/* Runs on a stack of its own in memory that may be the parent's, so that it uses
   nothing of the library.  */
static int child(void *arg)
{
	static char *args[] = {"sh", "-c", "exit 7", NULL}, *none[] = {NULL};
	(void)arg;
	if (exec)
		syscall(SYS_execve, "/bin/sh", args, none);
	over = 1;
	syscall(SYS_exit, 7);
	return 0;
}

static long make3(uint64_t flags, int signal, char *stack, size_t size, int *pidfd)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = {.flags = flags, .pidfd = (uintptr_t)pidfd, .exit_signal = signal, .stack = (uintptr_t)stack, .stack_size = size};
	long result;
	__asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\txor %%ebp, %%ebp\n\txor %%edi, %%edi\n\tcall *%4\n\tud2\n1:"
			 : "=a"(result) : "a"(435), "D"(&args), "S"(sizeof args), "r"(child) : "rcx", "r11", "memory");
	return result;
}

int main(int argc, char **argv)
{
	const size_t size = 65536;
	uint64_t flags = 0;
	int signal = argc > 3 ? atoi(argv[3]) : SIGCHLD, status = 0, pidfd;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long made;
	if (argc < 3 || stack == MAP_FAILED)
		return 1;
	for (char *word = strtok(argv[2], ","); word != NULL; word = strtok(NULL, ",")) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (strcmp(word, names[i].name) == 0)
				flags |= names[i].flag;
		exec |= strcmp(word, "exec") == 0;
	}
	signal &= 127;
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (strcmp(argv[1], "clone3") == 0)
		made = make3(flags, signal, stack, size, &pidfd);
	else
		made = clone(child, stack + size, flags | signal, NULL, &pidfd, NULL, NULL);
	if (made < 0) {
		printf("%s\n", strerror(made == -1 ? errno : -made));
		return 1;
	}
	if (flags & CLONE_THREAD) {
		while (!over)
			usleep(100);
		printf("thread\n");
		return 0;
	}
	if (flags & CLONE_PARENT) {
		/* It is the child of somebody else.  */
		printf("process\n");
		return 0;
	}
	while (waitpid(made, &status, __WALL) < 0)
		if (errno != EINTR)
			return 1;
	printf("process %x\n", status);
	return 0;
}
